"""zoopraxis profile: the table, JSON and the picture."""

import json

import pytest
from typer.testing import CliRunner

from zoopraxis.cli import app
from zoopraxis.errors import ZoopraxisError
from zoopraxis.explain.profile import account
from zoopraxis.models import model_size


def call(*words):
    done = CliRunner().invoke(app, ["profile", *words])
    if done.exception:
        raise done.exception
    return done.stdout


def test_the_table():
    head, row = (line.split("\t") for line in call("test_tsn").splitlines())

    size = model_size("test_tsn")
    cells = dict(zip(head, row, strict=True))
    assert cells["model"] == "test_tsn"
    assert cells["M params"] == f"{size.params_m:.2f}"
    assert cells["G interactions"] == ""


def test_json_with_time_and_reach():
    words = ("--latency", "--repeats", "2", "--reach", "--json")
    (row,) = json.loads(call("test_tsn", *words))["models"]

    assert row["params"] == account("test_tsn").params
    assert row["latency"]["repeats"] == 2
    assert row["reach"]["frames"] == 1


def test_other_clips():
    (row,) = json.loads(call("test_tsn", "--frames", "8", "--size", "96", "--json"))["models"]
    assert row["shapes"] == [[1, 3, 8, 96, 96]]


def test_the_picture(tmp_path):
    picture = tmp_path / "new" / "costs.png"
    assert f"picture {picture}" in call("r2plus1d_18", "--picture", str(picture))
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_an_unknown_precision():
    with pytest.raises(ZoopraxisError, match="unknown precision 'int8'"):
        call("test_tsn", "--precision", "int8")
