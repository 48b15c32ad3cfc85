"""Checks for models: deterministic weights, goldens, counts, and the contract.

Public, so that others can test their own networks with them.
"""

import csv
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from zoopraxis.checkpoints.convert import convert_state_dict
from zoopraxis.checkpoints.create import create_model
from zoopraxis.errors import DataError
from zoopraxis.models import model_spec

__all__ = [
    "Golden",
    "count_macs",
    "count_params",
    "fill",
    "golden_error",
    "noise_clip",
    "read_golden",
    "read_index",
    "relative_error",
]


def fill(key: str, shape: tuple[int, ...], *, rule: str = "v1") -> NDArray[np.float32]:
    """Make weights that anyone can recompute: a function of the key and the shape alone.

    Parameters
    ----------
    key : str
        Name in the reference's state dict.
    shape : tuple of int
        Its shape.
    rule : {"v1", "v2"}, default="v1"
        v1: He-normal matrices, norm scales in [0.5, 1.5], the rest small; v2 halves the matrices.

    Returns
    -------
    ndarray of shape `shape`
    """
    random = np.random.RandomState(zlib.crc32(key.encode()) & 0x7FFFFFFF)
    if key.endswith("running_mean"):
        value = 0.1 * random.standard_normal(shape)
    elif key.endswith("running_var"):
        value = random.uniform(0.5, 1.5, shape)
    elif len(shape) >= 2:
        value = random.standard_normal(shape) * np.sqrt(2.0 / int(np.prod(shape[1:])))
        value = value * {"v1": 1.0, "v2": 0.5}[rule]
    elif len(shape) == 1 and key.endswith("weight"):
        value = random.uniform(0.5, 1.5, shape)
    else:
        value = 0.1 * random.standard_normal(shape)
    return np.asarray(value, dtype=np.float32)


def noise_clip(shape: tuple[int, ...], *, seed: int = 0) -> Tensor:
    """Standard normal noise of a shape, the same for everyone."""
    noise = np.random.RandomState(seed).standard_normal(shape).astype(np.float32)
    return torch.from_numpy(noise)


@dataclass(frozen=True)
class Golden:
    """What a reference computed: its record and its arrays."""

    record: Mapping[str, Any]
    arrays: Mapping[str, NDArray[np.floating[Any]]]

    @property
    def dtypes(self) -> tuple[torch.dtype, ...]:
        """Precisions in which the reference ran: always float32, float64 where that is too coarse.

        A network that amplifies rounding a hundredfold has no float32 output that holds on every
        processor; in float64 it has, to some 1e-13.
        """
        return (torch.float32, torch.float64) if "output64" in self.arrays else (torch.float32,)

    @property
    def output(self) -> Tensor:
        """The reference's output in float32."""
        return torch.from_numpy(self.arrays["output"])

    @property
    def logits(self) -> Tensor:
        """The output (B, K) in float32; of a reference that keeps time and space, their mean."""
        return self.logits_in(torch.float32)

    def logits_in(self, dtype: torch.dtype) -> Tensor:
        """What the reference computed in float32 or float64, (B, K); see `logits`.

        Raises
        ------
        DataError
            The reference did not run in `dtype`.
        """
        if dtype not in self.dtypes:
            raise DataError(
                f"golden {self.record.get('name')!r} has no output in {dtype}",
                hint=f"it has {', '.join(map(str, self.dtypes))}; `output64` in the npz is float64",
            )
        output = torch.from_numpy(self.arrays[{torch.float64: "output64"}.get(dtype, "output")])
        return output.flatten(2).mean(dim=2) if output.ndim > 2 else output

    @property
    def tolerance(self) -> float:
        """Relative error to allow in float32: 1e-5, or ten times the reference's rounding noise."""
        return self.tolerance_in(torch.float32)

    def tolerance_in(self, dtype: torch.dtype) -> float:
        """Relative error to allow in float32 (see `tolerance`) or float64 (1e-11).

        The network that amplifies most is off by 1e-13 in float64, on every processor; an error
        of the network is off by far more than 1e-11.
        """
        if dtype == torch.float64:
            return 1e-11
        return max(1e-5, 10 * (self.record.get("fp32_noise") or 0.0))

    def state_dict(self) -> dict[str, Tensor]:
        """The reference's state dict, its floating-point tensors filled by the rule."""
        rule = self.record["weight_rule"]
        state = {}
        for key, entry in self.record["state_dict"].items():
            if f"buffer_{key}" in self.arrays:
                state[key] = torch.from_numpy(self.arrays[f"buffer_{key}"])
            elif key.endswith("num_batches_tracked"):
                state[key] = torch.zeros(entry["shape"], dtype=torch.int64)
            elif entry["dtype"].startswith("float"):
                state[key] = torch.from_numpy(fill(key, tuple(entry["shape"]), rule=rule))
        return state

    def input(self) -> Tensor:
        """The reference's input, in the reference's layout."""
        entry = self.record["input"]
        return noise_clip(tuple(entry["shape"]), seed=entry["seed"])


