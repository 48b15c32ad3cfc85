"""Check this machine: versions, decoders, CUDA and speed, each with advice."""

import math
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

import av
import numpy as np
import torch

from zoopraxis.engine.fast_forms import in_fast_forms
from zoopraxis.errors import VideoError
from zoopraxis.video import Video, open_video, torchcodec_problem

__all__ = ["Finding", "examine"]

# a requirement as the package's own metadata has it: name, and the extra that it is of
REQUIREMENT = re.compile(r"""([\w.-]+)[^;]*(?:;.*\bextra\s*==\s*["']([\w-]+)["'])?""")
INSTEAD = {"opencv-contrib-python-headless": "opencv-contrib-python"}  # either is enough
CODECS = ("h264", "hevc", "libdav1d", "vp9", "mpeg4", "mpeg2video", "gif")


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Parameters
    ----------
    name : str
        What was checked.
    status : {"ok", "warn", "fail"}
        Fail: zoopraxis does not work. Warn: it works, but slower or without an option.
    value : str
        What was found.
    advice : str, default=""
        What to do about it.
    """

    name: str
    status: Literal["ok", "warn", "fail"]
    value: str
    advice: str = ""


def examine(*, step: Callable[[str], None] = lambda _: None) -> list[Finding]:
    """Run every check on this machine.

    Parameters
    ----------
    step : callable, optional
        Called with the name of each check before it starts.

    Returns
    -------
    list of Finding
        Findings in a fixed order.
    """
    findings: list[Finding] = []
    for name, check in CHECKS.items():
        step(name)
        findings += check()
    return findings


def _python() -> list[Finding]:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if (3, 11) <= tuple(map(int, platform.python_version_tuple()[:2])) < (3, 14):
        return [Finding("python", "ok", found)]
    return [Finding("python", "warn", found, "zoopraxis is tested on Python 3.11 to 3.13")]


def _packages() -> list[Finding]:
    """Look for what the package requires, and for what each of its extras does."""
    needed: dict[str, list[str]] = {}  # by extra
    for text in metadata.requires("zoopraxis") or ():
        if found := REQUIREMENT.match(text):
            needed.setdefault(found[2] or "", []).append(found[1])
    extras = {extra: names for extra, names in needed.items() if extra not in ("", "dev")}
    return [*map(_required, needed.get("", ())), *_extras(extras)]


def _required(name: str) -> Finding:
    version = _version(name) or (_version(INSTEAD[name]) if name in INSTEAD else None)
    if version is None:
        return Finding(name, "fail", "not installed", f"pip install {name}")
    return Finding(name, "ok", version)


def _extras(extras: Mapping[str, Sequence[str]]) -> list[Finding]:
    lacking = [extra for extra, names in extras.items() if not all(map(_version, names))]
    there = [extra for extra in extras if extra not in lacking]
    found = [Finding("extras", "ok", ", ".join(there) or "none installed")]
    if lacking:
        advice = f"to use one: pip install 'zoopraxis[{lacking[0]}]'"
        found.append(Finding("extras not installed", "ok", ", ".join(lacking), advice))
    return found


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _ffmpeg() -> list[Finding]:
    version = av.ffmpeg_version_info
    missing = [name for name in CODECS if not _can_decode(name)]
    if missing:
        advice = "install PyAV's own wheel: pip install --force-reinstall --only-binary av av"
        bundled = Finding("FFmpeg in PyAV", "fail", f"{version}, without {missing}", advice)
    else:
        bundled = Finding("FFmpeg in PyAV", "ok", f"{version}, with {', '.join(CODECS)}")
    program = shutil.which("ffmpeg")
    if program:
        return [bundled, Finding("ffmpeg program", "ok", program)]
    advice = "not required; to convert or repair files: apt-get install ffmpeg"
    return [bundled, Finding("ffmpeg program", "ok", "not found", advice)]


def _can_decode(codec: str) -> bool:
    try:
        av.Codec(codec, "r")
    except av.codec.codec.UnknownCodecError:
        return False
    return True


def _decoders() -> list[Finding]:
    """Encode a clip, decode it with each backend, and compare."""
    with tempfile.TemporaryDirectory() as folder:
        path = _write_clip(Path(folder) / "clip.mp4")
        try:
            with open_video(path, decoder="pyav") as video:
                ours, value = _decode_shuffled(video), f"{video.num_frames} frames of {video.codec}"
        except VideoError as error:
            return [
                Finding("decoder pyav", "fail", error.problem, "reinstall PyAV: pip install av")
            ]
        # Every frame of the clip is brighter than the one before.
        disorder = (ours.float().mean(dim=(1, 2, 3)).diff() <= 0).sum().item()
        if disorder or len(ours) != CLIP_FRAMES:
            return [Finding("decoder pyav", "fail", "frames out of order", "reinstall PyAV")]
        return [Finding("decoder pyav", "ok", value), _torchcodec(path, ours)]


def _torchcodec(path: Path, ours: torch.Tensor) -> Finding:
    name = "decoder torchcodec"
    problem = torchcodec_problem()
    if problem:
        advice = (
            "PyAV decodes everything without it. To use it: pip install 'zoopraxis[torchcodec]', "
            "with FFmpeg's shared libraries (apt-get install ffmpeg) and a torchcodec version "
            "that matches this torch"
        )
        return Finding(name, "warn", problem, advice)
    try:
        with open_video(path, decoder="torchcodec") as video:
            worst = (_decode_shuffled(video).int() - ours.int()).abs().max().item()
    except VideoError as error:
        return Finding(name, "warn", error.problem, "use decoder='pyav'")
    if worst > 2:
        advice = "use decoder='pyav', and the same decoder throughout an experiment"
        return Finding(name, "warn", f"pixels differ from pyav's by up to {worst}", advice)
    return Finding(name, "ok", f"agrees with pyav within {worst}/255")


CLIP_FRAMES = 48


def _write_clip(path: Path) -> Path:
    """Write H.264 with B-frames that get brighter from frame to frame, which shows their order."""
    y, x = np.mgrid[:96, :128]
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.options = {"bf": "3", "g": "12", "crf": "10"}
        for i in range(CLIP_FRAMES):
            image = np.stack([x, y, (x + y) // 2], axis=-1) // 2 + 3 * i
            frame = av.VideoFrame.from_ndarray(image.astype(np.uint8), format="rgb24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def _decode_shuffled(video: Video) -> torch.Tensor:
    """Decode all frames in random order, which seeks; return them in order, (N, 3, H, W)."""
    order = np.random.default_rng(0).permutation(video.num_frames)
    parts = [video.frames_at(part) for part in np.array_split(order, 4)]
    return torch.cat(parts)[np.argsort(order)]


def _cuda() -> list[Finding]:
    if torch.cuda.is_available():
        gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        return [Finding("CUDA", "ok", f"{torch.version.cuda}: {', '.join(gpus)}")]
    if torch.version.cuda is None:
        advice = "this torch is built for the CPU; with an NVIDIA GPU, install torch for CUDA"
    else:
        advice = "no usable NVIDIA GPU or driver (see nvidia-smi): training will use the CPU"
    return [Finding("CUDA", "warn", "not available", advice)]


def _threads() -> list[Finding]:
    # A container may allow fewer cores than the machine has; only Linux reports it.
    limited = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if limited else os.cpu_count() or 1
    threads = torch.get_num_threads()
    value = f"{threads} on {cores} usable cores"
    if threads > cores:
        return [Finding("threads", "warn", value, f"export OMP_NUM_THREADS={cores}")]
    if threads < cores:
        advice = f"for a single process: export OMP_NUM_THREADS={cores}"
        return [Finding("threads", "ok", value, advice)]
    return [Finding("threads", "ok", value)]


def _convolution() -> list[Finding]:
    """Compare the throughput of a 3D convolution with that of a matrix product."""
    video = torch.randn(1, 64, 8, 56, 56)
    convolution = torch.nn.Conv3d(64, 64, 3, padding=1, bias=False)
    multiply_adds = 64 * 64 * 27 * 8 * 56 * 56
    left, right = torch.randn(1024, 1024), torch.randn(1024, 1024)
    with torch.inference_mode():
        conv = 2e-9 * multiply_adds / _seconds(lambda: convolution(video))
        product = 2e-9 * 1024**3 / _seconds(lambda: left @ right)
    value = f"{conv:.0f} GFLOP/s; matrix product {product:.0f} GFLOP/s"
    if conv < 0.25 * product:
        advice = (
            "oneDNN may be missing (torch.backends.mkldnn.is_available()) or the machine busy; "
            "install torch from its official wheels"
        )
        return [Finding("3D convolution", "warn", value, advice)]
    return [Finding("3D convolution", "ok", value)]


def _bfloat16_gradients() -> list[Finding]:
    """Compare bfloat16 weight gradients of short clips with float32, in the form of training.

    PyTorch's own are wrong on some CPUs (`zoopraxis.engine.fast_forms`); training mends those.
    """
    name = "bfloat16 gradients"
    kernels = ((3, 1, 1), (3, 3, 3))
    worst = max(_gradient_error(kernel) for kernel in kernels for _ in range(10))
    if worst < 0.05:
        return [Finding(name, "ok", f"within {worst:.0e} of float32")]
    advice = "on the CPU, train with train.precision=32, the default"
    return [Finding(name, "warn", "incorrect for clips of two frames", advice)]


def _gradient_error(kernel: tuple[int, int, int]) -> float:
    """Relative error of a bfloat16 convolution's weight gradient; inf if it is not finite."""
    padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
    full = torch.nn.Conv3d(64, 64, kernel, padding=padding, bias=False)
    half = in_fast_forms(torch.nn.Sequential(full)).bfloat16()
    clip = torch.randn(8, 64, 2, 7, 7)
    upstream = torch.randn_like(full(clip))
    full(clip).backward(upstream)
    half(clip.bfloat16()).backward(upstream.bfloat16())
    (actual,) = (parameter.grad for parameter in half.parameters())
    expected = full.weight.grad
    assert expected is not None  # noqa: S101 - for the type checker
    assert actual is not None  # noqa: S101
    error = float((actual.float() - expected).norm() / expected.norm())
    return error if math.isfinite(error) else math.inf


def _seconds(work: Callable[[], object]) -> float:
    """Best time of five runs, after one warm-up run."""
    work()
    times = []
    for _ in range(5):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


CHECKS = {
    "python": _python,
    "packages": _packages,
    "FFmpeg": _ffmpeg,
    "decoders": _decoders,
    "CUDA": _cuda,
    "threads": _threads,
    "3D convolution": _convolution,
    "bfloat16": _bfloat16_gradients,
}
