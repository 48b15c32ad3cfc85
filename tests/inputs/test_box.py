"""A box of a sample: only the square around it is read, in training, testing and prediction."""

import numpy as np
import pytest
import torch

from zoopraxis.data.dataset import ClipDataset
from zoopraxis.data.samples import read_samples
from zoopraxis.data.write import write_samples
from zoopraxis.errors import DataError, VideoError
from zoopraxis.inputs import (
    RGB,
    ClipSpec,
    Compressed,
    Flow,
    Grey,
    Media,
    Regions,
    RGBDiff,
    RGBFlow,
    Sampling,
    Skeleton,
)
from zoopraxis.inputs.augment import Augment
from zoopraxis.video import ArrayVideo, CroppedVideo, RecentVideo
from zoopraxis.video._write import write_video

HEADER = "path,start,end,x1,y1,x2,y2,label,group\n"


def numbered(height=10, width=20, frames=3):
    """A video (T, 3, H, W) whose pixels say where they are: red is x, green y, blue the frame."""
    video = np.zeros((frames, 3, height, width), np.uint8)
    video[:, 0], video[:, 1] = np.arange(width), np.arange(height)[:, None]
    video[:, 2] = np.arange(frames)[:, None, None]
    return ArrayVideo(torch.from_numpy(video), fps=25)


def test_the_square_around_a_box_with_its_context():
    with CroppedVideo(numbered(), (0.2, 0.2, 0.6, 0.6)) as video:  # 8 x 4 pixels around (8, 4)
        frames = video.frames_at([2, 0])

    assert frames.shape == (2, 3, 10, 10)  # 1.25 times 8
    assert frames[0, 0, 0].tolist() == list(range(3, 13))
    assert frames[0, 1, :, 0].tolist() == [0, *range(9)]  # from -1: the edge is repeated
    assert frames[:, 2, 0, 0].tolist() == [2, 0]


def test_a_crop_is_scaled_as_it_is_read():
    with CroppedVideo(numbered(), (0.2, 0.0, 0.6, 0.8)) as video:
        assert video.frames_at([1], resize=(5, 5)).shape == (1, 3, 5, 5)


def test_a_box_partly_outside_repeats_the_edge():
    with CroppedVideo(numbered(), (0.9, 0.0, 1.3, 0.5)) as video:
        frames = video.frames_at([0])

    assert frames[0, 0, 0].tolist() == [17, 18, *[19] * 8]


@pytest.mark.parametrize(
    ("box", "problem"),
    [
        ((float("nan"), 0, 1, 1), "is not finite"),
        ((0.5, 0, 0.5, 1), "is empty"),
        ((1.0, 0, 1.5, 1), "lies outside the frame"),
    ],
)
def test_a_box_without_pixels_is_refused(box, problem):
    with pytest.raises(VideoError, match=problem):
        CroppedVideo(numbered(), box)


def test_recent_frames_are_decoded_once_and_bounded():
    decoded = []

    class Counted(ArrayVideo):
        def _decode(self, indices, size, deadline):
            decoded.extend(indices.tolist())
            return super()._decode(indices, size, deadline)

    frames = torch.arange(6, dtype=torch.uint8)[:, None, None, None].expand(6, 3, 4, 4)
    with RecentVideo(Counted(frames.contiguous(), fps=25), room=3 * 48) as video:
        for indices in ([0, 1, 2], [1, 2, 3], [5, 0]):
            assert video.frames_at(indices)[:, 0, 0, 0].tolist() == indices
    assert decoded == [0, 1, 2, 3, 0, 5]


@pytest.mark.parametrize("kind", [RGB, Grey, RGBDiff])
def test_kinds_made_of_frames_read_the_square(kind):
    made = kind(resize=8, size=8)
    with made.open(Media(path=numbered(), box=(0.2, 0.2, 0.6, 0.6))) as track:
        assert (track.height, track.width) == (10, 10)
        assert made.keep(track).height == 8


