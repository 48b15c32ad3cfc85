"""Small videos of every difficult kind, with a number drawn into each frame.

The upper half of a frame is a row of eight blocks: its index in binary, white for 1. It survives
any codec, and cannot be read upside down or sideways.

    # frame 5: black black black black  black white black white
"""

import math
import os
import struct
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import torch

HEIGHT, WIDTH, BITS = 48, 64, 8
BLOCK = WIDTH // BITS


def numbered_frame(number: int) -> np.ndarray:
    """RGB frame (48, 64, 3) with a number in the upper half and moving colours below."""
    bits = [(number >> (BITS - 1 - i)) & 1 for i in range(BITS)]
    row = np.repeat(np.array(bits, dtype=np.uint8) * 215 + 20, BLOCK)  # (W,)
    image = np.empty((HEIGHT, WIDTH, 3), dtype=np.uint8)
    image[: HEIGHT // 2] = row[None, :, None]
    y, x = np.mgrid[: HEIGHT // 2, :WIDTH]
    image[HEIGHT // 2 :, :, 0] = 4 * ((x + number) % 64)
    image[HEIGHT // 2 :, :, 1] = 10 * y
    image[HEIGHT // 2 :, :, 2] = 40 + 160 * ((x // 16 + number // 4) % 2)
    return image


def numbers_of(frames: torch.Tensor) -> list[int]:
    """Read the numbers drawn into frames (N, 3, H, W), which may have been resized."""
    height, width = frames.shape[-2:]
    block = width / BITS
    centres = [int((i + 0.5) * block) for i in range(BITS)]
    rows = frames[:, :, height // 8 : height // 4].float().mean(dim=(1, 2))  # (N, W)
    bits = (rows[:, centres] > 128).long()
    return (bits * 2 ** torch.arange(BITS - 1, -1, -1)).sum(dim=1).tolist()


def write(
    path: Path,
    codec: str = "libx264",
    *,
    frames: int = 40,
    rate: int = 25,
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    container: dict[str, str] | None = None,
    times: Iterable[int] | None = None,
    rotation: int = 0,
    audio: bool = False,
    keep: Callable[[av.Packet], bool] = lambda packet: True,
    shift: int = 0,
) -> Path:
    """Encode `numbered_frame` 0, 1, 2 ... into a file whose suffix selects the container.

    Parameters
    ----------
    times : iterable of int, optional
        Presentation times in ms. The default is one frame every 1/rate s.
    rotation : {0, 90, 180, 270}
        Degrees clockwise by which a player must rotate the stored frames.
    keep : callable
        Whether to write a packet.
    shift : int
        Milliseconds subtracted from the times of every packet: frames before 0 end up outside
        the edit list of an MP4.
    """
    os.environ.setdefault("SVT_LOG", "0")  # SVT-AV1 prints a page per file otherwise
    with av.open(str(path), "w", options=container or {}) as out:
        stream = out.add_stream(codec, rate=rate)
        stored = np.rot90(numbered_frame(0), rotation // 90)  # counterclockwise
        stream.height, stream.width = stored.shape[:2]
        stream.pix_fmt = pix_fmt
        stream.options = options or {}
        stream.codec_context.thread_count = 1
        if rotation:
            stream.set_display_rotation(-rotation)  # counterclockwise, too
        if times is not None or shift:
            stream.codec_context.time_base = Fraction(1, 1000)
        audio_stream = out.add_stream("aac", rate=16000) if audio else None
        pts = None if times is None else list(times)
        for number in range(frames):
            image = np.ascontiguousarray(np.rot90(numbered_frame(number), rotation // 90))
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pix_fmt)
            if pts is not None:
                frame.pts, frame.time_base = pts[number], Fraction(1, 1000)
            _mux(out, stream.encode(frame), keep, shift)
        _mux(out, stream.encode(), keep, shift)
        if audio_stream is not None:
            _write_tone(out, audio_stream, seconds=frames / rate)
    return path


def _mux(
    out: av.container.OutputContainer,
    packets: list[av.Packet],
    keep: Callable[[av.Packet], bool],
    shift: int,
) -> None:
    for packet in packets:
        if shift:
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
        if keep(packet):
            out.mux(packet)


def _write_tone(
    out: av.container.OutputContainer, stream: av.AudioStream, *, seconds: float
) -> None:
    for start in range(0, int(16000 * seconds), 1024):
        wave = np.sin(np.arange(start, start + 1024) / 12).astype(np.float32)[None]
        sound = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
        sound.sample_rate, sound.pts = 16000, start
        out.mux(stream.encode(sound))
    out.mux(stream.encode(None))


def write_sound(path: Path) -> Path:
    """Write a file with audio only."""
    with av.open(str(path), "w") as out:
        _write_tone(out, out.add_stream("aac", rate=16000), seconds=1)
    return path


# A key frame every 12 frames, always 3 B-frames between references: I B B B P B B B P ...
X264 = {
    "preset": "ultrafast",
    "x264-params": "bframes=3:b-adapt=0:keyint=12:min-keyint=12:scenecut=0",
}
OPEN_GOP = {**X264, "x264-params": X264["x264-params"] + ":open-gop=1:b-pyramid=normal"}
X265 = {
    "x265-params": "log-level=none:keyint=12:min-keyint=12:bframes=3:pools=1",
    "preset": "ultrafast",
}
# Pictures of a lower layer may be marked as referenced by none of theirs, and be by higher ones.
LAYERED = {"x265-params": f"{X265['x265-params']}:temporal-layers=3", "preset": "ultrafast"}
UNEVEN = [0, 10, 50, 51, 120, 200, 210, 330, 340, 341, *range(400, 4000, 70)]

# kind -> (suffix, arguments of `write`). All present the frames 0, 1, 2 ... in order.
KINDS: dict[str, tuple[str, dict]] = {
    "h264-b": ("mp4", {"options": X264}),
    "h264-open-gop": ("mp4", {"options": OPEN_GOP}),
    "h264-open-gop-mkv": ("mkv", {"options": OPEN_GOP}),
    "h264-variable-rate": ("mp4", {"options": X264, "times": UNEVEN}),
    "h264-variable-rate-mkv": ("mkv", {"options": X264, "times": UNEVEN}),
    "h264-rotated-90": ("mov", {"options": X264, "rotation": 90}),
    "h264-rotated-180": ("mov", {"options": X264, "rotation": 180}),
    "h264-rotated-270": ("mp4", {"options": X264, "rotation": 270}),
    "h264-10-bit": ("mp4", {"options": X264, "pix_fmt": "yuv420p10le"}),
    "h264-444": ("mkv", {"options": X264, "pix_fmt": "yuv444p"}),
    "h264-ts": ("ts", {"options": X264}),
    "h264-avi": ("avi", {"options": X264}),
    "h264-raw": ("h264", {"options": X264}),
    "h264-with-audio": ("mp4", {"options": X264, "audio": True}),
    "h264-one-frame": ("mp4", {"options": X264, "frames": 1}),
    "hevc": ("mp4", {"codec": "libx265", "options": X265}),
    "hevc-10-bit": ("mkv", {"codec": "libx265", "options": X265, "pix_fmt": "yuv420p10le"}),
    "hevc-layers": ("mp4", {"codec": "libx265", "options": LAYERED}),
    "av1": ("mp4", {"codec": "libsvtav1", "frames": 24, "options": {"preset": "10", "g": "12"}}),
    "vp9": ("webm", {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "g": "12"}}),
    "vp8": ("webm", {"codec": "libvpx", "options": {"deadline": "realtime", "g": "12"}}),
    "mpeg4": ("avi", {"codec": "mpeg4", "options": {"g": "12"}}),
    "mpeg4-b-avi": ("avi", {"codec": "mpeg4", "options": {"g": "12", "bf": "2"}}),
    "mpeg4-b-mp4": ("mp4", {"codec": "mpeg4", "options": {"g": "12", "bf": "2"}}),
    "mpeg1-b": ("mpg", {"codec": "mpeg1video", "options": {"g": "12", "bf": "2"}}),
    "mpeg2-b-ts": ("ts", {"codec": "mpeg2video", "options": {"g": "12", "bf": "2"}}),
    "mjpeg": ("avi", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
    "gif": ("gif", {"codec": "gif", "pix_fmt": "rgb8"}),
}


def make(folder: Path, kind: str) -> Path:
    """Write one of `KINDS`."""
    suffix, arguments = KINDS[kind]
    return write(folder / f"{kind}.{suffix}", **arguments)


ONE = 65536  # 1.0 in the fixed-point numbers of a display matrix


def turn(degrees: float, mirrored: bool = False, error: int = 0) -> list[int]:
    """Linear part a b c d of a display matrix: a turn clockwise, then a mirroring left to right.

    ``error`` is added to each number, as rounding does.
    """
    cos, sin = (round(f(math.radians(degrees)) * ONE) for f in (math.cos, math.sin))
    a, b, c, d = cos, sin, -sin, cos
    return [v + error for v in ((-a, b, -c, d) if mirrored else (a, b, c, d))]


def with_matrix(path: Path, out: Path, linear: list[int]) -> Path:
    """Copy an MP4 file, with another display matrix in its track header."""
    a, b, c, d = linear
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    out.write_bytes(data)
    return out


def ffmpeg() -> str:
    """Path of an ffmpeg, which shows what others see, and runs the commands that we print."""
    return str(imageio_ffmpeg.get_ffmpeg_exe())


def environment_for_torchcodec(folder: Path) -> dict[str, str]:
    """Environment variables with which torchcodec finds the FFmpeg bundled with PyAV.

    torchcodec looks for libavcodec.so.62, which is libavcodec-5e6b81c2.so.62.28.102 in PyAV's
    Linux wheel. On other platforms the machine needs an FFmpeg of its own.
    """
    bundled = Path(av.__file__).parents[1] / "av.libs"
    for library in bundled.glob("lib*-*.so.*"):
        stem, _, version = library.name.partition(".so.")
        link = folder / f"{stem.rsplit('-', 1)[0]}.so.{version.split('.')[0]}"
        if stem.startswith(("libav", "libsw")):
            link.symlink_to(library)
    paths = [str(folder), str(bundled), os.environ.get("LD_LIBRARY_PATH", "")]
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(filter(None, paths))}


def write_frames(path: Path, frames: np.ndarray) -> None:
    """Write uint8 frames (T, H, W, 3) as H.264."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"preset": "ultrafast"})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
