"""Segments of one video share the open file and decoded frames, and read what they read alone."""

import pickle
from collections import Counter

import numpy as np
import pytest
import torch

from zoopraxis.data.dataset import BadVideo, ClipDataset
from zoopraxis.data.samples import read_samples
from zoopraxis.evaluation.views import load_views
from zoopraxis.inputs import RGB, ClipSpec, RGBDiff, Sampling
from zoopraxis.inputs.augment import Augment
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


@pytest.mark.parametrize("clip", [CLIP, CLIP.change(input=RGBDiff(resize=24, size=16))])
@pytest.mark.parametrize("augment", [None, Augment(crop="random", flip=0.5)])
def test_the_same_clips_from_fewer_files(clip, augment, segments, work):
    alone = apart(segments, clip, augment=augment)
    assert work["files"] == 6
    work.clear()

    together = ClipDataset(segments, clip, augment=augment)

    assert all(same(alone[i], together[0, i]) for i in range(6))
    assert work["files"] == 2


def test_frames_that_segments_share_are_decoded_once(segments, work):
    alone = apart(segments)
    before = work["frames"]
    work.clear()

    together = ClipDataset(segments, CLIP)

    assert all(same(alone[i], together[0, i]) for i in range(6))
    assert before == 6 * 8
    assert work["frames"] < before
    again = work["frames"]
    assert same(alone[5], together[0, 5])  # all its frames are there
    assert work["frames"] == again


@pytest.mark.parametrize("workers", [0, 2])
def test_views_of_segments(workers, segments, work):
    def views(left):
        return list(load_views(segments, CLIP, left, views=3, crops=1, workers=workers))

    alone = [item for i in range(6) for item in views([i])]
    together = views(list(range(6)))

    assert [item.sample for item in together] == list(range(6))
    pairs = zip(alone, together, strict=True)
    assert all(torch.equal(one.inputs, other.inputs) for one, other in pairs)
    if workers == 0:
        assert work["files"] == 6 + 2


def test_whole_videos_are_closed_at_once(segments, tmp_path, work):
    (tmp_path / "whole.csv").write_text("a.mp4,x\nb.mp4,y\n")
    clips = ClipDataset(read_samples(tmp_path / "whole.csv"), CLIP)
    for i in (0, 0, 1):
        clips[0, i]
    assert work["files"] == 3
    assert clips._neighbours._open is None


def test_a_segment_outside_its_file_names_file_and_line_and_spoils_no_other(segments, tmp_path):
    rows = ["path,start,end,label", "a.mp4,0,2,x", "a.mp4,7,9,y", "a.mp4,1,3,y"]
    (tmp_path / "list.csv").write_text("\n".join(rows))
    clips = ClipDataset(read_samples(tmp_path / "list.csv"), CLIP)
    good, bad, after = (clips[0, i] for i in range(3))
    assert isinstance(bad, BadVideo)
    assert bad.problem.startswith(
        f"{tmp_path / 'list.csv'}, line 3: {tmp_path / 'a.mp4'}: no frame"
    )
    assert "it lasts 4.000 s" in bad.problem
    assert torch.equal(good.inputs, apart(segments)[0].inputs)
    assert torch.equal(after.inputs, apart(segments)[1].inputs)


def test_another_process_opens_its_own(segments):
    clips = ClipDataset(segments, CLIP)
    first = clips[0, 0]
    copy = pickle.loads(pickle.dumps(clips))  # as loader workers get it
    assert copy._neighbours._open is None
    assert same(copy[0, 0], first)


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
