"""Reading clips of video files: ours beside torchcodec, decord2, SPDL and OpenCV, codec by codec.

    python benchmarks/reading.py
    python benchmarks/reading.py --rounds 3 --json reading.json VIDEO VIDEO

Without VIDEOs it films ten seconds of the theatre, 340x256 at 30 frames a second, and encodes
them: H.264 as x264's defaults have it (a key frame every 250 frames), with a key frame every 12,
of key frames alone, and HEVC, VP9, AV1 and MPEG-4 by default. Work: a clip of 16 frames, stride 2,
at eight places, resized to 128; and ten clips of it with three crops each, in one pass and view by
view. All take turns, and are held to the same frames (conversions to RGB differ by some grey
levels). Times are processor times with one decoding thread each. Ours opens each file as one that
it never saw; "again" is ours of a file that it knows, as in a second epoch. OpenCV's FFmpeg does
not decode AV1 everywhere: nan.

A peer that is not installed, or does not find FFmpeg, is left out. Prediction, written before the
first run: decoding takes most of the time in all of them, so that files are read equally fast; ours
leaves out the frames that nothing refers to, in H.264 and HEVC with B-frames half of those
between samples: 1.4 times. Ten clips in one pass decode a file once, not from a key frame for each.
"""

import argparse
import importlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import cache, partial
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from zoopraxis import open_video
from zoopraxis.explain.latency import processor_name
from zoopraxis.theatre.film import film
from zoopraxis.video import torchcodec_problem
from zoopraxis.video._pyav import KNOWN

Frames = NDArray[np.uint8]
Read = Callable[[Path, NDArray[np.int64]], Frames]
FPS, SECONDS, SHORT, CLIP, STRIDE, PLACES, CLIPS, CROPS = 30, 10, 128, 16, 2, 8, 10, 3
CODECS = {
    "H.264, long GOP": ("libx264", {}),
    "H.264, GOP 12": ("libx264", {"g": "12"}),
    "H.264, intra": ("libx264", {"g": "1"}),
    "HEVC": ("libx265", {"x265-params": "log-level=none"}),
    "VP9": ("libvpx-vp9", {}),
    "AV1": ("libsvtav1", {"preset": "8"}),
    "MPEG-4": ("mpeg4", {}),
}


class UndecodedError(Exception):
    """A peer does not decode a file."""


