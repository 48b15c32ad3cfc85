"""The demo, whole and small."""

import json
from contextlib import contextmanager

import pytest

from zoopraxis.theatre.demo import run_demo
from zoopraxis.training.recipe import recipe_path
from zoopraxis.video import open_video

RECIPE = recipe_path("demo")


@pytest.mark.slow
def test_the_demo_makes_all_it_promises_and_goes_on_where_it_was(tmp_path):
    said = []

    @contextmanager
    def film(title):
        yield lambda done, total: said.append((title, done, total))

    def run():
        return run_demo(
            tmp_path / "demo",
            RECIPE,
            clips_per_class=5,
            changes=["train.epochs=1"],
            say=said.append,
            film=film,
        )

    first = run()

    for path in (first.report, first.overlay, first.sheet):
        assert path.stat().st_size > 10_000
    with open_video(first.overlay) as video:
        assert video.width >= 480
    blind = first.rows[0]
    assert blind["pairs"] == 0.5  # bit-exact twins: not a rounding away from a coin
    assert json.loads((tmp_path / "demo" / "results.json").read_text())["rows"]
    assert run().rows == first.rows
