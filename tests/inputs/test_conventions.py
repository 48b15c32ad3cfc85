"""The official rules for frames, held to tables worked out from the official code.

The numbers follow get_start_end_idx and temporal_sampling of PySlowFast's decoder.py, dataset.py
of tsn-pytorch, temporal-shift-module and GSM (minus 1: they count from 1) and of pytorch-coviar,
and torchvision's video_utils.py and clip_sampler.py.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from zoopraxis.checkpoints.config import ModelConfig
from zoopraxis.data.dataset import ClipDataset
from zoopraxis.data.samples import SampleList
from zoopraxis.errors import RecipeError, VideoError
from zoopraxis.inputs import RGB, ClipSpec, Media, clip_from_dict, clip_to_dict
from zoopraxis.inputs.augment import Augment
from zoopraxis.inputs.base import train_indices, view_indices
from zoopraxis.inputs.conventions import (
    TEST,
    TRAIN,
    VIEWS,
    choose_clips,
    torchvision_track,
    tsn_val,
    usual_views,
)
from zoopraxis.inputs.playback import Playback
from zoopraxis.inputs.sampling import Sampling
from zoopraxis.video import open_video

FOUR_BY_EIGHT = Sampling(num_frames=4, stride=8)
EIGHT_BY_EIGHT = Sampling(num_frames=8, stride=8)
THREE = Sampling(num_frames=3, mode="segments")

TABLE = [
    # start 68 * i / 2, then 31/3 further each time
    ("pyslowfast", 100, 30.0, FOUR_BY_EIGHT, 2, [[0, 10, 20, 31], [34, 44, 54, 65]]),
    # shorter than the clip: the last frame is held
    ("pyslowfast", 20, 30.0, FOUR_BY_EIGHT, 1, [[0, 10, 19, 19]]),
    # 25 fps: a clip of 64 frames at 30 fps is 53.33 frames long, step 52.33 / 7
    ("pyslowfast", 300, 25.0, EIGHT_BY_EIGHT, 1, [[0, 7, 14, 22, 29, 37, 44, 52]]),
    ("pyslowfast_offset", 300, 30.0, FOUR_BY_EIGHT, 1, [[134, 144, 154, 165]]),
    # free 268: starts 0 and 268
    ("pyslowfast_offset", 300, 30.0, FOUR_BY_EIGHT, 2, [[0, 10, 20, 31], [268, 278, 288, 299]]),
    # segments of 10/4 end at 0 2.5 5 7.5 10, to the even number 0 2 5 8 10
    ("pyslowfast_ssv2", 11, 30.0, Sampling(num_frames=4, mode="segments"), 1, [[1, 3, 6, 9]]),
    ("pyslowfast_ssv2", 2, 30.0, THREE, 1, [[0, 0, 1]]),
    ("tsn", 10, 30.0, THREE, 1, [[1, 5, 8]]),
    ("tsn", 2, 30.0, THREE, 1, [[0, 1, 1]]),
    # 9/7 per segment: 0.64 1.93 3.21 4.5 5.79 7.07 8.36
    ("tsn", 9, 30.0, Sampling(num_frames=7, mode="segments"), 1, [[0, 1, 3, 4, 5, 7, 8]]),
    # four starts, two in each segment: 1 and 3
    ("tsn", 8, 30.0, Sampling(num_frames=2, mode="segments", stack=5), 1,
     [[1, 2, 3, 4, 5, 3, 4, 5, 6, 7]]),
    ("tsm_twice", 10, 30.0, THREE, 2, [[1, 5, 8], [0, 3, 6]]),
    ("gsm_twice", 10, 30.0, THREE, 2, [[0, 3, 6], [1, 5, 8]]),
    # every eighth of 64 frames, starts 0 and 36
    ("tsm_dense", 100, 30.0, Sampling(num_frames=8), 2,
     [[0, 8, 16, 24, 32, 40, 48, 56], [36, 44, 52, 60, 68, 76, 84, 92]]),
    ("tsm_dense", 40, 30.0, Sampling(num_frames=8), 1, [[0, 8, 16, 24, 32, 0, 8, 16]]),
    ("torchvision", 10, 30.0, Sampling(num_frames=4), 1, [[0, 1, 2, 3]]),
    ("torchvision", 10, 30.0, Sampling(num_frames=4), 2, [[0, 1, 2, 3], [6, 7, 8, 9]]),
    # track 0 1 3 4 6 7 of 30 to 20 fps: three clips of four
    ("torchvision", 10, 30.0, Sampling(num_frames=4, fps=20.0), 3,
     [[0, 1, 3, 4], [1, 3, 4, 6], [3, 4, 6, 7]]),
    ("i3d", 5, 30.0, Sampling(num_frames=8), 1, [[0, 1, 2, 3, 4, 0, 1, 2]]),
    ("i3d", 9, 30.0, Sampling(num_frames=8), 1, [[0, 1, 2, 3, 4, 5, 6, 7, 8]]),
    # 9 / 3 per segment: 1.5 4.5 7.5, to the even number
    ("coviar", 10, 30.0, THREE, 1, [[2, 4, 8]]),
    ("coviar", 2, 30.0, THREE, 1, [[0, 0, 1]]),
    ("coviar", 1, 30.0, THREE, 1, [[0, 0, 0]]),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "num_frames", "fps", "clip", "views", "expected"), TABLE)
def test_test_views(rule, num_frames, fps, clip, views, expected):
    assert TEST[rule](num_frames, fps, clip, views=views).tolist() == expected


def test_every_rule_has_a_row():
    assert {row[0] for row in TABLE} == set(TEST)


def test_ten_views_of_pyslowfast_never_reach_the_end():
    starts = TEST["pyslowfast"](300, 30.0, EIGHT_BY_EIGHT, views=10)[:, 0]
    # 236 * i / 10 rounded down
    assert starts.tolist() == [0, 23, 47, 70, 94, 118, 141, 165, 188, 212]


def test_tsn_rounds_as_the_official_code_does():
    # in doubles, exact answers such as 9 come out as 8.999999999999998
    clip = Sampling(num_frames=25, mode="segments")
    for count in range(1, 400):
        tick = count / 25
        official = [int(tick / 2.0 + tick * x) for x in range(25)]
        assert TEST["tsn"](count, 30.0, clip, views=1).tolist() == [official]


def test_tsn_validation_of_a_short_video_is_a_still():
    assert tsn_val(3, 30.0, THREE).tolist() == [[0, 0, 0]]
    assert tsn_val(4, 30.0, THREE).tolist() == [[0, 2, 3]]


def _drawn(rule, num_frames, clip):
    rng = np.random.default_rng(0)
    clips = np.concatenate([TRAIN[rule](num_frames, 30.0, clip, rng=rng) for _ in range(400)])
    return [set(column) for column in clips.T]


def test_tsn_training_leaves_out_the_remainder():
    assert _drawn("tsn", 11, THREE) == [{0, 1, 2}, {3, 4, 5}, {6, 7, 8}]


def test_tsn_training_on_a_short_video_is_a_still():
    assert _drawn("tsn", 2, THREE) == [{0}, {0}, {0}]


def test_tsn_training_sorts_draws_where_stacks_are_long():
    clip = Sampling(num_frames=3, mode="segments", stack=5)
    rng = np.random.default_rng(0)
    clips = np.concatenate([TRAIN["tsn"](6, 30.0, clip, rng=rng) for _ in range(100)])
    starts = clips[:, ::5]  # two starts for three segments
    assert set(starts.ravel()) == {0, 1}
    assert (np.diff(starts) >= 0).all()
    assert (clips[:, 4] == starts[:, 0] + 4).all()


def test_tsm_dense_training_never_draws_the_last_start():
    assert _drawn("tsm_dense", 67, Sampling(num_frames=8))[0] == {0, 1, 2}  # 3 would fit
    assert _drawn("tsm_dense", 64, Sampling(num_frames=8))[0] == {0}


def test_coviar_training_leaves_out_the_last_item():
    assert _drawn("coviar", 11, THREE) == [{0, 1, 2}, {3, 4, 5, 6}, {7, 8, 9}]
    assert _drawn("coviar", 2, THREE) == [{0}, {0}, {1}]


def test_pyslowfast_trains_on_both_ends_of_every_segment():
    clip = Sampling(num_frames=4, mode="segments")
    assert _drawn("pyslowfast_ssv2", 11, clip) == [
        {0, 1, 2}, {2, 3, 4, 5}, {5, 6, 7, 8}, {8, 9, 10}
    ]  # fmt: skip


def test_pyslowfast_training_draws_a_real_start():
    firsts, seconds = _drawn("pyslowfast", 34, FOUR_BY_EIGHT)[:2]
    assert firsts == {0, 1}  # start in [0, 2)
    assert seconds == {10, 11, 12}  # 10.33 further


def test_torchvision_rounds_down_where_we_take_the_nearest():
    assert torchvision_track(10, 25.0, 30.0).tolist() == [0, 0, 1, 2, 3, 4, 5, 5, 6, 7, 8, 9]
    assert torchvision_track(10, 30.0, 10.0).tolist() == [0, 3, 6, 9]


@pytest.mark.parametrize(("rule", "only"), [*VIEWS.items()])
def test_a_rule_of_fixed_views_refuses_others(rule, only):
    with pytest.raises(RecipeError, match=f"{rule}' gives {only} view") as caught:
        TEST[rule](30, 30.0, THREE, views=3)
    assert caught.value.hint == f"set views to {only}"
    assert TEST[rule](30, 30.0, THREE, views=usual_views(rule, otherwise=10)).shape[0] == only


# As part of a clip

CLIP = ClipSpec(sampling=Sampling(num_frames=4, stride=8), input=RGB(resize=64, size=64))


def video(frames, fps=30.0):
    return open_video(torch.zeros(frames, 3, 4, 4, dtype=torch.uint8), fps=fps)


@pytest.mark.parametrize("rule", TEST)
def test_a_clip_with_a_convention_is_tested_by_its_rule(rule):
    sampling = replace(FOUR_BY_EIGHT, convention=rule)
    views = usual_views(rule, otherwise=3)

    got = view_indices(video(100), Media(path=""), sampling, views=views)

    assert got.tolist() == TEST[rule](100, 30.0, FOUR_BY_EIGHT, views=views).tolist()
    ours = view_indices(video(100), Media(path=""), FOUR_BY_EIGHT, views=VIEWS.get(rule, 1))
    assert ours.tolist() not in (got.tolist(), got[:1].tolist())


def test_a_segment_is_sampled_as_if_it_were_the_whole_video():
    media = Media(path="", start=1.0, end=2.0)  # frames 30 to 59
    sampling = replace(THREE, convention="coviar")

    # of 30 items: 29/3 per segment, 4.83 14.5 24.17
    assert view_indices(video(90), media, sampling).tolist() == [[35, 44, 54]]


def test_a_video_of_every_second_frame_is_sampled_as_such():
    play = Playback(order="sped_up", factor=2)
    sampling = replace(THREE, convention="tsn")

    got = view_indices(video(20), Media(path=""), sampling, play=play)

    assert got.tolist() == [[2 * n for n in [1, 5, 8]]]


@pytest.mark.parametrize("rule", TRAIN)
def test_a_clip_with_a_convention_is_trained_by_its_rule(rule):
    sampling = replace(FOUR_BY_EIGHT, convention=rule)
    ours, theirs = np.random.default_rng(0), np.random.default_rng(0)
    for _ in range(20):
        got = train_indices(video(100), Media(path=""), sampling, rng=ours)
        assert got.tolist() == TRAIN[rule](100, 30.0, FOUR_BY_EIGHT, rng=theirs).tolist()


@pytest.mark.parametrize("rule", sorted(set(TEST) - set(TRAIN)))
def test_a_convention_without_a_rule_for_training_is_refused(rule):
    clip = CLIP.change(convention=rule)
    samples = SampleList(samples=(), labels=("a",), root="")

    with pytest.raises(RecipeError, match=f"'{rule}' has no rule for training"):
        ClipDataset(samples, clip, augment=Augment())
    with pytest.raises(RecipeError, match="no rule for training"):
        train_indices(video(9), Media(path=""), clip.sampling, rng=np.random.default_rng(0))
    ClipDataset(samples, clip)  # validates


def test_rules_for_training_go_with_a_test_of_one_view():
    # validation takes one view
    assert {VIEWS.get(rule, 1) for rule in TRAIN} == {1}


def test_a_name_that_is_no_conventions_is_refused():
    with pytest.raises(RecipeError, match=r"must be pyslowfast, .*coviar or empty, not") as caught:
        CLIP.change(convention="pyslowfst")
    assert "pyslowfast" in caught.value.hint
    values = clip_to_dict(CLIP)
    values["sampling"]["convention"] = "nobody"
    with pytest.raises(RecipeError, match=r"^a\.json: convention must be"):
        clip_from_dict(values, where="a.json")
    with pytest.raises(RecipeError, match="must be"):
        choose_clips(9, 30.0, replace(THREE, convention="nobody"))


def test_a_video_without_frames_is_refused():
    with pytest.raises(VideoError, match="0 frames"):
        choose_clips(0, 30.0, replace(THREE, convention="tsn"))


def test_json_and_key_are_as_before_without_a_convention():
    named = CLIP.change(convention="tsn")
    config = ModelConfig(name="test_tsn", clip=CLIP, labels=("a", "b"), sha256="0")

    assert "convention" not in clip_to_dict(CLIP)["sampling"]
    assert clip_to_dict(named)["sampling"]["convention"] == "tsn"
    assert clip_from_dict(clip_to_dict(named)) == named
    assert clip_from_dict(clip_to_dict(CLIP)) == CLIP
    # the key that it had before clips had conventions: what was kept under it is still found
    assert config.key == "007e40a85780f2b41a9f204c8ee382f7e013b1c152553563c4034081779c9788"
    assert replace(config, clip=named).key != config.key
