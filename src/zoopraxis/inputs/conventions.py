"""How the official code bases choose frames, where that differs from `zoopraxis.inputs.sampling`.

To repeat a published number, choose the same frames. Each function says whose rule it is; the
results are frame numbers from 0 (the official code of TSN and its children counts from 1).
Where an original rounds in floating point, so does TSN's here, to the same frames. PySlowFast's
float32 ``linspace`` is computed exactly instead: one clip in a thousand differs, by one frame.

``TEST["pyslowfast"](num_frames, fps, sampling, views=10)``, ``TRAIN["tsn"](..., rng=rng)``.
`choose_clips` and `draw_clip` follow the rule that `Sampling.convention` names.
"""

# ruff: noqa: ARG001 - every rule has the same arguments, and some need no frame rate

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from math import floor
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from zoopraxis.errors import RecipeError, did_you_mean
from zoopraxis.inputs.sampling import (
    Indices,
    Sampling,
    Seconds,
    check_frames,
    dense_clips,
    exact_rate,
    fit,
    groups,
    sample_test,
    sample_train,
    span,
    stack,
    uniform_starts,
)

__all__ = [
    "TEST",
    "TRAIN",
    "VIEWS",
    "check_convention",
    "check_training",
    "check_views",
    "choose_clips",
    "coviar_test",
    "coviar_train",
    "draw_clip",
    "gsm_twice_test",
    "i3d_test",
    "pyslowfast_offset_test",
    "pyslowfast_ssv2_test",
    "pyslowfast_ssv2_train",
    "pyslowfast_test",
    "pyslowfast_train",
    "torchvision_test",
    "torchvision_track",
    "tsm_dense_test",
    "tsm_dense_train",
    "tsm_twice_test",
    "tsn_test",
    "tsn_train",
    "tsn_val",
    "usual_views",
]

DENSE_SPAN = 64  # frames that TSM's dense sampling, after I3D, spreads a clip over


class TestRule(Protocol):
    """Chooses the clips (V, T) a video is tested on."""

    def __call__(
        self, num_frames: int, fps: float, sampling: Sampling, *, views: int
    ) -> Indices: ...


class TrainRule(Protocol):
    """Draws one clip (1, T) to train on."""

    def __call__(
        self, num_frames: int, fps: float, sampling: Sampling, *, rng: np.random.Generator
    ) -> Indices: ...


# PySlowFast: slowfast/datasets/decoder.py, get_start_end_idx and temporal_sampling


def pyslowfast_test(num_frames: int, fps: float, sampling: Sampling, *, views: int) -> Indices:
    """PySlowFast: view i starts at i / V of the free frames, so the video's end is never seen.

    A clip is frames * stride file frames long at ``sampling.fps`` (30 if None), and its T frames
    are spread from its first to its last: the step is (frames * stride - 1) / (T - 1), a little
    more than the stride. Past the end the last frame is held.

    # 100 frames, 4x8, views=2: starts at 0 and 68 * 1/2 = 34, step 31/3
    # -> [[0, 10, 20, 31], [34, 44, 54, 65]]
    """
    free = max(num_frames - _clip_size(fps, sampling), Fraction(0))
    return _spread(num_frames, fps, sampling, starts=[free * i / views for i in range(views)])


def pyslowfast_offset_test(
    num_frames: int, fps: float, sampling: Sampling, *, views: int
) -> Indices:
    """PySlowFast with ``DATA.USE_OFFSET_SAMPLING``: one view is the centre, V reach the end."""
    free = max(num_frames - _clip_size(fps, sampling), Fraction(0))
    if views == 1:
        return _spread(num_frames, fps, sampling, starts=[Fraction(floor(free / 2))])
    step = floor(free / (views - 1))
    return _spread(num_frames, fps, sampling, starts=[Fraction(i * step) for i in range(views)])


def pyslowfast_train(
    num_frames: int, fps: float, sampling: Sampling, *, rng: np.random.Generator
) -> Indices:
    """PySlowFast: the start is a real number, uniform over the free frames."""
    free = max(num_frames - _clip_size(fps, sampling), Fraction(0))
    return _spread(num_frames, fps, sampling, starts=[Fraction(rng.uniform(0, float(free)))])


# PySlowFast: slowfast/datasets/ssv2.py, get_seq_frames


