"""What docs/graphs.md shows, runs."""

import doctest
from pathlib import Path


def test_the_page_of_graphs():
    page = Path(__file__).parents[2] / "docs" / "graphs.md"
    done = doctest.testfile(str(page), module_relative=False)

    assert done.attempted >= 10
    assert done.failed == 0
