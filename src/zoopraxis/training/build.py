"""What a run is built from before its first step: processes, lists, network, loaders."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from lightning_fabric import Fabric
from torch.utils.data import DataLoader

from zoopraxis.checkpoints.config import ModelConfig
from zoopraxis.checkpoints.create import create_model
from zoopraxis.checkpoints.inflate import start_from
from zoopraxis.checkpoints.saved import is_file, open_model
from zoopraxis.data.dataset import Batch, ClipDataset, collate
from zoopraxis.data.labels import label_names
from zoopraxis.data.samples import SampleList, read_samples
from zoopraxis.data.splits import split_by_group
from zoopraxis.errors import DataError, RecipeError
from zoopraxis.inputs import ClipSpec
from zoopraxis.models import VideoClassifier, model_spec
from zoopraxis.training.recipe import DataPart, ModelPart, Recipe, TrainPart
from zoopraxis.training.sampler import Shard, TrainOrder, ValOrder
from zoopraxis.weights import find_weights, weights_of

__all__ = [
    "Feeds",
    "describe",
    "launch",
    "make_feeds",
    "read_lists",
    "start_network",
]


def launch(recipe: Recipe, *, devices: int, accelerator: str) -> Fabric:
    """Start, or join, the processes of a run.

    Under ``torchrun`` the processes already exist, on one machine or several; otherwise the
    command is started again for each further device.

    Raises
    ------
    RecipeError
        fp16 on a CPU, which has no arithmetic for it.
    """
    local, world = (int(os.environ.get(k, 0)) for k in ("LOCAL_WORLD_SIZE", "WORLD_SIZE"))
    joined = "TORCHELASTIC_RUN_ID" in os.environ
    devices, nodes = (local, world // local) if joined else (devices, 1)
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


def read_lists(data: DataPart, *, multi_label: bool) -> tuple[SampleList, SampleList | None]:
    """Training and validation samples of a recipe; the second is None without validation.

    Raises
    ------
    DataError
        A list cannot be read or split, or has several labels where one is expected.
    """
    names = label_names(data.labels) if data.labels else None
    read = partial(read_samples, group=data.group_column)
    train = read(data.train, labels=names)
    if train.multi_label and not multi_label:
        raise DataError(f"{data.train} has videos of several labels", "set train.multi_label=true")
    if data.val:
        return train, read_samples(data.val, labels=train.labels)
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
    config = replace(config, origin={"started_from": base.name, "sha256": base.config.sha256})
    if len(base.labels) != len(labels):
        base.model.reset_classifier(len(labels))  # type: ignore[operator]
    network = config.build()
    start_from(network, base.model.state_dict(), new=model.new)
    return network, config


def _from_published(model: ModelPart, config: ModelConfig) -> tuple[VideoClassifier, ModelConfig]:
    """Network with a published checkpoint, its classifier re-initialised for other classes."""
    weights = find_weights(model.name, model.weights)
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
        origin={"started_from": f"{model.name}.{model.weights}"},
    )


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
    """Make the loaders of a recipe; a cache is filled before their workers start."""
    part = recipe.train
    order = TrainOrder(
        train,
        batch_size=part.batch_size,
        micro_batches=part.micro_batches,
        seed=part.seed,
        balanced=part.sampling == "balanced",
        shard=shard,
    )
    clips = ClipDataset(
        train, clip, augment=recipe.augment, seed=part.seed, cache=recipe.data.cache
    )
    loader = _loader(clips, order, recipe.data)
    if val is None:
        return Feeds(order=order, train=loader, val=None, val_samples=None)
    centre = ClipDataset(val, clip, seed=part.seed, cache=recipe.data.cache)
    batch_size = max(1, part.batch_size // (shard.world * part.micro_batches))
    val_order = ValOrder(len(val), batch_size=batch_size, shard=shard)
    return Feeds(
        order=order,
        train=loader,
        val=_loader(centre, val_order, recipe.data),
        val_samples=val,
    )


def _loader(clips: ClipDataset, order: TrainOrder | ValOrder, data: DataPart) -> Iterable[Batch]:
    if data.cache == "memory" and data.workers:
        clips.fill(threads=data.workers)
    loader: DataLoader[Any] = DataLoader(
        clips,
        batch_sampler=order,
        collate_fn=collate,
        num_workers=data.workers,
        persistent_workers=data.workers > 0,
        pin_memory=torch.cuda.is_available(),
    )
    return loader


def describe(train: SampleList, val: SampleList | None, part: TrainPart) -> str:
    """Describe in a line what a run trains on."""
    held_out = f", {len(val)} for validation" if val is not None else ", no validation"
    return (
        f"{len(train)} videos for training{held_out}; {len(train.labels)} classes; "
        f"{part.epochs} epochs of {len(train) // part.batch_size} steps of {part.batch_size} clips"
    )
