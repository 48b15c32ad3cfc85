"""Skeletons: their files, the people that are chosen, flips and motion."""

import json

import numpy as np
import pytest
import torch

from zoopraxis.errors import RecipeError, ShapeError, VideoError
from zoopraxis.inputs import RGB, ClipSpec, Media, Sampling, Skeleton
from zoopraxis.inputs.augment import Augment
from zoopraxis.inputs.base import train_indices, view_indices
from zoopraxis.inputs.skeleton import SkeletonDraw
from zoopraxis.skeletons import LAYOUTS

J = 18


def person(x, y, score):
    """Pose and score of one person of 18 joints, all at one point."""
    return {"pose": [x, y] * J, "score": [score] * J}


def write(file, frames, **more):
    data = [{"frame_index": n, "skeleton": people} for n, people in frames.items()]
    file.write_text(json.dumps({"data": data, "label": "juggling", "label_index": 3, **more}))
    return Media(path="juggling.mp4", skeleton=str(file))


def clip_of(kind, media, indices, draw=None):
    with kind.open(media) as track:
        return kind.prepare(kind.read(track, np.array([indices]), draw), draw or SkeletonDraw())[0]


def test_kinetics_skeleton_is_read_as_the_official_code_does(tmp_path):
    frames = {0: [person(0.25, 1.0, 0.5)], 2: [person(0.5, 0.0, 0.9)]}
    media = write(tmp_path / "a.json", frames)
    with Skeleton().open(media) as track:
        assert track.num_frames == 3
        assert track.fps == 30

    x = clip_of(Skeleton(), media, [0, 1, 2])  # (C, T, J, P)

    assert x.shape == (3, 3, J, 2)
    torch.testing.assert_close(x[:, 0, 5, 0], torch.tensor([-0.25, 0.5, 0.5]))
    assert not x[:, 1].any()  # nobody was found in frame 1
    torch.testing.assert_close(x[:, 2, 0, 0], torch.tensor([0.0, -0.5, 0.9]))
    assert not x[..., 1].any()  # nor a second person


def test_the_people_with_the_highest_scores_are_kept_in_every_frame(tmp_path):
    frames = {
        0: [person(0.1, 0, 0.2), person(0.2, 0, 0.9), person(0.3, 0, 0.5)],
        1: [person(0.1, 0, 0.7), person(0.2, 0, 0.1), person(0.3, 0, 0.3)],
    }
    x = clip_of(Skeleton(), write(tmp_path / "a.json", frames), [0, 1])

    torch.testing.assert_close(x[0, :, 0] + 0.5, torch.tensor([[0.2, 0.3], [0.1, 0.3]]))


def test_missing_joints_are_zero(tmp_path):
    joints = np.full((1, J, 3), 0.3)
    joints[0, 4, 2] = 0  # no score
    joints[0, 7, 1] = np.nan
    np.save(tmp_path / "a.npy", joints)
    moved = SkeletonDraw(first=(90.0, 1.0, 0.5, 0.5), last=(90.0, 1.0, 0.5, 0.5))
    for draw in (SkeletonDraw(), moved):
        x = clip_of(Skeleton(), Media(path=tmp_path / "a.npy"), [0], draw)
        assert [j for j in range(J) if not x[:, 0, j, 0].any()] == [4, 7]


def test_arrays_may_have_people_and_a_rate_and_no_scores(tmp_path):
    joints = np.random.default_rng(0).random((3, 5, J, 2)) + 0.1  # (P, T, J, C)
    np.savez(tmp_path / "a.npz", skeleton=joints, fps=12.5)
    media = Media(path="", skeleton=str(tmp_path / "a.npz"))
    with Skeleton(people=4).open(media) as track:
        assert (track.num_frames, track.fps, track.duration) == (5, 12.5, 0.4)

    x = clip_of(Skeleton(people=4), media, [3])

    assert x[2, 0, :, :3].eq(1).all()
    np.testing.assert_allclose(x[:2, 0, :, 2], joints[2, 3].T, rtol=1e-6)
    assert not x[..., 3].any()


