"""Files for other programs: PyTorch's .pt2, ONNX and OpenVINO, with labels and clip inside."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from zoopraxis.checkpoints.config import ModelConfig
from zoopraxis.checkpoints.saved import OpenModel
from zoopraxis.engine.compiled import (
    COMPILERS,
    FOLD,
    KEY,
    PRECISION,
    SUFFIXES,
    Compiled,
    Format,
    compile_exported,
    require,
)
from zoopraxis.engine.folding import FoldedNetwork
from zoopraxis.engine.quantize import Clips, FoldedClips, quantize_by_onnx, quantize_by_openvino
from zoopraxis.engine.runtimes import RuntimeNetwork, onnx_bytes, trace
from zoopraxis.errors import ZoopraxisError
from zoopraxis.files import flush, write_atomically

__all__ = ["export_files", "export_model", "export_quantized", "open_exported", "opened_from"]

PARITY = 1e-4  # of the largest output
EPSILON = torch.finfo(torch.float32).eps


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
    return export_files(net, {to: path}, fold=fold)[to]


def export_files(
    net: OpenModel, paths: Mapping[Format, Path], *, fold: Literal["4d"] | None = None
) -> dict[Format, float]:
    """Write a network into files of several formats, as `export_model` does.

    The network is traced once for all of them, and OpenVINO's file is made from ONNX's, which takes
    less than half the time of one after the other.

    Parameters
    ----------
    net, fold
        As of `export_model`.
    paths : mapping of str to Path
        The file of each format, written in this order.

    Returns
    -------
    dict
        What `export_model` returns, for each format.

    Raises
    ------
    ZoopraxisError
        As of `export_model`; of a format whose outputs differ, and of those after it, nothing is
        written.
    """
    for to, path in paths.items():
        _check_place(path, to)
    if fold and "torch" in paths:
        raise ZoopraxisError("--fold is for onnx and openvino", "leave it out")
    clip = _clip(net)
    program, texts = _traced(net, fold)
    data = onnx_bytes(program, **texts) if set(paths) - {"torch"} else b""
    errors: dict[Format, float] = {}
    with torch.no_grad():
        expected = net.model(*clip)
        for to, path in paths.items():
            with _unfinished(path) as unfinished:
                logits = _written(program, data, texts, unfinished)(*clip)
                errors[to] = float((logits - expected).abs().max() / expected.abs().max())
                if not errors[to] <= PARITY:  # NaN neither
                    raise _refusal(path, errors[to], net.model, clip)
    return errors


def export_quantized(
    net: OpenModel,
    path: Path,
    *,
    to: Literal["onnx", "openvino"],
    clips: Clips,
    fold: Literal["4d"] | None = None,
) -> None:
    """Write a network in eight bits (`zoopraxis.engine.quantize`), in the manner of `export_model`.

    Its outputs are the network's to some percent of the largest:
    `zoopraxis.evaluation.precision.precision_change` says what that costs.

    Parameters
    ----------
    net, path, to, fold
        As of `export_model`.
    clips : Clips
        What calibrates: clips of videos such as the file is for.

    Raises
    ------
    ZoopraxisError
        The suffix is another's, a package is missing, or the network cannot be converted: then
        nothing is written.
    """
    _check_place(path, to)
    program, texts = _traced(net, fold)
    data = onnx_bytes(program, **texts)
    texts[PRECISION] = "int8"
    shown = FoldedClips(clips) if fold else clips
    if to == "onnx":
        onnx = require("onnx")
        proto = onnx.load_from_string(quantize_by_onnx(data, shown))
        del proto.metadata_props[:]
        onnx.helper.set_model_props(proto, texts)
        write_atomically(path, proto.SerializeToString())
    else:
        with _unfinished(path) as unfinished:
            _save_openvino(quantize_by_openvino(data, shown), texts, unfinished)


def _check_place(path: Path, to: Format) -> None:
    """Refuse a path that is not for files of a format."""
    if path.suffix != SUFFIXES[to]:
        raise ZoopraxisError(
            f"{path} does not end in {SUFFIXES[to]}, as files for {to} do",
            f"name it {path.with_suffix(SUFFIXES[to]).name}",
        )
    if not path.parent.is_dir():
        raise ZoopraxisError(f"there is no folder {path.parent}", "make it first")


def _clip(net: OpenModel) -> tuple[Tensor, ...]:
    """Return a clip of noise, as the network takes it.

    Raises
    ------
    ZoopraxisError
        The network is tested in a way that the configuration in a file does not tell.
    """
    if net.windows:
        raise ZoopraxisError(
            f"{net.name} is tested through windows of its crops, which a file would not say",
            "export the network as it was opened",
        )
    example = net.clip.example(seed=1)
    return example if isinstance(example, tuple) else (example,)


def _traced(net: OpenModel, fold: Literal["4d"] | None) -> tuple[ExportedProgram, dict[str, str]]:
    """Return a network's trace, and the texts of its file."""
    clip, model = _clip(net), net.model.eval()
    texts = {KEY: json.dumps(net.config.to_dict())}
    if not fold:
        return trace(model, clip), texts
    frames = tuple(x[0].transpose(0, 1).contiguous() for x in clip)
    return trace(FoldedNetwork(model, clip).eval(), frames), texts | {FOLD: fold}


