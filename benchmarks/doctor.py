"""What ``zoopraxis data doctor`` costs beside bare decoding, and how well it foretells resizing.

    python benchmarks/doctor.py
    python benchmarks/doctor.py --rounds 5 FOLDER

Without FOLDER it films the theatre, and gives each film twenty names: the work of a round must be
long beside the start of its processes. Two processes examine the videos, at ``--read sampled`` and
without what is kept from before; two others decode the same 8 frames of each with PyAV: seek to the
key frame before, decode up to the frame, convert it to RGB. They take turns. Printed are videos a
second of wall-clock time and the ratio of processor times, bare decoding over ours: 0.85 is the
bar. Processor times are of the processes and their children, less those of processes that do
nothing but start.

Then a few videos are resized to 256 pixels, with a key frame every 12 frames, and the estimate of
their reading time is held beside the measured one.
"""

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import av
import numpy as np

from zoopraxis import open_video
from zoopraxis.data.doctor import GOP, SHORT, epoch_cost
from zoopraxis.data.examine import STILLS, Examined, examine_videos, find_videos
from zoopraxis.data.resize import resize_videos
from zoopraxis.theatre import make_theatre
from zoopraxis.video import Encoding
from zoopraxis.workers import run_jobs

WORKERS, RESIZED, NAMES = 2, 8, 20


def main() -> None:
    """Print the ratio of the times, and the estimate beside the measurement."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clips", type=int, default=8, help="of each action of the theatre")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = options.folder
        if folder is None:
            folder = Path(name) / "theatre"
            make_theatre(folder, clips_per_class=options.clips, workers=WORKERS)
            for path in find_videos(folder):
                for copy in range(1, NAMES):
                    Path(f"{path[:-4]}_{copy}.mp4").hardlink_to(path)
        paths = find_videos(folder)
        examined = _pace(paths, rounds=options.rounds)
        _foretell([one for one in examined if not one.problem], Path(name))


def _pace(paths: Sequence[str], *, rounds: int) -> list[Examined]:
    """Take turns, and print the ratio."""
    jobs = [partial(_bare, path) for path in paths]
    ratios, ours, theirs = [], [], []
    for _ in range(rounds):
        idle = _cost(lambda: list(run_jobs([_start, _start], workers=WORKERS)))
        bare = _cost(lambda: list(run_jobs(jobs, workers=WORKERS)))
        doctor = _cost(lambda: examine_videos(paths, workers=WORKERS))
        ratios.append((bare[0] - idle[0]) / (doctor[0] - idle[0]))
        ours.append(len(paths) / doctor[1])
        theirs.append(len(paths) / bare[1])
    print(f"{len(paths)} videos, {rounds} rounds of {WORKERS} processes")
    print(f"doctor: {statistics.median(ours):.1f} videos/s; bare: {statistics.median(theirs):.1f}")
    print(f"ratio: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    return examine_videos(paths, workers=WORKERS)


def _cost(work: Callable[[], object]) -> tuple[float, float]:
    """Processor and wall-clock seconds of work, here and in processes that have ended."""
    began, before = time.perf_counter(), _processor()
    work()
    return _processor() - before, time.perf_counter() - began


def _processor() -> float:
    spent = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in spent)


def _start() -> None:
    """Load what reading a video loads."""
    open_video(np.zeros((1, 3, 16, 16), np.uint8)).frames_at([0])


def _bare(path: str) -> int:
    """Decode 8 frames spread over a video with PyAV alone; return their number."""
    with av.open(path) as container:
        stream = container.streams.video[0]
        shown = {p.pts: p.is_keyframe for p in container.demux(stream) if p.pts is not None}
        times = sorted(shown)
        keys = np.array([pts for pts in times if shown[pts]])
        wanted = [times[k] for k in np.linspace(0, len(times) - 1, STILLS).round().astype(int)]
        here, done, frames = -1, 0, None
        for pts in wanted:
            key = keys[max(int(np.searchsorted(keys, pts, side="right")) - 1, 0)]
            if frames is None or key > here:
                container.seek(int(key), stream=stream)
                frames = container.decode(stream)
            for frame in frames:
                here = frame.pts if frame.pts is not None else here
                if here >= pts:
                    frame.to_ndarray(format="rgb24")
                    done += 1
                    break
    return done


def _foretell(examined: Sequence[Examined], folder: Path) -> None:
    """Resize a few videos, and print the estimated and the measured ratio of reading times."""
    timed = [one for one in examined if one.clip_seconds][:RESIZED]
    places = [folder / str(k) for k in range(len(timed))]
    encoding = Encoding(short=SHORT, gop=GOP)
    done = resize_videos([one.path for one in timed], places, encoding=encoding, workers=WORKERS)
    copies = [one.file for one in done]
    before = epoch_cost(timed, clips=1, workers=1)
    after = epoch_cost(examine_videos(copies, workers=WORKERS), clips=1, workers=1)
    print(
        f"reading a clip, resized over as it is: estimated {before.resized / before.minutes:.2f}, "
        f"measured {after.minutes / before.minutes:.2f} ({len(timed)} videos)"
    )


if __name__ == "__main__":
    main()
