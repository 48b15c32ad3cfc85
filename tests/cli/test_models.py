"""zoopraxis models: whole names, in a pipe and in a narrow terminal."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest
from typer.testing import CliRunner

from zoopraxis.cli import app
from zoopraxis.errors import ModelNotFoundError
from zoopraxis.models import family_of, list_models, model_size, model_spec
from zoopraxis.weights import weights_of


def call(*words):
    done = CliRunner().invoke(app, ["models", *words])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def rows(text):
    return [line.split("\t") for line in text.splitlines()]


def test_a_pipe_gets_every_model_whole_between_tabs():
    head, *models = rows(call().stdout)

    assert head == ["name", "family", "frames", "size", "params", "GMACs", "checkpoints"]
    assert [name for name, *_ in models] == list_models()
    assert {len(row) for row in models} == {len(head)}


def test_a_row_says_what_the_entry_says():
    name = "r2plus1d_18"
    _, row = rows(call(name).stdout)

    clip, size = model_spec(name).clip, model_size(name)
    assert row == [
        name,
        "r2plus1d",
        str(clip.sampling.num_frames),
        str(clip.input.size),
        f"{size.params_m:.2f}",
        f"{size.gmacs:.2f}",
        str(len(weights_of(name))),
    ]


def test_tiny_variants_are_listed_by_their_pattern():
    _, *models = rows(call("test_*").stdout)

    assert [name for name, *_ in models] == list_models("test_*")


def test_a_narrow_terminal_cuts_no_name_and_leaves_no_line_blank():
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 30, 0, 0))  # 30 columns
    command = [sys.executable, "-m", "zoopraxis", "models", "tsm*"]
    with subprocess.Popen(command, stdout=theirs, env={**os.environ, "TERM": "xterm"}) as running:
        os.close(theirs)
        text = read_all(ours)
    os.close(ours)

    lines = text.decode().splitlines()
    assert running.returncode == 0
    assert [line.split()[0] for line in lines] == ["name", *list_models("tsm*")]
    assert lines[0].split()[-1] == "checkpoints"
    assert len({re.match(r"\S+ +", line).end() for line in lines}) == 1  # aligned
    assert not any(line.endswith(" ") for line in lines)


def read_all(descriptor):
    """What a program writes to a terminal until it ends, as Linux says it: by an error."""
    chunks = []
    while True:
        try:
            chunk = os.read(descriptor, 1 << 16)
        except OSError:
            chunk = b""
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)


def test_one_family():
    _, *models = rows(call("--family", "tsn").stdout)

    assert [name for name, *_ in models] == list_models(family="tsn")
    assert {family for _, family, *_ in models} == {"tsn"}


@pytest.mark.parametrize(
    ("order", "key"),
    [
        ("name", lambda name: name),
        ("params", lambda name: model_size(name).params_m),
        ("macs", lambda name: model_size(name).gmacs),
    ],
)
def test_sorted(order, key):
    names = [name for name, *_ in rows(call("r*", "--sort", order).stdout)[1:]]

    assert sorted(names) == sorted(list_models("r*"))
    assert [key(name) for name in names] == sorted(key(name) for name in names)


def test_checkpoints_with_data_accuracy_and_licence():
    head, *found = rows(call("tsn*", "--weights").stdout)

    expected = [w for name in list_models("tsn*") for w in weights_of(name)]
    assert head == ["name", "dataset", "top-1", "licence"]
    assert found == [
        [
            f"{w.model}.{w.tag}",
            w.dataset,
            "" if w.top1 is None else f"{w.top1:.2f}",
            w.licence,
        ]
        for w in expected
    ]


def test_json():
    found = json.loads(call("r2*", "--json").stdout)
    weights = json.loads(call("r2*", "--weights", "--json").stdout)

    assert [row["name"] for row in found] == list_models("r2*")
    assert {row["family"] for row in found} == {family_of(name) for name in list_models("r2*")}
    assert [row["name"] for row in weights] == [
        f"{row['name']}.{tag}" for row in found for tag in row["checkpoints"]
    ]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--family", "tsx"], "no family called 'tsx'"),
        (["xyz*"], "no model matches 'xyz\\*'"),
        (["xyz*", "--family", "tsn"], "no model in the family tsn matches"),
        (["test_*", "--weights"], "no published checkpoints"),
    ],
)
def test_nothing_to_list_is_an_error(words, problem):
    with pytest.raises(ModelNotFoundError, match=problem):
        call(*words)


def test_an_unknown_order_is_wrong_usage():
    assert call("--sort", "colour").exit_code == 2
