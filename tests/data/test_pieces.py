"""Pieces of long videos, drawn once."""

import csv
import json

import pytest
from typer.testing import CliRunner

from videos import write
from zoopraxis.cli import app
from zoopraxis.data.pieces import cut_pieces
from zoopraxis.data.samples import read_samples
from zoopraxis.errors import DataError


@pytest.fixture
def listed(tmp_path):
    """Two videos of 4 s and 1 s, one with two labels, and one that is broken."""
    write(tmp_path / "long.avi", "mpeg4", frames=100, rate=25)
    write(tmp_path / "short.avi", "mpeg4", frames=25, rate=25)
    (tmp_path / "broken.avi").write_bytes(b"nothing")
    lines = ["path,label", "long.avi,run;jump", "broken.avi,run", "short.avi,walk"]
    (tmp_path / "list.csv").write_text("\n".join(lines))
    return tmp_path / "list.csv"


def test_pieces_lie_in_their_videos_and_a_short_one_is_one(listed):
    cut = cut_pieces(read_samples(listed), pieces=3, seconds=1.5, workers=1)

    *long, short = cut.samples
    assert [piece.label for piece in long] == [read_samples(listed)[0].label] * 3
    assert all(0 <= piece.start < piece.end <= 4 for piece in long)
    assert all(piece.end - piece.start == pytest.approx(1.5) for piece in long)
    assert sorted({piece.start for piece in long}) == [piece.start for piece in long]
    assert (short.start, short.end) == (None, None)
    (error,) = cut.errors
    assert "broken.avi" in error.problem


def test_a_seed_draws_the_same_again(listed):
    samples = read_samples(listed)
    draws = [cut_pieces(samples, seconds=1, seed=seed, workers=1).samples for seed in (1, 1, 2)]

    assert draws[0] == draws[1] != draws[2]


def test_the_command_writes_a_list_to_train_on(listed, tmp_path):
    words = ["data", "pieces", str(listed), str(tmp_path / "pieces.csv"), "--pieces", "2"]

    done = CliRunner().invoke(app, [*words, "--seconds", "1", "--workers", "1", "--json"])

    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts == {
        "list": str(tmp_path / "pieces.csv"),
        "pieces": 3,
        "left_out": 1,
    }
    with (tmp_path / "pieces.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["label"] for row in rows] == ["jump;run", "jump;run", "walk"]
    again = read_samples(tmp_path / "pieces.csv")
    assert again.multi_label
    assert again[0].end - again[0].start == pytest.approx(1)


def test_what_cannot_be_cut_is_refused(listed, tmp_path):
    with pytest.raises(DataError, match="0 pieces of 5"):
        cut_pieces(read_samples(listed), pieces=0)
    (tmp_path / "none.csv").write_text("path,label\nbroken.avi,a\n")
    with pytest.raises(DataError, match=r"can be cut; the first: .*broken\.avi"):
        cut_pieces(read_samples(tmp_path / "none.csv"), workers=1)
