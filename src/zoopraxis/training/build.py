"""What a run is built from before its first step: processes, lists, network, loaders."""

import inspect
import os
import sys
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from lightning_fabric import Fabric
from torch.utils.data import DataLoader

from zoopraxis.checkpoints.config import ModelConfig
from zoopraxis.checkpoints.create import create_model
from zoopraxis.checkpoints.inflate import start_from
from zoopraxis.checkpoints.saved import is_file, open_model
from zoopraxis.data.dataset import BadVideo, Batch, Clip, ClipDataset, collate
from zoopraxis.data.hub import is_hub
from zoopraxis.data.labels import label_names
from zoopraxis.data.samples import SampleList, read_samples
from zoopraxis.data.splits import split_by_group
from zoopraxis.engine.allocator import keep_memory
from zoopraxis.errors import (
    DataError,
    RecipeError,
    TrainingError,
    ZoopraxisError,
    did_you_mean,
)
from zoopraxis.inputs import ClipSpec
from zoopraxis.models import VideoClassifier, model_spec
from zoopraxis.training.recipe import DataPart, ModelPart, Recipe, TrainPart
from zoopraxis.training.sampler import Shard, TrainOrder, ValOrder
from zoopraxis.weights import find_weights, weights_of
from zoopraxis.workers import num_cores

__all__ = [
    "Fault",
    "Feeds",
    "check_devices",
    "describe",
    "launch",
    "make_feeds",
    "read_lists",
    "start_network",
]

ACCELERATORS = ("auto", "cpu", "cuda", "mps")


