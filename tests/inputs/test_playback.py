"""Clips played otherwise are those of the video played otherwise."""

import numpy as np
import pytest
import torch

from zoopraxis.errors import RecipeError
from zoopraxis.inputs import RGB, ClipSpec, Compressed, Flow, Media, RGBDiff, Sampling, Skeleton
from zoopraxis.inputs.base import view_indices
from zoopraxis.inputs.playback import FORWARDS, ORDERS, Playback, rearranged
from zoopraxis.inputs.sampling import NOTHING
from zoopraxis.prediction.pipeline import view_inputs
from zoopraxis.video import ArrayVideo

CLIP = ClipSpec(sampling=Sampling(num_frames=4), input=RGB(resize=16, size=16))


def video(places, fps=10.0):
    """Frames of noise, those of these numbers."""
    noise = np.random.default_rng(0).integers(0, 256, (24, 3, 16, 16), np.uint8)
    return ArrayVideo(torch.from_numpy(noise[list(places)]), fps=fps)


def clips(shown, play=FORWARDS, clip=CLIP, views=2, **media):
    inputs, _ = view_inputs(shown, Media(path="", **media), clip, views=views, play=play)
    return inputs


def play(order, **settings):
    return Playback(order=order, **settings)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (FORWARDS, [5, 6, 7, 8, 9, 10, 11]),
        (play("frozen"), [8] * 7),
        (play("subsampled"), [5, 5, 7, 7, 9, 9, 11]),
        (play("subsampled", factor=3), [5, 5, 5, 8, 8, 8, 11]),
        (play("subsampled", factor=99), [5] * 7),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_worked_examples(how, expected):
    assert rearranged(np.arange(5, 12)[None], how).tolist() == [expected]


def test_a_shuffled_clip_has_its_items_once_and_depends_on_seed_video_and_view():
    indices = np.stack([np.arange(16), np.arange(16)])

    first = rearranged(indices, play("shuffled"), sample=3)

    assert np.array_equal(np.sort(first), indices)
    assert np.array_equal(first, rearranged(indices, play("shuffled"), sample=3))
    assert not np.array_equal(first[0], first[1])
    for other in (
        rearranged(indices, play("shuffled"), sample=4),
        rearranged(indices, play("shuffled", seed=1), sample=3),
    ):
        assert not np.array_equal(first, other)


def test_what_is_frozen_of_a_short_clip_is_an_item_and_no_gap():
    indices = np.array([[0, 1, 2, NOTHING, NOTHING, NOTHING, NOTHING]])

    assert rearranged(indices, play("frozen")).tolist() == [[1] * 7]


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(num_frames=4),
        Sampling(num_frames=4, stride=2),
        Sampling(num_frames=4, fps=5.0),
        Sampling(num_frames=20),
        Sampling(num_frames=3, mode="segments"),
        Sampling(num_frames=20, short="hold"),
    ],
    ids=str,
)
@pytest.mark.parametrize("factor", [2, 3])
def test_sped_up_is_the_video_of_every_nth_frame(sampling, factor):
    clip = ClipSpec(sampling=sampling, input=CLIP.input)

    faster = clips(video(range(24)), play("sped_up", factor=factor), clip)

    assert torch.equal(faster, clips(video(range(0, 24, factor)), clip=clip))


def test_sped_up_stays_within_its_segment():
    faster = clips(video(range(24)), play("sped_up"), start=0.5, end=1.4)

    assert torch.equal(faster, clips(video(range(5, 14, 2))))


def test_a_gap_stays_a_gap_when_sped_up(tmp_path):
    np.save(tmp_path / "joints.npy", np.random.default_rng(1).random((1, 12, 18, 3)))
    media = Media(path="", skeleton=str(tmp_path / "joints.npy"))
    with Skeleton().open(media) as track:
        sampling = Sampling(num_frames=8, short="zeros")
        indices = view_indices(track, media, sampling, play=play("sped_up"))

    assert indices.tolist() == [[0, 2, 4, 6, 8, 10, NOTHING, NOTHING]]


def test_reversed_and_frozen_are_the_video_so():
    clip = ClipSpec(sampling=Sampling(num_frames=24), input=CLIP.input)
    ahead = video(range(24))

    assert torch.equal(
        clips(ahead, play("reversed"), clip, 1), clips(video(range(23, -1, -1)), clip=clip, views=1)
    )
    assert torch.equal(
        clips(ahead, play("frozen"), clip, 1), clips(video([12] * 24), clip=clip, views=1)
    )


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("kind", "alone"),
    [
        (RGB(), True),
        (Skeleton(streams=("joint_motion",)), True),  # which is computed within the clip
        (Compressed(stream="i_frame"), True),
        (Compressed(stream="vectors"), False),
        (Flow(), False),
        (RGBDiff(), False),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_changes_between_frames_have_no_other_neighbours(kind, alone, order):
    if alone or order in ("forwards", "reversed"):
        kind.check_playback(play(order))
    else:
        with pytest.raises(RecipeError, match=f"cannot be played {order}"):
            kind.check_playback(play(order))


@pytest.mark.parametrize(
    "wrong", [{"order": "upside_down"}, {"factor": 1}, {"factor": 2.5}, {"seed": -1}]
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(RecipeError):
        Playback(**wrong)
