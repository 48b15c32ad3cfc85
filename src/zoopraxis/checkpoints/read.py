"""The tensors of a checkpoint file, whoever wrote it; nothing in it is executed."""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from zoopraxis.checkpoints.convert import unwrap
from zoopraxis.checkpoints.formats.caffe import is_caffe_file, read_net
from zoopraxis.checkpoints.formats.caffe2 import is_torch_file, read_blobs
from zoopraxis.errors import CheckpointError

__all__ = ["read_state_dict"]


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """Read the tensors of a checkpoint without executing anything in it.

    Files of torch (zip and legacy) are read with ``weights_only``, and unwrapped
    (`zoopraxis.checkpoints.convert.unwrap`). A ``.pkl`` of another origin is read as Caffe2
    blobs, a trained net of Caffe by its layers. Of a TensorFlow checkpoint, name the ``.index``
    file.

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
    except Exception as error:  # a damaged or foreign file raises almost anything in torch.load
        raise CheckpointError(
            f"{path} cannot be read as weights alone: {type(error).__name__}",
            "re-save its state dict with torch.save in the environment it came from",
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not a state dict")
    return {key: value for key, value in unwrap(content).items() if isinstance(value, Tensor)}
