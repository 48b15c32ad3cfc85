"""A network whose answer can be worked out by hand, and videos of plain colours."""

import torch
from torch import nn

from zoopraxis.checkpoints.config import ModelConfig
from zoopraxis.checkpoints.saved import OpenModel
from zoopraxis.inputs import RGB, ClipSpec, Sampling

RED, GREEN = (255, 0, 0), (0, 255, 0)


class MeanColour(nn.Module):
    """Logits are how red, green and blue a clip is."""

    def forward_features(self, x):
        return x  # (B, 3, T, S, S)

    def forward(self, x):
        return self.forward_features(x).mean(dim=(2, 3, 4))


def opened(model, name, clip, labels):
    """Open a network that is none of the zoo's."""
    return OpenModel(model, ModelConfig(name=name, clip=clip, labels=tuple(labels)))


def colours(clip=None, labels=("red", "green", "blue")):
    clip = clip or ClipSpec(
        sampling=Sampling(num_frames=4),
        input=RGB(resize=16, size=16, mean=(0.0,), std=(1.0,)),
    )
    return opened(MeanColour(), "colours", clip, labels)


def painted(*parts):
    """Frames (N, 3, 24, 32) of colours: (2, (255, 0, 0)) is two red ones."""
    rows = [
        torch.tensor(rgb, dtype=torch.uint8)[None, :, None, None].expand(n, 3, 24, 32)
        for n, rgb in parts
    ]
    return torch.cat(rows)
