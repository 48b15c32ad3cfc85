"""Segments of one video share what is kept in memory."""

from collections import Counter

import numpy as np
import pytest
import torch

from zoopraxis.data.dataset import ClipDataset
from zoopraxis.data.samples import read_samples
from zoopraxis.inputs import RGB, ClipSpec, Sampling
from zoopraxis.theatre.make import encode
from zoopraxis.video import RecentVideo, open_video
from zoopraxis.video._pyav import PyAVVideo

CLIP = ClipSpec(sampling=Sampling(num_frames=8), input=RGB(resize=24, size=16))


@pytest.fixture
def segments(tmp_path):
    """A file of 40 frames, 10 a second, in 4 segments that overlap, and another in 2."""
    rng = np.random.default_rng(0)
    for name in "ab":
        frames = rng.integers(0, 255, (40, 48, 64, 3), dtype=np.uint8)
        (tmp_path / f"{name}.mp4").write_bytes(encode(frames, fps=10))
    rows = [
        "a.mp4,0,2,x",
        "a.mp4,1,3,y",
        "a.mp4,1,4,x",
        "a.mp4,3,4,y",
        "b.mp4,0,2,x",
        "b.mp4,1,3,y",
    ]
    (tmp_path / "list.csv").write_text("\n".join(["path,start,end,label", *rows]))
    return read_samples(tmp_path / "list.csv")


@pytest.fixture
def work(monkeypatch):
    """Count the files that are opened, and the frames that are decoded."""
    counts = Counter()
    decode, start = PyAVVideo._decode, PyAVVideo.__init__

    def counted(self, *words):
        for frame in decode(self, *words):
            counts["frames"] += 1
            yield frame

    def opened(self, *words, **named):
        counts["files"] += 1
        start(self, *words, **named)

    monkeypatch.setattr(PyAVVideo, "_decode", counted)
    monkeypatch.setattr(PyAVVideo, "__init__", opened)
    return counts


def apart(samples, clip=CLIP, **settings):
    """Each segment's clip, by a data set of its own."""
    return [ClipDataset(samples, clip, **settings)[0, i] for i in range(len(samples))]


def same(one, other):
    return torch.equal(one.inputs, other.inputs) and one[1:] == other[1:]


def test_a_cache_holds_a_file_once(segments, work):
    clips = ClipDataset(segments, CLIP, cache="memory")
    assert clips.fill(threads=1) == ()
    assert work["frames"] == 2 * 40
    assert all(same(clips[0, i], one) for i, one in enumerate(apart(segments, cache="memory")))
    assert work["files"] == 2 + 6


def test_recent_frames_at_several_sizes_and_with_little_room(segments):
    path = segments[0].path
    with open_video(path) as plain, RecentVideo(open_video(path), room=3 * 48 * 64 * 3) as recent:
        for indices, size in (
            ([0, 1, 2], None),
            ([2, 3], 24),
            ([0, 2, 3, 4, 5, 6], None),  # 2 is kept, and driven out before its turn
            ([6, 0, 5], 24),
            ([5, 6, 7, 39], None),
        ):
            got = recent.frames_at(indices, resize=size)
            assert torch.equal(got, plain.frames_at(indices, resize=size))