def test_people_with_depth_stay_in_their_order(tmp_path):
    joints = np.random.default_rng(0).normal(size=(3, 4, 25, 3))
    np.save(tmp_path / "a.npy", joints)

    x = clip_of(Skeleton(layout="ntu-25"), Media(path=str(tmp_path / "a.npy")), [0, 3])

    np.testing.assert_allclose(x.numpy(), joints[:2, [0, 3]].transpose(3, 1, 2, 0), rtol=1e-6)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_flip_negates_x_and_swaps_the_sides(name, tmp_path):
    layout = LAYOUTS[name]
    joints = np.random.default_rng(0).random((1, layout.num_joints, 3)) + 0.1
    np.save(tmp_path / "a.npy", joints)
    kind, media = Skeleton(layout=name, people=1), Media(path=str(tmp_path / "a.npy"))

    plain, flipped = (clip_of(kind, media, [0], SkeletonDraw(flip=f)) for f in (False, True))

    left, right = (layout.joints.index(f"{side}_knee") for side in ("left", "right"))
    torch.testing.assert_close(flipped[0, 0, left], -plain[0, 0, right])
    torch.testing.assert_close(flipped[1:, 0, right], plain[1:, 0, left])
    middle = layout.centre
    torch.testing.assert_close(flipped[1:, 0, middle], plain[1:, 0, middle])


def test_motion_is_even_from_the_first_frame_to_the_last(tmp_path):
    joints = np.tile([0.2, 0.0, 1.0], (3, J, 1))
    np.save(tmp_path / "a.npy", joints)
    draw = SkeletonDraw(first=(0.0, 1.0, 0.0, 0.0), last=(90.0, 3.0, 0.0, 0.2))

    x = clip_of(Skeleton(people=1), Media(path=str(tmp_path / "a.npy")), [0, 1, 2], draw)

    half = 0.2 * 2 * np.sqrt(0.5)  # turned by 45 degrees and twice as large
    expected = [[0.2, half, 0.0], [0.0, half + 0.1, 0.6 + 0.2], [1.0, 1.0, 1.0]]
    torch.testing.assert_close(x[:, :, 0, 0], torch.tensor(expected, dtype=torch.float32))


def test_draws_stay_within_the_strength(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((3, J, 3)))
    track = Skeleton().open(Media(path=str(tmp_path / "a.npy")))
    rng = np.random.default_rng(0)

    still = [Skeleton().draw(track, Augment(), rng=rng) for _ in range(20)]
    half = [Skeleton(move=0.5).draw(track, Augment(flip=0), rng=rng) for _ in range(200)]

    assert {(d.first, d.last) for d in still} == {(SkeletonDraw().first, SkeletonDraw().last)}
    assert {d.flip for d in still} == {False, True}
    assert not any(d.flip for d in half)
    angles, scales, right, down = np.array([d.first for d in half]).T
    assert (angles.min(), angles.max()) == (-5, 5)
    np.testing.assert_allclose((scales.min(), scales.max()), (0.95, 1.05))
    np.testing.assert_allclose((right.min(), down.max()), (-0.1, 0.1))


def test_ten_crops_are_five_and_their_flips(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((3, J, 3)))
    track = Skeleton().open(Media(path=str(tmp_path / "a.npy")))

    assert [d.flip for d in Skeleton().crops(track, 10)] == [False] * 5 + [True] * 5
    assert not any(d.flip for d in Skeleton().crops(track, 5))
    with pytest.raises(VideoError, match="crops must be 1, 3, 5 or 10, not 4"):
        Skeleton().crops(track, 4)


def test_a_reference_may_have_people_first():
    x = torch.randn(1, 2, 7, 17, 3)
    kind = Skeleton(layout="coco-17")

    assert torch.equal(kind.from_reference(x, stack=1), x.transpose(1, 4))
    assert kind.from_reference(x.transpose(1, 4), stack=1).shape == (1, 3, 7, 17, 2)


