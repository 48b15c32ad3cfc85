"""The doctor reports what is installed, detects what is wrong, and says what to do."""

import json
import re
import tomllib
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import zoopraxis.doctor
from zoopraxis.cli import app
from zoopraxis.doctor import Finding, examine
from zoopraxis.video import DECODERS, torchcodec_problem
from zoopraxis.video._pyav import PyAVVideo


@pytest.fixture(scope="module")
def findings():
    return {finding.name: finding for finding in examine()}


def test_describes_this_machine(findings):
    assert torch.__version__.startswith(findings["torch"].value)
    assert findings["numpy"].value == np.__version__
    assert findings["decoder pyav"].status == "ok"
    assert findings["decoder pyav"].value == "48 frames of h264"
    assert findings["CUDA"].status == ("ok" if torch.cuda.is_available() else "warn")
    assert findings["3D convolution"].value.count("GFLOP/s") == 2
    assert not [f for f in findings.values() if f.status == "fail"]


def test_every_warning_and_failure_has_advice(findings):
    assert all(f.advice for f in findings.values() if f.status != "ok")


def test_agrees_with_the_backend_about_torchcodec(findings):
    expected = "warn" if torchcodec_problem() else "ok"
    assert findings["decoder torchcodec"].status == expected


class Late(PyAVVideo):
    """A decoder that returns the frame after the requested one."""

    def _decode(self, indices, size, deadline):
        return super()._decode(np.minimum(indices + 1, self.num_frames - 1), size, deadline)


def test_detects_decoders_that_disagree(monkeypatch):
    monkeypatch.setattr(zoopraxis.doctor, "torchcodec_problem", lambda: "")
    monkeypatch.setitem(DECODERS, "torchcodec", Late)
    findings = {finding.name: finding for finding in zoopraxis.doctor._decoders()}
    assert findings["decoder pyav"].status == "ok"
    assert findings["decoder torchcodec"].status == "warn"
    assert "differ from pyav's" in findings["decoder torchcodec"].value


class Backwards(PyAVVideo):
    """A decoder that counts frames from the end."""

    def _decode(self, indices, size, deadline):
        return list(super()._decode(np.sort(self.num_frames - 1 - indices), size, deadline))[::-1]


def test_detects_a_decoder_that_is_wrong(monkeypatch):
    monkeypatch.setitem(DECODERS, "pyav", Backwards)
    assert [(f.name, f.status) for f in zoopraxis.doctor._decoders()] == [("decoder pyav", "fail")]


def test_required_packages_are_those_of_the_project(findings):
    with (Path(__file__).parents[1] / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    names = {re.match(r"[\w.-]+", text)[0] for text in project["dependencies"]}
    assert len(names) > 8
    assert all(findings[name].status == "ok" for name in names)
    extras = set(project["optional-dependencies"]) - {"dev"}
    listed = [findings[name].value for name in findings if name.startswith("extras")]
    assert set(", ".join(listed).split(", ")) - {"none installed"} == extras


def test_distinguishes_required_packages_from_extras(monkeypatch):
    required = ["no-such-tea>=2", "opencv-contrib-python-headless>=4", "numpy<9,>=1"]
    extras = [
        "numpy>=1; extra == 'sums'",
        'no-such-cup[large]>=1; python_version > "3" and extra == "cup"',
        "zoopraxis[cup]; extra == 'table'",
    ]
    monkeypatch.setattr(metadata, "requires", lambda _: [*required, *extras])

    tea, opencv, numpy, there, lacking = zoopraxis.doctor._packages()

    assert tea == Finding("no-such-tea", "fail", "not installed", "pip install no-such-tea")
    assert (opencv.status, numpy) == ("ok", Finding("numpy", "ok", np.__version__))
    assert there == Finding("extras", "ok", "sums, table")
    assert (lacking.status, lacking.value) == ("ok", "cup")
    assert lacking.advice == "to use one: pip install 'zoopraxis[cup]'"


@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("warn", 0), ("fail", 1)])
def test_the_command_fails_if_a_finding_does(status, code, monkeypatch):
    advice = f"{'once more, ' * 20}pip install 'umbrella[large]'"
    found = Finding("weather", status, "rain", advice)
    monkeypatch.setattr(zoopraxis.doctor, "CHECKS", {"weather": lambda: [found]})
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == code
    assert f"       {advice}\n" in result.stdout  # on one line, nothing cut
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert json.loads(result.stdout) == [
        {"name": "weather", "status": status, "value": "rain", "advice": found.advice}
    ]
