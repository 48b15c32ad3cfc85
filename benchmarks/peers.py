"""Networks of other packages, whose weights ours take."""

import importlib
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from zoopraxis import create_model
from zoopraxis.checkpoints.convert import convert_state_dict


@dataclass(frozen=True)
class Peer:
    """Where the peer of a network is, and how many clips make a batch."""

    module: str
    name: str
    source: str
    batch: int
    args: dict[str, Any]

    def build(self) -> nn.Module:
        """Build it with random weights; ImportError where its package is missing."""
        network: nn.Module = getattr(importlib.import_module(self.module), self.name)(**self.args)
        return network


TORCHVISION = "torchvision.models.video"
PYTORCHVIDEO = "pytorchvideo.models.hub"
PEERS = {
    "r3d_18": Peer(TORCHVISION, "r3d_18", "torchvision", 32, {}),
    "mc3_18": Peer(TORCHVISION, "mc3_18", "torchvision", 32, {}),
    "r2plus1d_18": Peer(TORCHVISION, "r2plus1d_18", "torchvision", 32, {}),
    "s3d": Peer(TORCHVISION, "s3d", "torchvision", 8, {}),
    "x3d_s": Peer(PYTORCHVIDEO, "x3d_s", "pytorchvideo", 32, {"pretrained": False}),
    "x3d_m": Peer(PYTORCHVIDEO, "x3d_m", "pytorchvideo", 16, {"pretrained": False}),
    "slow_r50_8x8": Peer(PYTORCHVIDEO, "slow_r50", "pytorchvideo", 16, {"pretrained": False}),
}


def with_weights(network: str, theirs: nn.Module) -> nn.Module:
    """Make our network with a peer's weights."""
    ours: nn.Module = create_model(network, num_classes=400)
    state = convert_state_dict(network, theirs.state_dict(), source=PEERS[network].source)
    ours.load_state_dict(state)
    return ours


def difference(theirs: nn.Module, ours: nn.Module, clips: Tensor) -> float:
    """Relative difference of two networks' outputs in full precision."""
    tf32 = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    with torch.inference_mode():
        a, b = theirs.eval()(clips), ours.eval()(clips)
        if a.shape == b.shape and torch.allclose(a.sum(dim=1), torch.ones(len(a), device=a.device)):
            b = b.softmax(dim=1)  # PyTorchVideo's X3D ends in a softmax when it is not training
    torch.backends.cudnn.allow_tf32 = tf32
    return float((a - b).norm() / a.norm())
