"""The theatre: exact reversal, ground truth compared with the pixels, and the files."""

import csv
import io
import json
import shutil
import subprocess
import sys

import av
import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from zoopraxis.cli import app
from zoopraxis.data.samples import read_samples
from zoopraxis.errors import DataError, VideoError
from zoopraxis.inputs import Skeleton
from zoopraxis.regions import read_boxes
from zoopraxis.theatre import (
    ACTIONS,
    COCO,
    REVERSED,
    Settings,
    contact_sheet,
    film,
    make_theatre,
)
from zoopraxis.theatre import make as make_module
from zoopraxis.theatre.actions import ACTS, FRAMES
from zoopraxis.theatre.body import Pose, draw_body, solve, vec
from zoopraxis.theatre.figure import View, draw_performer, fabric
from zoopraxis.theatre.make import encode
from zoopraxis.theatre.render import (
    Canvas,
    Layer,
    Sprite,
    affine,
    compose,
    draw,
    flow_between,
    invert,
)
from zoopraxis.theatre.scene import Camera, draw_passerby, wobble

SMALL = (96, 72)


def decode(data: bytes) -> np.ndarray:
    with av.open(io.BytesIO(data), "r") as container:
        return np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)])


# Reversed pairs


def test_twelve_actions_four_pairs():
    assert len(ACTIONS) == len(set(ACTIONS)) == 12
    assert len(REVERSED) == 4
    assert set(ACTIONS) == {*ACTS, *REVERSED}


@pytest.mark.parametrize("action", REVERSED)
def test_second_of_a_pair_is_the_first_run_backwards(action):
    first = film(REVERSED[action], seed=3, performer=5, size=SMALL)
    second = film(action, seed=3, performer=5, size=SMALL)

    np.testing.assert_array_equal(second.frames, first.frames[::-1])
    np.testing.assert_array_equal(second.joints, first.joints[::-1])
    np.testing.assert_array_equal(second.person_box, first.person_box[::-1])
    # There is motion: the first and last frame differ much more than neighbours do.
    smooth = [cv2.GaussianBlur(f.astype(np.float32), (0, 0), 2) for f in second.frames]
    assert np.abs(smooth[0] - smooth[-1]).mean() > 2 * np.abs(smooth[0] - smooth[1]).mean()


def test_compression_does_not_reveal_the_direction_of_time():
    frames = film("sit_down", seed=1, performer=0, size=SMALL).frames
    forwards, backwards = decode(encode(frames, fps=15)), decode(encode(frames[::-1], fps=15))
    np.testing.assert_array_equal(backwards, forwards[::-1])
    assert np.abs(forwards.astype(int) - frames).mean() < 12


def test_sixteen_frames_at_stride_two_are_the_same_set_in_both_directions():
    start = (FRAMES - 31) // 2
    chosen = np.arange(start, start + 31, 2)
    assert set(chosen) == {FRAMES - 1 - i for i in chosen}


def test_motion_other_than_the_action_is_symmetric_in_time():
    paths = [wobble(np.random.default_rng(i), 1.0, (0.1, 0.4)) for i in range(3000)]
    change = np.array([path(1.0) - path(0.0) for path in paths])
    assert abs(change.mean()) < 4 * change.std() / np.sqrt(len(change))
    assert abs(np.mean(change > 0) - 0.5) < 0.04
    passersby = [draw_passerby(np.random.default_rng(i), 8.0) for i in range(1000)]
    speeds = np.array([p.speed for p in passersby if p is not None])
    assert 180 < len(speeds) < 300
    assert abs(np.mean(speeds > 0) - 0.5) < 0.13


# Bodies


