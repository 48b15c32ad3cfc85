"""Pickled sets of skeletons: read, and never executed."""

import pickle

import numpy as np
import pytest

from damage import CAMPAIGN, Counts, damaged
from skeleton_files import write_ddnet, write_pyskl
from zoopraxis.errors import DataError
from zoopraxis.skeletons.formats.pickles import read_ddnet, read_pyskl

RNG = np.random.default_rng(0)


def annotation(name="S001C001P001R001A007", **changed):
    entry = {
        "frame_dir": name,
        "label": 6,
        "img_shape": (120, 160),
        "original_shape": (120, 160),
        "total_frames": 5,
        "keypoint": RNG.uniform(0, 120, (2, 5, 17, 2)).astype(np.float16),
        "keypoint_score": RNG.random((2, 5, 17)).astype(np.float16),
    }
    return {**entry, **changed}


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_pyskl_in_two_dimensions(tmp_path, protocol):
    entry = annotation()
    split = {"xsub_train": [entry["frame_dir"]], "xsub_val": []}

    found, parts = read_pyskl(write_pyskl(tmp_path / "a.pkl", [entry], split, protocol=protocol))

    assert parts == split
    assert (found[0].name, found[0].label) == ("S001C001P001R001A007", 6)
    joints = found[0].recording.joints  # (P, T, J, C)
    expected = entry["keypoint"].astype(np.float32) / [160, 120] - 0.5
    np.testing.assert_allclose(joints[..., :2], expected, atol=1e-6)
    np.testing.assert_array_equal(joints[..., 2], entry["keypoint_score"])


def test_pyskl_in_three_dimensions(tmp_path):
    keypoint = RNG.normal(size=(1, 5, 25, 3)).astype(np.float32)
    entry = {"frame_dir": "a", "label": 0, "keypoint": keypoint, "total_frames": 5}

    found, _ = read_pyskl(write_pyskl(tmp_path / "a.pkl", [entry], {"train": ["a"]}))

    np.testing.assert_array_equal(found[0].recording.joints, keypoint)


def test_pyskl_without_keypoints(tmp_path):
    # as Kinetics' annotations: the time of each box, and the joints elsewhere
    entry = {
        "frame_dir": "jf7RDuUTrsQ",
        "label": 325,
        "frame_inds": np.arange(9),
        "valid": {0.5: 4},
    }
    file = write_pyskl(tmp_path / "a.pkl", [entry], {"train": ["jf7RDuUTrsQ"]})
    with pytest.raises(DataError, match=r"jf7RDuUTrsQ has no keypoint: .* in other files"):
        read_pyskl(file)


def test_ddnet(tmp_path):
    pose = RNG.normal(size=(7, 15, 2))
    folder = write_ddnet(tmp_path, {("train", 1): [(pose, "golf")]})

    (clip,) = read_ddnet(folder / "GT_train_1.pkl")

    assert clip.label == "golf"
    np.testing.assert_array_equal(clip.recording.joints, pose[None])


class Malicious:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        import os

        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("read", [read_pyskl, read_ddnet])
def test_code_in_a_pickle_does_not_run(tmp_path, read):
    mark, file = tmp_path / "ran", tmp_path / "a.pkl"
    hostile = Malicious(mark)
    for content in (
        hostile,
        {"split": {}, "annotations": [hostile], "pose": [hostile], "label": ["golf"]},
        {"split": {}, "annotations": [annotation(keypoint=hostile)], "pose": [], "label": hostile},
    ):
        file.write_bytes(pickle.dumps(content))
        with pytest.raises(DataError, match=r"(?s)a\.pkl .* asks for posix\.system.*not|was exec"):
            read(file)
        assert not mark.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"cos\nsystem\n(S'echo'\ntR.",
        b"c__builtin__\neval\n(S'1'\ntR.",
        b"cnumpy\nload\n(S'x'\ntR.",
        b"\x80\x02]r\xff\xff\xff\x7f.",  # a memo of 2^31 entries
        b"I1\n.",
        b"",
        b"version https://git-lfs.github.com/spec/v1\n",
        pickle.dumps({"annotations": [], "pose": [], "label": ["golf"]}),
        pickle.dumps({"annotations": [{}], "split": {}, "pose": [1], "label": ["golf"]}),
        pickle.dumps({"split": {}, "annotations": [annotation(keypoint=np.ones((2, 5, 17)))]}),
        pickle.dumps({"split": {}, "annotations": [annotation(img_shape=None)]}),
        pickle.dumps({"split": {}, "annotations": [annotation(label="six")]}),
    ],
)
@pytest.mark.parametrize("read", [read_pyskl, read_ddnet])
def test_other_pickles_are_refused(tmp_path, read, data):
    (tmp_path / "a.pkl").write_bytes(data)

    with pytest.raises(DataError, match=r"a\.pkl is no set of") as caught:
        read(tmp_path / "a.pkl")
    assert "nothing in the file was executed" in caught.value.hint


@pytest.mark.parametrize(
    "times", [12, pytest.param(1000, marks=pytest.mark.slow)], ids=["some", "many"]
)
def test_a_damaged_pickle_is_refused_or_read(tmp_path, record_property, times):
    write_pyskl(tmp_path / "pyskl.pkl", [annotation()], {"train": []}, protocol=2)
    write_ddnet(tmp_path, {("train", 1): [(RNG.normal(size=(7, 15, 2)), "golf")]})
    counts = Counts()
    for name, read in (("pyskl.pkl", read_pyskl), ("GT_train_1.pkl", read_ddnet)):
        for data in damaged((tmp_path / name).read_bytes(), times):
            (tmp_path / name).write_bytes(data)
            try:
                read(tmp_path / name)
                counts.read += 1
            except DataError as error:
                counts.refusal(error, name)
    record_property(CAMPAIGN, f"pickles of skeletons: {counts}")

    assert counts.refused > 0
