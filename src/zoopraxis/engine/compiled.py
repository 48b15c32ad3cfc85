"""OpenVINO and ONNX Runtime: a file becomes a function of arrays, without torch.

A network goes to both by way of ONNX, with one clip as its batch: static shapes are what they
optimise best, and on a CPU larger batches gain nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from zoopraxis.errors import CheckpointError, ShapeError, ZoopraxisError

__all__ = [
    "COMPILERS",
    "FOLD",
    "KEY",
    "PRECISION",
    "SUFFIXES",
    "Compiled",
    "Format",
    "compile_by_onnx",
    "compile_by_openvino",
    "compile_exported",
    "frames_first",
    "is_exported",
    "require",
]

Format = Literal["torch", "onnx", "openvino"]
SUFFIXES = {"torch": ".pt2", "onnx": ".onnx", "openvino": ".xml"}
KEY = "zoopraxis"  # of the configuration among a file's texts
FOLD = "zoopraxis_fold"  # of "4d" where clips are (T, C, H, W)
PRECISION = "zoopraxis_precision"  # of "int8" where the network was quantised
EXTRAS = {
    "openvino": "cpu",
    "onnxruntime": "onnx",
    "onnx": "onnx",
    "onnxscript": "onnx",
    "nncf": "int8",
}


Compute = Callable[[list[NDArray[Any]]], NDArray[np.float32]]


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """A network that a runtime computes, one clip after another.

    Parameters
    ----------
    engine : str
        What computes it: a key of `COMPILERS`.
    compute : callable
        Maps arrays of one clip, (1, ...) each, to logits (1, K).
    shapes : tuple of tuple of int
        Shape of each input without batch.
    text : str or None
        What `zoopraxis.engine.export.export_model` wrote into the file: its configuration.
    quantized : bool, default=False
        Whether it was written in eight bits.
    """

    engine: str
    compute: Compute
    shapes: tuple[tuple[int, ...], ...]
    text: str | None
    quantized: bool = False

    def __call__(self, *inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Map clips (B, C, T, H, W), or what else the network takes, to logits (B, K).

        Raises
        ------
        ShapeError
            The clips have another shape than the network was compiled for.
        """
        came = tuple(array.shape[1:] for array in inputs)
        if came != self.shapes:
            raise ShapeError(
                f"clips of {came} came, and the network was compiled for {self.shapes}",
                "export or optimise it again for clips of that shape",
            )
        rows = [self.compute([array[i : i + 1] for array in inputs]) for i in range(len(inputs[0]))]
        return np.concatenate(rows)  # (B, K)


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


def compile_by_openvino(
    source: bytes | Path, *, precision: str = "float32", threads: int = 0
) -> Compiled:
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

    # OpenVINO puts the texts of an ONNX file below a name of its own
    texts = {
        key: str(model.get_rt_info(place).value)
        for key in (KEY, FOLD, PRECISION)
        for place in (["framework", key], [key])
        if model.has_rt_info(place)
    }
    return _compiled("openvino", compute, [tuple(port.shape) for port in compiled.inputs], texts)


def compile_by_onnx(
    source: bytes | Path, *, precision: str = "float32", threads: int = 0
) -> Compiled:
    """Compile an ONNX file with ONNX Runtime; parameters and errors as of `compile_by_openvino`."""
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

    shapes = [tuple(port.shape) for port in session.get_inputs()]
    return _compiled("onnx", compute, shapes, session.get_modelmeta().custom_metadata_map)


def _compiled(
    engine: str, compute: Compute, shapes: list[tuple[int, ...]], texts: Mapping[str, str]
) -> Compiled:
    """Describe what was compiled; a folded network takes clips as others do."""
    about: dict[str, Any] = {
        "engine": engine,
        "text": texts.get(KEY),
        "quantized": texts.get(PRECISION) == "int8",
    }
    if FOLD not in texts:
        return Compiled(compute=compute, shapes=tuple(shape[1:] for shape in shapes), **about)

    def folded(arrays: list[NDArray[Any]]) -> NDArray[np.float32]:
        return compute([frames_first(array) for array in arrays])

    clips = tuple((channels, frames, *size) for frames, channels, *size in shapes)
    return Compiled(compute=folded, shapes=clips, **about)


def frames_first(clip: NDArray[Any]) -> NDArray[Any]:
    """Map a clip (1, C, T, H, W) to what a folded network takes, (T, C, H, W)."""
    return np.ascontiguousarray(clip[0].swapaxes(0, 1))


def _title(source: bytes | Path) -> str:
    return "the converted network" if isinstance(source, bytes) else str(source)


COMPILERS = {"openvino": compile_by_openvino, "onnx": compile_by_onnx}
"""What compiles a file, by the name of the engine."""


def is_exported(path: str | Path) -> bool:
    """Whether a reference to a model names a file that `export_model` writes."""
    return Path(path).suffix in SUFFIXES.values()


def compile_exported(
    path: str | Path, *, engine: str = "auto", precision: str = "float32", threads: int = 0
) -> Compiled:
    """Compile an exported file.

    Parameters
    ----------
    path : str or Path
        The file.
    engine : {"auto", "openvino", "onnx"}, default="auto"
        ``auto`` runs .xml with OpenVINO and .onnx with ONNX Runtime; OpenVINO runs both.
    precision, threads
        As of `zoopraxis.engine.optimize.optimize`.

    Raises
    ------
    CheckpointError
        There is no such file, it cannot be read, or it does not say which network it holds.
    ZoopraxisError
        A package is missing, or the engine does not run such files.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"no file {path}", "`zoopraxis export` writes one")
    if path.suffix == SUFFIXES["torch"]:
        raise CheckpointError(
            f"{path} holds Python objects, which zoopraxis does not load from files",
            "open it with torch.export.load if you trust it, or export to onnx or openvino",
        )
    able = ("openvino",) if path.suffix == SUFFIXES["openvino"] else ("onnx", "openvino")
    if engine == "auto":
        engine = able[0]
    if engine not in able:
        raise ZoopraxisError(
            f"--engine {engine} does not run {path}", f"choose {' or '.join(able)}, or leave it out"
        )
    compiled = COMPILERS[engine](path, precision=precision, threads=threads)
    if compiled.text is None:
        raise CheckpointError(
            f"{path} does not say which network it holds: it has no {KEY!r} among its texts",
            "`zoopraxis export` writes files that do",
        )
    return compiled