def test_bones_keep_their_lengths_and_reach_their_goals():
    body = draw_body(np.random.default_rng(0))
    pose = Pose(
        pelvis=vec(0, 0.8),
        lean=0.4,
        hands=(vec(0.4, 0.9, 0.2), vec(9, 9, -9)),  # the right hand is far out of reach
        feet=(vec(0.1, body.ankle, 0.1), vec(-0.2, body.ankle, -0.1)),
    )
    joints = solve(body, pose)

    def length(a, b):
        return np.linalg.norm(joints[a] - joints[b])

    for side in ("left", "right"):
        assert length(f"{side}_shoulder", f"{side}_elbow") == pytest.approx(body.upper_arm)
        assert length(f"{side}_elbow", f"{side}_wrist") == pytest.approx(body.forearm)
        assert length(f"{side}_hip", f"{side}_knee") == pytest.approx(body.thigh)
        assert length(f"{side}_knee", f"{side}_ankle") == pytest.approx(body.shin)
    np.testing.assert_allclose(joints["left_wrist"], (0.4, 0.9, 0.2))
    np.testing.assert_allclose(joints["left_ankle"], (0.1, body.ankle, 0.1))
    assert length("right_shoulder", "right_wrist") == pytest.approx(body.arm, abs=2e-3)
    assert joints["left_knee"][0] > (joints["left_hip"][0] + joints["left_ankle"][0]) / 2


def test_a_seed_always_draws_the_same_body_and_others_differ():
    bodies = [draw_body(np.random.default_rng(i)) for i in range(200)]
    assert bodies[3] == draw_body(np.random.default_rng(3))
    assert len({b.height for b in bodies}) == 200
    assert 30 < sum(b.left_handed for b in bodies) < 90


# Drawing and flow


def square(side: float = 4.0):
    canvas = Canvas((0, 0, side, side), density=1.0)
    canvas.rectangle((0, 0, side, side), (1.0, 0.5, 0.0))
    return canvas.finish()


def layer_at(name, sprite, x, y, kind="object", scale=1.0):
    return Layer(name, sprite, np.array([[scale, 0, x], [0, scale, y]], float), kind)


def test_a_pattern_fills_its_outline_and_nothing_else():
    canvas = Canvas((0, 0, 6.0, 4.0), density=1.0, supersample=1)
    canvas.rectangle((1, 1, 5, 3), fabric("checks", (1.0, 0.0, 0.0), (0.0, 0.0, 1.0), 2.0))
    red, both, blue = (1, 0, 0), (0.5, 0, 0.5), (0, 0, 1)

    # Pixels have a margin of 1; a period of 2 alternates from metre to metre.
    np.testing.assert_array_equal(canvas.color[2:4, 2:6], [[red, both] * 2, [both, blue] * 2])
    np.testing.assert_array_equal(canvas.color.sum(axis=2), canvas.alpha)


def test_draws_a_square_at_its_position_with_its_box():
    ground = layer_at("ground", square(40), -2, -2, "scene")
    drawn = draw([ground, layer_at("square", square(), 3.5, 5.5)], (20, 16))

    # From 3.5 to 7.5: the pixels whose centres are 4, 5, 6, 7.
    np.testing.assert_array_equal(drawn.boxes[1], (4, 6, 8, 10))
    assert np.argwhere(drawn.top == 1).min(axis=0).tolist() == [6, 4]
    assert (drawn.top == 1).sum() == 16
    np.testing.assert_allclose(drawn.image[8, 6], (1.0, 0.5, 0.0), atol=1e-5)


def test_layers_are_blended_by_their_premultiplied_alpha():
    rng = np.random.default_rng(0)
    sprites = [rng.random((12, 9, 4), dtype=np.float32) for _ in range(3)]
    still = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    layers = [Layer(f"{i}", Sprite(p, still), still, "scene") for i, p in enumerate(sprites)]

    expected = np.zeros((12, 9, 3), np.float32)
    for pixels in sprites:
        expected = pixels[..., :3] + (1 - pixels[..., 3:]) * expected
    np.testing.assert_array_equal(draw(layers, (9, 12)).image, expected)


