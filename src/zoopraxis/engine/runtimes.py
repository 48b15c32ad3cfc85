"""OpenVINO and ONNX Runtime behind the face of a network: an ``nn.Module`` that they compute.

A network goes to both by way of ONNX, with one clip as its batch: static shapes are what they
optimise best, and on a CPU larger batches gain nothing.
"""

import io
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from zoopraxis.errors import CheckpointError, ShapeError, ZoopraxisError

__all__ = ["RUNTIMES", "RuntimeNetwork", "onnx_bytes", "require", "run_by_onnx", "run_by_openvino"]

Shapes = Sequence[tuple[int, ...]]
EXTRAS = {"openvino": "cpu", "onnxruntime": "onnx", "onnx": "onnx", "onnxscript": "onnx"}


def require(package: str) -> Any:
    """Import a package of an extra.

    Raises
    ------
    ZoopraxisError
        It is not installed.
    """
    try:
        return import_module(package)
    except ImportError as error:
        raise ZoopraxisError(
            f"{package} cannot be imported: {error}",
            f"pip install 'zoopraxis[{EXTRAS[package]}]', or choose another engine",
        ) from error


class RuntimeNetwork(nn.Module):
    """A network that a runtime computes, one clip after another; it has no parameters.

    Parameters
    ----------
    compute : callable
        Maps arrays of one clip, (1, ...) each, to logits (1, K).
    shapes : sequence of tuple of int
        Shape of each input without batch.
    """

    def __init__(
        self, compute: Callable[[list[NDArray[Any]]], NDArray[np.float32]], shapes: Shapes
    ) -> None:
        super().__init__()
        self._compute = compute
        self.shapes = tuple(map(tuple, shapes))

    def forward(self, *inputs: Tensor) -> Tensor:
        """Map clips (B, C, T, H, W), or what else the network takes, to logits (B, K).

        Raises
        ------
        ShapeError
            The clips have another shape than the network was compiled for.
        """
        came = tuple(tuple(tensor.shape[1:]) for tensor in inputs)
        if came != self.shapes:
            raise ShapeError(
                f"clips of {came} came, and the network was compiled for {self.shapes}",
                "export or optimise it again for clips of that shape",
            )
        arrays = [tensor.contiguous().numpy() for tensor in inputs]
        rows = [
            self._compute([array[i : i + 1] for array in arrays]) for i in range(len(arrays[0]))
        ]
        return torch.from_numpy(np.concatenate(rows))  # (B, K)


def onnx_bytes(model: nn.Module, clip: tuple[Tensor, ...], **metadata: str) -> bytes:
    """Write a network as ONNX, for clips of one shape.

    Parameters
    ----------
    model : nn.Module
        In evaluation mode.
    clip : tuple of Tensor
        What it is called with, one clip as the batch.
    metadata : str
        Texts to put into the file's ``metadata_props``.
    """
    onnx = require("onnx")
    require("onnxscript")
    with torch.no_grad():
        program = torch.onnx.export(
            torch.export.export(model, clip), dynamo=True, verbose=False, external_data=False
        )
    assert program is not None  # noqa: S101  it is None only for an export to a file
    proto = program.model_proto
    onnx.helper.set_model_props(proto, metadata)
    buffer = io.BytesIO()
    onnx.save_model(proto, buffer)
    return buffer.getvalue()


def run_by_openvino(
    source: bytes | Path, *, precision: str = "float32", threads: int = 0
) -> RuntimeNetwork:
    """Compile an ONNX or OpenVINO file with OpenVINO.

    Parameters
    ----------
    source : bytes or Path
        An ONNX file's content; or the path of an ``.onnx`` or ``.xml`` file.
    precision : {"float32", "bfloat16"}, default="float32"
        Of the arithmetic. It is set in any case: left alone, OpenVINO takes bfloat16 where the
        processor has it, and is 1e-2 off.
    threads : int, default=0
        0 leaves it to the runtime.

    Raises
    ------
    ZoopraxisError
        OpenVINO is not installed, or the processor does not have the precision.
    CheckpointError
        The file cannot be read.
    """
    openvino = require("openvino")
    hints = {"float32": "f32", "bfloat16": "bf16"}
    if precision not in hints:
        raise ZoopraxisError(f"OpenVINO does not compute {precision} on a CPU", "use float32")
    core = openvino.Core()
    if precision == "bfloat16" and "BF16" not in core.get_property(
        "CPU", "OPTIMIZATION_CAPABILITIES"
    ):
        raise ZoopraxisError("this processor has no bfloat16 instructions", "use float32")
    try:
        model = core.read_model(source)
    except RuntimeError as error:
        raise CheckpointError(
            f"{_title(source)} cannot be read by OpenVINO: {str(error).splitlines()[0]}",
            "`zoopraxis export` writes such files; an .xml needs the .bin beside it",
        ) from error
    options: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": hints[precision],
        "PERFORMANCE_HINT": "LATENCY",
    }
    if threads:
        options["INFERENCE_NUM_THREADS"] = threads
    compiled = core.compile_model(model, "CPU", options)

    def compute(arrays: list[NDArray[Any]]) -> NDArray[np.float32]:
        return np.array(compiled(arrays)[0])  # a copy: the runtime writes there again

    return RuntimeNetwork(compute, [tuple(port.shape)[1:] for port in compiled.inputs])


def run_by_onnx(
    source: bytes | Path, *, precision: str = "float32", threads: int = 0
) -> RuntimeNetwork:
    """Compile an ONNX file with ONNX Runtime; parameters and errors as of `run_by_openvino`."""
    runtime = require("onnxruntime")
    if precision != "float32":
        raise ZoopraxisError(
            f"ONNX Runtime does not compute {precision} on a CPU",
            "use float32, or --engine openvino for bfloat16",
        )
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    try:
        session = runtime.InferenceSession(
            source if isinstance(source, bytes) else str(source),
            options,
            providers=["CPUExecutionProvider"],
        )
    except Exception as error:  # the runtime's exceptions have no public base class
        raise CheckpointError(
            f"{_title(source)} cannot be read by ONNX Runtime: {str(error).splitlines()[0]}",
            "`zoopraxis export` writes such files",
        ) from error
    names = [port.name for port in session.get_inputs()]

    def compute(arrays: list[NDArray[Any]]) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = session.run(None, dict(zip(names, arrays, strict=True)))[0]
        return logits

    return RuntimeNetwork(compute, [tuple(port.shape)[1:] for port in session.get_inputs()])


def _title(source: bytes | Path) -> str:
    return "the converted network" if isinstance(source, bytes) else str(source)


RUNTIMES = {"openvino": run_by_openvino, "onnx": run_by_onnx}
"""What compiles a file, by the name of the engine."""
