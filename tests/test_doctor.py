"""The doctor finds what is there, notices what is wrong, and says what to do."""

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


def test_finds_this_machine(findings):
    assert torch.__version__.startswith(findings["torch"].value)
    assert findings["numpy"].value == np.__version__
    assert findings["decoder pyav"].status == "ok"
    assert findings["decoder pyav"].value == "48 frames of h264"
    assert findings["CUDA"].status == ("ok" if torch.cuda.is_available() else "warn")
    assert findings["3D convolution"].value.count("GFLOP/s") == 2
    assert not [f for f in findings.values() if f.status == "fail"]


def test_whatever_is_not_in_order_comes_with_advice(findings):
    assert all(f.advice for f in findings.values() if f.status != "ok")


def test_judges_torchcodec_as_the_reader_does(findings):
    expected = "warn" if torchcodec_problem() else "ok"
    assert findings["decoder torchcodec"].status == expected


class Late(PyAVVideo):
    """A decoder that gives the frame after the asked one."""

    def _decode(self, numbers, size, clock):
        return super()._decode(np.minimum(numbers + 1, self.num_frames - 1), size, clock)


def test_notices_decoders_that_disagree(monkeypatch):
    monkeypatch.setattr(zoopraxis.doctor, "torchcodec_problem", lambda: "")
    monkeypatch.setitem(DECODERS, "torchcodec", Late)
    findings = {finding.name: finding for finding in zoopraxis.doctor._decoders()}
    assert findings["decoder pyav"].status == "ok"
    assert findings["decoder torchcodec"].status == "warn"
    assert "differ from pyav's" in findings["decoder torchcodec"].value


class Backwards(PyAVVideo):
    """A decoder that numbers frames from the end."""

    def _decode(self, numbers, size, clock):
        return list(super()._decode(np.sort(self.num_frames - 1 - numbers), size, clock))[::-1]


def test_notices_a_decoder_that_is_wrong(monkeypatch):
    monkeypatch.setitem(DECODERS, "pyav", Backwards)
    assert [(f.name, f.status) for f in zoopraxis.doctor._decoders()] == [("decoder pyav", "fail")]


def test_tells_needed_packages_from_extras():
    needed = zoopraxis.doctor._needed("tea", ("no-such-tea", "no-such-leaf"))
    assert needed == Finding("tea", "fail", "not installed", "pip install no-such-tea")
    extra = zoopraxis.doctor._optional("no-such-tea")
    assert (extra.status, extra.value) == ("warn", "not installed")
    either = zoopraxis.doctor._needed("arrays", ("no-such-arrays", "numpy"))
    assert either == Finding("arrays", "ok", np.__version__)


@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("warn", 0), ("fail", 1)])
def test_the_command_fails_if_a_finding_does(status, code, monkeypatch):
    found = Finding("weather", status, "rain", "pip install 'umbrella[large]'")
    monkeypatch.setattr(zoopraxis.doctor, "EXAMINATIONS", {"weather": lambda: [found]})
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == code
    assert "umbrella[large]" in result.stdout
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert json.loads(result.stdout) == [
        {"name": "weather", "status": status, "value": "rain", "advice": found.advice}
    ]