def read_golden(name: str, folder: str | Path) -> Golden:
    """Read ``<name>.json`` and ``<name>.npz``.

    Raises
    ------
    DataError
        One of the files is missing.
    """
    base = Path(folder) / name
    files = [base.parent / (base.name + ending) for ending in (".json", ".npz")]
    absent = [str(path) for path in files if not path.is_file()]
    if absent:
        raise DataError(f"golden {name!r} is incomplete: no {absent[0]}")
    with np.load(files[1]) as arrays:
        return Golden(json.loads(files[0].read_text()), {k: arrays[k] for k in arrays.files})


def read_index(folder: str | Path) -> list[dict[str, str]]:
    """Rows (golden, model, source) of a folder's ``index.csv``."""
    with (Path(folder) / "index.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def as_clip(x: Tensor, channels: int) -> Tensor:
    """Bring a reference's input into our layout (B, C, T, H, W).

    2D networks take frames merged into the channels, (B, T*C, H, W), or those of one clip as a
    batch, (T, C, H, W), or before the channels, (B, T, C, H, W).
    """
    if x.ndim == 5:
        before = x.shape[1] != channels == x.shape[2]
        return x.transpose(1, 2) if before else x
    if x.shape[1] == channels:
        return x.transpose(0, 1).unsqueeze(0)  # (1, C, T, H, W)
    x = x.reshape(len(x), -1, channels, *x.shape[2:])  # (B, T, C, H, W)
    return x.transpose(1, 2)  # (B, C, T, H, W)


@torch.no_grad()
def golden_error(
    golden: Golden, model: str, source: str, *, dtype: torch.dtype = torch.float32
) -> float:
    """Relative error of our network against the reference: over the largest output.

    Builds the official state dict, converts it as a user's checkpoint, and runs the model. A
    reference that answers at every frame of one clip is held to the model's `forward_frames`.

    Parameters
    ----------
    golden : Golden
        What the reference computed.
    model, source : str
        Our name of the network, and where its weights come from.
    dtype : {torch.float32, torch.float64}, default=torch.float32
        Precision in which ours runs and is compared; see `Golden.dtypes`. Weights and clip are
        the same float32 numbers in both.

    Returns
    -------
    float
        To hold against `Golden.tolerance_in(dtype)`.

    Raises
    ------
    DataError
        The reference did not run in `dtype`.
    """
    wanted = golden.logits_in(dtype)
    state = convert_state_dict(model, golden.state_dict(), source=source)
    network: Any = create_model(model, source=source, num_classes=wanted.shape[1])
    network.load_state_dict(state)
    spec = model_spec(model)
    clip = as_clip(golden.input(), spec.clip.channels)
    clip = spec.clip.input.from_reference(clip, stack=spec.clip.sampling.stack).to(dtype)
    network.to(dtype).eval()
    every_frame = len(wanted) > len(clip)
    got = network.forward_frames(clip)[0] if every_frame else network(clip)
    return relative_error(got, wanted)


def relative_error(got: Tensor, wanted: Tensor) -> float:
    """Largest absolute difference over the largest absolute wanted value."""
    if got.shape != wanted.shape:
        return float("inf")
    return float((got - wanted).abs().max() / wanted.abs().max())


def count_params(model: nn.Module) -> int:
    """Number of parameters, buffers not counted."""
    return sum(parameter.numel() for parameter in model.parameters())


def count_macs(model: nn.Module, *shapes: tuple[int, ...]) -> int:
    """Multiply-adds of convolutions and matrix products for an input of one or more shapes.

    Norms, activations and poolings are not counted, as in the papers. A model on the meta
    device costs nothing to count.
    """
    device = next(model.parameters()).device
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.eval()(*(torch.zeros(shape, device=device) for shape in shapes))
    return int(counter.get_total_flops() // 2)
