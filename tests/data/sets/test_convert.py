"""Sets of skeletons, converted: arrays, lists, and the parts of published protocols."""

import csv

import numpy as np
import pytest

from skeleton_files import write_ddnet, write_msr, write_ntu, write_pyskl, write_utd
from zoopraxis.data.samples import read_samples
from zoopraxis.data.sets import SKELETON_SETS
from zoopraxis.data.sets.convert import convert_skeletons
from zoopraxis.errors import DataError
from zoopraxis.inputs import Skeleton

RNG = np.random.default_rng(0)


def msr(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for action in (1, 20):
        for subject in (1, 2, 3):
            joints = RNG.uniform(60, 600, size=(4, 20, 4))
            write_msr(folder / f"a{action:02d}_s{subject:02d}_e01_skeleton.txt", joints)
    return folder


def rows(file):
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_msr_action3d_across_subjects(tmp_path):
    seen = []
    done = convert_skeletons(
        "msr_action3d",
        msr(tmp_path / "in" / "deeper").parent,
        tmp_path / "out",
        workers=1,
        progress=lambda *counts: seen.append(counts),
    )

    out = tmp_path / "out"
    assert dict(done.lists) == {
        str(out / "clips.csv"): 6,
        str(out / "cross_subject_train.csv"): 4,
        str(out / "cross_subject_test.csv"): 2,
    }
    assert done.layouts == ("msr-20",)
    assert seen == [(n, 6) for n in range(1, 7)]
    (first, _) = rows(out / "cross_subject_test.csv")
    assert first == {
        "path": "skeletons/a01_s02_e01.npz",
        "label": "high arm wave",
        "group": "s02",
        "setting": "",
    }
    samples = read_samples(out / "cross_subject_train.csv")
    assert {s.group for s in samples} == {"s01", "s03"}
    with Skeleton(layout="msr-20", people=1).open(samples[0]) as track:
        assert (track.num_frames, track.fps) == (4, 15.0)


def test_a_stopped_run_resumes_and_names_can_be_left_out(tmp_path):
    folder = msr(tmp_path / "in")
    convert_skeletons("msr_action3d", folder, tmp_path / "out", workers=1)
    kept = tmp_path / "out" / "skeletons" / "a01_s01_e01.npz"
    stamp = kept.stat().st_mtime_ns
    (tmp_path / "out" / "skeletons" / "a20_s03_e01.npz").unlink()

    done = convert_skeletons(
        "msr_action3d", folder, tmp_path / "out", workers=1, without=["a20_s02_e01", "a02_s01_e01"]
    )

    assert kept.stat().st_mtime_ns == stamp
    assert (tmp_path / "out" / "skeletons" / "a20_s03_e01.npz").is_file()
    assert list(done.lists.values()) == [5, 4, 1]


def test_recordings_of_nobody_are_left_out_and_named(tmp_path):
    folder = msr(tmp_path / "in")
    write_msr(folder / "a13_s09_e02_skeleton.txt", np.zeros((3, 20, 4)))
    (folder / "a13_s09_e03_skeleton.txt").write_text("1 2 3\n")

    done = convert_skeletons("msr_action3d", folder, tmp_path / "out", workers=1)

    assert list(done.left_out) == ["a13_s09_e02", "a13_s09_e03"]
    assert "nobody in any frame" in done.left_out["a13_s09_e02"]
    assert "a13_s09_e03_skeleton.txt: no skeletons of MSR" in done.left_out["a13_s09_e03"]
    assert len(rows(tmp_path / "out" / "clips.csv")) == 6


def test_utd_mhad(tmp_path):
    for subject in (1, 2):
        write_utd(tmp_path / f"a27_s{subject}_t1_skeleton.mat", RNG.normal(size=(5, 20, 3)))

    convert_skeletons("utd_mhad", tmp_path, tmp_path / "out", workers=1)

    (row,) = rows(tmp_path / "out" / "cross_subject_train.csv")
    assert (row["label"], row["group"]) == ("squat", "s01")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        (
            "ntu60",
            {"S001C002P001R001A001": ["train", "train"], "S002C001P003R002A060": ["test"] * 2},
        ),
        (
            "ntu120",
            {"S001C002P001R001A001": ["test", "train"], "S002C001P107R002A060": ["train", "test"]},
        ),
    ],
)
def test_ntu(tmp_path, name, parts):
    for recording in parts:
        write_ntu(tmp_path / f"{recording}.skeleton", [[RNG.normal(size=(25, 3))]] * 3)

    entries = SKELETON_SETS[name].entries(tmp_path)

    assert {e.name: [part for _, part in sorted(e.parts.items())] for e in entries} == parts
    first = entries[0]
    assert (first.label, first.group, first.setting) == (
        "drink water",
        "p001",
        "setup 1 camera 2",
    )
    done = convert_skeletons(name, tmp_path, tmp_path / "out", workers=1)
    assert done.layouts == ("ntu-25",)


