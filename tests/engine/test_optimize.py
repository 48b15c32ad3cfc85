"""Every engine computes what the network computes."""

import importlib.util

import pytest
import torch

from zoopraxis.checkpoints.saved import open_model
from zoopraxis.engine import optimize as module
from zoopraxis.engine.fast_forms import TimeConv3d
from zoopraxis.engine.optimize import optimize, optimize_opened
from zoopraxis.engine.runtimes import RuntimeNetwork
from zoopraxis.errors import ZoopraxisError
from zoopraxis.prediction.pipeline import run


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return open_model("test_r2plus1d")


@pytest.mark.parametrize("engine", ["auto", "torch", "openvino", "onnx"])
def test_engines_agree(net, engine):
    clips = net.clip.example(batch=3, seed=1)

    fast = optimize_opened(net, engine=engine, threads=1)

    assert fast.config == net.config
    assert fast.model is not net.model
    got = run(fast.model, clips, batch_size=2)
    torch.testing.assert_close(got, run(net.model, clips), rtol=1e-4, atol=1e-5)


def test_auto_is_torch_where_openvino_is_missing(net, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        module, "find_spec", lambda name: None if name == "openvino" else find(name)
    )

    fast = optimize(net.model, net.clip.example())

    assert any(type(part) is TimeConv3d for part in fast.modules())


def test_a_missing_runtime_is_named(net, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(ZoopraxisError, match="onnxruntime cannot be imported") as caught:
        optimize(net.model, net.clip.example(), engine="onnx")
    assert "pip install 'zoopraxis[onnx]'" in caught.value.hint


def test_bfloat16_where_the_processor_has_it(net):
    import openvino

    clip = net.clip.example(seed=1)
    able = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if "BF16" not in able:
        with pytest.raises(ZoopraxisError, match="no bfloat16"):
            optimize(net.model, clip, engine="openvino", precision="bfloat16")
        return
    exact = run(net.model, clip)
    got = run(optimize(net.model, clip, engine="openvino", precision="bfloat16"), clip)
    error = float((got - exact).abs().max() / exact.abs().max())
    assert 1e-5 < error < 5e-2  # it is bfloat16 indeed, and not far off


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "tensorrt"}, "unknown engine 'tensorrt'"),
        ({"engine": "onnx", "precision": "bfloat16"}, "does not compute bfloat16"),
        ({"engine": "openvino", "precision": "float16"}, "does not compute float16"),
    ],
)
def test_what_there_is_not(net, options, message):
    with pytest.raises(ZoopraxisError, match=message):
        optimize(net.model, net.clip.example(), **options)


def test_engines_are_for_the_cpu(net):
    assert optimize_opened(net, engine="torch", device="cuda") is net
    with pytest.raises(ZoopraxisError, match="are for the CPU"):
        optimize_opened(net, engine="openvino", device="cuda")


def test_a_runtime_is_a_network(net):
    fast = optimize(net.model, net.clip.example(), engine="onnx")
    assert isinstance(fast, RuntimeNetwork)
    assert fast.compiled.shapes == net.clip.shapes