def test_flow_is_the_motion_of_the_topmost_layer():
    ground, piece = square(40), square()
    now = [layer_at("ground", ground, -2, -2, "scene"), layer_at("piece", piece, 3.5, 5.5)]
    later = [
        layer_at("ground", ground, -1, -2, "scene"),
        layer_at("piece", piece, 3.5, 2.5, scale=2.0),
    ]
    flow = flow_between(now, later, draw(now, (20, 16)).top)

    np.testing.assert_allclose(flow[:, 0, 0], (1, 0))
    # Pixel (4, 6) is half a pixel inside the corner: it moves to (3.5 + 1, 2.5 + 1).
    np.testing.assert_allclose(flow[:, 6, 4], (0.5, -2.5))


def test_affine_maps_compose_and_invert():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 2, 3))
    point = np.array([0.3, -2.0])

    def apply(m, p):
        return m[:, :2] @ p + m[:, 2]

    np.testing.assert_allclose(apply(compose(a, b), point), apply(a, apply(b, point)))
    np.testing.assert_allclose(apply(invert(a), apply(a, point)), point)
    origin = affine(np.array([2.0, 0]), np.array([0, 3.0]), np.array([5.0, 6.0]))
    np.testing.assert_allclose(apply(origin, np.array([1.0, 1.0])), (7, 9))


def test_mirrored_camera_swaps_left_and_right():
    plain = Camera(np.random.default_rng(0), (64, 48), mirrored=False).transform(0.3, 0.0)
    mirrored = Camera(np.random.default_rng(0), (64, 48), mirrored=True).transform(0.3, 0.0)
    point = np.array([0.4, -1.0, 1.0])
    assert (mirrored @ point)[0] == pytest.approx(63 - (plain @ point)[0])
    assert (mirrored @ point)[1] == pytest.approx((plain @ point)[1])


def test_view_projects_the_near_side_lower():
    view = View(heading=0.0)
    np.testing.assert_allclose(view.project(vec(0.5, 1.0, 0.0)), (0.5, -1.0))
    near, far = view.project(vec(0, 0, -0.2)), view.project(vec(0, 0, 0.2))
    assert near[1] > far[1]


@pytest.mark.parametrize("action", ["sit_down", "open_door", "push", "wave", "run", "swim"])
def test_flow_warps_the_next_frame_onto_this_one(action):
    clip = film(action, seed=11, performer=2, grain=False)
    flow = clip.flow().astype(np.float32)
    frames = [cv2.GaussianBlur(f.astype(np.float32), (0, 0), 1) for f in clip.frames]
    height, width = clip.tops.shape[1:]
    assert flow.shape == (FRAMES - 1, 2, height, width)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    plain, warped = [], []
    for t in range(0, FRAMES - 1, 4):
        to_x, to_y = x + flow[t, 0], y + flow[t, 1]
        back = cv2.remap(frames[t + 1], to_x, to_y, cv2.INTER_LINEAR)
        # Only pixels that stay in the frame and are not occluded: they show the same layer.
        ends = np.round(to_x).astype(int), np.round(to_y).astype(int)
        kept = (ends[0] > 0) & (ends[0] < width - 1) & (ends[1] > 0) & (ends[1] < height - 1)
        kept[kept] = clip.tops[t + 1][ends[1][kept], ends[0][kept]] == clip.tops[t][kept]
        assert kept.mean() > 0.6
        plain.append(np.abs(frames[t + 1] - frames[t])[kept].mean())
        warped.append(np.abs(back - frames[t])[kept].mean())
    assert np.mean(warped) < 0.6 * np.mean(plain)


def test_flow_of_a_reversed_clip_is_the_inverse():
    first = film("push", seed=4, performer=1, size=SMALL, grain=False)
    forward, back = first.flow().astype(float), first.reversed().flow().astype(float)
    # Backward flow at the end of a forward vector leads back to its start, unless occluded.
    t, n = 16, FRAMES - 2
    y, x = np.mgrid[: SMALL[1], : SMALL[0]].astype(float)
    to_x, to_y = np.round(x + forward[t, 0]).astype(int), np.round(y + forward[t, 1]).astype(int)
    inside = (to_x >= 0) & (to_x < SMALL[0]) & (to_y >= 0) & (to_y < SMALL[1])
    residual = forward[t][:, inside] + back[n - t][:, to_y[inside], to_x[inside]]
    assert np.median(np.abs(residual)) < 0.05
    assert np.abs(forward[t]).max() > 0.5


