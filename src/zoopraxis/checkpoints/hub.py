"""Weights: published checkpoints from the network, and our own files on disk.

Our files are safetensors with a JSON sidecar of the same name that says what is inside.
"""

import hashlib
import http
import json
import os
import pickle  # for the name of its error alone
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from rich.console import Console
from rich.progress import Progress
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from zoopraxis.checkpoints.convert import convert_state_dict, count_classes, unwrap
from zoopraxis.errors import CheckpointError, DownloadError, ModelNotFoundError
from zoopraxis.files import write_atomically
from zoopraxis.models import create_model, model_spec
from zoopraxis.checkpoints.formats.caffe import is_caffe_file, read_net
from zoopraxis.checkpoints.formats.caffe2 import is_torch_file, read_blobs
from zoopraxis.spec import ClipSpec, ModelSpec, Weights

__all__ = ["OpenModel", "load_published", "open_model", "read_state_dict", "save_model"]

_CHUNK = 1 << 20


@dataclass(frozen=True)
class OpenModel:
    """A model ready to use, with what one must know to use it.

    Parameters
    ----------
    model : nn.Module
        In evaluation mode, on the CPU.
    name : str
        Its name, or the file it came from.
    clip : ClipSpec
        What it eats.
    labels : tuple of str
        Names of its classes; numbers where nobody published them.
    """

    model: nn.Module
    name: str
    clip: ClipSpec
    labels: tuple[str, ...]


def open_model(ref: str | Path) -> OpenModel:
    """Open a model by name, ``name.tag`` or path of a safetensors file of ours.

    A bare name gives random weights, for tests and timing.

    Raises
    ------
    ModelNotFoundError, CheckpointError, DownloadError
        No such model; a file that is not ours; a checkpoint that cannot be had.
    """
    path = Path(ref)
    if path.suffix == ".safetensors" or path.exists():
        return _open_file(path)
    name, _, tag = str(ref).partition(".")
    spec = model_spec(name)
    model = create_model(name, weights=tag or None).eval()
    if not tag:
        classes = count_classes(spec, model.state_dict()) or 0
        return OpenModel(model, name, spec.clip, _numbers(classes))
    return OpenModel(model, str(ref), clip_of(spec, tag), _labels(find_weights(spec, tag)))


def _numbers(classes: int) -> tuple[str, ...]:
    return tuple(str(k) for k in range(classes))


def _labels(weights: Weights) -> tuple[str, ...]:
    if not weights.labels:
        return _numbers(weights.num_classes)
    from zoopraxis.data.labels import label_names

    return tuple(label_names(weights.labels))


# Our own files.


def save_model(
    path: str | Path,
    model: nn.Module,
    *,
    name: str,
    args: Mapping[str, Any],
    clip: ClipSpec,
    labels: Sequence[str],
    **meta: Any,
) -> Path:
    """Write a model's weights and its sidecar, each whole or not at all.

    Parameters
    ----------
    path : path
        Ends in ``.safetensors``; the sidecar is the same name with ``.json``.
    model : nn.Module
        The model.
    name : str
        Row of the zoo it was made from.
    args : mapping
        Arguments it was made with, besides the row's; plain JSON.
    clip : ClipSpec
        What it eats.
    labels : sequence of str
        Names of its classes.
    **meta
        Anything else worth keeping; plain JSON.
    """
    path = Path(path)
    state = {key: tensor.detach().cpu().contiguous() for key, tensor in model.state_dict().items()}
    side = {"name": name, "args": dict(args), "clip": asdict(clip), "labels": list(labels), **meta}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path.with_suffix(".json"), json.dumps(side, indent=1).encode())
    write_atomically(path, save(state))
    return path


