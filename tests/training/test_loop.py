"""Whole runs in one process: what they learn, keep, write and refuse."""

import csv
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

import zoopraxis.training.run
from zoopraxis.checkpoints.saved import open_model
from zoopraxis.data.dataset import ClipDataset
from zoopraxis.errors import DataError, RecipeError, TrainingError, VideoError
from zoopraxis.training.loop import train
from zoopraxis.training.recipe import default_recipe
from zoopraxis.workers import num_cores

BASE = [
    "clip.num_frames=4",
    "clip.stride=2",
    "clip.size=32",
    "clip.resize=36",
    "augment.flip=0",
    "train.epochs=2",
    "train.batch_size=4",
]


def recipe(data, *changes):
    return default_recipe(str(data), "test_r2plus1d", [*BASE, *changes])


def weights(run):
    return load_file(run.final)


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def close(a, b):
    for key in a:
        torch.testing.assert_close(a[key], b[key], rtol=1e-3, atol=1e-5)


def test_learns_which_way_a_square_moves(squares, tmp_path):
    run = train(
        recipe(
            squares, "train.epochs=12", "optim.name=adamw", "optim.lr=0.003", "train.batch_size=6"
        ),
        tmp_path / "run",
    )

    assert run.metric == "val_top1"
    assert run.history[run.best_epoch - 1]["val_top1"] == 1
    assert run.history[-1]["train_loss"] < 0.3 < run.history[0]["train_loss"]