def test_jhmdb_has_each_clip_once(tmp_path):
    clips = [(RNG.normal(size=(6, 15, 2)), label) for label in ("golf", "walk", "golf")]
    parts = {
        ("train", 1): clips[:2],
        ("test", 1): clips[2:],
        ("train", 2): clips[1:],
        ("test", 2): clips[:1],
    }
    write_ddnet(tmp_path / "in", parts)

    done = convert_skeletons("jhmdb_pose", tmp_path / "in", tmp_path / "out", workers=1)

    counts = {file.rsplit("/", 1)[1]: count for file, count in done.lists.items()}
    assert counts == {
        "clips.csv": 3,
        "split1_train.csv": 2,
        "split1_test.csv": 1,
        "split2_train.csv": 2,
        "split2_test.csv": 1,
    }
    trained = {row["path"] for row in rows(tmp_path / "out" / "split1_train.csv")}
    tested = {row["path"] for row in rows(tmp_path / "out" / "split1_test.csv")}
    assert not trained & tested


def test_pyskl(tmp_path):
    def entry(name, joints, channels):
        return {
            "frame_dir": name,
            "label": 59,
            "img_shape": (120, 160),
            "keypoint": RNG.uniform(0, 100, (2, 5, joints, channels)),
        }

    names = ["S001C001P001R001A060", "S001C001P003R001A060", "unlisted"]
    write_pyskl(
        tmp_path / "ntu60.pkl",
        [entry(name, 17, 2) for name in names],
        {"xsub_train": names[:1], "xsub_val": names[1:2]},
    )

    done = convert_skeletons("pyskl", tmp_path / "ntu60.pkl", tmp_path / "out", workers=1)

    assert done.layouts == ("coco-17",)
    (row,) = rows(tmp_path / "out" / "xsub_test.csv")
    assert (row["label"], row["group"]) == ("walking apart from each other", "p003")
    assert len(rows(tmp_path / "out" / "clips.csv")) == 3
    assert rows(tmp_path / "out" / "clips.csv")[2]["label"] == "59"

    write_pyskl(tmp_path / "b.pkl", [entry("a", 17, 2)], {"train": ["a", "b"]})
    with pytest.raises(DataError, match="holds 2 pickles"):
        convert_skeletons("pyskl", tmp_path, tmp_path / "c", workers=1)
    with pytest.raises(DataError, match=r"b\.pkl: its splits name 1 recordings .* 'b'"):
        convert_skeletons("pyskl", tmp_path / "b.pkl", tmp_path / "c", workers=1)
    write_pyskl(tmp_path / "c.pkl", [entry("a", 13, 2)], {"train": ["a"]})
    with pytest.raises(DataError, match=r"c\.pkl: a has 13 joints"):
        convert_skeletons("pyskl", tmp_path / "c.pkl", tmp_path / "c", workers=1)


def test_what_is_no_data_set_is_refused(tmp_path):
    folder = msr(tmp_path / "in")
    out = tmp_path / "out"
    with pytest.raises(DataError, match="unknown data set 'msr'") as caught:
        convert_skeletons("msr", folder, out)
    assert "msr_action3d" in caught.value.hint
    for root in (tmp_path / "none", tmp_path):
        with pytest.raises(DataError, match="holds no recordings of UTD-MHAD"):
            convert_skeletons("utd_mhad", root, out)
    with pytest.raises(DataError, match="none of the 1 recordings to leave out"):
        convert_skeletons("msr_action3d", folder, out, without=["a99"])
    msr(tmp_path / "in" / "copy")
    with pytest.raises(DataError, match="are the same recording"):
        convert_skeletons("msr_action3d", folder, out)
    (tmp_path / "more").mkdir()
    write_msr(tmp_path / "more" / "a21_s01_e01_skeleton.txt", np.ones((3, 20, 4)))
    with pytest.raises(DataError, match="is of action 21; there are 1 to 20"):
        convert_skeletons("msr_action3d", tmp_path / "more", out)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file is a file"):
        convert_skeletons("msr_action3d", folder / "copy", tmp_path / "file")
    (tmp_path / "empty").mkdir()
    write_msr(tmp_path / "empty" / "a01_s01_e01_skeleton.txt", np.zeros((3, 20, 4)))
    with pytest.raises(DataError, match="nobody in any frame"):
        convert_skeletons("msr_action3d", tmp_path / "empty", out / "x", workers=1)
    assert not (out / "clips.csv").exists()
