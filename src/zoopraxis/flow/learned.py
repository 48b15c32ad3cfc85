"""Flow by learned networks, through the package ptlflow, which has about ninety of them.

Morimitsu, PyTorch Lightning Optical Flow, https://github.com/hmorimitsu/ptlflow (Apache 2.0; each
network and checkpoint has a licence of its own).

ptlflow downloads the checkpoints itself, and reads them as weights only. It is an extra, for it
needs `opencv-python`, which overwrites the OpenCV that zoopraxis uses: both install the module
`cv2`, and the last one installed wins. `MEND` says how to have both.
"""

import contextlib
import hashlib
import json
import sys
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from zoopraxis.errors import ZoopraxisError, did_you_mean
from zoopraxis.flow.base import FlowMethod, Frame

__all__ = ["PTLFlow"]

MEND = (
    "pip install 'zoopraxis[ptlflow]' && pip uninstall --yes opencv-python && "
    "pip install --force-reinstall --no-deps opencv-contrib-python-headless"
)


@dataclass(frozen=True, kw_only=True)
class PTLFlow(FlowMethod):
    """A network of ptlflow, on the GPU where there is one.

    Parameters
    ----------
    network : str
        Name of the network in ptlflow, ``sea_raft_s`` for example.
    checkpoint : str, default="things"
        Name of a checkpoint that ptlflow has for it, or a file in ptlflow's format.
    """

    name: ClassVar[str] = "ptlflow"

    network: str
    checkpoint: str = "things"

    @property
    def key(self) -> str:
        """The network and its checkpoint, of a file its content, as one line of JSON."""
        facts = {"method": self.name, **asdict(self)}
        if Path(self.checkpoint).is_file():
            with Path(self.checkpoint).open("rb") as file:
                facts["checkpoint"] = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
        return json.dumps(facts, sort_keys=True)

    def check(self) -> None:
        """Load the network.

        Raises
        ------
        ZoopraxisError
            ptlflow is not installed, has no such network or checkpoint, or cannot download it.
        """
        _load(self.network, self.checkpoint)

    def between(self, first: Frame, second: Frame) -> NDArray[np.float32]:
        """Compute the flow (2, H, W) from one RGB frame (H, W, 3) to the next."""
        return run(_load(self.network, self.checkpoint), first, second)


def run(network: torch.nn.Module, first: Frame, second: Frame) -> NDArray[np.float32]:
    """Run a network in ptlflow's convention on two RGB frames (H, W, 3): flow (2, H, W).

    It takes ``images`` (B, 2, 3, H, W), BGR in [0, 1], pads them as it needs, and gives ``flows``
    (B, 1, 2, H, W).

    Raises
    ------
    ZoopraxisError
        The network fails on these frames.
    """
    device = next((weight.device for weight in network.parameters()), torch.device("cpu"))
    pair = np.ascontiguousarray(np.stack([first, second])[..., ::-1])  # (2, H, W, 3), BGR
    images = torch.from_numpy(pair).to(device).permute(0, 3, 1, 2)[None].float() / 255
    try:
        with torch.inference_mode():
            flow = network({"images": images})["flows"][0, 0]  # (2, H, W)
    except (RuntimeError, ValueError, IndexError, ZeroDivisionError) as error:
        reason = str(error).partition("\n")[0]
        raise ZoopraxisError(
            f"the network of flow fails on frames of {first.shape[1]}x{first.shape[0]}: {reason}",
            "some networks need 128x128 pixels or more: choose a larger size, or another one",
        ) from error
    return np.ascontiguousarray(flow.float().cpu().numpy())


@lru_cache(maxsize=1)
def _load(network: str, checkpoint: str) -> torch.nn.Module:
    """Build a network of ptlflow and load its checkpoint."""
    try:
        with contextlib.redirect_stdout(sys.stderr):  # it prints what is not compiled
            import ptlflow
    except ModuleNotFoundError as error:
        raise ZoopraxisError(
            f"the flow of ptlflow:{network} needs {error.name}, which is not installed", MEND
        ) from error
    names: Any = ptlflow.get_model_names()
    if network not in names:
        raise ZoopraxisError(
            f"ptlflow {ptlflow.__version__} has no network called {network!r}",
            did_you_mean(network, names, otherwise="ptlflow.get_model_names() lists them"),
        )
    known = getattr(ptlflow.get_model_reference(network), "pretrained_checkpoints", {})
    if checkpoint not in known and not Path(checkpoint).is_file():
        raise ZoopraxisError(
            f"ptlflow has no checkpoint {checkpoint!r} of {network}, and it is no file",
            f"say ptlflow:{network}:CHECKPOINT, one of {', '.join(known) or 'your files'}",
        )
    try:
        with contextlib.redirect_stdout(sys.stderr):
            model: torch.nn.Module = ptlflow.get_model(network, ckpt_path=checkpoint)
    except (OSError, RuntimeError, LookupError, ValueError, UnpicklingError) as error:
        raise ZoopraxisError(
            f"ptlflow cannot load {network} with the checkpoint {checkpoint}: "
            f"{type(error).__name__}: {error}",
            "check the network connection or the file; ptlflow says more about it",
        ) from error
    return model.eval().to("cuda" if torch.cuda.is_available() else "cpu")