def pyslowfast_ssv2_test(
    num_frames: int, fps: float, sampling: Sampling, *, views: int = 1
) -> Indices:
    """PySlowFast on Something-Something: the middle of every segment, rounded down.

    The segments end at multiples of (n - 1) / T, rounded, halves to the even frame.

    # 11 frames, 4 segments: ends 0 2 5 8 10, middles 1 3 6 9
    """
    check_views("pyslowfast_ssv2", views)
    ends = _ends(num_frames, sampling)
    return (ends[None, :-1] + ends[None, 1:]) // 2  # (1, T)


def pyslowfast_ssv2_train(
    num_frames: int, fps: float, sampling: Sampling, *, rng: np.random.Generator
) -> Indices:
    """PySlowFast on Something-Something: a frame of every segment, both of its ends included."""
    ends = _ends(num_frames, sampling)
    return rng.integers(ends[:-1], ends[1:] + 1)[None]  # (1, T)


def _ends(num_frames: int, sampling: Sampling) -> Indices:
    """Ends (T + 1,) of T segments from the first frame to the last."""
    count = sampling.length
    return np.round((num_frames - 1) / count * np.arange(count + 1)).astype(np.int64)


def _clip_size(fps: float, sampling: Sampling) -> Fraction:
    """File frames a clip is long, at least 1."""
    return max(
        Fraction(sampling.stride * sampling.num_frames)
        / exact_rate(sampling.fps or 30)
        * exact_rate(fps),
        Fraction(1),
    )


def _spread(num_frames: int, fps: float, sampling: Sampling, *, starts: list[Fraction]) -> Indices:
    """T frames from each start to the last of its clip, rounded down, held at the end."""
    step = (_clip_size(fps, sampling) - 1) / max(sampling.num_frames - 1, 1)
    positions = [[floor(start + step * t) for t in range(sampling.num_frames)] for start in starts]
    return np.array(positions).clip(0, num_frames - 1)


# TSN: yjxiong/tsn-pytorch, dataset.py


def tsn_train(
    num_frames: int, fps: float, sampling: Sampling, *, rng: np.random.Generator
) -> Indices:
    """TSN, ``_sample_indices``: one frame in each segment of floor(n / T) frames.

    The n mod T positions at the end are never drawn. A video with fewer positions than segments,
    but more frames, gives T sorted draws; a shorter one, T times the first frame.

    # 11 frames, 3 segments: drawn from 0-2, 3-5, 6-8
    """
    segments, length = _stacks(sampling)
    free = max(num_frames - length + 1, 1)
    width = free // segments
    if width > 0:
        starts = np.arange(segments) * width + rng.integers(0, width, size=segments)
    elif num_frames > segments:
        starts = np.sort(rng.integers(0, free, size=segments))
    else:
        starts = np.zeros(segments, dtype=np.int64)
    return fit(stack(starts[None], length), num_frames, "hold")


def tsn_val(num_frames: int, fps: float, sampling: Sampling, *, views: int = 1) -> Indices:
    """TSN, ``_get_val_indices``: the centres, or T times the first frame of a short video."""
    segments, length = _stacks(sampling)
    if num_frames > segments + length - 1:
        return tsn_test(num_frames, fps, sampling, views=views)
    starts = np.zeros((1, segments), dtype=np.int64)
    return fit(stack(starts, length), num_frames, "hold")


def tsn_test(num_frames: int, fps: float, sampling: Sampling, *, views: int = 1) -> Indices:
    """TSN, ``_get_test_indices``: the centre of every segment, always one view."""
    check_views("tsn", views)
    segments, length = _stacks(sampling)
    tick = max(num_frames - length + 1, 1) / segments
    starts = _whole(tick / 2 + tick * np.arange(segments))  # (segments,)
    return fit(stack(starts[None], length), num_frames, "hold")


def _stacks(sampling: Sampling) -> tuple[int, int]:
    """Count segments and frames of each, whatever the clip's own sampling is."""
    return groups(replace(sampling, mode="segments"))


def _whole(starts: NDArray[np.floating[Any]]) -> Indices:
    """Cut off the fraction, as ``int()`` does: 8.999999999999998, for 9, gives 8."""
    return starts.astype(np.int64)


# TSM and GSM: mit-han-lab/temporal-shift-module, ops/dataset.py; swathikirans/GSM, dataset.py


def tsm_twice_test(num_frames: int, fps: float, sampling: Sampling, *, views: int = 2) -> Indices:
    """TSM with ``--twice_sample``: the centres of the segments, then their first frames.

    # 9 frames, 3 segments: [[1, 4, 7], [0, 3, 6]]
    """
    check_views("tsm_twice", views)
    segments, length = _stacks(sampling)
    tick = max(num_frames - length + 1, 1) / segments
    first = tick * np.arange(segments)  # (segments,)
    starts = _whole(np.stack([tick / 2 + first, first]))  # (2, segments)
    return fit(stack(starts, length), num_frames, "hold")


