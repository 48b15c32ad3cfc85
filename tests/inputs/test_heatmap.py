"""Heatmaps: the official code's numbers, missing joints, flips, crops, many people."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from zoopraxis.errors import RecipeError, ShapeError, VideoError
from zoopraxis.inputs import ClipSpec, Heatmap, Media, Sampling, clip_from_dict, clip_to_dict
from zoopraxis.inputs.augment import Augment
from zoopraxis.inputs.base import view_indices
from zoopraxis.inputs.heatmap import heatmaps
from zoopraxis.models.posec3d import LIMBS
from zoopraxis.skeletons import LAYOUTS

GOLDEN = Path(__file__).parent.parent / "golden"
COCO = LAYOUTS["coco-17"]
J = COCO.num_joints


@pytest.fixture
def write(tmp_path):
    """Write skeletons (P, T, J, 3), and name them."""

    def written(joints):
        np.save(tmp_path / "joints.npy", joints)
        return Media(path="dance.mp4", skeleton=str(tmp_path / "joints.npy"))

    return written


def clip_of(kind, media, indices, *, crop=0, crops=1):
    with kind.open(media) as track:
        draw = kind.crops(track, crops)[crop]
        return kind.prepare(kind.read(track, np.array([indices]), draw), draw)[0]


def standing(num_frames=2):
    """One person whose joints lie on a grid: (1, T, J, 3)."""
    joints = np.zeros((1, num_frames, J, 3))
    joints[..., 0] = np.arange(J) % 5 * 20.0 + 100
    joints[..., 1] = np.arange(J) // 5 * 30.0 + 50
    joints[..., 2] = np.linspace(0.3, 1.0, J)
    return joints


@pytest.mark.parametrize(("name", "limbs"), [("joint", ()), ("limb", LIMBS)])
def test_heatmaps_equal_the_official_code(name, limbs, write):
    # three people in an image of 320x240; a joint, a person missing, a faint joint, a short limb.
    # PoseCompact, Resize and GeneratePoseTarget of pyskl; the square is 160 whole pixels
    golden = np.load(GOLDEN / "pyskl_heatmaps.npz")
    plain, flipped = torch.from_numpy(golden[f"{name}_heatmaps"])  # each (T, L, S, S)
    kind, media = Heatmap(limbs=limbs, resize=32, size=32), write(golden["joints"])

    ours = clip_of(kind, media, [0, 1, 2]).transpose(0, 1)  # (T, L, S, S)
    mirrored = clip_of(kind, media, [0, 1, 2], crop=9, crops=10).transpose(0, 1)

    torch.testing.assert_close(ours, plain, rtol=0, atol=2e-5)  # places are rounded to 1e-6
    torch.testing.assert_close(mirrored, flipped, rtol=0, atol=2e-5)
    assert ((ours > 1e-3) == (plain > 1e-3)).float().mean() > 0.9999


def test_the_map_of_a_joint_peaks_at_the_joint_with_its_score():
    points = torch.tensor([[[[3.0, 7.0], [10.0, 2.0]]]])  # (N, P, J, 2)
    maps = heatmaps(points, torch.tensor([[[0.9, 0.4]]]), size=16)

    assert maps.shape == (1, 2, 16, 16)
    assert maps[0, 0].argmax() == 7 * 16 + 3
    assert maps[0, 1].argmax() == 2 * 16 + 10
    torch.testing.assert_close(maps.amax(dim=(2, 3)), torch.tensor([[0.9, 0.4]]))
    # one pixel aside exp(-1 / (2 * 0.36)); two pixels aside is beyond three standard deviations
    assert float(maps[0, 0, 7, 4]) == pytest.approx(0.9 * np.exp(-1 / 0.72))
    assert maps[0, 0, 7, 5] == 0


def test_a_limb_is_a_ridge_as_high_as_the_lower_score():
    points = torch.tensor([[[[2.0, 5.0], [12.0, 5.0]]]])
    (ridge,) = heatmaps(points, torch.tensor([[[0.9, 0.4]]]), size=16, limbs=((0, 1),))[0]

    torch.testing.assert_close(ridge[5, 2:13], torch.full((11,), 0.4))
    assert ridge[4, 7] == ridge[6, 7] < 0.4
    assert not ridge[:3].any()


def test_missing_joints_leave_their_map_empty(write):
    joints = standing()
    joints[0, 1, 4] = 0
    joints[0, :, 9, 2] = 0  # no score: missing, wherever it is said to be

    x = clip_of(Heatmap(size=32, resize=32), write(joints), [0, 1])

    assert x[4, 0].any()
    assert not x[4, 1].any()
    assert not x[9].any()
    assert x[[3, 5]].amax(dim=(2, 3)).min() > 0.05
    limbs = clip_of(Heatmap(limbs=LIMBS, size=32, resize=32), write(joints), [0, 1])
    gone = LIMBS.index((7, 9))
    assert not limbs[gone].any()


def test_everybody_is_in_one_map(write):
    rng = np.random.default_rng(0)
    many = np.concatenate([standing() + rng.uniform(-80, 80, (1, 1, 1, 3)) for _ in range(30)])
    many[..., 2] = rng.uniform(0.2, 1.0, many.shape[:-1])
    kind = Heatmap()

    x = clip_of(kind, write(many), [0, 1])

    assert x.shape == kind.shape(2) == (J, 2, 64, 64)
    assert x.isfinite().all()
    assert 0 < float(x.max()) <= 1
    assert ((x[0, 0] > 0.1).sum() > 4 * 10).all()  # not one person's nose alone


def test_an_empty_frame_and_an_empty_segment_are_empty(write):
    joints = standing(60)
    joints[:, 30:] = 0
    kind = Heatmap(resize=16, size=16)

    x = clip_of(kind, write(joints), [0, 40, -1])
    assert x[:, 0].any()
    assert not x[:, 1:].any()

    media = write(joints)
    later = Media(path=media.path, skeleton=media.skeleton, start=1.0, end=2.0)
    assert not clip_of(kind, later, [40]).any()


def test_the_square_is_that_of_the_segment(write):
    joints = standing(60)
    joints[:, 30:, :, 0] += 1000  # walks away after a second
    media = write(joints)
    kind = Heatmap(resize=32, size=32)

    early = Media(path=media.path, skeleton=media.skeleton, end=1.0)

    with kind.open(early) as track:
        indices = view_indices(track, early, Sampling(num_frames=2, mode="segments"))
    whole, part = clip_of(kind, media, [0]), clip_of(kind, early, [0])
    assert indices.max() < 30
    alone = clip_of(kind, write(standing(30)), [0])
    torch.testing.assert_close(part, alone)
    # the larger the square, the fewer columns have joints
    columns = [int((x.amax(dim=(0, 1, 2)) > 0.1).sum()) for x in (part, whole)]
    assert columns[0] >= 2 * columns[1]


def test_units_of_the_coordinates_do_not_matter(write):
    pixels = standing()
    fractions = pixels.copy()
    fractions[..., :2] = pixels[..., :2] / 320 - 0.5

    kind = Heatmap(resize=32, size=32)
    torch.testing.assert_close(
        clip_of(kind, write(pixels), [0]), clip_of(kind, write(fractions), [0]), atol=1e-4, rtol=0
    )


def test_one_joint_alone_is_in_the_middle(write):
    joints = np.zeros((1, 1, J, 3))
    joints[0, 0, 3] = (55.0, 70.0, 1.0)

    x = clip_of(Heatmap(resize=32, size=32), write(joints), [0])

    assert x[3, 0].argmax() == 16 * 32 + 16


@pytest.mark.parametrize("limbs", [(), LIMBS])
def test_a_flip_swaps_left_and_right(write, limbs):
    kind = Heatmap(limbs=limbs, resize=32, size=32)
    media = write(standing())

    plain, flipped = (clip_of(kind, media, [0, 1], crop=n, crops=10) for n in (4, 9))

    names = [(joint,) for joint in COCO.joints]
    if limbs:
        names = [tuple(sorted(COCO.joints[joint] for joint in limb)) for limb in limbs]
    for channel, name in enumerate(names):
        other = tuple(
            sorted(
                part.replace("left", "X").replace("right", "left").replace("X", "right")
                for part in name
            )
        )
        assert torch.equal(flipped[channel], plain[names.index(other)].flip(-1))


def test_a_training_crop_is_a_part_of_the_square_drawn_sharply(write):
    kind = Heatmap(resize=64, size=56)
    augment = Augment(crop="resized", area=(0.56, 1.0), flip=0.0)
    with kind.open(write(standing())) as track:
        rng = np.random.default_rng(0)
        draws = [kind.draw(track, augment, rng=rng) for _ in range(8)]
        raw = kind.read(track, np.array([[0]]), draws[0])
        clips = [kind.prepare(raw, draw) for draw in draws]

    for draw, clip in zip(draws, clips, strict=True):
        top, left, height, width = draw.box
        assert 0.5 < height * width / 64**2 <= 1
        assert clip.shape == (1, J, 1, 56, 56)
        # the joint in the middle of the square, where the crop has brought it
        x, y = raw[0, 0, 0, 7, :2] * 64
        at = ((x - left) * 56 / width, (y - top) * 56 / height)
        peak = divmod(int(clip[0, 7, 0].argmax()), 56)
        assert abs(peak[1] - at[0]) <= 0.51
        assert abs(peak[0] - at[1]) <= 0.51


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"layout": "ntu-25"}, "are in space"),
        ({"layout": "coco"}, "unknown layout of skeletons 'coco'"),
        ({"limbs": ((0, 17),)}, "does not have"),
        ({"limbs": ((5, 7),)}, "mirror image is not"),
        ({"size": 65}, "crops of 65 pixels from 64"),
        ({"size": 0}, "crops of 0 pixels"),
        ({"sigma": 0.0}, "out of range"),
        ({"padding": float("nan")}, "out of range"),
    ],
)
def test_what_cannot_be_drawn_is_refused(values, problem):
    with pytest.raises(RecipeError, match=problem):
        Heatmap(**values)


def test_joints_of_another_layout_are_refused(write):
    with pytest.raises(VideoError, match="17 joints of coco-17"):
        Heatmap().open(write(np.ones((1, 2, 18, 3))))
    kind = Heatmap()
    (draw,) = kind.crops(None, 1)
    with pytest.raises(ShapeError, match="J = 17"):
        kind.prepare(torch.zeros(1, 2, 1, 18, 3), draw)


def test_limbs_survive_json():
    clip = ClipSpec(sampling=Sampling(), input=Heatmap(limbs=LIMBS))
    assert clip_from_dict(json.loads(json.dumps(clip_to_dict(clip)))) == clip
