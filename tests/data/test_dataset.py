"""Clips of a list: what is drawn depends on (seed, epoch, number) and nothing else."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from zoopraxis.data.dataset import BadVideo, Clip, ClipDataset, collate
from zoopraxis.data.samples import Sample, SampleList, read_samples
from zoopraxis.inputs import RGB, ClipSpec, Flow, Sampling
from zoopraxis.inputs.augment import Augment
from zoopraxis.video import open_video

CLIP = ClipSpec(sampling=Sampling(num_frames=4, stride=1), input=RGB(resize=36, size=32))
AUGMENT = Augment(brightness=0.3)


@pytest.fixture
def samples(squares):
    return read_samples(squares)


def dataset(samples, augment=AUGMENT, **args):
    return ClipDataset(samples, CLIP, augment=augment, **args)


def test_a_draw_depends_on_seed_epoch_and_number_alone(samples):
    first = dataset(samples, seed=1)[2, 3]
    again = dataset(samples, seed=1)
    again[0, 0], again[5, 3]  # what was read before does not matter
    assert first.inputs.shape == (1, 3, 4, 32, 32)
    assert torch.equal(again[2, 3].inputs, first.inputs)
    for seed, epoch in ((0, 2), (1, 3)):
        assert not torch.equal(dataset(samples, seed=seed)[epoch, 3].inputs, first.inputs)


def test_workers_do_not_change_what_is_read(samples):
    keys = [[(1, 5), (1, 2)], [(1, 0), (1, 9)], [(2, 5), (2, 2)]]
    batches = [
        list(DataLoader(dataset(samples), batch_sampler=keys, num_workers=n, collate_fn=collate))
        for n in (0, 2)
    ]
    for here, there in zip(*batches, strict=True):
        assert torch.equal(here.inputs, there.inputs)
        assert (here.labels, here.indices) == (there.labels, there.indices)


def test_validation_takes_the_centre(samples):
    with open_video(samples[3].path) as video:
        (draw,) = CLIP.input.crops(video, 1)
        raw = video.frames_at(np.array([[4, 5, 6, 7]]))  # the middle 4 of 12

    expected = CLIP.input.pack(raw, draw)

    for epoch in (0, 1):
        clip = dataset(samples, augment=None)[epoch, 3]
        assert clip == (clip.inputs, samples[3].label, 3)
        assert clip.inputs.dtype == torch.uint8
        assert torch.equal(clip.inputs, expected)


@pytest.mark.parametrize("augment", [None, Augment(crop="random", flip=1.0)])
def test_memory_changes_nothing_where_sizes_agree(samples, augment):
    read, kept = dataset(samples, augment), dataset(samples, augment, cache="memory")

    assert kept.fill(threads=2) == ()

    for number in (0, 9):
        assert torch.equal(read[4, number].inputs, kept[4, number].inputs)


def test_kept_videos_are_not_read_again(tmp_path, samples, squares):
    path = tmp_path / "run" / "a.mp4"
    path.parent.mkdir()
    path.write_bytes((squares / "left" / "0.mp4").read_bytes())
    kept = dataset(read_samples(tmp_path), cache="memory")
    before = kept[0, 0].inputs

    path.unlink()

    assert torch.equal(kept[0, 0].inputs, before)


def test_flips_change_left_into_right(samples):
    always = dataset(samples, Augment(flip=1.0, left_right=((0, 1),)))
    assert [always[0, n].label for n in (0, 8)] == [1, 0]
    assert [samples[n].label for n in (0, 8)] == [0, 1]


def test_flips_change_labels_of_multi_label_clips(squares):
    path = str(squares / "left" / "0.mp4")
    sample = Sample(path=path, label=(0, 2), group="", name="")
    several = SampleList(samples=(sample,), labels=("left", "right", "square"), root="")
    always = dataset(several, Augment(flip=1.0, left_right=((0, 1),)))
    assert always[0, 0].label == (1, 2)


@pytest.mark.parametrize("cache", ["none", "memory"])
def test_unreadable_video_comes_as_such(tmp_path, cache):
    (tmp_path / "run").mkdir()
    path = tmp_path / "run" / "text.mp4"
    path.write_text("this is no video")
    broken = dataset(read_samples(tmp_path), cache=cache)

    (reported,) = broken.fill(threads=1)
    bad = broken[0, 0]

    assert isinstance(bad, BadVideo)
    assert reported == bad
    assert (bad.sample, bad.path) == (0, str(path))
    assert "text.mp4" in bad.error.problem


def test_collate_sets_unreadable_videos_apart():
    bad = BadVideo(7, "x.mp4", "x.mp4: broken", "")
    clips = [Clip(torch.full((1, 3, 2, 4, 4), v), int(v), int(v) + 10) for v in (1.0, 2.0)]

    batch = collate([clips[0], bad, clips[1]])

    assert batch.inputs.shape == (2, 3, 2, 4, 4)
    assert batch.inputs[:, 0, 0, 0, 0].tolist() == [1, 2]
    assert (batch.labels, batch.indices, batch.bad) == ((1, 2), (11, 12), (bad,))
    assert collate([bad]).inputs.numel() == 0


@pytest.mark.parametrize("cache", ["none", "memory"])
def test_two_segments_of_a_file_are_two_samples(squares, cache):
    path = str(squares / "left" / "0.mp4")  # 12 frames
    with open_video(path) as video:
        step = 1 / video.fps
        (draw,) = CLIP.input.crops(video, 1)
        frames = CLIP.input.pack(video.frames_at(np.arange(12)[None], resize=draw.scaled), draw)
    parts = [
        Sample(path=path, start=a * step, end=b * step, label=0, group=path, name=f"{a}")
        for a, b in ((0, 4), (8, 12))
    ]
    clips = dataset(SampleList(samples=tuple(parts), labels=("a",), root=""), None, cache=cache)

    assert torch.equal(clips[0, 0].inputs, frames[:, :, 0:4])
    assert torch.equal(clips[0, 1].inputs, frames[:, :, 8:12])


def test_clips_of_another_kind_of_input(squares, tmp_path):
    np.save(tmp_path / "flow.npy", np.full((11, 2, 36, 48), 10.0))
    sample = Sample(
        path=str(squares / "left" / "0.mp4"),
        flow=str(tmp_path / "flow.npy"),
        label=0,
        group="",
        name="",
    )
    clip = ClipSpec(
        sampling=Sampling(num_frames=4),
        input=Flow(resize=36, size=32, mean=(0.0,), std=(1.0,)),
    )
    several = SampleList(samples=(sample,), labels=("a",), root="")

    flipped = ClipDataset(several, clip, augment=Augment(flip=1.0))[0, 0].inputs

    assert flipped.shape == (1, 2, 4, 32, 32)
    assert flipped[0, :, 0, 0, 0].tolist() == pytest.approx([0.25, 0.75])  # x negated
