"""A campaign of faults: videos damaged in every way we know, and a verdict on each.

    python tests/faults.py --seeds 20 --json faults.json     # every kind of video and of fault
    python tests/faults.py --kind vp9 --fault bits --seed 7  # one again

Each case is read in a process of its own turn, which it may crash, hang or fill. The frames that
come are compared with those of the intact file. A case is

- ``right``: every frame comes as it was;
- ``shorter``: some frames do not come, and the file gives no sign that they ever were there (a
  stream that ends between two packets);
- ``refused``: opening it raises an error of ours that names the file;
- ``partly``: it opens, and reading raises such an error where it is damaged;
- ``unnoticed``: other pixels, and neither the container nor the decoder reports anything. Entropy
  coding has no check sums: a flipped bit of a coefficient is another coefficient;
- ``logged``: other pixels, of which FFmpeg writes one of `ONLY_LOGGED` to its log, while it tells
  its caller that all is well;

or a failure: a crash, a hang, another exception, an error that does not name the file, memory
beyond `GROWTH`, a frame that depends on what was read before it, or wrong pixels handed out though
the decoder reported damage. Nothing of the second list may happen.
"""

import argparse
import hashlib
import json
import resource
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from itertools import islice
from pathlib import Path

import av
import numpy as np

import videos
from zoopraxis.errors import ZoopraxisError
from zoopraxis.video import Video, open_video
from zoopraxis.workers import Lost, run_isolated

__all__ = ["FAULTS", "GROWTH", "KINDS", "Case", "Verdict", "cases", "judge_all", "unavailable"]

GROWTH = 2**30  # bytes that reading may add to a process
SECONDS = 60.0  # time limit of a case
FRAMES = 2000  # frames that are read in order, of videos that claim millions
RESULTS = ("right", "shorter", "partly", "refused", "unnoticed", "logged")
# Damage that a decoder of FFmpeg reports to the log of the whole process alone: no error, and no
# mark on the frame. What else it logs while frames are wrong is a failure.
ONLY_LOGGED = {
    "LZW decode failed",  # gif
    "Could not find ref with POC",  # hevc: a frame that was lost is replaced by a grey one
    "co located POCs unavailable",  # h264
}

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


# --- verdicts -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A damaged video: ``file`` is what ``fault`` with ``seed`` made of the ``kind``."""

    kind: str
    fault: str
    seed: int
    file: str
    intact: str  # its frames, (T, H, W, 3)

    def __str__(self) -> str:
        return f"--kind {self.kind} --fault '{self.fault}' --seed {self.seed}"


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
    files = {kind: videos.write(folder / f"{kind}.{KINDS[kind][0]}", **KINDS[kind][1])
             for kind in KINDS if kind not in unavailable()}
    made = []
    for kind in kinds:
        others = [other for other in files if other != kind]
        data, intact = files[kind].read_bytes(), folder / f"{kind}.npy"
        with open_video(files[kind]) as video:
            np.save(intact, video.arrays_at(range(len(video))))
        for number, fault in enumerate(faults):
            for seed in seeds[:1] if fault in ONCE else seeds:
                random = np.random.default_rng([seed, list(FAULTS).index(fault)])
                other = files[others[random.integers(len(others))]].read_bytes()
                file = folder / f"{kind}_{number}_{seed}{files[kind].suffix}"
                file.write_bytes(FAULTS[fault](data, random, other))
                made.append(Case(kind, fault, seed, str(file), str(intact)))
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
    av.logging.set_level(av.logging.ERROR)
    with av.logging.Capture(local=False) as reports:
        try:
            result, failures, error = _read(case, reports)
        except ZoopraxisError as caught:
            result, failures, error = "refused", _misnamed(caught, case.file), caught.problem
        except Exception as caught:  # noqa: BLE001 - the finding of the campaign
            result, failures, error = "other", (f"{type(caught).__name__}: {caught}",), ""
    growth = _peak() - before
    if growth > GROWTH:
        failures = (*failures, f"it took {growth >> 20} MiB")
    return Verdict(result, failures, error, time.process_time() - began, growth)


def _read(case: Case, reports: list) -> tuple[str, tuple[str, ...], str]:
    intact = np.load(case.intact)
    with open_video(case.file, timeout=30) as video:
        in_order, error = _in_order(video)
        failures = _misnamed(error, case.file) if error else ()
        places = np.arange(2, video.num_frames, 5)[::-1][:8]
        known = _digests(intact)
        failures += _depends(video, places, in_order, known, case.file)
        wrong = next((n for n, frame in enumerate(in_order) if _digest(frame) not in known), None)
        if error:
            result = "partly"
        elif wrong is not None:
            result = "logged" if reports else "unnoticed"
        else:
            result = "right" if len(in_order) == len(intact) else "shorter"
        texts = sorted({text.strip() for _, _, text in reports if "(repeated" not in text})
        if result == "logged" and not any(known in text for text in texts for known in ONLY_LOGGED):
            failures += (f"frame {wrong} is wrong, and FFmpeg said: {'; '.join(texts[:3])}",)
    return result, failures, error.problem if error else ""


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
        if place < len(in_order) and _digest(in_order[place]) in known:
            if not np.array_equal(alone, in_order[place]):
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
    """Most memory that this process has had, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


@cache
def _baseline() -> int:
    import torch  # noqa: F401 - before the first case, not in it

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
        verdicts = judge_all(tried, workers=options.workers)
    for group in ("kind", "fault"):
        print_table(group, tried, verdicts)
    print(f"slowest: {max(v.seconds for v in verdicts):.2f} s of processor time;", end=" ")
    print(f"largest growth: {max(v.growth for v in verdicts) >> 20} MiB")
    for case, verdict in zip(tried, verdicts, strict=True):
        for failure in verdict.failures:
            print(f"FAILURE {case}: {failure}")
    if options.place:
        rows = [asdict(c) | asdict(v) for c, v in zip(tried, verdicts, strict=True)]
        options.place.write_text(json.dumps(rows, indent=1))
    sys.exit(any(verdict.failures for verdict in verdicts))


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
