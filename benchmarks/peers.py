"""Networks of other packages, whose weights ours take."""

import importlib
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from zoopraxis import create_model
from zoopraxis.checkpoints.convert import convert_state_dict


class TwoPathways(nn.Module):
    """PyTorchVideo's SlowFast, which takes a list, as a network of clips (B, 3, T, H, W)."""

    def __init__(self, **args: Any) -> None:
        super().__init__()
        hub = importlib.import_module("pytorchvideo.models.hub")
        self.network = hub.slowfast_r50(**args)

    def forward(self, clip: Tensor) -> Tensor:
        """Map clips to logits; the slow pathway sees every fourth frame, as PyTorchVideo picks."""
        slow = torch.linspace(0, clip.shape[2] - 1, clip.shape[2] // 4).long()
        logits: Tensor = self.network([clip.index_select(2, slow), clip])
        return logits


def published_shift(x: Tensor, num_frames: int) -> Tensor:
    """TSM as published: a zero tensor of the whole size, then three copies into it."""
    video = x.view(-1, num_frames, *x.shape[1:])  # (B, T, C, H, W)
    n = x.shape[1] // 8
    out = torch.zeros_like(video)
    out[:, :-1, :n] = video[:, 1:, :n]
    out[:, 1:, n : 2 * n] = video[:, :-1, n : 2 * n]
    out[:, :, 2 * n :] = video[:, :, 2 * n :]
    return out.view_as(x)


class Shifted(nn.Module):
    """A convolution behind the published shift, under the published names."""

    def __init__(self, net: nn.Module, num_frames: int) -> None:
        super().__init__()
        self.net, self.num_frames = net, num_frames

    def forward(self, x: Tensor) -> Tensor:
        """Map frames (B * T, C, H, W)."""
        out: Tensor = self.net(published_shift(x, self.num_frames))
        return out


class PublishedTSM(nn.Module):
    """TSM as published: torchvision's ResNet-50, shifts in its residual branches, and a mean."""

    def __init__(self, *, num_frames: int) -> None:
        super().__init__()
        models = importlib.import_module("torchvision.models")
        self.base_model = models.resnet50()
        for module in self.base_model.modules():
            if isinstance(module, models.resnet.Bottleneck):
                module.conv1 = Shifted(module.conv1, num_frames)
        self.base_model.fc = nn.Identity()
        self.new_fc = nn.Linear(2048, 400)

    def forward(self, clip: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to logits."""
        frames = clip.transpose(1, 2)  # (B, T, 3, H, W)
        logits: Tensor = self.new_fc(self.base_model(frames.flatten(0, 1)))
        return logits.reshape(*frames.shape[:2], -1).mean(dim=1)


@dataclass(frozen=True)
class Peer:
    """Where the peer of a network is, and how many clips make a batch on a GPU."""

    module: str
    name: str
    source: str
    batch: int
    args: dict[str, Any] = field(default_factory=dict)

    def build(self) -> nn.Module:
        """Build it with random weights; ImportError where its package is missing."""
        network: nn.Module = getattr(importlib.import_module(self.module), self.name)(**self.args)
        return network


TORCHVISION = "torchvision.models.video"
PYTORCHVIDEO = "pytorchvideo.models.hub"
UNTRAINED = {"pretrained": False}
PEERS = {
    "r3d_18": Peer(TORCHVISION, "r3d_18", "torchvision", 32),
    "mc3_18": Peer(TORCHVISION, "mc3_18", "torchvision", 32),
    "r2plus1d_18": Peer(TORCHVISION, "r2plus1d_18", "torchvision", 32),
    "s3d": Peer(TORCHVISION, "s3d", "torchvision", 8),
    "x3d_s": Peer(PYTORCHVIDEO, "x3d_s", "pytorchvideo", 32, UNTRAINED),
    "x3d_m": Peer(PYTORCHVIDEO, "x3d_m", "pytorchvideo", 16, UNTRAINED),
    "slow_r50_8x8": Peer(PYTORCHVIDEO, "slow_r50", "pytorchvideo", 16, UNTRAINED),
    "slowfast_r50_8x8": Peer(__name__, "TwoPathways", "pytorchvideo", 8, UNTRAINED),
    "i3d_r50_8x8": Peer(PYTORCHVIDEO, "i3d_r50", "pytorchvideo", 16, UNTRAINED),
    "ir_csn_101": Peer(PYTORCHVIDEO, "csn_r101", "pytorchvideo", 8, UNTRAINED),
    "tsm_r50_8": Peer(__name__, "PublishedTSM", "tsm", 16, {"num_frames": 8}),
}


def with_weights(network: str, theirs: nn.Module) -> nn.Module:
    """Make our network with a peer's weights."""
    ours: nn.Module = create_model(network, num_classes=400)
    state = {key.removeprefix("network."): value for key, value in theirs.state_dict().items()}
    ours.load_state_dict(convert_state_dict(network, state, source=PEERS[network].source))
    return ours


def apart(theirs: Tensor, ours: Tensor) -> float:
    """Relative difference of the outputs of two networks."""
    if torch.allclose(theirs.sum(dim=1), torch.ones(len(theirs), device=theirs.device)):
        ours = ours.softmax(dim=1)  # PyTorchVideo's X3D ends in a softmax when it is not training
    return float((theirs - ours).norm() / theirs.norm())


def difference(theirs: nn.Module, ours: nn.Module, clips: Tensor) -> float:
    """Relative difference of two networks' outputs in full precision."""
    tf32 = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    with torch.inference_mode():
        result = apart(theirs.eval()(clips), ours.eval()(clips))
    torch.backends.cudnn.allow_tf32 = tf32
    return result