# Joints and boxes


@pytest.mark.parametrize("action", ["pick_up", "wave", "walk"])
def test_joints_lie_on_their_body_parts(action):
    clip = film(action, seed=2, performer=4)
    joints = clip.joints
    assert joints.shape == (FRAMES, 17, 3)
    x0, y0, x1, y1 = clip.person_box.T[:, :, None]
    visible = joints[..., 2] == 1
    assert visible.mean() > 0.4
    x, y = joints[..., 0], joints[..., 1]
    assert ((x >= x0 - 2) & (x <= x1 + 1) & (y >= y0 - 2) & (y <= y1 + 1))[visible].all()
    index = {name: i for i, name in enumerate(COCO)}
    assert (y[:, index["nose"]] < y[:, index["left_ankle"]]).all()
    top = clip.tops[0]
    names = [layer.name for layer in clip.layers[0]]
    px, py = np.round(joints[0, index["left_hip"], :2]).astype(int)
    if visible[0, index["left_hip"]]:
        assert names[top[py, px]] in {"torso", "left_thigh", "right_thigh"}


def test_left_stays_anatomical_when_frames_are_mirrored():
    # Facing the viewer, the left shoulder is on the right of the frame, mirrored or not.
    left, right = COCO.index("left_shoulder"), COCO.index("right_shoulder")
    for seed in range(6):
        joints = film("wave", seed=seed, performer=0, size=SMALL).joints
        assert (joints[:, left, 0] > joints[:, right, 0]).all()


@pytest.mark.parametrize("performer", [0, 4])
def test_performers_wave_with_the_same_hand_in_every_clip(performer):
    hands = ("right", "left") if draw_performer(performer).body.left_handed else ("left", "right")
    lowered, raised = (COCO.index(f"{hand}_wrist") for hand in hands)
    for seed in range(4):
        joints = film("wave", seed=seed, performer=performer, size=SMALL).joints
        assert joints[-1, raised, 1] < joints[-1, lowered, 1] - 5


def test_boxes_of_person_and_object():
    clip = film("pick_up", seed=6, performer=3, grain=False)
    first, last = clip.object_box[0], clip.object_box[-1]
    assert first[3] > last[1]  # the box was lifted
    assert (clip.person_box[:, 3] - clip.person_box[:, 1] > 40).all()
    assert np.isnan(film("walk", seed=6, performer=3, size=SMALL).object_box).all()


def test_filming_does_not_wait_for_torch():
    # each of its processes would load it
    code = "import sys, zoopraxis.theatre; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_unknown_action_names_the_known_ones():
    with pytest.raises(DataError, match="unknown action 'dance'") as error:
        film("dance", seed=0, performer=0)
    assert "sit_down" in error.value.hint


# Files


@pytest.fixture(scope="module")
def theatre(tmp_path_factory):
    out = tmp_path_factory.mktemp("theatre") / "small"
    make_theatre(out, clips_per_class=2, settings=Settings(size=SMALL, flow=True), workers=1)
    return out


def rows_of(out):
    with (out / "clips.csv").open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_list_names_every_clip_with_its_performer_and_twin(theatre):
    rows = rows_of(theatre)
    assert [r["label"] for r in rows].count("pull") == 2
    assert len(rows) == 24
    by_path = {r["path"]: r for r in rows}
    for row in rows:
        twin = by_path.get(row["reverse_of"])
        assert (twin is not None) == (row["label"] in REVERSED)
        if twin is not None:
            assert twin["label"] == REVERSED[row["label"]]
            assert (twin["group"], twin["seed"]) == (row["group"], row["seed"])
    samples = read_samples(theatre)
    assert samples.labels == tuple(sorted(ACTIONS))
    assert {s.group for s in samples} == {"p0000", "p0001"}


