"""zoopraxis skeletons: what it prints, and what it refuses."""

import json

import numpy as np
from typer.testing import CliRunner

from skeleton_files import write_msr
from zoopraxis.cli import app


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