def test_the_folder_of_a_run(squares, tmp_path):
    run = train(recipe(squares, "train.ema=0.5"), tmp_path / "run")

    there = {p.name for p in run.out.iterdir()}
    assert there >= {"recipe.toml", "log.csv", "curves.png", "last", "tensorboard"}
    rows = list(csv.DictReader((run.out / "log.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert [row["step"] for row in rows] == ["3", "6"]  # 12 videos in batches of 4
    assert float(rows[1]["val_loss"]) == pytest.approx(run.history[1]["val_loss"], rel=1e-4)
    assert (run.out / "curves.png").read_bytes()[:4] == b"\x89PNG"
    opened = open_model(run.final)
    assert opened.labels == ("left", "right")
    assert (opened.clip.sampling.num_frames, opened.clip.input.size) == (4, 32)
    best = max(run.history, key=lambda row: row["val_top1"])  # the first of equals
    assert best["epoch"] == run.best_epoch


def test_validates_at_intervals_and_at_the_end(squares, tmp_path):
    run = train(recipe(squares, "train.val_interval=3", "train.epochs=4"), tmp_path / "run")

    assert ["val_top1" in row for row in run.history] == [False, False, True, True]
    rows = list(csv.DictReader((run.out / "log.csv").read_text().splitlines()))
    assert [bool(row["val_loss"]) for row in rows] == [False, False, True, True]
    assert run.best_epoch in (3, 4)
    every = train(recipe(squares, "train.epochs=4"), tmp_path / "every")
    assert same(weights(run), weights(every))


def test_same_seed_same_weights_whoever_decodes(squares, tmp_path):
    changes = ("model.args.dropout=0.5", "train.mixup=0.3", "augment.brightness=0.3")
    first = train(recipe(squares, *changes), tmp_path / "first", accelerator="cpu")
    workers = train(
        recipe(squares, *changes, "data.workers=2"), tmp_path / "workers", accelerator="cpu"
    )
    seed = train(recipe(squares, *changes, "train.seed=1"), tmp_path / "seed", accelerator="cpu")

    assert same(weights(first), weights(workers))
    assert not same(weights(first), weights(seed))


def test_pieces_of_a_batch_add_up_to_it(squares, tmp_path):
    changes = ("train.freeze_norms=all", "optim.clip_grad=0.5", "optim.lr=0.1")
    whole = train(recipe(squares, *changes), tmp_path / "whole", accelerator="cpu")
    pieces = train(
        recipe(squares, *changes, "train.micro_batches=4"), tmp_path / "pieces", accelerator="cpu"
    )
    free = train(
        recipe(squares, *changes, "optim.clip_grad=0"), tmp_path / "free", accelerator="cpu"
    )

    close(weights(whole), weights(pieces))
    assert whole.history[0]["train_loss"] == pytest.approx(pieces.history[0]["train_loss"])
    assert not same(weights(whole), weights(free))  # the gradient was limited


def test_one_step_of_sgd_by_hand(squares, tmp_path):
    # One step on all clips: weights move by lr * gradient of the mean loss.
    changes = (
        "data.val_fraction=0",
        "train.batch_size=16",
        "train.epochs=1",
        "train.freeze_norms=all",
        "augment.crop=center",
        "optim.schedule=constant",
        "optim.weight_decay=0",
        "clip.stride=4",  # 4 frames with stride 4 do not fit 12 frames: there is one start
    )
    slow = train(recipe(squares, *changes, "optim.lr=0"), tmp_path / "slow")
    steps = [
        train(recipe(squares, *changes, f"optim.lr={lr}"), tmp_path / f"{lr}")
        for lr in (0.001, 0.002)
    ]

    start, one, two = (weights(run)["head.linear.bias"] for run in (slow, *steps))

    assert (one - start).abs().max() > 0
    torch.testing.assert_close(two - start, 2 * (one - start), rtol=1e-3, atol=1e-7)
    assert slow.best is None
    assert slow.best_epoch == 0


def test_the_focal_loss_of_a_recipe_is_what_is_trained_with(squares, tmp_path):
    changes = ("train.epochs=1", "optim.lr=0")  # the same weights and clips
    plain = train(recipe(squares, *changes), tmp_path / "plain")
    focal = train(recipe(squares, *changes, "train.focal=2"), tmp_path / "focal")
    assert 0 < focal.history[0]["train_loss"] < plain.history[0]["train_loss"]


def test_classes_of_unequal_size_weigh_as_the_recipe_says(squares, tmp_path):
    # 6 clips of the left and 3 of the right in one step
    paths = [squares / "left" / f"{n}.mp4" for n in range(6)]
    paths += [squares / "right" / f"{n}.mp4" for n in range(3)]
    (tmp_path / "list.csv").write_text("".join(f"{p},{p.parent.name}\n" for p in paths))
    changes = ("train.epochs=1", "optim.lr=0", "train.batch_size=9", "data.val_fraction=0")

    def loss(*more):
        run = train(recipe(tmp_path / "list.csv", *changes, *more), tmp_path / f"run {more}")
        return run.history[0]["train_loss"]

    assert (
        len({loss(), loss("train.class_weights=balanced"), loss("train.logit_adjustment=1")}) == 3
    )


def test_published_average_is_validated_and_kept(squares, tmp_path):
    with_ema = train(recipe(squares, "train.ema=0.9"), tmp_path / "ema", accelerator="cpu")
    without = train(recipe(squares), tmp_path / "plain", accelerator="cpu")
    last = next((with_ema.out / "last").iterdir())

    assert same(load_file(last / "model.safetensors"), weights(without))  # it only watches
    assert same(load_file(last / "ema.safetensors"), weights(with_ema))
    assert not same(weights(with_ema), weights(without))


def test_bf16_in_channels_last_learns_almost_the_same(squares, tmp_path):
    exact = train(recipe(squares), tmp_path / "exact")
    fast = train(
        recipe(squares, "train.precision=bf16-mixed", "train.channels_last=true"),
        tmp_path / "fast",
    )

    assert weights(fast)["head.linear.weight"].dtype == torch.float32
    assert fast.history[0]["train_loss"] == pytest.approx(exact.history[0]["train_loss"], rel=0.05)
    assert not same(weights(exact), weights(fast))


def test_training_on_a_cpu_keeps_its_memory(squares, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(zoopraxis.training.run, "keep_memory", lambda: asked.append(True))
    train(recipe(squares, "train.epochs=1"), tmp_path / "run", accelerator="cpu")
    assert asked == [True]


def test_a_cache_is_filled_on_all_cores_before_the_first_step(squares, tmp_path, monkeypatch):
    fill, filled = ClipDataset.fill, []

    def counted(clips, *, threads):
        filled.append((len(clips), threads))
        return fill(clips, threads=threads)

    monkeypatch.setattr(ClipDataset, "fill", counted)
    train(recipe(squares, "data.cache=memory", "train.epochs=1"), tmp_path / "run")

    assert filled == [(12, num_cores()), (4, num_cores())]


def test_networks_of_frames_train_in_channels_last_too(squares, tmp_path):
    # 2D convolutions, whose weights have no layout for volumes
    changes = [*BASE, "train.epochs=1", "train.channels_last=true"]
    run = train(default_recipe(str(squares), "test_gsm", changes), tmp_path / "last")
    plain = train(
        default_recipe(str(squares), "test_gsm", [*BASE, "train.epochs=1"]), tmp_path / "plain"
    )
    assert run.history[0]["train_loss"] == pytest.approx(plain.history[0]["train_loss"], rel=1e-3)


@pytest.mark.slow
def test_a_compiled_network_learns_the_same_and_is_saved_as_any(squares, tmp_path):
    plain = train(recipe(squares), tmp_path / "plain")
    compiled = train(recipe(squares, "train.compile=true"), tmp_path / "compiled")

    assert weights(compiled).keys() == weights(plain).keys()
    assert compiled.history[-1]["train_loss"] == pytest.approx(
        plain.history[-1]["train_loss"], 1e-3
    )


def test_several_labels(squares, tmp_path):
    lines = [f"{p},{p.parent.name};square" for p in sorted(squares.glob("*/*.mp4"))]
    listed = tmp_path / "list.csv"
    listed.write_text("\n".join(lines))

    with pytest.raises(DataError, match=r"set train\.multi_label=true"):
        train(recipe(listed), tmp_path / "refused")
    run = train(recipe(listed, "train.multi_label=true", "train.mixup=0.2"), tmp_path / "run")

    assert run.metric == "val_map"
    assert open_model(run.final).labels == ("left", "right", "square")
    assert 0.5 <= run.history[-1]["val_map"] <= 1  # "square" alone, always right, gives a third


def test_goes_on_from_weights_of_another_run_with_other_classes(squares, tmp_path):
    first = train(recipe(squares, "train.epochs=1"), tmp_path / "first")
    three = tmp_path / "three"
    shutil.copytree(squares, three)
    shutil.copytree(squares / "left", three / "other")

    changes = (f"model.weights={first.final}", "optim.lr=0", "train.epochs=1")
    second = train(recipe(three, *changes), tmp_path / "second")

    assert weights(second)["head.linear.weight"].shape[0] == 3
    key = "stem.conv.spatial.weight"
    assert torch.equal(weights(second)[key], weights(first)[key])


@pytest.fixture
def with_broken(squares, tmp_path):
    """The videos, one of which is a text."""
    folder = tmp_path / "videos"
    shutil.copytree(squares, folder)
    (folder / "left" / "0.mp4").write_text("this is no video")
    return folder


def test_unreadable_video_stops_the_run(with_broken, tmp_path):
    with pytest.raises(VideoError, match=r"left/0\.mp4"):
        train(recipe(with_broken, "data.val_fraction=0"), tmp_path / "run")


@pytest.mark.parametrize("accumulate", [1, 4])
def test_or_is_skipped_and_counted(with_broken, tmp_path, accumulate):
    run = train(
        recipe(
            with_broken,
            "data.val_fraction=0",
            "train.on_bad_video=skip",
            f"train.micro_batches={accumulate}",
        ),
        tmp_path / "run",
    )

    assert [p.rsplit("/", 2)[-2:] for p in run.skipped] == [["left", "0.mp4"]]
    assert [row["skipped"] for row in run.history] == [1, 1]
    state = json.loads(next((run.out / "last").iterdir()).joinpath("progress.json").read_text())
    assert state["step"] == 8


def test_unreadable_validation_video(with_broken, squares, tmp_path):
    changes = (f"data.train={squares}", f"data.val={with_broken}")
    with pytest.raises(VideoError, match=r"left/0\.mp4"):
        train(recipe(squares, *changes), tmp_path / "stops")
    run = train(recipe(squares, *changes, "train.on_bad_video=skip"), tmp_path / "skips")
    assert len(run.skipped) == 1


EXPLODES = ("optim.lr=1e6", "optim.schedule=constant")


def test_loss_that_is_not_finite_names_the_clips(squares, tmp_path):
    with pytest.raises(
        TrainingError, match=r"epoch 1, step [234], on ((left|right)/\d\.mp4,? ?){4}"
    ):
        train(recipe(squares, *EXPLODES, "data.val_fraction=0"), tmp_path / "run")
    assert not (tmp_path / "run" / "last").exists()  # no broken weights were kept


def test_so_does_that_of_validation(squares, tmp_path):
    explodes = recipe(squares, *EXPLODES, "train.batch_size=12", "train.epochs=1")
    with pytest.raises(TrainingError, match=r"validation loss is not finite on .*/\d\.mp4"):
        train(explodes, tmp_path / "run")


def test_a_folder_holds_one_run(squares, tmp_path):
    train(recipe(squares, "train.epochs=1"), tmp_path / "run")

    with pytest.raises(TrainingError, match="already holds a run"):
        train(recipe(squares, "train.epochs=1"), tmp_path / "run")
    with pytest.raises(RecipeError, match=r"another recipe: now lr = 0\.5"):
        train(recipe(squares, "train.epochs=1", "optim.lr=0.5"), tmp_path / "run", resume=True)
    again = train(recipe(squares, "train.epochs=1"), tmp_path / "run", resume=True)
    assert len(again.history) == 1  # it was finished


def test_fp16_needs_a_gpu(squares, tmp_path):
    with pytest.raises(RecipeError, match="CPU does not train in fp16"):
        train(recipe(squares, "train.precision=16-mixed"), tmp_path / "run", accelerator="cpu")
