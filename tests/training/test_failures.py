"""Failures that torch and the system report, as errors that say what to do."""

import errno
import shutil

import pytest
import torch
from torch import nn

from zoopraxis.errors import TrainingError, VideoError
from zoopraxis.inputs.rgb import RGB
from zoopraxis.training.failures import named_failures
from zoopraxis.training.loop import train
from zoopraxis.training.recipe import default_recipe

SMALL = ["clip.num_frames=4", "clip.size=32", "clip.resize=36", "train.epochs=1"]
RECIPE = default_recipe("x", "test_tsm", ["data.workers=4", "data.cache=memory"])


def run(data, out, *changes, model="test_r2plus1d"):
    recipe = default_recipe(str(data), model, [*SMALL, "train.batch_size=4", *changes])
    return train(recipe, out, accelerator="cpu")


def unexpected(pids, cause):
    """Return how the loader reports the end of a worker when it notices by itself."""
    error = RuntimeError(f"DataLoader worker (pid(s) {pids}) exited unexpectedly")
    error.__cause__ = cause
    return error


KILLED = RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. ")
BUS = RuntimeError(
    "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that dataloader's "
    "workers are out of shared memory. Please try to raise your shared memory limit."
)
SEGMENTATION = RuntimeError("DataLoader worker (pid 7) is killed by signal: Segmentation fault. ")
CODE = RuntimeError(
    "DataLoader worker (pid 7) exited unexpectedly with exit code 1. Details are lost due to "
    "multiprocessing. Rerunning with num_workers=0 may give better error trace."
)


@pytest.mark.parametrize(
    ("error", "problem", "hint"),
    [
        (KILLED, "process 7) was killed, most likely because memory ran out", "data.workers=2 or"),
        (unexpected("7", KILLED), "process 7) was killed", "or data.cache=none"),
        (unexpected("7, 8", None), "process 7, 8) was killed", "smaller train.batch_size"),
        (BUS, "shared memory through which", "--shm-size"),
        (unexpected("7", BUS), "shared memory through which", "--shm-size"),
        (SEGMENTATION, "ended by the signal 'Segmentation fault'", "data.workers=0"),
        (CODE, "ended with exit code 1", "data.workers=0"),
        (
            RuntimeError("unable to write to file </torch_12_345_0>: No space left on device (28)"),
            "shared memory through which",
            "data.workers=2 or fewer (now 4)",
        ),
        (
            RuntimeError("unable to open shared memory object </torch_1>: Too many open files"),
            "too many files open",
            "ulimit -n",
        ),
        (RuntimeError("received 0 items of ancdata"), "too many files open", "ulimit -n"),
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
            "the memory of the GPU is full: steps of 8 clips",
            "train.micro_batches=2, train.precision=bf16-mixed",
        ),
        (
            RuntimeError(
                "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"
            ),
            "the memory of this machine is full",
            "train.micro_batches=2",
        ),
        (MemoryError(), "the memory of this machine is full", "smaller train.batch_size"),
        (OSError(errno.ENOSPC, "No space left on device"), "cannot be written", "--resume"),
    ],
)
def test_known_failures_name_the_remedy(error, problem, hint):
    with pytest.raises(TrainingError) as caught, named_failures(RECIPE):
        raise error
    assert problem in caught.value.problem
    assert hint in caught.value.hint
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    "error", [RuntimeError("a bug"), KeyError("x"), VideoError("ours", "hint")]
)
def test_others_stay_what_they_are(error):
    with pytest.raises(type(error)) as caught, named_failures(RECIPE):
        raise error
    assert caught.value is error


NORMS = ("test_resnet3d", "test_p3d", "test_densenet3d")  # end in (B, C, 1, 1, 1)


@pytest.mark.parametrize("model", NORMS)
@pytest.mark.parametrize("change", ["train.batch_size=1", "train.micro_batches=4"])
def test_one_clip_has_no_statistics(squares, tmp_path, model, change):
    with pytest.raises(TrainingError, match="single value per channel") as caught:
        run(squares, tmp_path / "run", "clip.num_frames=16", change, model=model)
    assert change.replace("=", " = ") in caught.value.problem
    assert "two clips or more" in caught.value.hint


def test_frozen_norms_need_none(squares, tmp_path):
    changes = ("train.batch_size=1", "train.freeze_norms=all")
    assert run(squares, tmp_path / "run", *changes, model="test_resnet3d").history


@pytest.mark.parametrize(
    ("model", "change"),
    [
        ("test_densenet3d", "clip.num_frames=1"),  # three ways in which torch says it
        ("test_s3d", "clip.size=8"),
        ("test_beyond_short_snippets", "clip.num_frames=1"),
    ],
)
def test_a_clip_that_the_network_reduces_to_nothing(squares, tmp_path, model, change):
    with pytest.raises(TrainingError, match=f"the clip does not fit {model}"):
        run(squares, tmp_path / "run", change, model=model)


@pytest.fixture
def stumbles(monkeypatch):
    """At one video, reading fails as it must not: there is a mistake in this very program."""
    opens = RGB.open

    def open_(self, media):
        if media.path.endswith("left/3.mp4"):
            raise ZeroDivisionError("by nought")
        return opens(self, media)

    monkeypatch.setattr(RGB, "open", open_)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("cache", ["none", "memory"])
def test_a_foreign_exception_names_its_video(squares, tmp_path, stumbles, workers, cache):
    changes = (f"data.workers={workers}", f"data.cache={cache}", "train.on_bad_video=skip")
    with pytest.raises(TrainingError) as caught:
        run(squares, tmp_path / "run", "data.val_fraction=0", *changes)

    said = r"left/3.mp4 failed with ZeroDivisionError: by nought (test_failures.py, line "
    assert said in caught.value.problem
    assert "report" in caught.value.hint


def test_when_nothing_can_be_read_nothing_is_learned(squares, tmp_path):
    shutil.copytree(squares, tmp_path / "videos")
    for clip in (tmp_path / "videos").glob("*/*.mp4"):
        clip.write_text("this is no video")

    with pytest.raises(TrainingError, match="no training video of epoch 1 could be read: all 16"):
        run(tmp_path / "videos", tmp_path / "run", "train.on_bad_video=skip", "data.val_fraction=0")

    assert not (tmp_path / "run" / "final.safetensors").exists()


@pytest.mark.parametrize(
    ("norm", "shape"),
    [(nn.BatchNorm1d, ()), (nn.BatchNorm2d, (1, 1)), (nn.BatchNorm3d, (1, 1, 1))],
)
def test_torch_still_says_it_like_this(norm, shape):
    with pytest.raises(TrainingError, match="single value"), named_failures(RECIPE):
        norm(2)(torch.zeros(1, 2, *shape))
