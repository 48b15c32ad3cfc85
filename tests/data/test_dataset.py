"""Clips of a list: what is drawn depends on (seed, epoch, number) and nothing else."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from zoopraxis.inputs.augment import Augment
from zoopraxis.data.dataset import BadVideo, Clip, ClipDataset, collate
from zoopraxis.data.samples import Sample, SampleList, read_samples
from zoopraxis.spec import ClipSpec
from zoopraxis.inputs.transforms import prepare_test
from zoopraxis.video import open_video

CLIP = ClipSpec(frames=4, stride=1, resize=36, size=32)
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
    assert first.frames.shape == (3, 4, 32, 32)
    assert torch.equal(again[2, 3].frames, first.frames)
    for seed, epoch in ((0, 2), (1, 3)):
        assert not torch.equal(dataset(samples, seed=seed)[epoch, 3].frames, first.frames)


def test_workers_do_not_change_what_is_read(samples):
    keys = [[(1, 5), (1, 2)], [(1, 0), (1, 9)], [(2, 5), (2, 2)]]
    batches = [
        list(DataLoader(dataset(samples), batch_sampler=keys, num_workers=n, collate_fn=collate))
        for n in (0, 2)
    ]
    for here, there in zip(*batches, strict=True):
        assert torch.equal(here.clips, there.clips)
        assert (here.labels, here.numbers) == (there.labels, there.numbers)


def test_validation_takes_the_centre(samples):
    with open_video(samples[3].path) as video:
        frames = video.frames_at(np.array([[4, 5, 6, 7]]))  # the middle 4 of 12

    expected = prepare_test(frames, CLIP)[0]

    for epoch in (0, 1):
        clip = dataset(samples, augment=None)[epoch, 3]
        assert clip == (clip.frames, samples[3].label, 3)
        torch.testing.assert_close(clip.frames, expected)


@pytest.mark.parametrize("augment", [None, Augment(crop="random", flip=1.0)])
def test_memory_changes_nothing_where_sizes_agree(samples, augment):
    read, kept = dataset(samples, augment), dataset(samples, augment, cache="memory")

    assert kept.fill(threads=2) == ()

    for number in (0, 9):
        assert torch.equal(read[4, number].frames, kept[4, number].frames)


def test_kept_videos_are_not_read_again(tmp_path, samples, squares):
    path = tmp_path / "run" / "a.mp4"
    path.parent.mkdir()
    path.write_bytes((squares / "left" / "0.mp4").read_bytes())
    kept = dataset(read_samples(tmp_path), cache="memory")
    before = kept[0, 0].frames

    path.unlink()

    assert torch.equal(kept[0, 0].frames, before)


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
    assert (bad.number, bad.path) == (0, str(path))
    assert "text.mp4" in bad.error.problem


def test_collate_sets_unreadable_videos_apart():
    bad = BadVideo(7, "x.mp4", "x.mp4: broken", "")
    clips = [Clip(torch.full((3, 2, 4, 4), v), int(v), int(v) + 10) for v in (1.0, 2.0)]

    batch = collate([clips[0], bad, clips[1]])

    assert batch.clips.shape == (2, 3, 2, 4, 4)
    assert batch.clips[:, 0, 0, 0, 0].tolist() == [1, 2]
    assert (batch.labels, batch.numbers, batch.bad) == ((1, 2), (11, 12), (bad,))
    assert collate([bad]).clips.numel() == 0
