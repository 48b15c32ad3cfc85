"""zoopraxis data resize: files and a list that training reads."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from videos import write
from zoopraxis.cli import app
from zoopraxis.data.samples import read_samples
from zoopraxis.errors import ZoopraxisError
from zoopraxis.video import open_video


@pytest.fixture
def videos(tmp_path):
    for label in ("left", "right"):
        (tmp_path / "videos" / label).mkdir(parents=True)
        for n in range(2):
            write(tmp_path / "videos" / label / f"{n}.avi", "mpeg4", frames=8 + n)
    return tmp_path / "videos"


def run(*words):
    return CliRunner().invoke(app, ["data", "resize", *map(str, words)])


def test_a_folder_of_classes_becomes_smaller_and_a_list(videos, tmp_path):
    done = run(videos, tmp_path / "out", "--short", 24, "--workers", 1, "--json")

    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["encoding"] == {"short": 24, "gop": 12, "quality": 20, "codec": "libx264"}
    assert [v["frames"] for v in facts["videos"]] == [8, 9, 8, 9]
    assert facts["bytes_before"] == sum(p.stat().st_size for p in videos.rglob("*.avi"))
    assert facts["bytes_after"] == sum(p.stat().st_size for p in (tmp_path / "out").rglob("*.mp4"))
    assert facts["seconds_after"] > 0
    samples = read_samples(facts["list"])
    assert samples.labels == ("left", "right")
    assert [s.group for s in samples] == [s.group for s in read_samples(videos)]
    for sample in samples:
        with open_video(sample.path) as video:
            assert (video.height, video.width) == (24, 32)


def test_a_list_keeps_its_columns(videos, tmp_path):
    (tmp_path / "flow").mkdir()
    table = tmp_path / "list.csv"
    table.write_text(
        "path,label,start,end,who,flow,x1,y1,x2,y2\n"
        "videos/left/0.avi,a,0,0.1,ann,flow,0,0,0.5,1\n"
        "videos/left/0.avi,b,0.1,0.3,bob,,,,,\n"
    )
    done = run(table, tmp_path / "out", "--group", "who", "--workers", 1)

    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[:2] == [
        "8 frames of 1 videos",
        f"list: {tmp_path}/out/clips.csv",
    ]
    first, second = read_samples(tmp_path / "out")
    assert Path(first.path) == Path(second.path) == tmp_path / "out" / "0.mp4"
    assert [(s.start, s.end, s.group, s.label) for s in (first, second)] == [
        *((0, 0.1, "ann", 0), (0.1, 0.3, "bob", 1))
    ]
    assert Path(first.flow).resolve() == tmp_path / "flow"
    assert (first.box, second.box) == ((0, 0, 0.5, 1), None)


def test_a_list_of_several_labels_is_written_too(videos, tmp_path):
    table = tmp_path / "list.csv"
    table.write_text("path,label\nvideos/left/0.avi,a;b\nvideos/left/1.avi,b\n")
    done = run(table, tmp_path / "out", "--workers", 1)

    assert done.exit_code == 0, done.output
    assert [s.label for s in read_samples(tmp_path / "out")] == [(0, 1), (1,)]


def test_one_video(videos, tmp_path):
    done = run(videos / "left" / "0.avi", tmp_path / "out", "--codec", "mpeg4", "--gop", 4)

    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[1] == f"path: {tmp_path / 'out' / '0.mp4'}"
    assert "before" in lines[2]
    assert "ms after" in lines[3]
    with open_video(tmp_path / "out" / "0.mp4") as video:
        assert video.codec == "mpeg4"


def test_a_folder_without_classes_is_resized_without_a_list(videos, tmp_path):
    for file in (videos / "left").iterdir():
        file.rename(videos / file.name)
    done = run(videos, tmp_path / "out", "--workers", 1, "--json")

    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["list"] is None
    assert "no list is written" in done.stderr
    assert {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.mp4")} == {
        *("0.mp4", "1.mp4", "right/0.mp4", "right/1.mp4")
    }


def test_a_bad_video_is_named_and_the_others_are_done(videos, tmp_path):
    (videos / "left" / "0.avi").write_bytes(b"no video")

    done = run(videos, tmp_path / "out", "--workers", 2)

    assert done.exit_code == 1
    assert "left/0.avi" in done.stderr
    assert "1 of 4 videos have no smaller copy" in done.stderr
    assert len(read_samples(tmp_path / "out")) == 3


def test_interlaced_videos_are_said(tmp_path):
    options = {"flags": "+ildct+ilme", "x264-params": "tff=1"}
    video = write(tmp_path / "a.mp4", options=options, frames=3)

    done = run(video, tmp_path / "out", "--json")

    assert f"1 of 1 videos: interlaced, and was not deinterlaced: {video}" in done.stderr
    assert json.loads(done.stdout)["videos"][0]["note"].startswith("interlaced")


def test_settings_out_of_range_are_refused(videos, tmp_path):
    done = run(videos, tmp_path / "out", "--quality", 99)

    assert isinstance(done.exception, ZoopraxisError)
    assert not (tmp_path / "out").exists()
