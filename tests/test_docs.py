"""What the README and the docs show, runs."""

import doctest
import re
import shlex
import sys
from pathlib import Path

import pytest
import torch
import typer

from videos import write
from zoopraxis.cli import app
from zoopraxis.testing import read_golden

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands():
    for page in PAGES:
        for _, block in BLOCK.findall(page.read_text()):
            for line in block.splitlines():
                if line.startswith("zoopraxis ") and "[" not in line and line.isascii():
                    yield pytest.param(line, id=f"{page.name}: {line[:60]}")


@pytest.mark.parametrize("line", list(commands()))
def test_every_command_in_the_docs_is_one(line):
    command = typer.main.get_command(app)
    words = shlex.split(line, comments=True)[1:]
    while words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
        if not words:
            break

    command.make_context("zoopraxis", words)  # exits with 2 for what it does not know


def test_the_readmes_python_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(Path("clip.mp4"))
    golden = read_golden("tv_r3d_18", ROOT / "tests" / "golden")
    torch.save(golden.state_dict(), "r3d_18-b3b3357e.pth")
    names = {}

    for language, block in BLOCK.findall((ROOT / "README.md").read_text()):
        if language == "python":
            exec(block, names)

    assert names["logits"].shape == (1, 12)
    assert names["frames"].shape[0] == 3
    assert len(names["prediction"].labels) == 5
    assert names["features"].shape == (1, 128)
    assert "head.linear.weight" in names["ours"]


@pytest.mark.parametrize(
    "page", [p for p in PAGES if ">>>" in p.read_text()], ids=lambda page: page.name
)
def test_the_python_of_a_page_gives_what_it_shows(page):
    done = doctest.testfile(str(page), module_relative=False)

    assert done.attempted > 0
    assert done.failed == 0


def test_the_page_of_models_is_current(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    from make_models_page import PAGE, page

    assert PAGE.read_text(encoding="utf-8") == page(), "run `make docs`"
    sys.modules.pop("make_models_page")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    prose = BLOCK.sub("", page.read_text())
    for target in re.findall(r"\]\(([^)#]+)\)", prose):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target
