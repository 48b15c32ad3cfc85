"""Many videos: what goes wrong with one is its result, with its name, and stops no other."""

from functools import partial
from pathlib import Path

import pytest

from zoopraxis.errors import DataError, VideoError
from zoopraxis.video.extraction import Extracted, extract_all, places


def extract(video, place, *, errors):
    if video in errors:
        raise errors[video]
    return place.with_suffix(".npz"), len(video)


def test_results_are_in_order_and_errors_have_the_name_of_their_video(tmp_path):
    errors = {"b": VideoError("too dark", "light it"), "c": OSError(28, "No space left on device")}
    names = ["b", "aaa", "c"]
    counts = []

    dark, fine, full = extract_all(
        names,
        [tmp_path / name for name in names],
        partial(extract, errors=errors),
        workers=1,
        progress=lambda *done: counts.append(done),
    )

    assert fine == Extracted(video="aaa", file=str(tmp_path / "aaa.npz"), count=3)
    assert isinstance(dark.error, VideoError)
    assert (dark.error.problem, dark.error.hint) == ("b: too dark", "light it")
    assert "No space left" in full.error.problem
    assert str(tmp_path / "c") in full.error.problem
    assert counts == [(1, 3), (2, 3), (3, 3)]


def test_several_processes(tmp_path):
    errors = {"b": VideoError("b is too dark")}

    found = extract_all(
        ["b", "a"], [tmp_path / "b", tmp_path / "a"], partial(extract, errors=errors), workers=2
    )

    assert [r.count for r in found] == [0, 1]
    assert found[0].error.problem == "b is too dark"


def test_two_videos_do_not_share_a_place():
    with pytest.raises(DataError, match=r"a.mp4 and a.avi would both be in"):
        extract_all(["a.mp4", "a.avi"], [Path("a")] * 2, partial(extract, errors={}))


def test_places_lie_to_one_another_as_the_videos_do(tmp_path):
    videos = [str(tmp_path / "in" / name) for name in ("run/a.b.mp4", "walk/a.avi")]

    assert places(videos, Path("out")) == [Path("out/run/a.b"), Path("out/walk/a")]
    assert places(videos[:1], Path("out")) == [Path("out/a.b")]
