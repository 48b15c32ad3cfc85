"""The straight line: open, sample, decode, prepare, run, aggregate.

``predict`` is these calls and nothing else; the command line, evaluation and feature extraction
go through the same functions.
"""

from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from zoopraxis.prediction.aggregate import Prediction, Times
from zoopraxis.checkpoints.hub import OpenModel, open_model
from zoopraxis.inputs.sampling import Frames, sample_test
from zoopraxis.spec import ClipSpec
from zoopraxis.inputs.transforms import prepare_test
from zoopraxis.video import Video, open_video

__all__ = [
    "Precision",
    "extract_features",
    "opened",
    "predict",
    "run",
    "view_clips",
    "view_times",
]

Precision = Literal["float32", "bfloat16", "float16"]
Source = Any  # whatever open_video takes
Model = str | Path | OpenModel


def predict(
    source: Source,
    model: Model,
    *,
    views: int = 1,
    crops: int = 1,
    mode: str = "mean_probability",
    top: int = 5,
    device: str | torch.device = "cpu",
    precision: Precision = "float32",
    batch: int = 8,
) -> Prediction:
    """Name the action in a video.

    Parameters
    ----------
    source : path, bytes, URL, folder of frames or tensor
        What `zoopraxis.video.open_video` takes.
    model : str, path or OpenModel
        What `zoopraxis.checkpoints.hub.open_model` takes: a name, ``name.tag``, or a file of ours.
    views : int, default=1
        Clips spread over the video (`zoopraxis.inputs.sampling.sample_test`).
    crops : {1, 3, 5, 10}, default=1
        Crops of each (`zoopraxis.inputs.crops.crop_boxes`).
    mode : str, default="mean_probability"
        How views and crops become one (`zoopraxis.prediction.aggregate.MODES`).
    top : int, default=5
        Labels to give.
    device, precision, batch
        As for `run`.

    Returns
    -------
    Prediction
        Its views are clips and crops: V * crops of them.

    Raises
    ------
    VideoError
        The source cannot be read.
    ZoopraxisError
        The model cannot be had, or does not fit.
    """
    net = opened(model)
    with open_video(source) as video:
        clips, times = view_clips(video, net.clip, views=views, crops=crops)
    logits = run(net.model, clips, device=device, precision=precision, batch=batch)
    return Prediction.from_logits(
        logits,
        source=video.name,
        model=net.name,
        labels=net.labels,
        times=times,
        mode=mode,
        top=top,
    )


def extract_features(
    source: Source,
    model: Model,
    *,
    views: int = 1,
    crops: int = 1,
    pool: Literal["none", "video"] = "none",
    device: str | torch.device = "cpu",
    precision: Precision = "float32",
    batch: int = 8,
) -> Tensor:
    """Give a network's features of a video, averaged over time and space.

    Parameters
    ----------
    pool : {"none", "video"}, default="none"
        One vector per view and crop, or their mean.
    source, model, views, crops, device, precision, batch
        As for `predict`.

    Returns
    -------
    Tensor of shape (V * crops, C), or (C,) with ``pool="video"``
    """
    net = opened(model)
    with open_video(source) as video:
        clips, _ = view_clips(video, net.clip, views=views, crops=crops)
    features = run(_Pooled(net.model), clips, device=device, precision=precision, batch=batch)
    return features if pool == "none" else features.mean(dim=0)


class _Pooled(nn.Module):
    """A model's features (B, C, ...) averaged to (B, C)."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, C, T, H, W) to features (B, C)."""
        forward_features: Any = self.model.forward_features
        features: Tensor = forward_features(x)
        return features.flatten(2).mean(2) if features.ndim > 2 else features


def view_clips(
    video: Video, clip: ClipSpec, *, views: int = 1, crops: int = 1
) -> tuple[Tensor, list[Times]]:
    """Sample, decode and prepare the clips that a video is tested on.

    Every frame is decoded once, and shrunk as it is decoded.

    Returns
    -------
    Tensor of shape (V * crops, C, T, S, S)
        All crops of the first view, then of the second.
    list of (float, float)
        Seconds [start, end) of each.
    """
    indices = sample_test(
        video.num_frames, video.fps, clip, views=views, timestamps=video.timestamps
    )  # (V, T)
    frames = video.frames_at(indices, resize=clip.resize)  # (V, T, 3, H, W)
    times = [time for time in view_times(video, indices) for _ in range(crops)]
    return prepare_test(frames, clip, crops=crops), times


@torch.inference_mode()
def run(
    model: nn.Module,
    clips: Tensor,
    *,
    device: str | torch.device = "cpu",
    precision: Precision = "float32",
    batch: int = 8,
) -> Tensor:
    """Run a network over clips (N, C, T, S, S), some at a time: float32 (N, K) on the CPU.

    Parameters
    ----------
    device : str or torch.device, default="cpu"
        Where to; the model moves there and is set to evaluation mode.
    precision : {"float32", "bfloat16", "float16"}, default="float32"
        The halves run under autocast with channels last: 2 to 4 times as fast, and 1e-2 off.
    batch : int, default=8
        Clips at a time, which bounds memory.
    """
    kind = torch.device(device).type
    half = precision != "float32"
    layout = torch.channels_last_3d if half and clips.ndim == 5 else torch.contiguous_format
    cast = torch.autocast(kind, getattr(torch, precision)) if half else nullcontext()
    model = model.to(device).eval()
    with cast:
        parts = [model(part.to(device, memory_format=layout)) for part in torch.split(clips, batch)]
    return torch.cat(parts).float().cpu()


def view_times(video: Video, indices: Frames) -> list[Times]:
    """Seconds [start, end) from each view's first frame (V, T) to the end of its last."""
    ends = np.append(video.timestamps[1:], video.duration)  # (N,)
    return [
        (float(video.timestamps[view.min()]), float(ends[view.max()]))
        for view in np.asarray(indices)
    ]


def opened(model: Model) -> OpenModel:
    """Open a model that is not open."""
    return model if isinstance(model, OpenModel) else open_model(model)
