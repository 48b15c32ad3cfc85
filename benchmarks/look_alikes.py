"""How far copies of a video are from it, and other videos, by their perceptual hashes and motion.

    python benchmarks/look_alikes.py
    python benchmarks/look_alikes.py VIDEO VIDEO ...

Copies are 128 pixels high and strongly compressed (H.264, crf 40). Without VIDEOs they are of films
of the theatre, in which four actions are each other reversed, in the same scene.
"""

import argparse
import itertools
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from zoopraxis import open_video
from zoopraxis.data.duplicates import look_alikes
from zoopraxis.data.examine import Looks, examine_videos
from zoopraxis.theatre import make_theatre


def main() -> None:
    """Print the distances of copies, and of other videos."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("videos", nargs="*", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        videos = options.videos
        if not videos:
            make_theatre(folder / "theatre", clips_per_class=2, workers=1)
            videos = sorted((folder / "theatre").rglob("*.mp4"))
        copies = [folder / f"{number:04d}.mp4" for number in range(len(videos))]
        for video, copy in zip(videos, copies, strict=True):
            _compress(video, copy)
        examined = examine_videos([str(path) for path in (*videos, *copies)], workers=1)
    looks = [one.looks() for one in examined]
    count = len(videos)
    same = [_bits(looks[k], looks[count + k]) for k in range(count)]
    pairs = list(itertools.combinations(range(count), 2))
    other = [_bits(looks[a], looks[b]) for a, b in pairs]
    found = {later - count for earlier, later in look_alikes(looks) if later >= count}
    wrong = look_alikes(looks[:count])
    print(
        f"{count} copies: {np.min(same):.2f} to {np.max(same):.2f} of 64 bits; {len(found)} found"
    )
    print(f"{len(pairs)} other pairs: {min(other):.2f} and more; {len(wrong)} taken for copies")


def _bits(one: Looks | None, other: Looks | None) -> float:
    """Mean Hamming distance of 8 hashes of 64 bits."""
    if one is None or other is None:
        return float("nan")
    return float(np.unpackbits((one.hashes ^ other.hashes).view(np.uint8)).sum() / len(one.hashes))


def _compress(video: Path, copy: Path) -> None:
    with open_video(video) as source:
        frames = source.frames_at(np.arange(source.num_frames), resize=128)  # (T, 3, h, w)
        rate = Fraction(source.fps).limit_denominator(1000)
    frames = frames[..., : frames.shape[-1] // 2 * 2].permute(0, 2, 3, 1).numpy()
    with av.open(copy, "w") as out:
        stream: Any = out.add_stream("libx264", rate=rate, options={"crf": "40"})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        out.mux(stream.encode(None))


if __name__ == "__main__":
    main()
