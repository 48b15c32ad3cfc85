"""zoopraxis skeletons: what it prints, and what it refuses."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from skeleton_files import write_msr
from zoopraxis.cli import app
from zoopraxis.data.samples import read_samples
from zoopraxis.inputs import Skeleton
from zoopraxis.video import open_video, write_video


def run(*arguments):
    return CliRunner().invoke(app, ["skeletons", *map(str, arguments)])


def msr(folder):
    folder.mkdir()
    rng = np.random.default_rng(0)
    for subject in (1, 2):
        joints = rng.uniform(60, 600, size=(4, 20, 4))
        write_msr(folder / f"a01_s{subject:02d}_e01_skeleton.txt", joints)
    write_msr(folder / "a02_s01_e01_skeleton.txt", np.zeros((3, 20, 4)))
    return folder


def test_convert_prints_its_lists(tmp_path):
    done = run("convert", "msr_action3d", msr(tmp_path / "in"), tmp_path / "out", "--workers", 1)

    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "layout: msr-20",
        f"list: {tmp_path / 'out' / 'clips.csv'}\t2",
        f"list: {tmp_path / 'out' / 'cross_subject_train.csv'}\t1",
        f"list: {tmp_path / 'out' / 'cross_subject_test.csv'}\t1",
    ]
    assert "left out a02_s01_e01: a02_s01_e01: nobody" in done.stderr


def test_convert_as_json_without_some(tmp_path):
    (tmp_path / "missing.txt").write_text("a02_s01_e01.txt\n\na01_s01_e01\n")

    done = run(
        *("convert", "msr_action3d", msr(tmp_path / "in"), tmp_path / "out", "--workers", 1),
        *("--without", tmp_path / "missing.txt", "--json"),
    )

    facts = json.loads(done.stdout)
    assert list(facts["lists"].values()) == [1, 1]
    assert facts["layouts"] == ["msr-20"]
    assert facts["left_out"] == {}


def test_a_list_that_cannot_be_read(tmp_path):
    done = run("convert", "ntu60", tmp_path, tmp_path, "--without", tmp_path / "none.txt")

    assert "none.txt cannot be read" in str(done.exception)


def test_extract_names_what_is_wrong(tmp_path):
    done = run("extract", "clip.mp4", tmp_path, "--pose", "torchvison")
    assert "no estimator of poses, and no file, called 'torchvison'" in str(done.exception)
    assert "torchvision" in str(done.exception)
    (tmp_path / "list.csv").write_text("path,label\nclip.mp4,walk\n")
    done = run("extract", tmp_path / "list.csv", tmp_path, "--overlay", tmp_path / "drawn.mp4")
    assert "--overlay draws one video" in str(done.exception)


def test_extract_of_folders_writes_a_list_and_leaves_out_who_is_not_there(tmp_path, monkeypatch):
    """With rtmlib's place taken by one who sees a person where the frame is white."""
    for label, value in (("nobody", 0), ("somebody", 255)):
        (tmp_path / "in" / label).mkdir(parents=True)
        frame = np.full((48, 64, 3), value, np.uint8)
        write_video(
            tmp_path / "in" / label / f"{label}.mp4", ((i / 10, frame) for i in range(4)), fps=10
        )

    class Body:
        def det_model(self, bgr):
            return [[4, 4, 30, 40]] if bgr.mean() > 200 else []

        def pose_model(self, bgr, bboxes):
            return np.full((len(bboxes), 17, 2), 20.0), np.full((len(bboxes), 17), 0.8)

    monkeypatch.setattr("zoopraxis.prediction.poses._rtmlib", Body)

    done = run("extract", tmp_path / "in", tmp_path / "out", "--pose", "rtmlib", "--json")

    facts = json.loads(done.stdout)
    assert done.exit_code == 1
    assert "nobody in any of the 4 frames" in facts["failed"][0]["error"]
    assert [video["people"] for video in facts["videos"]] == [1]
    (sample,) = read_samples(facts["list"])
    with Skeleton(layout="coco-17").open(sample) as track:
        assert track.joints[0, 0, 0].tolist() == pytest.approx([20 / 64 - 0.5, 20 / 48 - 0.5, 0.8])

    drawn = tmp_path / "drawn.mp4"
    done = run(
        *("extract", tmp_path / "in/somebody/somebody.mp4", tmp_path / "one"),
        *("--pose", "rtmlib", "--every", 2, "--overlay", drawn),
    )
    assert done.stdout.startswith("1 people of 1 videos")
    with open_video(drawn) as video:
        assert video.num_frames == 4
