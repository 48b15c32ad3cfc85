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
