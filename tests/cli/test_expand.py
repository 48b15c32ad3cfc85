"""zoopraxis expand: what it prints, how it resumes, and what it refuses."""

import json

import pytest
from typer.testing import CliRunner

from zoopraxis.cli import app
from zoopraxis.errors import RecipeError, TrainingError
from zoopraxis.training.ledger import read_ledger

SMALL = [
    *("x3d", "augment.flip=0", "train.epochs=1", "train.batch_size=4", "train.micro_batches=1"),
    *("optim.warmup_epochs=0", "data.workers=0", "train.channels_last=false"),
]
START = "t=2,tau=4,s=0.286,w=0.34"


def expand(*words):
    words = ["expand", *map(str, words), "--accelerator", "cpu"]
    return CliRunner().invoke(app, words)


@pytest.fixture(scope="module")
def searched(squares, tmp_path_factory):
    """What is printed of a search of one step, and its folder."""
    out = tmp_path_factory.mktemp("cli") / "run"
    options = ("--data", squares, "--start", START, "--gmacs", 0.0015, "--out", out)
    return expand(*SMALL, *options), out


def test_it_prints_a_table_and_where_things_are(searched):
    done, out = searched

    assert done.exit_code == 0, done.output
    table, found = [], {}
    for line in done.stdout.splitlines():
        if "\t" in line:
            table.append(line.split("\t"))
        elif line.split()[0] in ("network", "ledger", "picture"):
            found[line.split()[0]] = line.split()[1]
    ledger = read_ledger(found["ledger"])
    assert table[0] == ["step", "axis", "network", "GMACs", "M params", "top-1 %", "kept"]
    assert next(row[2] for row in table[1:]) == next(iter(ledger.networks))
    assert {row[2] for row in table[1:]} == set(ledger.networks)
    assert [row[2] for row in table if row[6] == "result"] == [ledger.final]
    assert found["network"] == f"{out}/networks/{ledger.final}"
    assert (out / "expansion.png").read_bytes()[:4] == b"\x89PNG"
    assert found["picture"] == f"{out}/expansion.png"
    assert "accuracies on 4 videos have a standard error of up to 25.0 points" in done.stdout
    # only the first run says what all train on
    said = [line for line in done.stderr.splitlines() if "training videos each" in line]
    assert len(said) == 1


def test_json_and_resuming_with_nothing_else(searched):
    _, out = searched
    before = read_ledger(out)

    done = expand("--resume", "--out", out, "--json")

    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout)
    assert printed["final"] == before.final
    assert printed["macs"] == before.macs == 0.0015e9
    assert printed["networks"].keys() == before.networks.keys()
    assert read_ledger(out) == before
    assert "val_top1" not in done.stderr  # nothing was trained


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (("x3d",), "cost of the network is not given"),
        (("x3d", "tsm", "--gmacs", 1), "are 2 recipes"),
        (("x3d", "--gmacs", 1, "--start", "q=2"), "there is no factor 'q'"),
        (("x3d", "--gmacs", 1, "--start", "s=big"), "s = 'big' is not a number"),
        (("tsm", "--gmacs", 1), "is not an X3D"),
    ],
)
def test_what_is_refused(words, match, tmp_path):
    done = expand(*words, "--out", tmp_path / "run")

    assert done.exit_code == 1
    assert isinstance(done.exception, RecipeError)
    assert match in done.exception.problem


def test_a_folder_with_a_search_is_not_overwritten(searched, squares):
    _, out = searched

    options = ("--data", squares, "--start", START, "--gmacs", 0.0015, "--out", out)
    done = expand(*SMALL, *options)

    assert isinstance(done.exception, TrainingError)
    assert "already holds a search" in done.exception.problem