def test_bones_and_motion_are_differences_where_both_are_there(tmp_path):
    layout = LAYOUTS["openpose-18"]
    joints = np.random.default_rng(0).random((4, J, 3)) + 0.1
    joints[2, 3] = 0  # the right elbow, neighbour of the wrist, is missing in frame 2
    np.save(tmp_path / "a.npy", joints)
    media = Media(path=str(tmp_path / "a.npy"))
    names = ("joints", "bones", "joint_motion", "bone_motion")
    kind = Skeleton(people=1, streams=names)

    out = clip_of(kind, media, [0, 1, 2, 3])

    assert out.shape == (*kind.shape(4),) == (12, 4, J, 1)
    x, bones, motion, bone_motion = out[..., 0].unflatten(0, (4, 3))  # each (3, T, J)
    parents = list(layout.parents)
    there = torch.from_numpy(joints).float().permute(2, 0, 1)
    torch.testing.assert_close(x, there)
    wanted = there[:2] - there[:2, :, parents]
    wanted[:, 2, [3, 4]] = 0
    torch.testing.assert_close(bones[:2], wanted)
    torch.testing.assert_close(bones[2, 0, 4], (there[2, 0, 4] + there[2, 0, 3]) / 2)
    assert not bones[:2, :, layout.centre].any()
    wanted = torch.cat([there[:2, 1:] - there[:2, :-1], torch.zeros(2, 1, J)], dim=1)
    wanted[:, [1, 2], 3] = 0
    torch.testing.assert_close(motion[:2], wanted)
    torch.testing.assert_close(bone_motion[:2, 0], bones[:2, 1] - bones[:2, 0])
    assert not bone_motion[:, 1:, 4].any()


@pytest.mark.parametrize("layout", ["openpose-18", "kinect-20"])
def test_every_stream_backwards_is_that_of_the_clip_backwards(tmp_path, layout):
    joints = np.random.default_rng(0).random((5, LAYOUTS[layout].num_joints, 3)) + 0.1
    np.save(tmp_path / "a.npy", joints)
    kind = Skeleton(
        layout=layout, people=1, streams=("joints", "bones", "joint_motion", "bone_motion")
    )
    media = Media(path=str(tmp_path / "a.npy"))

    forwards, backwards = (
        clip_of(kind, media, order)[None] for order in (range(5), range(4, -1, -1))
    )

    torch.testing.assert_close(kind.reverse(forwards), backwards)


def test_body_centred_coordinates_do_not_depend_on_place_and_size(tmp_path):
    layout = LAYOUTS["kinect-20"]
    joints = np.random.default_rng(0).normal(size=(2, 6, 20, 3))
    joints[:, 0] = np.nan  # nobody in the first frame
    joints[1, 2:4] = np.nan
    np.save(tmp_path / "a.npy", joints)
    np.save(tmp_path / "b.npy", 2.5 * joints + [1.0, -2.0, 3.0])
    kind = Skeleton(layout="kinect-20", normalise="body")

    here, there = (clip_of(kind, Media(path=str(tmp_path / f"{n}.npy")), range(6)) for n in "ab")

    torch.testing.assert_close(here, there, atol=1e-5, rtol=1e-5)
    assert not here[:, 0].any()
    torch.testing.assert_close(here[:, 1].mean(dim=(1, 2)), torch.zeros(3), atol=1e-6, rtol=0)
    v, w = np.transpose(layout.edges)
    lengths = (here[:, :, v] - here[:, :, w]).norm(dim=0)  # (T, edges, P)
    torch.testing.assert_close(lengths[lengths > 0].mean(), torch.tensor(1.0))