def _open_file(path: Path) -> OpenModel:
    side_path = path.with_suffix(".json")
    if not path.is_file():
        raise CheckpointError(f"no file {path}", "name a model of `zoopraxis models`, or a file")
    if not side_path.is_file():
        raise CheckpointError(
            f"{path} has no sidecar {side_path.name} that says which model it is",
            "`zoopraxis convert` makes both from a foreign checkpoint",
        )
    try:
        side = json.loads(side_path.read_text())
        clip = clip_from_dict(side["clip"])
        labels = tuple(side["labels"])
        model = create_model(side["name"], **{"num_classes": len(labels), **side["args"]})
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise CheckpointError(f"{side_path} is not a sidecar of ours: {error!r}") from error
    try:
        model.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        raise CheckpointError(f"{path} does not hold a {side['name']}: {error}") from error
    return OpenModel(model.eval(), str(path), clip, labels)


def row_of(path: str | Path) -> str:
    """Name of the row that a file of ours was made from."""
    name: str = json.loads(Path(path).with_suffix(".json").read_text())["name"]
    return name


def clip_from_dict(values: Mapping[str, Any]) -> ClipSpec:
    """Make a ClipSpec from its JSON form, where tuples have become lists."""
    plain: dict[str, Any] = {
        key: tuple(v) if isinstance(v, list) else v for key, v in values.items()
    }
    return replace(ClipSpec(), **plain)


# Published checkpoints.


def find_weights(spec: ModelSpec, tag: str) -> Weights:
    """Return a row's checkpoint by tag, or raise with the tags there are."""
    for weights in spec.weights:
        if weights.tag == tag:
            return weights
    known = ", ".join(weights.tag for weights in spec.weights) or "none"
    raise ModelNotFoundError(f"{spec.name} has no weights called {tag!r}", f"known: {known}")


def clip_of(spec: ModelSpec, tag: str) -> ClipSpec:
    """Return what a row's checkpoint eats: its own clip, or else the row's."""
    return find_weights(spec, tag).clip or spec.clip


def load_published(
    spec: ModelSpec, *, tag: str, num_classes: int | None = None, **args: Any
) -> nn.Module:
    """Build a model with a published checkpoint, fetched once and kept.

    With another number of classes than the checkpoint's, the head is new and random.
    """
    weights = find_weights(spec, tag)
    state = read_state_dict(fetch(weights))
    model = create_model(spec.name, num_classes=weights.num_classes, source=weights.source, **args)
    model.load_state_dict(convert_state_dict(spec.name, state, source=weights.source))
    if num_classes not in (None, weights.num_classes):
        reset: Any = model.reset_head
        reset(num_classes)
    return model


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """Read the tensors of a checkpoint without executing anything in it.

    Files of torch (zip and legacy) are read with ``weights_only``; what wraps the state dict is
    opened (`zoopraxis.checkpoints.convert.unwrap`). A ``.pkl`` of another origin is read as Caffe2 blobs, a
    trained net of Caffe by its layers. Of a TensorFlow checkpoint, name the ``.index`` file.

    Raises
    ------
    CheckpointError
        Not a checkpoint, or one that would have to run code.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"no file {path}")
    if path.suffix == ".index":
        from zoopraxis.checkpoints.formats.tensorflow import read_checkpoint

        return read_checkpoint(path)
    if path.suffix == ".pkl" and not is_torch_file(path):
        return read_blobs(path)
    if path.suffix != ".safetensors" and is_caffe_file(path):
        return read_net(path)
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise CheckpointError(
            f"{path} cannot be read as weights alone: {error}",
            "re-save its state dict with torch.save in the environment it came from",
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not a state dict")
    return {key: value for key, value in unwrap(content).items() if isinstance(value, Tensor)}


def cache_folder() -> Path:
    """Folder of the fetched checkpoints: ``$ZOOPRAXIS_HOME``, or the user's cache."""
    home = os.environ.get("ZOOPRAXIS_HOME")
    if home:
        return Path(home)
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "zoopraxis"


