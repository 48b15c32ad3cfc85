"""zoopraxis data import and export."""

import json

from typer.testing import CliRunner

from zoopraxis.cli.data import data


def test_import_of_a_table_with_other_columns(tmp_path):
    file, out = tmp_path / "mine.csv", tmp_path / "train.csv"
    file.write_text("clip,start,end,what\na.mp4,1,2.5,run\na.mp4,2,4,jump\n")
    wanted = ["--path-column", "clip", "--label-column", "what"]

    done = CliRunner().invoke(data, ["import", "csv", str(file), str(out), *wanted, "--json"])

    assert done.exit_code == 0
    assert json.loads(done.stdout) == {
        "list": str(out),
        "segments": 2,
        "videos": 1,
        "labels": ["jump", "run"],
        "left_out": {},
    }
    assert out.read_text() == "path,start,end,label\na.mp4,1,2.5,run\na.mp4,2,4,jump\n"


def test_import_says_what_it_leaves_out_and_finds_videos(tmp_path):
    file, out = tmp_path / "mine.csv", tmp_path / "lists/train.csv"
    file.write_text("path,start,end,label\nC:\\films\\a.mp4,1,2.5,run\nb.mp4,3,3,run\n")
    out.parent.mkdir()
    words = ["import", "csv", str(file), str(out)]

    done = CliRunner().invoke(data, words)
    assert "left out: 1 segments of no length" in done.stdout
    assert "not there: 1 of 1 videos, such as C:\\films\\a.mp4; --video" in done.stderr

    (tmp_path / "a.mp4").touch()
    done = CliRunner().invoke(data, [*words, "--video", str(tmp_path)])
    assert "not there" not in done.stderr
    assert out.read_text() == "path,start,end,label\n../a.mp4,1,2.5,run\n"


def test_export_for_fiftyone(tmp_path):
    (tmp_path / "list.csv").write_text("path,start,end,label\na.mp4,0,1,x\na.mp4,1,2,y\n")
    words = ["export", "fiftyone", str(tmp_path / "list.csv"), str(tmp_path / "out")]
    done = CliRunner().invoke(data, [*words, "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["segments"] == 2
    assert "2 segments in 1 videos" in CliRunner().invoke(data, words).stdout
    assert (tmp_path / "out/labels.json").is_file()
    wrong = CliRunner().invoke(data, ["export", "cvat", *words[2:]])
    assert "no format to export is called 'cvat'" in str(wrong.exception)
