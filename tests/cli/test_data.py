"""zoopraxis data import."""

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
    }
    assert out.read_text() == "path,start,end,label\na.mp4,1,2.5,run\na.mp4,2,4,jump\n"