def fetch(weights: Weights) -> Path:
    """Return the file of a checkpoint, downloading it when it is not there.

    A broken-off download goes on where it stopped; a file whose hash is wrong is removed.

    Raises
    ------
    DownloadError
        Offline, a wrong hash, or a file that only a browser can fetch; the hint says how to fetch
        it by hand.
    """
    target = cached_file(weights)
    if target.is_file():
        return target
    if weights.file:
        raise DownloadError(
            f"{weights.file} is published where only a browser can fetch it",
            f"fetch it from {weights.url} and put it at {target}",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(target.suffix + ".part")
    try:
        _download(weights.url, part)
    except (urllib.error.URLError, OSError) as error:
        raise DownloadError(
            f"cannot fetch {weights.url}: {error}",
            f"fetch it by hand and put it at {target}",
        ) from error
    _check_hash(part, weights)
    part.replace(target)
    return target


def cached_file(weights: Weights) -> Path:
    """Where a checkpoint lies, or will, in the cache.

    In a folder named after its URL: files of other data sets often bear the same name.
    """
    folder = hashlib.sha256(weights.url.encode()).hexdigest()[:8]
    return cache_folder() / folder / _file_of(weights)


def _file_of(weights: Weights) -> PurePosixPath:
    """Name of a checkpoint's file, with its folder where it comes with others."""
    return PurePosixPath(weights.file or weights.url.rsplit("/", 1)[-1].split("?")[0])


def _download(url: str, part: Path) -> None:
    """Fetch a URL into a file, going on behind what is there, with a progress bar."""
    if not url.startswith(("https://", "http://", "file://")):
        raise urllib.error.URLError(f"not a URL: {url}")
    start = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={start}-"} if start else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - checked above
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            resumed = answer.status == http.HTTPStatus.PARTIAL_CONTENT
            _receive(answer, part, start=start if resumed else 0, name=url.rsplit("/", 1)[-1])
    except urllib.error.HTTPError as error:
        # nothing behind what is there: it is all there
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise


def _receive(answer: Any, part: Path, *, start: int, name: str) -> None:
    """Write an answer behind the first `start` bytes of a file."""
    length = int(answer.headers.get("Content-Length") or 0)
    received = 0
    with (
        Progress(console=Console(stderr=True)) as progress,
        part.open("ab" if start else "wb") as file,
    ):
        task = progress.add_task(name, total=start + length or None, completed=start)
        while chunk := answer.read(_CHUNK):
            file.write(chunk)
            received += len(chunk)
            progress.advance(task, len(chunk))
    if received < length:
        raise OSError(f"the connection broke after {received} of {length} bytes; try again")


def _check_hash(path: Path, weights: Weights) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(weights.sha256):
        path.unlink()
        raise DownloadError(
            f"{weights.url} has the hash {found[:16]}, expected {weights.sha256}",
            "try again; a proxy may have answered in its place",
        )


def find_by_file(spec: ModelSpec, path: Path, *, source: str, num_classes: int) -> Weights | None:
    """Return the only one of a row's checkpoints that a file can be, by its name; else None."""
    ours = path.absolute().parts
    found = [
        weights
        for weights in spec.weights
        for parts in [_file_of(weights).parts]
        if ours[-len(parts) :] == parts
        and (weights.source, weights.num_classes) == (source, num_classes)
    ]
    return found[0] if len(found) == 1 else None


def convert_file(path: Path, *, model: str, source: str, out: Path) -> Path:
    """Convert a foreign checkpoint into a file of ours.

    The sidecar keeps the model, the source, the file's name and hash, and, where a published
    checkpoint of that name is known, its URL, licence and labels.

    Returns
    -------
    Path
        The safetensors file.
    """
    spec = model_spec(model)
    state = convert_state_dict(model, read_state_dict(path), source=source)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    classes = count_classes(spec, state, source=source) or 0
    known = find_by_file(spec, path, source=source, num_classes=classes)
    network = create_model(model, source=source, num_classes=classes)
    network.load_state_dict(state)
    labels = _labels(known) if known else _numbers(classes)
    return save_model(
        out,
        network,
        name=model,
        args={"source": source},
        clip=clip_of(spec, known.tag) if known else spec.clip,
        labels=labels,
        source=source,
        file=path.name,
        sha256=digest,
        url=known.url if known else "",
        licence=known.licence if known else "",
    )
