"""The tensors of a checkpoint file, whoever wrote it; nothing in it is executed.

What a file claims about itself is not believed before it is compared with the file's length: a
few bytes can name a tensor of terabytes.
"""

import io
import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from zoopraxis.checkpoints.convert import unwrap
from zoopraxis.checkpoints.formats.caffe import is_caffe_file, read_net
from zoopraxis.checkpoints.formats.caffe2 import is_torch_file, read_blobs
from zoopraxis.errors import CheckpointError

__all__ = ["read_safetensors", "read_state_dict"]

_GLOBAL = re.compile(r"GLOBAL ([\w.]+)")  # of torch's message on what a pickle asks for
_ZIP = b"PK\x03\x04"
_RESAVE = "re-save its state dict with torch.save in the environment it came from"


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """Read the tensors of a checkpoint without executing anything in it.

    Files of torch (zip and legacy) are read with ``weights_only``, and the dicts around the state
    dict taken off (`zoopraxis.checkpoints.convert.unwrap`); keys are as they stand in the file. A
    ``.pkl`` of another origin is read as Caffe2 blobs, a trained net of Caffe by its layers. Of a
    TensorFlow checkpoint, name the ``.index`` file.

    Raises
    ------
    CheckpointError
        Not a checkpoint, or one that would have to run code.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"no file {path}")
    try:
        return _read(path)
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read: {error.strerror or type(error).__name__}",
            "check the file's permissions and the disk",
        ) from error


def _read(path: Path) -> dict[str, Tensor]:
    """Read a file as what its name or its first bytes say it is."""
    if path.suffix == ".safetensors":
        try:
            return read_safetensors(path)[0]
        except CheckpointError as error:
            problem = f"{path} cannot be read as weights alone: {error.problem}"
            raise CheckpointError(problem, error.hint) from error
    if path.suffix == ".index":
        from zoopraxis.checkpoints.formats.tensorflow import read_checkpoint

        return read_checkpoint(path)
    if path.suffix == ".pkl" and not is_torch_file(path):
        return read_blobs(path)
    if is_caffe_file(path):
        return read_net(path)
    return _read_torch(path)


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a safetensors file: its tensors, and the texts in its header.

    Raises
    ------
    CheckpointError
        It is damaged or of another kind.
    """
    try:
        with safe_open(path, framework="pt") as file:
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no mapping
            header = file.metadata() or {}
    except Exception as error:  # the library answers headers that lie with errors of all types
        reason = " ".join(str(error).split())
        raise CheckpointError(
            f"{path} is not a safetensors file: {reason:.200}",
            "download or copy it again if it is truncated",
        ) from None
    return _held(state, path), header


def _read_torch(path: Path) -> dict[str, Tensor]:
    """Read a file of torch.save."""
    zipped = _check_zip(path)
    try:
        if zipped:
            content = torch.load(path, map_location="cpu", weights_only=True)
        else:
            with _Clamped(io.FileIO(path)) as file:
                content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or foreign file raises almost anything in torch.load
        # Not chained: torch's messages advise to unpickle, which would run what the file says.
        raise _refusal(path, error, zipped=zipped) from None
    if not isinstance(content, dict):
        raise CheckpointError(
            f"{path} holds a {type(content).__name__}, not a state dict",
            "save what `network.state_dict()` returns",
        )
    state = unwrap(content)
    tensors = {key: value for key, value in state.items() if isinstance(value, Tensor)}
    if not tensors:
        names = ", ".join(f"{key!r:.40}" for key in list(state)[:5]) or "nothing"
        raise CheckpointError(
            f"{path} holds no state dict that is found: its dict has {names}",
            "save the state dict alone, or under the key 'state_dict'",
        )
    return _held(tensors, path)


class _Clamped(io.BufferedReader):
    """A file that allocates no more for a reader than it has left, whatever it is asked for."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read at most the rest."""
        left = max(0, os.fstat(self.fileno()).st_size - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left))


def _check_zip(path: Path) -> bool:
    """Whether a file is a zip; one that torch.save does not write is refused."""
    with path.open("rb") as file:
        if not file.read(4).startswith(_ZIP):
            return False
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except OSError:
        raise
    except Exception as error:  # zipfile raises anything on damaged directories
        raise _refusal(path, error, zipped=True) from None
    if any(entry.filename.endswith("/constants.pkl") for entry in entries):
        raise CheckpointError(
            f"{path} cannot be read as weights alone: it is a TorchScript archive, a program",
            "open it with torch.jit.load where you trust it, and save its state_dict()",
        )
    # A few bytes of a compressed one could become gigabytes.
    if any(
        entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size
        for entry in entries
    ):
        raise CheckpointError(
            f"{path} cannot be read as weights alone: it is a compressed zip, which torch.save "
            "does not write",
            _RESAVE,
        )
    return True


def _refusal(path: Path, error: Exception, *, zipped: bool) -> CheckpointError:
    """Say in our words why torch.load does not read a file."""
    asked = _GLOBAL.search(str(error))
    if asked:
        reason, hint = f"it asks for {asked[1]}, which is code", _RESAVE
    elif zipped or is_torch_file(path):
        reason, hint = "it is damaged", "download or copy it again; else " + _RESAVE
    else:
        reason, hint = "it is not a file of torch.save", "name the file of the weights"
    return CheckpointError(f"{path} cannot be read as weights alone: {reason}", hint)


def _held(state: Mapping[Any, Tensor], path: Path) -> dict[str, Tensor]:
    """Refuse tensors that the file only claims to hold: larger than itself, or without values."""
    size = path.stat().st_size
    for key, tensor in state.items():
        if not isinstance(key, str):
            raise CheckpointError(
                f"{path} names a tensor {key!r:.80}, which is not a text", "re-save its state dict"
            )
        if tensor.device.type != "cpu" or tensor.layout != torch.strided:
            raise CheckpointError(
                f"{path}: the tensor {key!r} has no plain values: it is on "
                f"{tensor.device.type!r}, {tensor.layout}",
                "save the state dict of a network that is on the CPU, its tensors dense",
            )
        if tensor.numel() * tensor.element_size() > size:
            raise CheckpointError(
                f"{path}: the tensor {key!r} of shape {tuple(tensor.shape)} is larger than the "
                f"file of {size} bytes",
                "the file is damaged: download or save it again",
            )
    return dict(state)
