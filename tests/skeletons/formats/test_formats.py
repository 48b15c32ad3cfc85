"""Readers of skeletons: what they give, and what they refuse."""

import json

import numpy as np
import pytest

from damage import CAMPAIGN, Counts, damaged
from skeleton_files import write_msr, write_ntu, write_openpose, write_utd
from zoopraxis.errors import VideoError
from zoopraxis.skeletons import skeleton_layout
from zoopraxis.skeletons.formats import holds_skeletons, read_recording

RNG = np.random.default_rng(0)


def bodies(count, *, frames=4):
    """Bodies of Kinect v2, (count, frames, 25, 3), of which the last moves most."""
    still = RNG.normal(size=(count, 1, 25, 3)).repeat(frames, axis=1)
    path = np.arange(frames)[:, None, None] * np.arange(count)[:, None, None, None]
    return still + path


def kinect1(*, frames=4):
    """Joints of MSR Action3D: pixels, depth and confidence."""
    joints = RNG.uniform(60, 180, size=(frames, 20, 4))
    joints[..., 2] = RNG.uniform(500, 700, size=(frames, 20))
    joints[..., 3] = 1
    return joints


def test_ntu_has_the_body_that_moves_most_first(tmp_path):
    people = bodies(3)
    frames = [list(people[:, t]) for t in range(4)]

    recording = read_recording(write_ntu(tmp_path / "S001C001P001R001A001.skeleton", frames))

    assert recording.fps == 30
    np.testing.assert_allclose(recording.joints, people[::-1])


def test_ntu_bodies_that_leave_are_zero(tmp_path):
    people = bodies(2)
    people[0] *= 0.1  # as furniture that was taken for a small body
    frames = [[], [people[1, 1]], [people[1, 2], people[0, 2]], []]

    joints = read_recording(write_ntu(tmp_path / "a.skeleton", frames)).joints

    assert joints.shape == (2, 4, 25, 3)
    np.testing.assert_allclose(joints[0, 1:3], people[1, 1:3])
    assert not joints[0, [0, 3]].any()
    assert [t for t in range(4) if joints[1, t].any()] == [2]


def test_thirty_bodies_and_one_frame(tmp_path):
    people = bodies(30, frames=1)

    joints = read_recording(write_ntu(tmp_path / "a.skeleton", [list(people[:, 0])])).joints

    assert joints.shape == (30, 1, 25, 3)


def test_msr_is_what_a_pinhole_camera_sees(tmp_path):
    pixels = np.tile([160 + 285.63, 120, 500, 1.0], (2, 20, 1))  # 45 degrees to the right
    pixels[1, 3] = [160, 120 - 285.63 / 2, 250, 0.2]
    pixels[1, 4] = 0  # lost
    pixels[0, 5, 1] = 2147480000  # lost, as in the data set

    recording = read_recording(write_msr(tmp_path / "a01_s01_e01_skeleton.txt", pixels))

    assert recording.fps == 15
    joints = recording.joints[0]
    np.testing.assert_allclose(joints[0, 0], [2.0, 0.0, 2.0])  # 500 units of 4 mm
    np.testing.assert_allclose(joints[1, 3], [0.0, 0.5, 1.0])
    lost = np.isnan(joints).any(axis=2)
    assert np.argwhere(lost).tolist() == [[0, 5], [1, 4]]


def test_utd_has_the_joints_of_kinect(tmp_path):
    layout = skeleton_layout("kinect-20")
    of_the_set = [
        *("head", "shoulder_centre", "spine", "hip_centre"),
        *(f"left_{part}" for part in ("shoulder", "elbow", "wrist", "hand")),
        *(f"right_{part}" for part in ("shoulder", "elbow", "wrist", "hand")),
        *(f"left_{part}" for part in ("hip", "knee", "ankle", "foot")),
        *(f"right_{part}" for part in ("hip", "knee", "ankle", "foot")),
    ]
    joints = RNG.normal(size=(6, 20, 3))

    read = read_recording(write_utd(tmp_path / "a1_s1_t1_skeleton.mat", joints)).joints

    assert read.shape == (1, 6, 20, 3)
    for index, name in enumerate(layout.joints):
        np.testing.assert_array_equal(read[0, :, index], joints[:, of_the_set.index(name)])


def test_openpose_has_a_file_for_each_frame(tmp_path):
    people = RNG.random((3, 18, 3)) * [160, 120, 1]
    folder = write_openpose(tmp_path / "clip", {5: [people[0]], 6: [], 8: [people[1], people[2]]})

    assert holds_skeletons(folder)
    joints = read_recording(folder).joints

    assert joints.shape == (2, 4, 18, 3)
    np.testing.assert_allclose(joints[0, 0], people[0])
    np.testing.assert_allclose(joints[:, 3], people[1:])
    assert not joints[:, 1:3].any()
    scaled = write_openpose(tmp_path / "scaled", {0: [people[0] / [160, 120, 1]]})
    np.testing.assert_allclose(
        read_recording(scaled).joints[0, 0], people[0] / [160, 120, 1] - [0.5, 0.5, 0]
    )