def _written(
    program: ExportedProgram, data: bytes, texts: Mapping[str, str], path: Path
) -> nn.Module:
    """Write the file of a trace or of its ONNX, and return it as a network."""
    if path.suffix == SUFFIXES["torch"]:
        files: dict[str, Any] = {f"{key}.json": text for key, text in texts.items()}
        torch.export.save(program, path, extra_files=files)
        return torch.export.load(path).module()
    if path.suffix == SUFFIXES["onnx"]:
        path.write_bytes(data)
        return RuntimeNetwork(COMPILERS["onnx"](path))
    _save_openvino(require("openvino").Core().read_model(data), texts, path)
    return RuntimeNetwork(COMPILERS["openvino"](path))


def _refusal(
    path: Path, error: float, model: nn.Module, clip: tuple[Tensor, ...]
) -> ZoopraxisError:
    """Say why a file that computes something else is not written."""
    problem = f"{path} is not written: its outputs would differ by {error:.1e} of the largest"
    expected, rounded = model(*clip), model(*(x * (1 + EPSILON) for x in clip))
    own = float((rounded - expected).abs().max() / expected.abs().max())
    if not own > PARITY / 10:  # NaN neither
        return ZoopraxisError(problem, "export to another format, and report this network")
    return ZoopraxisError(
        f"{problem}; with these weights the network's own differ by {own:.1e} when its input "
        "changes in the last digit",
        "load weights, or train it: random ones can grow from block to block until rounding shows",
    )


@contextmanager
def _unfinished(path: Path) -> Iterator[Path]:
    """Give a place to write a file to, which is then put where it belongs, whole."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export") as folder:
        yield Path(folder) / path.name
        for suffix in (".bin", path.suffix):  # the weights of OpenVINO's file first
            part = (Path(folder) / path.name).with_suffix(suffix)
            if part.is_file():
                flush(part)
                part.replace(path.with_suffix(suffix))


def _save_openvino(model: Any, texts: Mapping[str, str], path: Path) -> None:
    """Write the .xml, and the .bin beside it."""
    for key, text in texts.items():
        model.set_rt_info(text, [key])
    require("openvino").save_model(model, path, compress_to_fp16=False)


def open_exported(
    path: str | Path, *, engine: str = "auto", precision: str = "float32", threads: int = 0
) -> OpenModel:
    """Open an exported file; parameters and errors as of `compile_exported`."""
    compiled = compile_exported(path, engine=engine, precision=precision, threads=threads)
    return opened_from(compiled, path)


def opened_from(compiled: Compiled, path: str | Path) -> OpenModel:
    """Return a compiled file as an opened model."""
    config = ModelConfig.from_json(compiled.text or "", where=str(path))
    engine = f"{compiled.engine} int8" if compiled.quantized else compiled.engine
    return OpenModel(RuntimeNetwork(compiled), config, str(path), engine=engine)
