"""The doctor reports what is installed, detects what is wrong, and says what to do."""

import json

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


def test_distinguishes_required_packages_from_extras():
    required = zoopraxis.doctor._required("tea", ("no-such-tea", "no-such-leaf"))
    assert required == Finding("tea", "fail", "not installed", "pip install no-such-tea")
    extra = zoopraxis.doctor._optional("no-such-tea")
    assert (extra.status, extra.value) == ("warn", "not installed")
    either = zoopraxis.doctor._required("arrays", ("no-such-arrays", "numpy"))
    assert either == Finding("arrays", "ok", np.__version__)


@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("warn", 0), ("fail", 1)])
def test_the_command_fails_if_a_finding_does(status, code, monkeypatch):
    found = Finding("weather", status, "rain", "pip install 'umbrella[large]'")
    monkeypatch.setattr(zoopraxis.doctor, "CHECKS", {"weather": lambda: [found]})
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == code
    assert "umbrella[large]" in result.stdout
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert json.loads(result.stdout) == [
        {"name": "weather", "status": status, "value": "rain", "advice": found.advice}
    ]