def test_file_of_a_twin_is_its_reversal_and_can_be_reproduced(theatre):
    row = next(r for r in rows_of(theatre) if r["label"] == "put_down")
    decoded = decode((theatre / row["path"]).read_bytes())
    twin = decode((theatre / row["reverse_of"]).read_bytes())
    np.testing.assert_array_equal(decoded, twin[::-1])
    again = film("put_down", seed=int(row["seed"]), performer=int(row["group"][1:]), size=SMALL)
    assert np.abs(again.frames.astype(int) - decoded).mean() < 12
    with np.load((theatre / row["path"]).with_suffix(".npz")) as truth:
        np.testing.assert_array_equal(truth["joints"], again.joints)
        np.testing.assert_array_equal(truth["flow"], again.flow())
        assert set(truth.files) == {"joints", "person_box", "object_box", "flow"}


def test_true_boxes_are_written_beside_the_clips(tmp_path):
    make_theatre(tmp_path, clips_per_class=1, settings=Settings(size=SMALL, boxes=True), workers=1)
    for sample in read_samples(tmp_path):
        boxes = read_boxes(sample.boxes)
        assert boxes.looked.tolist() == list(range(FRAMES))
        with np.load(sample.path.replace(".mp4", ".npz")) as truth:
            for track, (label, name) in enumerate(
                (("person", "person_box"), ("object", "object_box"))
            ):
                of_track = boxes.tracks == track
                there = ~np.isnan(truth[name]).any(axis=1)
                assert boxes.at[of_track].tolist() == np.flatnonzero(there).tolist()
                # from pixel centres to the edges of pixels
                np.testing.assert_allclose(
                    boxes.boxes[of_track], truth[name][there] + 0.5, atol=0.006
                )
                assert {boxes.labels[i] for i in np.flatnonzero(of_track)} <= {label}


def test_a_theatre_made_before_there_were_boxes_resumes(theatre, tmp_path):
    old = shutil.copytree(theatre, tmp_path / "old")
    settings = json.loads((old / "theatre.json").read_text())
    del settings["boxes"]
    (old / "theatre.json").write_text(json.dumps(settings))

    make_theatre(old, clips_per_class=2, settings=Settings(size=SMALL, flow=True), workers=1)
    with pytest.raises(DataError, match="was requested"):
        make_theatre(old, clips_per_class=2, settings=Settings(size=SMALL, boxes=True), workers=1)


def test_skeletons_are_the_joints_in_the_layout_of_coco(tmp_path):
    settings = Settings(size=SMALL, skeletons=True)
    make_theatre(tmp_path / "t", clips_per_class=1, settings=settings, workers=1)
    sample = next(s for s in read_samples(tmp_path / "t") if "walk" in s.path)

    with Skeleton(layout="coco-17", people=1).open(sample) as track:
        skeleton = track.joints[:, 0].numpy()  # (T, J, C)
        assert track.fps == 15

    with np.load(sample.skeleton) as truth:
        joints = truth["joints"]
    assert len(skeleton) == len(joints)
    width, height = SMALL
    np.testing.assert_allclose((skeleton[..., 0] + 0.5) * width, joints[..., 0], atol=1e-3)
    np.testing.assert_allclose((skeleton[..., 1] + 0.5) * height, joints[..., 1], atol=1e-3)
    np.testing.assert_array_equal(skeleton[..., 2], np.where(joints[..., 2] > 0, 1, 0.5))


def files_of(out):
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}


def test_workers_do_not_change_a_byte(theatre, tmp_path):
    settings = Settings(size=SMALL, flow=True)
    make_theatre(tmp_path / "two", clips_per_class=2, settings=settings, workers=2)
    assert files_of(tmp_path / "two") == files_of(theatre)