@pytest.mark.parametrize("kind", [Flow, RGBFlow, Compressed, Skeleton, Regions])
def test_other_kinds_refuse_a_box(kind, tmp_path):
    with pytest.raises(VideoError, match="input reads whole frames, and a box is given"):
        kind().open(Media(path=tmp_path / "a.mp4", box=(0.0, 0.0, 0.5, 0.5)))


@pytest.fixture
def halves(tmp_path):
    """A list of one film of two people: the left half is red, the right one blue."""
    picture = np.zeros((64, 128, 3), np.uint8)
    picture[:, :64, 0] = picture[:, 64:, 2] = 250
    write_video(tmp_path / "film.mp4", [(n / 25, picture) for n in range(8)], fps=25)
    rows = "film.mp4,0,0.32,0.1,0.2,0.4,0.8,red,f\nfilm.mp4,0,0.32,0.6,0.2,0.9,0.8,blue,f\n"
    (tmp_path / "people.csv").write_text(HEADER + rows)
    return tmp_path / "people.csv"


@pytest.mark.parametrize("augment", [None, Augment(crop="random")])
@pytest.mark.parametrize("cache", ["none", "memory"])
def test_training_and_validation_read_each_persons_square(halves, augment, cache):
    samples = read_samples(halves)
    clip = ClipSpec(
        sampling=Sampling(num_frames=2),
        input=RGB(resize=32, size=24, mean=(0.0,), std=(1.0,)),
    )
    data = ClipDataset(samples, clip, augment=augment, cache=cache)

    assert len(samples) == 2
    assert samples.missing() == ()
    for index, channel in ((0, 0), (1, 2)):
        (inputs,) = clip.input.unpack(data[0, index].inputs)
        mean = inputs.mean(dim=(0, 2, 3, 4))  # (3,)
        assert int(mean.argmax()) == channel
        assert mean[channel] > 0.9
        assert mean.sum() - mean[channel] < 0.1


def test_boxes_of_a_list(halves, tmp_path):
    samples = read_samples(halves)

    assert [s.box for s in samples] == [(0.1, 0.2, 0.4, 0.8), (0.6, 0.2, 0.9, 0.8)]
    assert samples[0].name == "film.mp4 [0, 0.32) (0.1, 0.2, 0.4, 0.8)"
    write_samples(tmp_path / "again.csv", samples)
    assert [s.box for s in read_samples(tmp_path / "again.csv")] == [s.box for s in samples]


def test_an_empty_box_is_the_whole_frame(halves):
    halves.write_text(HEADER + "film.mp4,,,,,,,red,f\nfilm.mp4,,,0,0,1,1,red,f\n")
    assert [s.box for s in read_samples(halves)] == [None, (0.0, 0.0, 1.0, 1.0)]


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ("nan,0,1,1", "line 2: the box nan, 0, 1, 1 is not finite"),
        ("0.5,0,0.2,1", "line 2: the box 0.5, 0, 0.2, 1 is empty, or its corners"),
        ("12,30,80,118", "line 2: the box 12, 30, 80, 118 lies outside the frame"),
        ("0.1,,0.2,0.3", "line 2: the box is '0.1', '', '0.2', '0.3'"),
    ],
)
def test_a_box_that_is_none_is_refused_by_file_and_line(halves, cells, problem):
    halves.write_text(f"{HEADER}film.mp4,0,1,{cells},red,f\n")
    with pytest.raises(DataError, match=problem):
        read_samples(halves)


def test_a_box_of_three_columns_is_refused(halves):
    halves.write_text("path,label,x1,y1,x2\nfilm.mp4,red,0,0,1\n")
    with pytest.raises(DataError, match="has boxes without y2"):
        read_samples(halves)


def test_the_same_box_twice_is_a_repeated_line(halves):
    row = "film.mp4,0,1,0.1,0.2,0.4,0.8,red,f\n"
    halves.write_text(HEADER + row + row)
    with pytest.raises(DataError, match="is listed before"):
        read_samples(halves)