def gsm_twice_test(num_frames: int, fps: float, sampling: Sampling, *, views: int = 2) -> Indices:
    """GSM with two clips: those of TSM in the other order."""
    check_views("gsm_twice", views)
    return tsm_twice_test(num_frames, fps, sampling, views=views)[::-1]


def tsm_dense_test(num_frames: int, fps: float, sampling: Sampling, *, views: int = 10) -> Indices:
    """TSM with ``--dense_sample``: clips of 64 frames, every 64 // T-th, looped; 10 views.

    # 100 frames, T=8, views=10: starts 0 4 8 12 16 20 24 28 32 36
    """
    starts = np.arange(views) * max(0, num_frames - DENSE_SPAN) // max(views - 1, 1)  # (V,)
    return _tsm_dense(starts, num_frames, sampling)


def tsm_dense_train(
    num_frames: int, fps: float, sampling: Sampling, *, rng: np.random.Generator
) -> Indices:
    """TSM with ``--dense_sample``: a random start, of which the last that fits is never drawn."""
    free = max(0, num_frames - DENSE_SPAN)
    return _tsm_dense(rng.integers(0, max(free, 1), size=1), num_frames, sampling)


def _tsm_dense(starts: Indices, num_frames: int, sampling: Sampling) -> Indices:
    """Clips (V, T) from the starts (V,); stacked frames are held at the end."""
    segments, length = _stacks(sampling)
    positions = starts[:, None] + np.arange(segments) * (DENSE_SPAN // segments)  # (V, segments)
    first = fit(positions, num_frames, "loop")
    return fit(stack(first, length), num_frames, "hold")


# torchvision: datasets/video_utils.py and datasets/samplers/clip_sampler.py


def torchvision_track(num_frames: int, fps: float, rate: float | None) -> Indices:
    """Follow torchvision's VideoClips: the frame *before* each time, floor(k * fps / rate).

    An integer ratio takes every so-manyth frame to the end; another stops at
    floor(N * rate / fps) frames.

    # 10 frames: 30 to 10 fps [0, 3, 6, 9]; 30 to 20 fps [0, 1, 3, 4, 6, 7]
    """
    step = exact_rate(fps) / exact_rate(rate or fps)
    if step.denominator == 1:
        return np.arange(0, num_frames, int(step))
    count = floor(num_frames / step)
    return np.arange(count) * step.numerator // step.denominator


def torchvision_test(num_frames: int, fps: float, sampling: Sampling, *, views: int) -> Indices:
    """Follow torchvision's UniformClipSampler over all clips of `torchvision_track`.

    One view is the first clip. A video without a whole clip, which torchvision leaves out,
    loops or holds.
    """
    track = torchvision_track(num_frames, fps, sampling.fps)  # (M,)
    if views == 1:
        return dense_clips(track, sampling, np.zeros(1, dtype=np.int64))
    return dense_clips(track, sampling, uniform_starts(len(track), span(sampling), views=views))


# CoViAR and DMC-Net: chaoyuaw/pytorch-coviar, dataset.py


def coviar_train(
    num_frames: int, fps: float, sampling: Sampling, *, rng: np.random.Generator
) -> Indices:
    """CoViAR, ``_get_train_frame_index``: an item of each segment; the last item is never drawn.

    The original speaks of frames, which are items of `zoopraxis.inputs.Compressed` plus one for
    vectors and residuals.

    # 11 items, 3 segments: drawn from 0-2, 3-6, 7-9
    """
    bounds = np.round((num_frames - 1) / sampling.num_frames * np.arange(sampling.num_frames + 1))
    low, high = bounds[:-1], np.maximum(bounds[1:], bounds[:-1] + 1)
    return rng.integers(low.astype(np.int64), high.astype(np.int64))[None]  # (1, T)


def coviar_test(num_frames: int, fps: float, sampling: Sampling, *, views: int = 1) -> Indices:
    """CoViAR, ``_get_test_frame_index``: the centre of every segment, halves to the even item."""
    check_views("coviar", views)
    centres = (num_frames - 1) / sampling.num_frames * (np.arange(sampling.num_frames) + 0.5)
    return np.round(centres).astype(np.int64)[None]  # (1, T)


# I3D: Carreira and Zisserman, CVPR 2017, section 2.4


def i3d_test(num_frames: int, fps: float, sampling: Sampling, *, views: int = 1) -> Indices:
    """I3D: the whole video as one clip, looped where it is shorter than the model's clip.

    # 5 frames, T=8: [[0, 1, 2, 3, 4, 0, 1, 2]]; 300 frames: [[0 ... 299]]
    """
    check_views("i3d", views)
    return fit(np.arange(max(num_frames, sampling.num_frames))[None], num_frames, "loop")  # (1, T)


TEST: Mapping[str, TestRule] = MappingProxyType(
    {
        "pyslowfast": pyslowfast_test,
        "pyslowfast_offset": pyslowfast_offset_test,
        "pyslowfast_ssv2": pyslowfast_ssv2_test,
        "tsn": tsn_test,
        "tsm_twice": tsm_twice_test,
        "tsm_dense": tsm_dense_test,
        "gsm_twice": gsm_twice_test,
        "torchvision": torchvision_test,
        "i3d": i3d_test,
        "coviar": coviar_test,
    }
)
TRAIN: Mapping[str, TrainRule] = MappingProxyType(
    {
        "pyslowfast": pyslowfast_train,
        "pyslowfast_offset": pyslowfast_train,  # the setting is of testing alone
        "pyslowfast_ssv2": pyslowfast_ssv2_train,
        "tsn": tsn_train,
        "tsm_dense": tsm_dense_train,
        "coviar": coviar_train,
    }
)
VIEWS: Mapping[str, int] = MappingProxyType(
    {"pyslowfast_ssv2": 1, "tsn": 1, "tsm_twice": 2, "gsm_twice": 2, "i3d": 1, "coviar": 1}
)
"""Views of the rules that have no other number of them."""


# By name


def choose_clips(
    num_frames: int,
    fps: float,
    sampling: Sampling,
    *,
    views: int = 1,
    timestamps: Seconds | None = None,
) -> Indices:
    """Choose the clips (V, T) a video is tested on, by the rule that its sampling names.

    Parameters
    ----------
    num_frames, fps, sampling, views, timestamps
        As for `zoopraxis.inputs.sampling.sample_test`, which is the rule without a name. The
        others read the mean rate, as the official code does, and no time stamps.

    Raises
    ------
    RecipeError
        No convention has that name, or it has another number of views.
    VideoError
        The video has no frames.
    """
    if not sampling.convention:
        return sample_test(num_frames, fps, sampling, views=views, timestamps=timestamps)
    check_convention(sampling.convention)
    check_frames(num_frames)
    return TEST[sampling.convention](num_frames, fps, sampling, views=views)


def draw_clip(
    num_frames: int,
    fps: float,
    sampling: Sampling,
    *,
    rng: np.random.Generator,
    timestamps: Seconds | None = None,
) -> Indices:
    """Draw the clip (1, T) a video is trained on, by the rule that its sampling names.

    Parameters
    ----------
    num_frames, fps, sampling, rng, timestamps
        As for `zoopraxis.inputs.sampling.sample_train`, which is the rule without a name.

    Raises
    ------
    RecipeError
        No convention has that name, or it has no rule for training.
    VideoError
        The video has no frames.
    """
    if not sampling.convention:
        return sample_train(num_frames, fps, sampling, rng=rng, timestamps=timestamps)
    check_training(sampling.convention)
    check_frames(num_frames)
    return TRAIN[sampling.convention](num_frames, fps, sampling, rng=rng)


def usual_views(convention: str, *, otherwise: int) -> int:
    """Views of a convention that has one number of them, else ``otherwise``."""
    return VIEWS.get(convention, otherwise)


def check_convention(name: str) -> None:
    """Refuse a name that is no convention's; empty is ours."""
    if name and name not in TEST:
        raise RecipeError(
            f"convention must be {', '.join(TEST)} or empty, not {name!r:.40}",
            did_you_mean(name, TEST, otherwise="leave it empty for our own rule"),
        )


def check_views(convention: str, views: int) -> None:
    """Refuse a number of views that a convention does not have."""
    only = VIEWS.get(convention, views)
    if views != only:
        raise RecipeError(
            f"the convention {convention!r} gives {only} view{'s'[: only > 1]} of a video, not "
            f"{views}",
            f"set views to {only}",
        )


def check_training(convention: str) -> None:
    """Refuse a convention that has no rule for training; empty is ours."""
    check_convention(convention)
    if convention and convention not in TRAIN:
        raise RecipeError(
            f"the convention {convention!r} has no rule for training",
            f"set clip.convention to one that has: {', '.join(TRAIN)}; or leave it out",
        )
