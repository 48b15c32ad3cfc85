"""Cells and times in the text of users' files."""

import pytest

from zoopraxis.data.pairs import read_pairs
from zoopraxis.data.sets.ava import read_ava, read_excluded
from zoopraxis.data.sets.listed import table_of
from zoopraxis.data.text import read_rows, seconds_of
from zoopraxis.errors import DataError


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_rows_of_any_line_ends(tmp_path, end, mark):
    (tmp_path / "a.csv").write_text(f'{mark}a,b{end}"1{end}2",3{end}', newline="", encoding="utf-8")
    rows = [cells for _, cells in read_rows(tmp_path / "a.csv", expected="a table")]
    assert rows == [["a", "b"], [f"1{end}2", "3"]]


@pytest.mark.parametrize(
    "read",
    [
        lambda path: list(table_of(path, ("a",))),
        lambda path: list(read_rows(path, expected="a table")),
        read_ava,
        read_excluded,
        read_pairs,
    ],
)
def test_a_quote_that_does_not_end_is_an_error_of_ours(tmp_path, read):
    (tmp_path / "a.csv").write_text('a,"b' + "x\n" * 100_000)
    with pytest.raises(DataError, match=r"a\.csv, line \d+: field larger than field limit"):
        read(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("stamp", "seconds"),
    [("12.5", 12.5), ("1:02.5", 62.5), ("00:00:01.089", 1.089), ("01:00:00", 3600), ("1:60", 120)],
)
def test_seconds_of_clocks(stamp, seconds):
    assert seconds_of(stamp) == seconds


@pytest.mark.parametrize("stamp", ["", "x", "1:2:3:4", "1:", "1,5"])
def test_other_texts_are_no_times(stamp):
    with pytest.raises(ValueError, match=r"no time|could not convert"):
        seconds_of(stamp)
