"""Processor time of a random clip from videos as they are, and as `zoopraxis data` prepares them.

    python benchmarks/prepared.py FOLDER_OF_VIDEOS

Prediction, written before the first run: a key frame every 12 frames and 256 pixels make H.264
files 3 to 5 times quicker; folders of JPEG files another 2 to 3 times, at several times the bytes;
a shard costs what its files cost, to 2 %. A clip is 16 frames, every second one, from a random
place, at 256 pixels, with the opening of the file; the four forms take turns.

On an AMD EPYC, of 16 videos of 0.2 to 1.7 MB (H.264, MPEG-4; 11.1 MB in all): 108.9 ms as they
are, 22.2 ms resized (4.9 times quicker; 8.6 MB), 22.3 ms in shards, and 27.8 ms as frames of
quality 95 (85.4 MB). The prediction of frames was wrong: to read 16 JPEG files takes longer than
the clip from a resized file.
"""

import argparse
import random
import tempfile
import time
from pathlib import Path

from zoopraxis.data.examine import find_videos
from zoopraxis.data.frames import extract_frames
from zoopraxis.data.resize import resize_videos
from zoopraxis.data.samples import Sample, SampleList
from zoopraxis.data.shards import write_shards
from zoopraxis.explain.latency import processor_name
from zoopraxis.video import Encoding, file_of, open_video
from zoopraxis.video.extraction import places

CLIP, STRIDE = 16, 2


def seconds_of(video: str, place: float) -> float:
    """Processor time of a clip that begins at a fraction of what is possible."""
    began = time.process_time()
    with open_video(video) as opened:
        first = int(place * max(opened.num_frames - CLIP * STRIDE, 0))
        last = opened.num_frames - 1
        opened.frames_at([min(first + STRIDE * i, last) for i in range(CLIP)], resize=256)
    return time.process_time() - began


def size_of(paths: list[str]) -> int:
    """Bytes of files, or of the images of folders, each file once."""
    files = {Path(file_of(path)) for path in paths}
    return sum(
        f.stat().st_size for file in files for f in (file.iterdir() if file.is_dir() else [file])
    )


def main() -> None:
    """Print a line for each form."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        originals = find_videos(args.folder)
        small = resize_videos(originals, places(originals, out / "small"), encoding=Encoding())
        videos = [r.file for r in small if r.file]
        originals = [r.video for r in small if r.file]
        images = extract_frames(videos, places(videos, out / "frames"), quality=95)
        samples = tuple(Sample(path=v, label=0, group=v, name=v) for v in videos)
        listed = SampleList(samples=samples, labels=("any",), root=folder)
        write_shards(listed, out / "shards", count=1)
        forms = {
            "as they are": originals,
            "resized": videos,
            "frames": [r.file for r in images],
            "shards": [
                f"{out / 'shards' / 'shard-000000.tar'}::"
                f"{Path(v).relative_to(out / 'small').as_posix()}"
                for v in videos
            ],
        }
        total = dict.fromkeys(forms, 0.0)
        for number in range(args.rounds):
            for k in range(len(videos)):
                place = random.Random(f"{number} {k}").random()
                for form, paths in forms.items():
                    total[form] += seconds_of(paths[k], place)
        print(processor_name())
        for form, paths in forms.items():
            clip = total[form] / args.rounds / len(videos)
            print(f"{form:12} {1000 * clip:6.1f} ms a clip, {size_of(paths) / 1e6:6.1f} MB")


if __name__ == "__main__":
    main()
