"""A campaign of faults: videos damaged in every way we know, and a verdict on each.

    python tests/faults.py --seeds 20 --json faults.json     # every kind of video and of fault
    python tests/faults.py --kind vp9 --fault bits --seed 7  # one again

Each case is read by a process that it may crash, hang or fill. The frames that come are compared
with those of the intact file, and of the one that it was spliced with. A case is

- ``right``: every frame comes as it was;
- ``shorter``: some frames do not come, and the file gives no sign that they ever were there (a
  stream that ends between two packets);
- ``refused``: opening it raises an error of ours that names the file;
- ``partly``: it opens, and reading raises such an error where it is damaged;
- ``unnoticed``: other pixels, and neither the container nor the decoder reports anything. Entropy
  coding has no check sums: a flipped bit of a coefficient is another coefficient;
- ``logged``: other pixels, of which FFmpeg writes something to its log, while it tells its caller
  that all is well (`LOGGED` of all cases at most);

or a failure: a crash, a hang, another exception, an error that does not name the file, memory
beyond `GROWTH`, a loader or a doctor that disagrees, or a right frame that is another one by
itself. Nothing of the second list may happen.
"""

import argparse
import hashlib
import json
import re
import resource
import struct
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import cache, partial
from itertools import islice
from pathlib import Path

import av
import numpy as np

import videos
from zoopraxis.errors import ZoopraxisError
from zoopraxis.video import Video, open_video
from zoopraxis.video._input import MAX_PIXELS
from zoopraxis.workers import Lost, run_isolated

__all__ = [
    "FAULTS",
    "GROWTH",
    "KINDS",
    "LOGGED",
    "Case",
    "Verdict",
    "cases",
    "judge_all",
    "unavailable",
]

# Bytes that reading may add to a process: of the largest frame that is decoded, 8192x8192, the
# decoder of GIF holds two pictures of 4 bytes a pixel, and we the frame and its RGB image.
GROWTH = 20 * MAX_PIXELS  # 1.25 GiB
STATUS = Path("/proc/self/status")
SECONDS = 60.0  # time limit of a case
FRAMES = 2000  # frames that are read in order, of videos that claim millions
RESULTS = ("right", "shorter", "partly", "refused", "unnoticed", "logged")
# Damage that FFmpeg reports to the log of the whole process alone, without an error or a mark: 8 of
# 7,684 cases, one of the 187 with seed 0. They are references of H.264 that are lost between two
# frames, codes of GIF that are no codes, places of elements in Matroska. To listen to the log would
# set its level for everybody in the process, and miss what the threads of a decoder write.
LOGGED = 0.006  # of the cases

# kind -> (suffix, arguments of `videos.write`)
KINDS: dict[str, tuple[str, dict]] = {
    **{
        name: videos.KINDS[name]
        for name in ("h264-b", "h264-open-gop-mkv", "h264-ts", "h264-avi", "h264-raw")
    },
    "h264-flv": ("flv", {"options": videos.X264}),
    **{name: videos.KINDS[name] for name in ("hevc", "hevc-10-bit")},
    "hevc-ts": ("ts", {"codec": "libx265", "options": videos.X265}),
    **{
        name: videos.KINDS[name]
        for name in ("mpeg4-b-mp4", "mpeg4-b-avi", "mpeg2-b-ts", "vp8", "vp9", "av1")
    },
    **{name: videos.KINDS[name] for name in ("mjpeg", "gif")},
}


@dataclass(frozen=True)
class Case:
    """A damaged video: ``file`` is what ``fault`` with ``seed`` made of the ``kind``."""

    kind: str
    fault: str
    seed: int
    file: str
    intact: str  # file of its frames, (T, H, W, 3); none of a bomb
    other: str = ""  # file of the frames of another video, of which a part was put into it

    def __str__(self) -> str:
        return f"--kind {self.kind} --fault '{self.fault}' --seed {self.seed}"


@cache
def unavailable() -> tuple[str, ...]:
    """Those of `KINDS` that this build of FFmpeg cannot encode."""
    return tuple(kind for kind, (_, arguments) in KINDS.items() if not _can_encode(arguments))


def _can_encode(arguments: dict) -> bool:
    try:
        av.codec.Codec(arguments.get("codec", "libx264"), "w")
    except av.codec.codec.UnknownCodecError:
        return False
    return True


# --- faults: (contents, random numbers, another file) -> contents ---------------------------------

Random = np.random.Generator
HEAD = 512  # bytes where most headers stand


