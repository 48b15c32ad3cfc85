"""zoopraxis profile: the table, JSON and the picture."""

import json

import pytest
import torch
from typer.testing import CliRunner

from zoopraxis.cli import app
from zoopraxis.errors import ZoopraxisError
from zoopraxis.explain.account import account
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
    assert row["latency"]["engine"] == "torch"
    assert row["reach"]["frames"] == 1


def test_engine_and_threads():
    before = torch.get_num_threads()
    words = ("--latency", "--repeats", "1", "--frames", "4", "--threads", "1")
    for engine, name in (("torch", "torch"), ("onnx", "onnx")):
        (row,) = json.loads(call("test_tsn", *words, "--engine", engine, "--json"))["models"]
        assert (row["latency"]["engine"], row["latency"]["threads"]) == (name, 1)
        assert row["shapes"][0][2] == 4
    assert torch.get_num_threads() == before
    assert "1 threads, onnx, cpu" in call("test_tsn", *words, "--engine", "onnx")
    with pytest.raises(ZoopraxisError, match="are for the CPU"):
        call("test_tsn", *words, "--device", "meta")


def test_other_clips():
    (row,) = json.loads(call("test_tsn", "--frames", "8", "--size", "96", "--json"))["models"]
    assert row["shapes"] == [[1, 3, 8, 96, 96]]


def test_the_picture(tmp_path):
    picture = tmp_path / "new" / "costs.png"
    assert f"picture {picture}" in call("r2plus1d_18", "--picture", str(picture))
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_an_unknown_precision():
    done = CliRunner().invoke(app, ["profile", "test_tsn", "--precision", "int8"])
    assert done.exit_code == 2
    assert "int8" in done.output
