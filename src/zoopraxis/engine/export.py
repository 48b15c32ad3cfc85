"""Files for other programs: PyTorch's .pt2, ONNX and OpenVINO, with labels and clip inside."""

import io
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from zoopraxis.checkpoints.config import ModelConfig
from zoopraxis.checkpoints.saved import OpenModel
from zoopraxis.engine.compiled import (
    COMPILERS,
    FOLD,
    KEY,
    SUFFIXES,
    Compiled,
    Format,
    compile_exported,
    require,
)
from zoopraxis.engine.folding import FoldedNetwork
from zoopraxis.engine.runtimes import RuntimeNetwork, onnx_bytes
from zoopraxis.errors import ZoopraxisError
from zoopraxis.files import flush, write_atomically

__all__ = ["export_model", "open_exported", "opened_from"]

PARITY = 1e-4  # of the largest output


def export_model(
    net: OpenModel, path: Path, *, to: Format, fold: Literal["4d"] | None = None
) -> float:
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

    fold : {"4d"}, optional
        Compute with tensors of at most four dimensions (`zoopraxis.engine.folding`): the file
        takes the frames of one clip, (T, C, H, W). For ``onnx`` and ``openvino``.

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
    if fold and to == "torch":
        raise ZoopraxisError("--fold is for onnx and openvino", "leave it out")
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
    texts = {KEY: text}
    if fold:
        texts[FOLD] = fold
        folded = FoldedNetwork(model, clip).eval()
        data = onnx_bytes(folded, tuple(x[0].transpose(0, 1).contiguous() for x in clip), **texts)
    else:
        data = onnx_bytes(model, clip, **texts)
    error = _difference(RuntimeNetwork(COMPILERS[to](data)), model, clip)
    _hold(error, path)
    if to == "onnx":
        write_atomically(path, data)
    else:
        _write_openvino(data, texts, path)
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


def _write_openvino(data: bytes, texts: Mapping[str, str], path: Path) -> None:
    """Write the .bin and then the .xml, each whole."""
    openvino = require("openvino")
    model = openvino.Core().read_model(data)
    for key, text in texts.items():
        model.set_rt_info(text, [key])
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export") as folder:
        unfinished = Path(folder) / path.name
        openvino.save_model(model, unfinished, compress_to_fp16=False)
        for suffix in (".bin", ".xml"):
            flush(unfinished.with_suffix(suffix))
            unfinished.with_suffix(suffix).replace(path.with_suffix(suffix))


def open_exported(
    path: str | Path, *, engine: str = "auto", precision: str = "float32", threads: int = 0
) -> OpenModel:
    """Open an exported file; parameters and errors as of `compile_exported`."""
    compiled = compile_exported(path, engine=engine, precision=precision, threads=threads)
    return opened_from(compiled, path)


def opened_from(compiled: Compiled, path: str | Path) -> OpenModel:
    """Return a compiled file as an opened model."""
    config = ModelConfig.from_json(compiled.text or "", where=str(path))
    return OpenModel(RuntimeNetwork(compiled), config, str(path), engine=compiled.engine)
