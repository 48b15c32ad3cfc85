"""The straight line: open, sample, decode, prepare, run, aggregate.

``predict`` is these calls and nothing else; the command line, evaluation and feature extraction
go through the same functions.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from zoopraxis.checkpoints.saved import OpenModel, open_model
from zoopraxis.errors import ShapeError, ZoopraxisError
from zoopraxis.inputs import ClipSpec, Inputs, Media, Track
from zoopraxis.inputs.base import Times, map_inputs, view_indices, view_times
from zoopraxis.inputs.playback import FORWARDS, Playback
from zoopraxis.models.base import is_wrong_clip_size
from zoopraxis.prediction.aggregate import Prediction
from zoopraxis.prediction.features import POOLED, LayerDescriptors
from zoopraxis.prediction.finite import check_inputs, check_outputs

__all__ = [
    "Precision",
    "extract_features",
    "opened",
    "predict",
    "run",
    "usable_device",
    "view_inputs",
]

Precision = Literal["float32", "bfloat16", "float16"]
Model = str | Path | OpenModel


def predict(
    video: Any,
    model: Model,
    *,
    views: int = 1,
    crops: int = 1,
    mode: str = "mean_probability",
    top: int = 5,
    device: str | torch.device = "cpu",
    precision: Precision = "float32",
    batch_size: int = 8,
) -> Prediction:
    """Predict the action in a video.

    Parameters
    ----------
    video : path, bytes, URL, folder of frames, tensor or Media
        What `zoopraxis.video.open_video` takes; a `zoopraxis.inputs.Media` names a segment of
        it, or the files beside it.
    model : str, path or OpenModel
        What `zoopraxis.checkpoints.saved.open_model` takes: a name, ``name.tag``, a file, a run.
    views : int, default=1
        Clips spread over the video (`zoopraxis.inputs.sampling.sample_test`).
    crops : {1, 3, 5, 10}, default=1
        Crops of each (`zoopraxis.inputs.crops.crop_boxes`).
    mode : str, default="mean_probability"
        How views and crops are aggregated (`zoopraxis.prediction.aggregate.MODES`).
    top : int, default=5
        Number of labels to return.
    device, precision, batch_size
        As for `run`.

    Returns
    -------
    Prediction
        Its views are clips times crops: V * crops of them.

    Raises
    ------
    VideoError
        The video cannot be read.
    ZoopraxisError
        The model cannot be opened, does not fit, or gives NaN or infinite numbers.
    """
    net, media = opened(model), Media.of(video)
    with net.clip.input.open(media) as track:
        inputs, times = view_inputs(track, media, net.clip, views=views, crops=crops)
        name = track.name
    logits = run(
        net.model,
        inputs,
        device=device,
        precision=precision,
        batch_size=batch_size,
        video=name,
    )
    return Prediction.from_logits(
        logits,
        video=name,
        model=net.name,
        trained=net.trained,
        labels=net.labels,
        times=times,
        mode=mode,
        top=top,
    )


def extract_features(
    video: Any,
    model: Model,
    *,
    layer: str = POOLED,
    views: int = 1,
    crops: int = 1,
    pool: Literal["none", "video"] = "none",
    device: str | torch.device = "cpu",
    precision: Precision = "float32",
    batch_size: int = 8,
) -> Tensor:
    """Compute a network's features of a video, averaged over time and space.

    Parameters
    ----------
    layer : str, default="pooled"
        A module of the network by its name, "prob" for the probabilities of the classes, or
        "pooled" for what the classifier sees.
    pool : {"none", "video"}, default="none"
        One vector per view and crop, or their mean.
    video, model, views, crops, device, precision, batch_size
        As for `predict`.

    Returns
    -------
    Tensor of shape (V * crops, C), or (C,) with ``pool="video"``

    Raises
    ------
    VideoError, ZoopraxisError
        As of `predict`, or the network has no such layer.
    """
    net, media = opened(model), Media.of(video)
    with net.clip.input.open(media) as track:
        inputs, _ = view_inputs(track, media, net.clip, views=views, crops=crops)
        name = track.name
    features = run(
        LayerDescriptors(net.model, [layer]),
        inputs,
        device=device,
        precision=precision,
        batch_size=batch_size,
        video=name,
    )
    return features if pool == "none" else features.mean(dim=0)


def view_inputs(
    track: Track,
    media: Media,
    clip: ClipSpec,
    *,
    views: int = 1,
    crops: int = 1,
    play: Playback = FORWARDS,
    sample: int = 0,
) -> tuple[Inputs, list[Times]]:
    """Sample, decode and prepare the clips on which a video is tested.

    Every frame is decoded once, and shrunk as it is decoded.

    Parameters
    ----------
    track : Track
        Opened by ``clip.input``.
    media : Media
        What it was opened from: says which segment counts.
    clip : ClipSpec
        The clip that the model expects.
    views, crops : int
        As for `predict`.
    play, sample
        How clips are played, and the number of the video in its list: as for
        `zoopraxis.inputs.playback.rearranged`.

    Returns
    -------
    Tensor of shape (V * crops, C, T, S, S), or tuple of Tensor
        All crops of the first view, then of the second.
    list of (float, float)
        Seconds [start, end) of each.
    """
    kind = clip.input
    kind.check_playback(play)
    timing = clip.sampling
    indices = view_indices(track, media, timing, views=views, play=play, sample=sample)  # (V, T)
    draws = kind.crops(track, crops)
    inputs = kind.prepare_crops(kind.read(track, indices, draws[0]), draws)
    if play.order == "reversed":
        inputs = kind.reverse(inputs)
    times = [time for time in view_times(track, indices) for _ in range(crops)]
    return inputs, times


@torch.inference_mode()
def run(
    model: nn.Module,
    inputs: Inputs,
    *,
    device: str | torch.device = "cpu",
    precision: Precision = "float32",
    batch_size: int = 8,
    video: str = "",
) -> Tensor:
    """Run a network over N clips, some at a time: float32 (N, K) on the CPU.

    Parameters
    ----------
    model : nn.Module
        It moves to the device and is set to evaluation mode.
    inputs : Tensor of shape (N, C, T, S, S), or tuple of Tensor
        What the network takes, the clips in the first axis of each tensor.
    device : str or torch.device, default="cpu"
        Where to run.
    precision : {"float32", "bfloat16", "float16"}, default="float32"
        The halves run under autocast with channels last: 2 to 4 times as fast, and 1e-2 off.
        float32 is that on a GPU too: without TF32, whose results are 1e-3 off.
    batch_size : int, default=8
        Clips at a time, which bounds memory.
    video : str, default=""
        What the clips show, for error messages.

    Raises
    ------
    VideoError
        The input is not finite.
    ShapeError
        The clips have other sizes than the network takes.
    CheckpointError
        The output is not finite because a weight is not.
    ZoopraxisError
        The output is not finite for another reason; the error names the first module. Or the
        device cannot be used.
    """
    if batch_size < 1:
        raise ZoopraxisError(f"batch_size is {batch_size}", "pass 1 or more")
    place = usable_device(device)
    tensors = inputs if isinstance(inputs, tuple) else (inputs,)
    half = precision != "float32"
    cast = torch.autocast(place.type, getattr(torch, precision)) if half else nullcontext()
    model = model.to(place).eval()

    layout = torch.channels_last_3d if half else torch.contiguous_format
    batches = zip(*(torch.split(tensor, batch_size) for tensor in tensors), strict=True)
    parts = []
    with cast, _without_tf32():
        for batch in batches:
            moved = map_inputs(batch, place, layout)
            check_inputs(moved, video=video)
            again = partial(_run_batch, model, moved)
            out = again().float().cpu()
            check_outputs(out, model, again, video=video, precision=precision)
            parts.append(out)
    return torch.cat(parts)


@contextmanager
def _without_tf32() -> Iterator[None]:
    """Let cuDNN convolve float32 as float32, not rounded to TF32 as PyTorch lets it."""
    cudnn = torch.backends.cudnn
    before, cudnn.allow_tf32 = cudnn.allow_tf32, False
    try:
        yield
    finally:
        cudnn.allow_tf32 = before


def usable_device(device: str | torch.device) -> torch.device:
    """Return a device on which tensors can be made and read.

    Raises
    ------
    ZoopraxisError
        There is no such device, or this PyTorch cannot use it.
    """
    try:
        place = torch.device(device)
        torch.empty(1, device=place).cpu()
    except (RuntimeError, AssertionError, ImportError) as error:
        # in turn: no such hardware or name; not compiled in; the package of a vendor is missing
        reason = str(error).strip().split("\n")[0]
        raise ZoopraxisError(
            f"the device {str(device)!r} cannot be used: {reason}",
            "'cpu' always can; `zoopraxis doctor` says what this machine has",
        ) from error
    return place


def _run_batch(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    try:
        out: Tensor = model(*batch)
    except RuntimeError as error:
        if not is_wrong_clip_size(error):
            raise
        shape = " x ".join(map(str, batch[0].shape[1:]))
        raise ShapeError(
            f"a clip of {shape} does not fit the network: {str(error).splitlines()[0]}",
            "mend num_frames and size in the JSON beside its weights, or train with another clip",
        ) from error
    return out


def opened(model: Model) -> OpenModel:
    """Open a model that is not open."""
    return model if isinstance(model, OpenModel) else open_model(model)