def test_paced_by_motion_a_pause_takes_no_time(tmp_path):
    # ten frames of rest, then a step to the right in ten, then ten of rest
    right = np.concatenate([np.zeros(10), (1 - np.cos(np.linspace(0, np.pi, 10))) / 2, np.ones(10)])
    joints = np.random.default_rng(0).normal(size=(1, 20, 3)).repeat(30, axis=0)
    joints[..., 0] += right[:, None]
    joints[12, 4] = np.nan
    np.save(tmp_path / "a.npy", joints)
    np.save(tmp_path / "still.npy", joints[:10])
    np.save(tmp_path / "one.npy", joints[:1])
    kind = Skeleton(layout="kinect-20", people=1, pace="motion")

    x = clip_of(kind, Media(path=str(tmp_path / "a.npy")), range(30))[..., 0]  # (C, T, J)

    steps = np.diff(x[0, :, 0].numpy())
    assert np.abs(steps[3:-3] - 1 / 29).max() < 0.003  # the filter rounds the corners
    torch.testing.assert_close(x[:, 0], torch.from_numpy(joints[0].T).float())
    torch.testing.assert_close(x[:, -1], torch.from_numpy(joints[-1].T).float())
    gone = (x[:, :, 4] == 0).all(dim=0)
    assert 0 < gone.sum() < 5
    for name, count in (("still", 10), ("one", 1)):
        same = clip_of(kind, Media(path=str(tmp_path / f"{name}.npy")), range(count))[..., 0]
        torch.testing.assert_close(same, torch.from_numpy(joints[:count]).permute(2, 0, 1).float())
    with pytest.raises(VideoError, match=r"a\.npy: a segment in seconds"):
        kind.open(Media(path=str(tmp_path / "a.npy"), start=0.1))


def test_bodies_turn_about_the_vertical_and_shear(tmp_path):
    joints = np.random.default_rng(0).normal(size=(3, 20, 3))
    joints[1, 7] = np.nan
    np.save(tmp_path / "a.npy", joints)
    media = Media(path=str(tmp_path / "a.npy"))
    kind = Skeleton(layout="kinect-20", people=1, turn=90.0)
    rng = np.random.default_rng(0)
    with kind.open(media) as track:
        draw = kind.draw(track, Augment(flip=0), rng=rng)
        sheared = kind.change(turn=0.0, shear=0.2).draw(track, Augment(), rng=rng)
        flat = Skeleton(layout="jhmdb-15", turn=90.0, shear=0.2).draw(track, Augment(), rng=rng)

    plain, turned = (clip_of(kind, media, range(3), d) for d in (None, draw))

    torch.testing.assert_close(turned[1], plain[1])  # heights stay
    torch.testing.assert_close(turned.norm(dim=0), plain.norm(dim=0))
    assert not torch.allclose(turned, plain)
    assert not turned[:, 1, 7].any()
    mixed = np.array(sheared.matrix)
    assert np.diag(mixed).tolist() == [1, 1, 1]
    assert 0 < np.abs(mixed - np.eye(3)).max() <= 0.2
    assert np.array(flat.matrix)[2].tolist() == [0, 0, 1]  # the score stays
    assert np.array(flat.matrix)[:, 2].tolist() == [0, 0, 1]
    assert np.diag(flat.matrix).tolist() == [1, 1, 1]


def test_short_clips_are_filled_up_with_zeros(tmp_path):
    np.save(tmp_path / "a.npy", np.random.default_rng(0).random((3, J, 3)) + 0.1)
    media = Media(path=str(tmp_path / "a.npy"))
    clip = ClipSpec(sampling=Sampling(num_frames=5, short="zeros"), input=Skeleton())
    rng = np.random.default_rng(0)
    with clip.input.open(media) as track:
        tested = view_indices(track, media, clip.sampling)
        starts = {
            tuple(train_indices(track, media, clip.sampling, rng=rng)[0].tolist())
            for _ in range(50)
        }
        x = clip.input.prepare(clip.input.read(track, tested, SkeletonDraw()), SkeletonDraw())

    assert tested.tolist() == [[0, 1, 2, -1, -1]]
    assert starts == {(0, 1, 2, -1, -1), (-1, 0, 1, 2, -1), (-1, -1, 0, 1, 2)}
    assert x[0, :, :3, :, 0].all()
    assert not x[0, :, 3:].any()
    with pytest.raises(RecipeError, match="short clips of 'rgb' cannot be filled up"):
        ClipSpec(sampling=Sampling(short="zeros"), input=RGB())


