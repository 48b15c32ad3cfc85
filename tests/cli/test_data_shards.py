"""zoopraxis data shards: few large files, and a list that training reads."""

import json

import pytest
from typer.testing import CliRunner

from zoopraxis.cli import app
from zoopraxis.data.samples import read_samples


def run(*words):
    return CliRunner().invoke(app, ["data", "shards", *map(str, words)])


def test_shards_of_a_number_and_of_a_size(squares, tmp_path):
    done = run(squares, tmp_path / "a", "--count", 2, "--workers", 1, "--json")
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert (facts["shards"], facts["videos"], facts["samples"]) == (2, 16, 16)
    assert len(read_samples(facts["list"])) == 16

    done = run(squares, tmp_path / "b", "--size", "0.01MB", "--workers", 1)
    assert done.exit_code == 0, done.output
    number = len(list((tmp_path / "b").glob("*.tar")))
    assert number > 2
    assert done.stdout.splitlines()[0] == f"16 videos, 16 samples in {number} shards"


def test_one_shard_is_enough_for_little(squares, tmp_path):
    done = run(squares, tmp_path / "a", "--json")

    assert json.loads(done.stdout)["shards"] == 1


def test_shards_that_are_there_are_indexed(squares, tmp_path):
    run(squares, tmp_path / "a", "--workers", 1)
    (tmp_path / "a" / "shards.json").unlink()

    done = run("--index", tmp_path / "a")

    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == f"list: {tmp_path / 'a' / 'clips.csv'}"
    assert (tmp_path / "a" / "shards.json").is_file()


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["list.csv"],
        ["list.csv", "out", "--index", "out"],
        ["list.csv", "--index", "out"],
        ["list.csv", "out", "--size", "1GB", "--count", "2"],
        ["list.csv", "out", "--size", "much"],
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(words):
    assert run(*words).exit_code == 2