def _bits(data: bytes, random: Random, other: bytes) -> bytes:
    """Flip one to eight bits anywhere."""
    bad = bytearray(data)
    for at in random.integers(0, len(data), random.integers(1, 9)):
        bad[at] ^= 1 << int(random.integers(8))
    return bytes(bad)


def _head_bits(data: bytes, random: Random, other: bytes) -> bytes:
    """Flip one to four bits of the header."""
    return _bits(data[:HEAD], random, other) + data[HEAD:]


def _cut(data: bytes, random: Random, other: bytes) -> bytes:
    """Cut off the end."""
    return data[: int(random.integers(1, len(data)))]


def _zeros(data: bytes, random: Random, other: bytes) -> bytes:
    """Zero a range, as a download that left a hole."""
    size = int(random.integers(1, len(data) // 4))
    at = int(random.integers(0, len(data) - size))
    return data[:at] + bytes(size) + data[at + size :]


def _gap(data: bytes, random: Random, other: bytes) -> bytes:
    """Leave out a range."""
    size = int(random.integers(1, len(data) // 4))
    at = int(random.integers(0, len(data) - size))
    return data[:at] + data[at + size :]


def _start(data: bytes, random: Random, other: bytes) -> bytes:
    """Leave out the start, as of a stream that is recorded from somewhere on."""
    return data[int(random.integers(1, len(data))) :]


def _splice(data: bytes, random: Random, other: bytes) -> bytes:
    """Put the head of another container before the body of this one."""
    size = int(random.integers(8, min(len(other), len(data)) // 2))
    return other[:size] + data[size:]


def _tail(data: bytes, random: Random, other: bytes) -> bytes:
    """Put the body of another file after the head of this one."""
    size = int(random.integers(8, min(len(other), len(data))))
    return data[:size] + other[size:]


# Atoms of MP4, by their four letters: bytes from the letters to a field, its struct format, and
# what is written there.
HUGE = 2**31 - 1
FIELDS: dict[str, tuple[bytes, int, str, tuple[int, ...]]] = {
    "matrix": (b"tkhd", 44, ">i", (0, 1, -65536, 46341, HUGE)),
    "width": (b"tkhd", 80, ">I", (0, 1 << 16, 16384 << 16, 2**32 - 1)),
    "sample width": (b"stsd", 44, ">H", (0, 1, 16384, 65535)),
    "sample height": (b"stsd", 46, ">H", (0, 1, 16384, 65535)),
    "edit start": (b"elst", 16, ">i", (-1, 0, 1, 5000, HUGE)),
    "edit duration": (b"elst", 12, ">I", (0, 1, 1000, 2**32 - 1)),
    "edit count": (b"elst", 8, ">I", (0, 2, 2**16, 2**32 - 1)),
    "duration": (b"mvhd", 20, ">I", (0, 1, 2**32 - 1)),
    "time scale": (b"mdhd", 16, ">I", (0, 1, 2**32 - 1)),
    "media duration": (b"mdhd", 20, ">I", (0, 1, 2**32 - 1)),
    "sample count": (b"stsz", 12, ">I", (0, 1, 10**6, 2**32 - 1)),
    "sample size": (b"stsz", 16, ">I", (0, 1, HUGE, 2**32 - 1)),
    "chunk offset": (b"stco", 12, ">I", (0, 1, HUGE, 2**32 - 1)),
    "times count": (b"stts", 8, ">I", (0, 1, 2**24, 2**32 - 1)),
    "times step": (b"stts", 16, ">I", (0, 1, HUGE, 2**32 - 1)),
    "key frames": (b"stss", 8, ">I", (0, 1, 2**16, 2**32 - 1)),
    "order count": (b"ctts", 8, ">I", (0, 1, 2**16, 2**32 - 1)),
    "order offset": (b"ctts", 16, ">I", (0, 1, HUGE, 2**32 - 1)),
    "atom size": (b"", -4, ">I", (0, 1, 7, 9, HUGE, 2**32 - 1)),
}


def _atoms(data: bytes, random: Random, other: bytes) -> bytes:
    """Overwrite a field of an atom of MP4; of another container, a word of its header."""
    letters, offset, form, values = list(FIELDS.values())[random.integers(len(FIELDS))]
    value = values[random.integers(len(values))]
    if not letters:
        found = [name for name, *_ in FIELDS.values() if name and name in data]
        letters = (found or [b""])[random.integers(max(len(found), 1))]
    at = data.find(letters) + offset if letters and letters in data else -1
    if at < 0:
        at = int(random.integers(0, HEAD))
    bad = bytearray(data)
    bad[at : at + struct.calcsize(form)] = struct.pack(form, value)
    return bytes(bad)


def _empty(data: bytes, random: Random, other: bytes) -> bytes:
    """Leave nothing."""
    return b""


def _text(data: bytes, random: Random, other: bytes) -> bytes:
    """Put a text under the name of the video."""
    return b"".join(b"path,label,%d\n" % n for n in random.integers(0, 9, random.integers(1, 500)))


FAULTS: dict[str, Callable[[bytes, Random, bytes], bytes]] = {
    "bits": _bits,
    "head bits": _head_bits,
    "cut": _cut,
    "zeros": _zeros,
    "gap": _gap,
    "splice": _splice,
    "tail": _tail,
    "atoms": _atoms,
    "start": _start,
    "empty": _empty,
    "text": _text,
}
ONCE = {"empty", "text"}  # no seed makes another of them
SPLICED = {"splice", "tail"}  # with another file, whose frames may come as they were


# --- bombs: small files that ask for much ---------------------------------------------------------


def _gif_screen(folder: Path, side: int) -> Path:
    path = videos.write(folder / f"screen_{side}.gif", "gif", pix_fmt="rgb8", frames=3)
    data = bytearray(path.read_bytes())
    data[6:10] = struct.pack("<HH", side, side)
    path.write_bytes(data)
    return path


def _jpeg_frames(folder: Path, side: int) -> Path:
    path = videos.write(folder / f"jpeg_{side}.avi", "mjpeg", pix_fmt="yuvj420p", frames=3)
    data = bytearray(path.read_bytes())
    at = data.find(b"\xff\xc0")
    while at > 0:  # the start of a frame: 2 bytes of length, 1 of bits, height and width
        data[at + 5 : at + 9] = struct.pack(">HH", side, side)
        at = data.find(b"\xff\xc0", at + 1)
    path.write_bytes(data)
    return path


def _png(folder: Path, side: int) -> Path:
    """Write a picture of one grey, which deflates to a thousandth."""
    path = folder / f"grey_{side}.png"
    rows = zlib.compress(bytes(side // 8 + 1) * side)
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
            for name, body in chunks
        )
    )
    return path


def _long(folder: Path, frames: int) -> Path:
    """Write frames of one colour, each a packet of some bytes."""
    path = folder / f"long_{frames}.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=1000, options={"g": "600"})
        stream.width, stream.height, stream.pix_fmt = 16, 16, "yuv420p"
        grey = np.full((16, 16, 3), 128, dtype=np.uint8)
        packets = []
        for _ in range(600):
            packets += stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24"))
        contents = [(bytes(p), p.is_keyframe) for p in (*packets, *stream.encode())]
        for number in range(frames):
            data, key = contents[number % len(contents)]
            packet = av.Packet(data)
            packet.stream, packet.pts, packet.dts = stream, number, number
            packet.time_base, packet.is_keyframe = Fraction(1, 1000), key
            out.mux(packet)
    return path


BOMBS: dict[str, tuple[Callable[[Path, int], Path], int]] = {
    "gif of 65535x65535": (_gif_screen, 65535),
    "gif of 8000x8000": (_gif_screen, 8000),
    "jpeg of 65535x65535": (_jpeg_frames, 65500),
    "jpeg of 16384x16384": (_jpeg_frames, 16384),
    "jpeg of 8000x8000": (_jpeg_frames, 8000),
    "png of 16384x16384": (_png, 16384),
    "png of 8000x8000": (_png, 8000),
    "100,000 frames": (_long, 100_000),
}
LARGE_BOMBS = {"1,000,000 frames": (_long, 1_000_000)}


def bombs(folder: Path, which: dict[str, tuple[Callable[[Path, int], Path], int]]) -> list[Case]:
    """Write small files that ask for much."""
    return [
        Case("bomb", name, size, str(write(folder, size)), "")
        for name, (write, size) in which.items()
    ]


# --- verdicts -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    """What became of a case; ``failures`` is empty if all is as it should be."""

    result: str
    failures: tuple[str, ...] = ()
    error: str = ""
    seconds: float = 0.0
    growth: int = 0  # bytes, since the first case of the process


def cases(
    folder: Path, *, kinds: Sequence[str], faults: Sequence[str], seeds: Sequence[int]
) -> list[Case]:
    """Write damaged videos into a folder."""
    files = {
        kind: videos.write(folder / f"{kind}.{KINDS[kind][0]}", **KINDS[kind][1])
        for kind in KINDS
        if kind not in unavailable()
    }
    frames = {kind: folder / f"{kind}.npy" for kind in files}
    for kind, file in files.items():
        with open_video(file) as video:
            np.save(frames[kind], video.arrays_at(range(len(video))))
    made = []
    for kind in kinds:
        others = [other for other in files if other != kind]
        data = files[kind].read_bytes()
        for number, fault in enumerate(faults):
            for seed in seeds[:1] if fault in ONCE else seeds:
                random = np.random.default_rng([seed, list(FAULTS).index(fault)])
                other = others[random.integers(len(others))]
                file = folder / f"{kind}_{number}_{seed}{files[kind].suffix}"
                file.write_bytes(FAULTS[fault](data, random, files[other].read_bytes()))
                spliced = str(frames[other]) if fault in SPLICED else ""
                made.append(Case(kind, fault, seed, str(file), str(frames[kind]), spliced))
    return made


def judge_all(cases: Sequence[Case], *, workers: int = 1) -> list[Verdict]:
    """Read every case in a process that it may end."""
    verdicts: list[Verdict] = [Verdict("")] * len(cases)
    jobs = [partial(judge, case) for case in cases]
    for number, found in run_isolated(jobs, workers=workers, seconds=SECONDS):
        if isinstance(found, Lost):
            found = Verdict("lost", (found.reason,))
        verdicts[number] = found
    return verdicts


def judge(case: Case) -> Verdict:
    """Read a case in all ways and compare it with the intact frames."""
    before, began = _baseline(), time.process_time()
    _forget_peak()
    av.logging.set_level(av.logging.ERROR)
    with av.logging.Capture(local=False) as reports:
        try:
            result, failures, error = _read(case, reports)
            failures += _load(case, result)
        except Exception as caught:  # the finding of the campaign
            result, failures, error = "other", (f"{type(caught).__name__}: {caught}",), ""
    growth = _peak() - before
    if growth > GROWTH:
        failures = (*failures, f"it took {growth >> 20} MiB")
    return Verdict(result, failures, error, time.process_time() - began, growth)


def _read(case: Case, reports: list) -> tuple[str, tuple[str, ...], str]:
    """Read a video by itself: result, failures, error."""
    try:
        with open_video(case.file, timeout=30) as video:
            if not case.intact:
                video.arrays_at([0, video.num_frames - 1], resize=64)
                return "right", (), ""
            return _compare(video, case, reports)
    except ZoopraxisError as error:
        return "refused", _misnamed(error, case.file), error.problem


def _load(case: Case, result: str) -> tuple[str, ...]:
    """Read a clip as training does with on_bad_video=skip: failures."""
    from zoopraxis.data.dataset import BadVideo, ClipDataset, collate
    from zoopraxis.data.samples import Sample, SampleList
    from zoopraxis.inputs import RGB, ClipSpec, Sampling
    from zoopraxis.inputs.augment import Augment

    sample = Sample(path=case.file, label=0, group="", name="")
    clip = ClipSpec(sampling=Sampling(num_frames=4, stride=2), input=RGB(resize=32, size=24))
    samples = SampleList(samples=(sample,), labels=("a",), root="campaign")
    item = ClipDataset(samples, clip, augment=Augment())[0, 0]
    batch = collate([item])
    if isinstance(item, BadVideo):
        failures = _misnamed(item.error, case.file)
        return failures + (("the loader refused it, the reader did not",) * (result == "right"))
    if result == "refused" or batch.inputs.shape != (1, 3, 4, 24, 24):
        return (f"the loader made {tuple(batch.inputs.shape)} of what the reader {result}",)
    return ()


def _compare(video: Video, case: Case, reports: list) -> tuple[str, tuple[str, ...], str]:
    """Compare frames, in order and by themselves, with the intact ones."""
    intact = np.load(case.intact)
    in_order, error = _in_order(video)
    failures = _misnamed(error, case.file) if error else ()
    places = np.arange(2, video.num_frames, 5)[::-1][:8]
    known = _digests(intact) | (_digests(np.load(case.other)) if case.other else set())
    failures += _depends(video, places, in_order, known, case.file)
    wrong = next((n for n, frame in enumerate(in_order) if _digest(frame) not in known), None)
    if error:
        return "partly", failures, error.problem
    if wrong is None:
        return "right" if len(in_order) == len(intact) else "shorter", failures, ""
    if not reports:
        return "unnoticed", failures, ""
    texts = sorted({text.strip() for _, _, text in reports if "(repeated" not in text})
    return "logged", failures, f"frame {wrong}: {'; '.join(texts[:3])}"


def _in_order(video: Video) -> tuple[list[np.ndarray], ZoopraxisError | None]:
    """Frames (H, W, 3) up to the first that cannot be read."""
    frames: list[np.ndarray] = []
    try:
        for frame in islice(video, FRAMES):
            frames.append(frame.movedim(0, -1).numpy())
    except ZoopraxisError as error:
        return frames, error
    return frames, None


def _depends(
    video: Video, places: np.ndarray, in_order: list[np.ndarray], known: set, file: str
) -> tuple[str, ...]:
    """Whether a frame that is right in order is another one when it is read by itself.

    Wrong ones may differ: a damaged frame can refer to what the decoder holds of earlier ones.
    """
    for place in places.tolist():
        try:
            alone = video.arrays_at(place)
        except ZoopraxisError as error:
            if _misnamed(error, file):
                return _misnamed(error, file)
            continue
        is_right = place < len(in_order) and _digest(in_order[place]) in known
        if is_right and not np.array_equal(alone, in_order[place]):
            return (f"frame {place} by itself is not frame {place} in order",)
    return ()


def _digests(frames: np.ndarray) -> set:
    """Digests of frames (T, H, W, 3), upright and as a display matrix may turn them."""
    return {
        _digest(np.rot90(frame, turn)[:, ::step])
        for frame in frames
        for turn in range(4)
        for step in (1, -1)
    }


def _digest(frame: np.ndarray) -> tuple[tuple[int, ...], bytes]:
    return frame.shape, hashlib.sha256(np.ascontiguousarray(frame).tobytes()).digest()


def _misnamed(error: ZoopraxisError, file: str) -> tuple[str, ...]:
    return () if file in error.problem else (f"the error does not name the file: {error.problem}",)


def _peak() -> int:
    """Most memory, in bytes, that this process has had since `_forget_peak`, or at all."""
    if STATUS.exists():
        found = re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text())
        return int(found[1]) * 1024 if found else 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _forget_peak() -> None:
    with suppress(OSError):  # Linux has it
        (STATUS.parent / "clear_refs").write_text("5")


@cache
def _baseline() -> int:
    import zoopraxis.data.dataset
    import zoopraxis.inputs.augment  # noqa: F401 - before the first case, not in it

    return _peak()


# --- command --------------------------------------------------------------------------------------


def main() -> None:
    """Run a campaign and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kind", action="append", choices=list(KINDS))
    parser.add_argument("--fault", action="append", choices=list(FAULTS))
    parser.add_argument("--seed", type=int, action="append", help="these seeds")
    parser.add_argument("--seeds", type=int, default=3, help="seeds 0 to N-1")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--bombs", action="store_true", help="small files that ask for much, too")
    parser.add_argument("--keep", type=Path, help="folder for the damaged files")
    parser.add_argument("--json", type=Path, dest="place")
    options = parser.parse_args()
    kinds = [kind for kind in options.kind or KINDS if kind not in unavailable()]
    print(f"not encoded by this FFmpeg: {', '.join(unavailable()) or 'none'}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        tried = cases(
            folder,
            kinds=kinds,
            faults=options.fault or list(FAULTS),
            seeds=options.seed or range(options.seeds),
        )
        if options.bombs:
            tried += bombs(folder, BOMBS | LARGE_BOMBS)
        verdicts = judge_all(tried, workers=options.workers)
    for group in ("kind", "fault"):
        print_table(group, tried, verdicts)
    print(f"slowest: {max(v.seconds for v in verdicts):.2f} s of processor time;", end=" ")
    print(f"largest growth: {max(v.growth for v in verdicts) >> 20} MiB")
    print(report(tried, verdicts))
    if options.place:
        rows = [asdict(c) | asdict(v) for c, v in zip(tried, verdicts, strict=True)]
        options.place.write_text(json.dumps(rows, indent=1))
    sys.exit(any(verdict.failures for verdict in verdicts))


def report(tried: Sequence[Case], verdicts: Sequence[Verdict]) -> str:
    """Lines of all failures, with the arguments that make each case again."""
    return "\n".join(
        f"FAILURE {case}: {failure}"
        for case, verdict in zip(tried, verdicts, strict=True)
        for failure in verdict.failures
    )


def print_table(group: str, tried: Sequence[Case], verdicts: Sequence[Verdict]) -> None:
    """Count verdicts by kind of video or by fault."""
    counts: dict[str, Counter[str]] = {}
    for case, verdict in zip(tried, verdicts, strict=True):
        result = "failed" if verdict.failures else verdict.result
        counts.setdefault(getattr(case, group), Counter())[result] += 1
    columns = [*RESULTS, "failed"]
    print(f"| {group} | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for name, found in counts.items():
        print(f"| {name} | " + " | ".join(str(found[c]) for c in columns) + " |")


if __name__ == "__main__":
    main()
