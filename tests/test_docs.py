"""What the README and the docs show, runs."""

import doctest
import re
import shlex
import sys
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
import torch
import typer

from videos import write
from zoopraxis.cli import app
from zoopraxis.models import list_models
from zoopraxis.testing import read_golden
from zoopraxis.training.recipe import default_recipe, read_recipe
from zoopraxis.weights import find_weights

ROOT = Path(__file__).parent.parent
INDEX = ROOT / "docs" / "README.md"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
TRAIN = "zoopraxis train "
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


@pytest.mark.parametrize("line", [p for p in commands() if p.values[0].startswith(TRAIN)])
def test_every_training_in_the_docs_has_its_recipe_network_and_weights(line):
    words = shlex.split(line, comments=True)[2:]
    options = dict(pairwise(words))
    changes = [word for word in words if "=" in word]
    if "--resume" in words or words[0].endswith(".toml") or words[0].isupper():
        return  # a run or a recipe of the reader's

    if words[0].startswith("-"):
        recipe = default_recipe("videos", options["--model"], changes)
    else:
        model = [f"model.name={options['--model']}"] if "--model" in options else []
        recipe = read_recipe(words[0], [*model, *changes])

    weights = recipe.model.weights
    assert recipe.model.name in list_models()
    assert not weights or "/" in weights or find_weights(recipe.model.name, weights)


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


def prose(page):
    return BLOCK.sub("", page.read_text(encoding="utf-8"))


def anchors(page):
    """What GitHub makes of the headings."""
    titles = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)]+)\)", prose(page)):
        if not target.startswith("http"):
            path, _, section = target.partition("#")
            linked = page.parent / path if path else page
            assert linked.exists(), target
            assert not section or section in anchors(linked), target


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.name)
def test_tables_have_heads_and_even_rows(page):
    for table in re.findall(r"(?:^\|.*\n)+", prose(page), re.MULTILINE):
        first, rule, *rest = [re.sub(r"`[^`]*`", "", row).count("|") for row in table.splitlines()]
        assert re.fullmatch(r"[|-]+", table.splitlines()[1]), table
        assert {first, *rest} <= {rule}, table


def test_the_index_names_every_page_extra_and_script():
    index = INDEX.read_text(encoding="utf-8")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    every = "".join(page.read_text(encoding="utf-8") for page in PAGES)

    assert {page.name for page in PAGES[1:]} - set(re.findall(r"\((\w+\.md)\)", index)) == {
        INDEX.name
    }
    for extra in extras["optional-dependencies"]:
        assert f"`{extra}`" in index, extra
    for script in [*(ROOT / "benchmarks").glob("*.py"), *(ROOT / "examples").glob("*.*")]:
        assert script.name in every, script


def test_every_verb_is_on_a_page():
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for name, verb in typer.main.get_command(app).commands.items():
        for line in [f"{name} {sub}" for sub in getattr(verb, "commands", {})] or [name]:
            assert f"zoopraxis {line}" in text or f"`{line}" in text, line