def launch(recipe: Recipe, *, devices: int, accelerator: str) -> Fabric:
    """Start, or join, the processes of a run.

    Under ``torchrun`` the processes already exist, on one machine or several; otherwise the
    command is started again for each further device.

    Raises
    ------
    RecipeError
        A kind of device that this machine lacks, or more than it has; fp16 on a CPU, which has no
        arithmetic for it.
    """
    local, world = (int(os.environ.get(k, 0)) for k in ("LOCAL_WORLD_SIZE", "WORLD_SIZE"))
    joined = "TORCHELASTIC_RUN_ID" in os.environ
    devices, nodes = (local, world // local) if joined else (devices, 1)
    check_devices(accelerator, devices)
    on_cpu = accelerator == "cpu" or (accelerator == "auto" and not torch.cuda.is_available())
    if recipe.train.precision == "16-mixed" and on_cpu:
        raise RecipeError("a CPU does not train in fp16", "set train.precision=bf16-mixed")
    fabric = Fabric(
        accelerator="cpu" if on_cpu else accelerator,
        devices=devices,
        num_nodes=nodes,
        strategy="ddp" if devices * nodes > 1 else "auto",
        precision="32-true" if recipe.train.precision == "32" else recipe.train.precision,
    )
    fabric.launch()
    return fabric


def check_devices(accelerator: str, devices: int) -> None:
    """Refuse devices that this machine does not have."""
    if accelerator not in ACCELERATORS:
        raise RecipeError(
            f"the accelerator {accelerator!r} is not one of {', '.join(ACCELERATORS)}",
            "auto is CUDA where there is a GPU, else the CPU",
        )
    cuda = torch.cuda.is_available()
    there = {"cuda": cuda, "mps": torch.backends.mps.is_available()}
    if not there.get(accelerator, True):
        raise RecipeError(
            f"PyTorch finds no {accelerator} device on this machine",
            "train with --accelerator cpu, or install the build of PyTorch for your GPU",
        )
    if cuda and accelerator in ("auto", "cuda") and devices > torch.cuda.device_count():
        raise RecipeError(
            f"{devices} devices are asked for, and there are {torch.cuda.device_count()}",
            f"set --devices {torch.cuda.device_count()} or fewer",
        )


def read_lists(data: DataPart, *, multi_label: bool) -> tuple[SampleList, SampleList | None]:
    """Training and validation samples of a recipe; the second is None without validation.

    Raises
    ------
    DataError
        A list cannot be read or split, or has several labels where one is expected.
    """
    for setting, path in (("data.train", data.train), ("data.val", data.val)):
        here = Path(os.path.expanduser(path))  # noqa: PTH111 - as read_samples
        if path and not here.exists() and not is_hub(path):
            raise DataError(
                f"there are no videos: {setting} = {path!r} does not exist",
                f"name a folder, FOLDER/<class>/<clip>.mp4, or a list of paths and labels: "
                f"{'--data FOLDER' if setting == 'data.train' else 'data.val=FOLDER'}",
            )
    names = label_names(data.labels) if data.labels else None
    first = None if data.first_label < 0 else data.first_label
    read = partial(read_samples, first_label=first, group=data.group_column)
    train = read(data.train, labels=names)
    if train.multi_label and not multi_label:
        raise DataError(f"{data.train} has videos of several labels", "set train.multi_label=true")
    if data.val:
        return train, read_samples(data.val, labels=train.labels, first_label=first)
    if data.val_fraction == 0:
        return train, None
    if data.group_pattern:
        train = train.regrouped(data.group_pattern)
    return split_by_group(train, fraction=data.val_fraction, seed=data.split_seed)


def start_network(
    model: ModelPart, *, labels: tuple[str, ...]
) -> tuple[VideoClassifier, ModelConfig]:
    """Build the network of a recipe with the weights it starts from, and its identity.

    Weights of a file of ours keep what that file says of its network: source, arguments and clip;
    the recipe's own source and arguments come on top of them.

    Parameters
    ----------
    model : ModelPart
        Of the recipe.
    labels : tuple of str
        Names of the K classes to train on.

    Raises
    ------
    ConversionError
        The weights do not fit the network that the recipe asks for.
    ModelNotFoundError, CheckpointError, DownloadError
        No such model or weights.
    """
    config = ModelConfig(
        name=model.name,
        source=model.source,
        args=model.args,
        clip=model_spec(model.name).clip,
        labels=labels,
    )
    if not model.weights:
        with _named_arguments(model):
            return config.build(), config
    if model.weights in {weights.tag for weights in weights_of(model.name)}:
        return _from_published(model, config)
    if not is_file(model.weights):
        find_weights(model.name, model.weights)  # raises, and suggests near tags
    base = open_model(model.weights)
    if base.config.name == model.name:
        config = replace(
            base.config,
            source=model.source or base.config.source,
            args={**base.config.args, **model.args},
            labels=labels,
        )
    origin = {
        "started_from": base.name,
        "sha256": base.config.sha256,
        "classifier": _classifier(len(base.labels), labels),
    }
    config = replace(config, origin=origin)
    if len(base.labels) != len(labels):
        base.model.reset_classifier(len(labels))  # type: ignore[operator]
    with _named_arguments(model):
        network = config.build()
    start_from(network, base.model.state_dict(), new=model.new)
    return network, config


def _from_published(model: ModelPart, config: ModelConfig) -> tuple[VideoClassifier, ModelConfig]:
    """Network with a published checkpoint, its classifier re-initialised for other classes."""
    weights = find_weights(model.name, model.weights)
    with _named_arguments(model):
        network = create_model(
            model.name,
            weights=model.weights,
            num_classes=len(config.labels),
            source=model.source,
            **model.args,
        )
    return network, replace(
        config,
        source=model.source or weights.source,
        clip=weights.clip or config.clip,
        origin={
            "started_from": f"{model.name}.{model.weights}",
            "classifier": _classifier(weights.num_classes, config.labels),
        },
    )


@contextmanager
def _named_arguments(model: ModelPart) -> Iterator[None]:
    """Raise what a constructor says of its arguments as an error that names them."""
    try:
        yield
    except (ArithmeticError, AssertionError, LookupError, TypeError, ValueError) as error:
        if not model.args:
            raise  # it is not the recipe's fault
        build = model_spec(model.name).build
        known = inspect.signature(build).parameters
        unknown = [key for key in model.args if key not in known]
        arguments = f"its arguments: {', '.join(known)}"
        raise RecipeError(
            f"{model.name} cannot be built with model.args = {dict(model.args)}: "
            f"{type(error).__name__}: {error}",
            did_you_mean(unknown[0], known, otherwise=arguments) if unknown else arguments,
        ) from error


def _classifier(num_classes: int, labels: tuple[str, ...]) -> str:
    """Say what becomes of the classifier of the weights that a run starts from."""
    return "kept" if num_classes == len(labels) else "re-initialised"


@dataclass(frozen=True, kw_only=True)
class Feeds:
    """Training and validation clips of this process, in order."""

    order: TrainOrder
    train: Iterable[Batch]
    val: Iterable[Batch] | None
    val_samples: SampleList | None

    def steps_of(self, epoch: int, first: int) -> Iterator[list[Batch]]:
        """Yield the micro-batches of each step of an epoch, from step ``first``."""
        self.order.start(epoch, first)
        batches = iter(self.train)
        for _ in range(first, self.order.steps):
            yield [next(batches) for _ in range(self.order.micro_batches)]


def make_feeds(
    recipe: Recipe, clip: ClipSpec, train: SampleList, val: SampleList | None, *, shard: Shard
) -> Feeds:
    """Make the loaders of a recipe; a cache is filled first, on all cores or as many as workers."""
    part = recipe.train
    order = TrainOrder(
        train,
        batch_size=part.batch_size,
        micro_batches=part.micro_batches,
        seed=part.seed,
        balanced=part.sampling == "balanced",
        shard=shard,
    )
    clips = _NamedFaults(
        train, clip, augment=recipe.augment, seed=part.seed, cache=recipe.data.cache
    )
    loader = _loader(clips, order, recipe.data)
    if val is None:
        return Feeds(order=order, train=loader, val=None, val_samples=None)
    centre = _NamedFaults(val, clip, seed=part.seed, cache=recipe.data.cache)
    batch_size = max(1, part.batch_size // (shard.world * part.micro_batches))
    val_order = ValOrder(len(val), batch_size=batch_size, shard=shard)
    return Feeds(
        order=order,
        train=loader,
        val=_loader(centre, val_order, recipe.data),
        val_samples=val,
    )


def _loader(clips: ClipDataset, order: TrainOrder | ValOrder, data: DataPart) -> Iterable[Batch]:
    if data.cache == "memory":
        # what cannot be read is read again, and reported, in its turn
        clips.fill(threads=data.workers or num_cores())
    loader: DataLoader[Any] = DataLoader(
        clips,
        batch_sampler=order,
        collate_fn=collate,
        num_workers=data.workers,
        worker_init_fn=_start_worker,
        persistent_workers=data.workers > 0,
        pin_memory=torch.cuda.is_available(),
    )
    return loader


class Fault(BadVideo):
    """A video at which something else than its content failed: it stops every run."""

    @property
    def error(self) -> TrainingError:  # type: ignore[override]
        """The error that names the video."""
        return TrainingError(self.problem, self.hint)


class _NamedFaults(ClipDataset):
    """Clips whose faults name their video, whichever process reads them.

    An exception that leaves a loader worker arrives as the text of its traceback, without the
    video; as an item of the batch it arrives whole.
    """

    def __getitem__(self, key: tuple[int, int]) -> Clip | BadVideo:
        try:
            return super().__getitem__(key)
        except Exception as error:
            return _fault(error, key[1], self.samples[key[1]].path)

    def _keep_or_report(self, index: int) -> BadVideo | None:
        try:
            return super()._keep_or_report(index)
        except Exception as error:
            return _fault(error, index, self.samples[index].path)


def _fault(error: Exception, index: int, path: str) -> Fault:
    """What failed at a video, and where."""
    if isinstance(error, ZoopraxisError):
        problem = error.problem if path in error.problem else f"{path}: {error.problem}"
        return Fault(index, path, problem, error.hint)
    place = traceback.extract_tb(error.__traceback__)[-1]
    return Fault(
        index,
        path,
        f"reading {path} failed with {type(error).__name__}: {error} "
        f"({Path(place.filename).name}, line {place.lineno})",
        "no video should be able to do this: please report it, and leave this one out of the list",
    )


def _start_worker(_: int) -> None:
    """Keep memory for clip after clip; leave it to the training process to say what broke off."""
    keep_memory()
    shown = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not isinstance(error, ConnectionError | EOFError):
            shown(kind, error, trace)

    sys.excepthook = hook


def describe(
    train: SampleList, val: SampleList | None, part: TrainPart, config: ModelConfig
) -> list[str]:
    """Describe in two lines what a run trains, from which weights, and on what."""
    labels = train.labels
    shown = ", ".join(labels if len(labels) <= 12 else labels[:10])
    dots = f", ... ({len(labels)} classes)" if len(labels) > 12 else ""
    counts = Counter(
        k for s in train for k in (s.label if isinstance(s.label, tuple) else (s.label,))
    )
    of_each = [counts[k] for k in range(len(labels))]
    low, high = min(of_each), max(of_each)
    each = f"{low}" if low == high else f"{low}-{high}"
    origin = config.origin
    start = (
        f"{origin['started_from']}, its classifier {origin['classifier']}"
        if origin
        else "random weights"
    )
    held_out = f", {len(val)} for validation" if val is not None else ", no validation"
    steps = len(train) // part.batch_size
    return [
        f"{len(labels)} classes with {each} training videos each: {shown}{dots}; "
        f"{config.name} starts from {start}",
        f"{len(train)} videos for training{held_out}; "
        f"{_count(part.epochs, 'epoch')} of {_count(steps, 'step')} "
        f"of {_count(part.batch_size, 'clip')}",
    ]


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