def files(folder):
    def array(name, values):
        np.save(folder / name, values)
        return Media(path="v.mp4", skeleton=str(folder / name))

    def text(content):
        (folder / "a.json").write_text(content)
        return Media(path="v.mp4", skeleton=str(folder / "a.json"))

    empty = {"frame_index": 1, "skeleton": []}
    short = {"pose": [0.1] * 4, "score": [1.0] * 2}
    return {
        "expects skeletons, and none are given": Media(path="v.mp4"),
        "there are no skeletons here": Media(path="", skeleton=str(folder / "none.npy")),
        r"v\.avi: there are no": Media(path="", skeleton=str(folder / "v.avi")),
        r"shape \(1, 3, 17, 3\) are not": array("a.npy", np.zeros((3, 17, 3))),
        r"shape \(1, 0, 18, 3\) are not": array("b.npy", np.zeros((0, 18, 3))),
        r"shape \(18, 3\) at 30": array("c.npy", np.zeros((18, 3))),
        "a coordinate is infinite": array("d.npy", np.full((3, 18, 3), np.inf)),
        "holds no skeletons: .*words": array("e.npy", np.array([["words"]])),
    }, {
        "holds no skeletons: KeyError": lambda: text("{}"),
        "holds no skeletons: JSONDecodeError": lambda: text("{"),
        "holds no skeletons: TypeError": lambda: text("[]"),
        "nobody in any frame": lambda: write(folder / "a.json", {0: [], 4: []}),
        "pose of 4 and score of 2 numbers": lambda: write(
            folder / "a.json", {0: [person(0, 0, 1)], 1: [short]}
        ),
        r"shape \(1, 1, 2, 3\) are not": lambda: write(folder / "a.json", {0: [short]}),
        "a negative or a huge index": lambda: write(folder / "a.json", {-1: [person(0, 0, 1)]}),
        "the same, a negative": lambda: text(json.dumps({"data": [empty, empty]})),
    }


def test_files_that_hold_no_skeletons_are_refused(tmp_path):
    (tmp_path / "v.avi").write_text("")
    ready, made = files(tmp_path)
    for problem, media in ready.items():
        with pytest.raises(VideoError, match=problem):
            Skeleton().open(media)
    for problem, make in made.items():
        with pytest.raises(VideoError, match=problem):
            Skeleton().open(make())
    np.save(tmp_path / "flat.npy", np.zeros((3, 25, 2)))
    with pytest.raises(VideoError, match="joints of 2 numbers, and ntu-25 has x, y and z"):
        Skeleton(layout="ntu-25").open(Media(path=str(tmp_path / "flat.npy")))


def test_values_out_of_range_are_refused():
    wrong = ({"people": 0}, {"move": -1.0}, {"move": float("nan")}, {"turn": -1.0}, {"shear": -1.0})
    for values in wrong:
        with pytest.raises(RecipeError, match="out of range"):
            Skeleton(**values)
    for streams in ((), ("joint",), ("joints", "flow")):
        with pytest.raises(RecipeError, match="are not some of joints, bones"):
            Skeleton(streams=streams)
    with pytest.raises(RecipeError, match="normalise must be none or body"):
        Skeleton(normalise="view")
    with pytest.raises(RecipeError, match="pace must be time or motion"):
        Skeleton(pace="even")
    with pytest.raises(RecipeError, match="unknown layout") as caught:
        Skeleton(layout="ntu")
    assert "ntu-25" in caught.value.hint
    with pytest.raises(ShapeError, match="J = 18"):
        Skeleton().prepare(torch.zeros(1, 2, 1, 25, 3), SkeletonDraw())