def main() -> None:
    """Print a table of times and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("videos", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, dest="place")
    options = parser.parse_args()
    readers: dict[str, Read] = {"ours": _ours, "again": _again, "OpenCV": _opencv}
    for name, peer in {"torchcodec": _torchcodec, "decord2": _decord, "SPDL": _spdl}.items():
        try:
            readers[name] = peer()
        except (ImportError, OSError, RuntimeError) as error:
            print(f"{name} is left out: {str(error).splitlines()[0]}", file=sys.stderr)
    print(processor_name())
    facts: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        files = {path.name: path for path in options.videos} or _encoded(Path(folder))
        print("| file | " + " | ".join(f"{name}, ms" for name in readers), end=" | ")
        print(
            " | ".join(f"over {name}" for name in list(readers)[1:]),
            "| ten clips of three crops at once |",
        )
        print("|---" * (2 * len(readers) + 1) + "|")
        for name, path in files.items():
            facts[name] = _row(path, readers, rounds=options.rounds)
            row = facts[name]
            cells = [f"{row[reader]:.0f}" for reader in readers]
            cells += [f"{row[f'over {reader}']:.2f}" for reader in list(readers)[1:]]
            print("| " + " | ".join([name, *cells, f"{row['at once']:.2f}"]) + " |", flush=True)
    if options.place:
        options.place.write_text(json.dumps(facts, indent=1))


def _row(path: Path, readers: dict[str, Read], *, rounds: int) -> dict[str, float]:
    with open_video(path) as video:
        length = video.num_frames
    span = (CLIP - 1) * STRIDE + 1
    starts = np.linspace(0, length - span, PLACES).astype(np.int64)
    clips = [start + STRIDE * np.arange(CLIP) for start in starts]
    able = {}
    for name, read in readers.items():
        try:
            for clip in clips[:: PLACES // 2]:
                if np.abs(read(path, clip) - _ours(path, clip).astype(float)).mean() > 6:
                    raise SystemExit(f"{path.name}: {name} has other frames at {clip[0]}")
            able[name] = read
        except UndecodedError:
            continue
    times: dict[str, list[float]] = {name: [] for name in able}
    at_once: list[float] = []
    for _ in range(rounds):
        for name, read in able.items():
            times[name].append(sum(_seconds(partial(read, path, clip)) for clip in clips) / PLACES)
        views = np.linspace(0, length - span, CLIPS).astype(np.int64)[:, None]
        many = views + STRIDE * np.arange(CLIP)  # (V, T)
        apart = sum(
            _seconds(partial(_views, path, clip[None], (c,))) for clip in many for c in range(CROPS)
        )
        at_once.append(apart / _seconds(partial(_views, path, many, range(CROPS))))
    row = {}
    for name in readers:
        found = times.get(name, [float("nan")] * rounds)
        row[name] = 1000 * statistics.median(found)
        ratios = [a / b for a, b in zip(found, times["ours"], strict=True)]
        row[f"over {name}"] = statistics.median(ratios)
    return row | {"at once": statistics.median(at_once)}


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _views(path: Path, clips: NDArray[np.int64], crops: Iterable[int]) -> list[Frames]:
    """Read clips (V, T), and cut left (0), centre (1) or right (2) squares of them."""
    frames = _ours(path, clips)  # (V, T, H, W, 3)
    left = (frames.shape[-2] - SHORT) // 2
    return [frames[..., :SHORT, crop * left : crop * left + SHORT, :].copy() for crop in crops]


@cache
def _size(path: Path) -> tuple[int, int]:
    """Height and width at which a file is read."""
    with open_video(path) as video:
        scale = SHORT / min(video.height, video.width)
        return round(video.height * scale), round(video.width * scale)


def _ours(path: Path, indices: NDArray[np.int64]) -> Frames:
    KNOWN.clear()
    return _again(path, indices)


def _again(path: Path, indices: NDArray[np.int64]) -> Frames:
    with open_video(path) as video:
        frames = video.frames_at(indices, resize=SHORT).numpy()
    return np.moveaxis(frames, -3, -1)  # (..., H, W, 3)


def _opencv(path: Path, indices: NDArray[np.int64]) -> Frames:
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    video.set(cv2.CAP_PROP_POS_FRAMES, int(indices[0]))
    frames, at = [], int(indices[0])
    for index in indices:
        while at < index:
            video.grab()
            at += 1
        there, frame = video.read()
        if not there:
            raise UndecodedError
        at += 1
        resized = cv2.resize(frame, _size(path)[::-1])
        frames.append(cv2.cvtColor(resized, cv2.COLOR_BGR2RGB))
    video.release()
    return np.stack(frames).astype(np.uint8)


def _torchcodec() -> Read:
    if problem := torchcodec_problem():
        raise RuntimeError(problem)
    decoders: Any = importlib.import_module("torchcodec.decoders")
    transforms: Any = importlib.import_module("torchcodec.transforms")

    def read(path: Path, indices: NDArray[np.int64]) -> Frames:
        decoder = decoders.VideoDecoder(
            path,
            seek_mode="approximate",
            num_ffmpeg_threads=1,
            transforms=[transforms.Resize(_size(path))],
        )
        frames: Frames = decoder.get_frames_at(indices.tolist()).data.numpy()  # (T, 3, H, W)
        return np.moveaxis(frames, 1, -1)

    return read


def _decord() -> Read:
    decord: Any = importlib.import_module("decord")

    def read(path: Path, indices: NDArray[np.int64]) -> Frames:
        height, width = _size(path)
        try:
            video = decord.VideoReader(str(path), width=width, height=height, num_threads=1)
            frames: Frames = video.get_batch(indices.tolist()).asnumpy()  # (T, H, W, 3)
        except decord.DECORDError as error:
            raise UndecodedError from error
        return frames

    return read


def _spdl() -> Read:
    io: Any = importlib.import_module("spdl.io")
    decoding = io.decode_config(decoder_options={"threads": "1"})

    def read(path: Path, indices: NDArray[np.int64]) -> Frames:
        height, width = _size(path)
        filters = io.get_video_filter_desc(
            scale_width=width, scale_height=height, scale_algo="bilinear", scale_mode=None
        )
        packets = io.demux_video(str(path))
        found = io.sample_decode_video(
            packets, indices.tolist(), decode_config=decoding, filter_desc=filters
        )
        frames: Frames = np.array(io.to_numpy(io.convert_frames(found)))  # (T, H, W, 3)
        return frames

    return read


def _encoded(folder: Path) -> dict[str, Path]:
    """The theatre's films one after the other, encoded in each way."""
    frames = np.concatenate(
        [
            film(action, seed=seed, performer=seed, size=(340, 256)).frames
            for seed, action in enumerate(("walk", "stand_up", "wave", "run", "push", "swim"))
        ]
    )
    frames = np.resize(frames, (FPS * SECONDS, *frames.shape[1:]))
    files = {}
    for name, (codec, options) in CODECS.items():
        files[name] = folder / f"{name.replace(', ', '_').replace(' ', '')}.mp4"
        with av.open(files[name], "w") as out:
            stream: Any = out.add_stream(codec, rate=Fraction(FPS), options=dict(options))
            stream.width, stream.height, stream.pix_fmt = 340, 256, "yuv420p"
            for frame in frames:
                out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            out.mux(stream.encode(None))
    return files


if __name__ == "__main__":
    main()
