"""Choose the engine that runs a network on a CPU."""

import copy
from dataclasses import replace
from importlib.util import find_spec
from typing import Literal

import torch
from torch import nn

from zoopraxis.checkpoints.saved import OpenModel
from zoopraxis.engine.compiled import COMPILERS
from zoopraxis.engine.fast_forms import in_fast_forms
from zoopraxis.engine.runtimes import RuntimeNetwork, onnx_bytes, trace
from zoopraxis.errors import ZoopraxisError
from zoopraxis.inputs import Inputs

__all__ = ["ENGINES", "Engine", "optimize", "optimize_opened"]

Engine = Literal["auto", "torch", "openvino", "onnx"]
ENGINES = ("auto", "torch", *COMPILERS)


def optimize(
    model: nn.Module,
    example: Inputs,
    *,
    engine: Engine = "auto",
    precision: str = "float32",
    threads: int = 0,
) -> nn.Module:
    """Make a network that computes the same, faster on a CPU.

    Parameters
    ----------
    model : nn.Module
        It stays as it is.
    example : Tensor or tuple of Tensor
        What it is called with. The engines other than ``torch``, which needs none, take clips of
        that shape only, any number of them.
    engine : {"auto", "torch", "openvino", "onnx"}, default="auto"
        ``torch``: PyTorch with convolutions in fast forms (`in_fast_forms`), at no cost.
        ``openvino``, ``onnx``: OpenVINO or ONNX Runtime, for which the network is first
        converted: seconds to a minute. ``auto``: OpenVINO if it is installed, else PyTorch.
    precision : {"float32", "bfloat16"}, default="float32"
        Of OpenVINO's arithmetic. PyTorch's is chosen where the network is run
        (`zoopraxis.prediction.pipeline.run`).
    threads : int, default=0
        0 leaves it to the engine. For ``torch`` it is set for the process.

    Returns
    -------
    nn.Module
        For inference. In float32 its outputs are within 1e-4 of the network's.

    Raises
    ------
    ZoopraxisError
        No such engine; it is not installed; it does not have that precision.
    """
    if engine not in ENGINES:
        raise ZoopraxisError(f"unknown engine {engine!r}", f"known: {', '.join(ENGINES)}")
    if engine == "auto":
        complete = all(map(find_spec, ("openvino", "onnx", "onnxscript")))
        engine = "openvino" if complete else "torch"
    if engine == "torch":
        if threads:
            torch.set_num_threads(threads)
        return in_fast_forms(model)
    clip = tuple(x[:1] for x in (example if isinstance(example, tuple) else (example,)))
    data = onnx_bytes(trace(copy.deepcopy(model).eval(), clip))
    return RuntimeNetwork(COMPILERS[engine](data, precision=precision, threads=threads))


def optimize_opened(
    net: OpenModel,
    *,
    engine: Engine = "auto",
    precision: str = "float32",
    threads: int = 0,
    device: str = "cpu",
) -> OpenModel:
    """Return an opened model whose network an engine computes; parameters as of `optimize`.

    On another device than a CPU, ``auto`` and ``torch`` leave the network as it is.

    Raises
    ------
    ZoopraxisError
        As `optimize`; or the engine runs on CPUs, and the device is another.
    """
    if device != "cpu":
        if engine in COMPILERS or threads:
            raise ZoopraxisError(
                f"--engine {engine} and --threads are for the CPU, and the device is {device!r}",
                "leave them out, or the device",
            )
        return net
    example = () if engine == "torch" else net.clip.example()
    model = optimize(net.model, example, engine=engine, precision=precision, threads=threads)
    ran_by = model.compiled.engine if isinstance(model, RuntimeNetwork) else "torch"
    return replace(net, model=model, engine=ran_by)