def test_resumes_an_interrupted_run(theatre, tmp_path):
    settings = Settings(size=SMALL, flow=True)
    seen = []
    make_theatre(tmp_path / "x", clips_per_class=1, settings=settings, workers=1)
    kept = tmp_path / "x" / rows_of(tmp_path / "x")[0]["path"]
    stamp = kept.stat().st_mtime_ns
    (tmp_path / "x" / "wave" / "p0000_0000.mp4").unlink()
    make_theatre(
        tmp_path / "x", clips_per_class=2, settings=settings, workers=1,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert seen == [(n, 16) for n in range(8, 17)]  # 7 of 16 takes existed
    assert kept.stat().st_mtime_ns == stamp
    assert files_of(tmp_path / "x") == files_of(theatre)


def test_rejects_a_folder_with_other_settings_or_content(theatre, tmp_path):
    with pytest.raises(DataError, match="'seed': 1"):
        make_theatre(theatre, settings=Settings(size=SMALL, seed=1))
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(DataError, match="is not a theatre"):
        make_theatre(tmp_path)
    assert json.loads((theatre / "theatre.json").read_text())["size"] == [96, 72]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"size": (97, 72)}, "97x72"),
        ({"performers": 0}, "performers is 0"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_settings_out_of_range(change, problem):
    with pytest.raises(DataError, match=problem):
        Settings(**change)


def test_says_when_h264_cannot_be_encoded(monkeypatch):
    monkeypatch.setattr(make_module, "CODEC", "libnone")
    with pytest.raises(VideoError, match="it has no libnone"):
        encode(np.zeros((2, 32, 32, 3), np.uint8), fps=15)


def test_theatres_of_different_seeds_share_no_performer():
    one = make_module.Job("wave", 3, Settings(seed=0))
    other = make_module.Job("wave", 3, Settings(seed=1))
    assert one.performer == 3
    assert other.performer == 1003
    assert one.seed != other.seed


def test_contact_sheet_has_a_strip_for_each_class(theatre, tmp_path):
    path = contact_sheet(theatre, tmp_path / "sheet.png")
    sheet = cv2.imread(str(path))
    rows, strip_height = 6, 26 + 72 + 2 * 8
    assert sheet.shape == (rows * strip_height, 2 * (7 * (96 + 3) + 3), 3)
    with pytest.raises(DataError, match="does not exist"):
        contact_sheet(tmp_path, tmp_path / "no.png")


def test_command_fills_a_folder_and_prints_only_its_result(tmp_path):
    out, sheet = tmp_path / "t", tmp_path / "sheet.png"
    words = ["data", "theatre", str(out), "--clips-per-class", "1", "--workers", "1"]
    words += ["--size", "64", "48", "--sheet", str(sheet), "--json"]
    result = CliRunner().invoke(app, words, catch_exceptions=False)

    assert result.exit_code == 0
    facts = json.loads(result.stdout)
    assert facts["clips"] == len(rows_of(out)) == 12
    assert facts["list"] == str(out / "clips.csv")
    assert not result.stderr  # the progress bar is drawn on terminals only
    assert sheet.is_file()


def test_stored_flow_is_an_input(tmp_path):
    from zoopraxis.data.samples import read_samples
    from zoopraxis.inputs import Flow
    from zoopraxis.inputs.base import view_indices
    from zoopraxis.inputs.sampling import Sampling

    settings = Settings(size=(64, 48), performers=1, flow=True)
    make_theatre(tmp_path / "theatre", clips_per_class=1, settings=settings, workers=1)
    (sample, *_) = read_samples(tmp_path / "theatre")
    kind = Flow(resize=(48, 64), size=48, mean=(0.5,), std=(0.5 / 20,))  # in pixels

    with kind.open(sample) as track, np.load(sample.flow) as truth:
        (draw,) = kind.crops(track, 1)
        indices = view_indices(track, sample, Sampling(num_frames=4))
        clip = kind.prepare(kind.read(track, indices, draw), draw)[0]  # (2, 4, 48, 48)
        expected = truth["flow"][indices[0]][..., 8:56].clip(-20, 20)  # (4, 2, 48, 48)

    np.testing.assert_allclose(clip.transpose(0, 1).numpy(), expected, atol=1e-3)
