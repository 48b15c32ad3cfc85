"""Files for other programs: PyTorch's .pt2, ONNX and OpenVINO, with labels and clip inside."""

import io
import json
import tempfile
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from zoopraxis.checkpoints.config import ModelConfig
from zoopraxis.checkpoints.saved import OpenModel
from zoopraxis.engine.runtimes import RUNTIMES, onnx_bytes, require
from zoopraxis.errors import CheckpointError, ZoopraxisError
from zoopraxis.files import flush, write_atomically

__all__ = ["SUFFIXES", "Format", "export_model", "is_exported", "open_exported"]

Format = Literal["torch", "onnx", "openvino"]
SUFFIXES = {"torch": ".pt2", "onnx": ".onnx", "openvino": ".xml"}
KEY = "zoopraxis"  # of the configuration among a file's texts
PARITY = 1e-4  # of the largest output


def export_model(net: OpenModel, path: Path, *, to: Format) -> float:
    """Write a network into a file that other programs run, and compare the two.

    The file takes one clip, the first axis of each input being 1, and gives logits (1, K). It holds
    the `ModelConfig` as JSON, called ``zoopraxis``: labels, sampling, size, mean and standard
    deviation of the clip.

    Parameters
    ----------
    net : OpenModel
        What to write.
    path : Path
        With the suffix of `SUFFIXES`. OpenVINO's weights go beside it, into a ``.bin``.
    to : {"torch", "onnx", "openvino"}
        ``torch`` is `torch.export`'s format, ``onnx`` has `metadata_props`, ``openvino`` `rt_info`.

    Returns
    -------
    float
        Largest difference between the outputs of file and network on a clip of noise, over the
        network's largest output.

    Raises
    ------
    ZoopraxisError
        The suffix is another's, a package is missing, or the outputs differ by more than 1e-4:
        then nothing is written.
    """
    if path.suffix != SUFFIXES[to]:
        raise ZoopraxisError(
            f"{path} does not end in {SUFFIXES[to]}, as files for {to} do",
            f"name it {path.with_suffix(SUFFIXES[to]).name}",
        )
    if not path.parent.is_dir():
        raise ZoopraxisError(f"there is no folder {path.parent}", "make it first")
    text = json.dumps(net.config.to_dict())
    example = net.clip.example(seed=1)
    clip = example if isinstance(example, tuple) else (example,)
    model = net.model.eval()
    if to == "torch":
        with torch.no_grad():
            program = torch.export.export(model, clip)
        buffer = io.BytesIO()
        torch.export.save(program, buffer, extra_files={f"{KEY}.json": text})
        error = _difference(program.module(), model, clip)
        _hold(error, path)
        write_atomically(path, buffer.getvalue())
        return error
    data = onnx_bytes(model, clip, **{KEY: text})
    error = _difference(RUNTIMES[to](data), model, clip)
    _hold(error, path)
    if to == "onnx":
        write_atomically(path, data)
    else:
        _write_openvino(data, text, path)
    return error


def _difference(got: nn.Module, wanted: nn.Module, clip: tuple[Tensor, ...]) -> float:
    with torch.no_grad():
        expected = wanted(*clip)
        return float((got(*clip) - expected).abs().max() / expected.abs().max())


def _hold(error: float, path: Path) -> None:
    """Refuse a file that computes something else."""
    if not error <= PARITY:  # NaN neither
        raise ZoopraxisError(
            f"{path} is not written: its outputs would differ by {error:.1e} of the largest",
            "export to another format, and report this network",
        )


def _write_openvino(data: bytes, text: str, path: Path) -> None:
    """Write the .bin and then the .xml, each whole."""
    openvino = require("openvino")
    model = openvino.Core().read_model(data)
    model.set_rt_info(text, [KEY])
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export") as folder:
        unfinished = Path(folder) / path.name
        openvino.save_model(model, unfinished, compress_to_fp16=False)
        for suffix in (".bin", ".xml"):
            flush(unfinished.with_suffix(suffix))
            unfinished.with_suffix(suffix).replace(path.with_suffix(suffix))


def is_exported(path: str | Path) -> bool:
    """Whether a reference to a model names a file that `export_model` writes."""
    return Path(path).suffix in SUFFIXES.values()


def open_exported(
    path: str | Path, *, engine: str = "auto", precision: str = "float32", threads: int = 0
) -> OpenModel:
    """Open an exported file.

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
    network = RUNTIMES[engine](path, precision=precision, threads=threads)
    text = _text_in(path, engine)
    if text is None:
        raise CheckpointError(
            f"{path} does not say which network it holds: it has no {KEY!r} among its texts",
            "`zoopraxis export` writes files that do",
        )
    return OpenModel(network, ModelConfig.from_json(text, where=str(path)), str(path))


def _text_in(path: Path, engine: str) -> str | None:
    """Return the configuration in a file, None where there is none."""
    if engine == "onnx":
        session = require("onnxruntime").InferenceSession(
            str(path), providers=["CPUExecutionProvider"]
        )
        found: str | None = session.get_modelmeta().custom_metadata_map.get(KEY)
        return found
    model = require("openvino").Core().read_model(path)
    # OpenVINO puts the texts of an ONNX file below a name of its own
    places = ([KEY], ["framework", KEY])
    return next((str(model.get_rt_info(p).value) for p in places if model.has_rt_info(p)), None)