def test_coordinates_in_half_frames_from_the_middle(tmp_path):
    joints = np.zeros((1, 1, 17, 3))
    joints[0, 0, 0] = (0.25, -0.5, 0.9)  # a quarter of the frame to the right, at its top
    joints[0, 0, 1] = (0.25, 0.25, 0.01)  # as good as missing
    np.save(tmp_path / "a.npy", joints)

    x = clip_of(Skeleton(layout="coco-17", normalise="image"), Media(path=tmp_path / "a.npy"), [0])

    torch.testing.assert_close(x[:, 0, 0, 0], torch.tensor([0.5, -1.0, 0.9]))
    torch.testing.assert_close(x[:, 0, 1, 0], torch.tensor([0.0, 0.0, 0.01]))
    np.save(tmp_path / "pixels.npy", joints * 300 + 200)
    with pytest.raises(VideoError, match="are not fractions of the frame"):
        Skeleton(layout="coco-17", normalise="image").open(Media(path=tmp_path / "pixels.npy"))


def ntu_body(turned):
    """A body (25, 3): spine up y, shoulders along x, and a head; turned and moved."""
    joints = np.zeros((25, 3))
    joints[0], joints[1], joints[3] = (0, 0, 0), (0, 0.3, 0), (0, 0.8, 0.1)
    joints[4], joints[8] = (-0.2, 0.5, 0), (0.2, 0.5, 0)
    joints[5:8] = (0.1, 0.2, 0.3)
    return joints @ turned.T + (1.0, 2.0, 3.0)


def test_bodies_are_set_upright_as_in_the_first_frame(tmp_path):
    angle = np.deg2rad(40)
    turned = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    lying = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    body = ntu_body(lying @ turned)
    np.save(tmp_path / "a.npy", np.stack([body, body + 0.5])[None])
    kind = Skeleton(layout="ntu-25", normalise="upright", people=1)

    x = clip_of(kind, Media(path=tmp_path / "a.npy"), [0, 1])[..., 0]  # (C, T, J)

    # what was right is still x, what was up is z, and what was to the front is -y
    torch.testing.assert_close(x[:, 0, 0], torch.tensor([0, 0, -0.3]), atol=1e-6, rtol=0)
    torch.testing.assert_close(x[:, 0, 3], torch.tensor([0, -0.1, 0.5]), atol=1e-6, rtol=0)
    torch.testing.assert_close(x[:, 0, 8], torch.tensor([0.2, 0, 0.2]), atol=1e-6, rtol=0)
    # the second frame is turned as the first
    moved = x[:, 1] - x[:, 0]
    torch.testing.assert_close(moved, moved[:, :1].expand(3, 25), atol=1e-6, rtol=0)
    assert moved[:, 0].norm() == pytest.approx(0.75**0.5)
    # the origin is a joint that is there: its motion is not 0
    motion = kind.change(streams=("joint_motion",))
    x = clip_of(motion, Media(path=tmp_path / "a.npy"), [0, 1])[..., 0]
    torch.testing.assert_close(x[:, 0], moved, atol=1e-6, rtol=0)


def test_the_person_who_is_there_longest_is_the_first_and_empty_frames_go(tmp_path):
    joints = np.zeros((2, 5, 25, 3))
    joints[0, 1] = ntu_body(np.eye(3)) + 5
    joints[1, [0, 1, 3]] = ntu_body(np.eye(3))
    np.save(tmp_path / "a.npy", joints)
    kind = Skeleton(layout="ntu-25", normalise="upright")
    media = Media(path=tmp_path / "a.npy")

    with kind.open(media) as track:
        assert (track.num_frames, len(track.timestamps)) == (3, 3)
        assert [bool(there.any()) for there in track.joints[:, 1]] == [False, True, False]
        assert track.joints[:, 0].flatten(1).any(dim=1).all()
    with pytest.raises(VideoError, match="2 frames of which are left out"):
        kind.open(Media(path=tmp_path / "a.npy", start=0.0, end=0.1))


def test_layouts_that_cannot_be_normalised_so():
    with pytest.raises(RecipeError, match="in no image"):
        Skeleton(layout="ntu-25", normalise="image")
    with pytest.raises(RecipeError, match="cannot be set upright"):
        Skeleton(layout="kinect-20", normalise="upright")
