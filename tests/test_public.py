"""The public surface: what there is, that it stays, and that asking for help is quick."""

import subprocess
import sys

import pytest
import typer
from rich.text import Text

import zoopraxis
from zoopraxis.cli import VERBS, app

PROBE = """
import sys
import typer.testing
from zoopraxis.cli import app
result = typer.testing.CliRunner().invoke(app, {arguments!r})
assert result.exit_code == 0, result.output
print(sorted({{"torch", "torchvision", "cv2", "matplotlib", "sklearn", "av"}} & set(sys.modules)))
"""


def test_the_public_names():
    assert sorted(zoopraxis.__all__) == [
        "ClipSpec",
        "convert_state_dict",
        "create_model",
        "evaluate",
        "extract_features",
        "list_models",
        "model_spec",
        "open_model",
        "open_video",
        "predict",
        "train",
    ]
    for name in zoopraxis.__all__:
        assert callable(getattr(zoopraxis, name))


def test_an_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = zoopraxis.nothing


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help_loads_nothing_heavy(verb):
    arguments = [verb, "--help"] if verb else ["--help"]
    probe = PROBE.format(arguments=arguments)

    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def helps(command, name=""):
    """Yield the help of a command and its parts, with where it stands."""
    yield name, command.help or ""
    for option in command.params:
        yield f"{name} {option.name}", getattr(option, "help", None) or ""
    for verb, part in getattr(command, "commands", {}).items():
        yield from helps(part, f"{name} {verb}".strip())


def test_help_shows_every_word_that_is_written():
    # in a terminal, words in square brackets are taken for colours and left out
    for where, text in helps(typer.main.get_command(app)):
        assert Text.from_markup(text).plain == text, where


def test_an_expected_error_is_two_lines_and_exit_1():
    done = subprocess.run(
        [sys.executable, "-m", "zoopraxis", "info", "r2plus1d_19"], capture_output=True, text=True
    )

    assert done.returncode == 1
    problem, hint = done.stderr.splitlines()
    assert problem == "error: there is no model called 'r2plus1d_19'"
    assert hint.startswith("hint:  did you mean r2plus1d_18")
    assert done.stdout == ""


def test_the_runtimes_are_loaded_only_when_asked_for():
    probe = (
        "import sys, zoopraxis.engine.optimize, zoopraxis.engine.export\n"
        "print(sorted({'openvino', 'onnx', 'onnxruntime', 'torchvision'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
