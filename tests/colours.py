"""A network whose answer can be worked out by hand, and videos of plain colours."""

import numpy as np
import torch
from torch import nn

from zoopraxis.checkpoints.config import ModelConfig
from zoopraxis.checkpoints.saved import OpenModel
from zoopraxis.inputs import RGB, ClipSpec, Sampling
from zoopraxis.video import ArrayVideo

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


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


def timed(parts):
    """Video of (start, end, colour, frames a second); nothing is shown between the parts."""
    frames, times = [], []
    for start, end, colour, rate in parts:
        count = round((end - start) * rate)
        frames.append(painted((count, colour)))
        times.append(start + np.arange(count) / rate)
    stamps = np.concatenate(times)
    fps = (len(stamps) - 1) / stamps[-1]  # the mean, as a file's would be
    video = ArrayVideo(torch.cat(frames), fps=fps, timestamps=stamps)
    video.duration = float(stamps[-1]) + 1 / parts[-1][3]
    return video