def test_openpose_of_the_first_versions(tmp_path):
    people = RNG.random((2, 18, 3)) * [160, 120, 1]
    folder = write_openpose(tmp_path / "clip", {0: list(people)})
    (file,) = folder.iterdir()
    file.write_text(file.read_text().replace("pose_keypoints_2d", "pose_keypoints"))
    np.testing.assert_allclose(read_recording(folder).joints[:, 0], people)


def test_a_recording_says_what_it_expected(tmp_path):
    recording = read_recording(write_msr(tmp_path / "a.txt", kinect1()))

    assert recording.checked(skeleton_layout("msr-20"), name="a.txt").shape == (1, 4, 20, 3)
    with pytest.raises(VideoError, match=r"a\.txt: .* \(1, 4, 20, 3\) .* 25 joints of ntu-25"):
        recording.checked(skeleton_layout("ntu-25"), name="a.txt")


def test_files_without_skeletons_are_refused(tmp_path):
    def text(name, content):
        (tmp_path / name).write_text(content)
        return tmp_path / name

    body = list(bodies(1)[:, 0])
    whole = write_ntu(tmp_path / "whole.skeleton", [body, body]).read_text()
    short = [RNG.normal(size=(24, 3))]
    mixed = write_openpose(tmp_path / "mixed", {0: [np.ones((18, 3))], 1: [np.ones((25, 3))]})
    far = write_openpose(tmp_path / "far", {0: [np.ones((18, 3))], 10**9: []})
    nameless = write_openpose(tmp_path / "nameless", {0: [np.ones((18, 3))]})
    (nameless / "last_keypoints.json").write_text("{}")
    wrong = write_openpose(tmp_path / "wrong", {0: [np.ones((18, 3))]})
    (wrong / "clip_000000000001_keypoints.json").write_text(json.dumps({"persons": []}))
    np.save(tmp_path / "cut.npy", np.ones((3, 18, 3)))
    cut = (tmp_path / "cut.npy").read_bytes()
    (tmp_path / "cut.npy").write_bytes(cut[: len(cut) // 2])
    mat = write_utd(tmp_path / "cut.mat", RNG.normal(size=(6, 20, 3))).read_bytes()
    (tmp_path / "cut.mat").write_bytes(mat[: len(mat) // 2])
    cases = {
        "it is truncated": text("t.skeleton", whole[: len(whole) // 2]),
        "it goes on after its last frame": text("m.skeleton", whole + "3\n"),
        "a body of 24 joints": write_ntu(tmp_path / "s.skeleton", [short]),
        "nobody in any frame": write_ntu(tmp_path / "n.skeleton", [[], []]),
        r"w\.skeleton: no skeletons of NTU": text("w.skeleton", "two\n"),
        "78 numbers are not 80": text("h.txt", "1 2 3\n" * 26),
        "0 numbers are not 80": text("e.txt", ""),
        r"v\.txt: no skeletons of MSR": text("v.txt", "1 2 three 4\n"),
        r"cut\.mat is damaged": tmp_path / "cut.mat",
        r"d_skel is of shape \(20, 2, 6\)": write_utd(tmp_path / "f.mat", np.ones((6, 20, 2))),
        r"cut\.npy: holds no skeletons": tmp_path / "cut.npy",
        "people of 18 and 25 joints": mixed,
        "frames numbered 0 to 1000000000": far,
        "the number of its frame": nameless,
        "no frame of OpenPose": wrong,
        r"nobody\b": write_openpose(tmp_path / "empty", {0: [], 1: []}),
        "there are no skeletons here": tmp_path / "none.npy",
    }
    for problem, place in cases.items():
        with pytest.raises(VideoError, match=problem) as caught:
            read_recording(place)
        assert place.name in caught.value.problem
        assert caught.value.hint


@pytest.mark.parametrize(
    "times", [12, pytest.param(1000, marks=pytest.mark.slow)], ids=["some", "many"]
)
def test_a_damaged_file_is_refused_or_read(tmp_path, record_property, times):
    np.savez(tmp_path / "d.npz", skeleton=RNG.normal(size=(4, 20, 3)), fps=15.0)
    files = [
        write_ntu(tmp_path / "d.skeleton", [[body] for body in bodies(1)[0]]),
        write_msr(tmp_path / "d.txt", kinect1()),
        write_utd(tmp_path / "d.mat", RNG.normal(size=(6, 20, 3))),
        tmp_path / "d.npz",
    ]
    counts = Counts()
    for file in files:
        for data in damaged(file.read_bytes(), times):
            file.write_bytes(data)
            try:
                read_recording(file)
                counts.read += 1
            except VideoError as error:
                counts.refusal(error, file.name)
    record_property(CAMPAIGN, f"skeletons: {counts}")

    assert counts.refused > counts.read
