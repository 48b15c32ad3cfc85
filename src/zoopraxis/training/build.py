"""What stands before the first step: processes, lists, network, loaders."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.utils.data import DataLoader

from zoopraxis.data.dataset import Batch, ClipDataset, collate
from zoopraxis.data.labels import label_names
from zoopraxis.data.samples import SampleList, read_samples
from zoopraxis.data.splits import split_by_group
from zoopraxis.errors import DataError, RecipeError
from zoopraxis.checkpoints.hub import clip_of, find_weights, open_model, row_of, save_model
from zoopraxis.checkpoints.inflate import start_from
from zoopraxis.models import create_model, model_spec
from zoopraxis.spec import ClipSpec
from zoopraxis.training.sampler import Share, TrainOrder, ValOrder
from zoopraxis.training.recipe import DataPart, ModelPart, Recipe, TrainPart

__all__ = [
    "Feeds",
    "build_network",
    "clip_before",
    "describe",
    "launch",
    "make_feeds",
    "read_lists",
    "save_network",
]


def launch(recipe: Recipe, *, devices: int, accelerator: str) -> Fabric:
    """Start, or join, the processes of a run.

    Under ``torchrun`` the processes are there already, on one machine or several; otherwise
    more than one device starts this command again for each further one.

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


def clip_before(model: ModelPart) -> ClipSpec:
    """Clip of a recipe's model or, where they differ, of the published weights it starts from."""
    spec = model_spec(model.name)
    return clip_of(spec, model.weights) if _has_tag(model) else spec.clip


def _has_tag(model: ModelPart) -> bool:
    """Say whether a recipe starts from published weights, not from a file or at random."""
    return bool(model.weights) and not model.weights.endswith(".safetensors")


def build_network(model: ModelPart, *, num_classes: int) -> nn.Module:
    """Network of a recipe, with its published weights, or those of a file of ours.

    Raises
    ------
    ConversionError
        The file is of another model, whose weights do not fit.
    """
    if _has_tag(model) or not model.weights:
        return create_model(
            model.name,
            weights=model.weights or None,
            num_classes=num_classes,
            source=model.source or None,
            **model.args,
        )
    opened = open_model(model.weights)
    found = opened.model.train()
    if len(opened.labels) != num_classes:
        found.reset_head(num_classes)  # type: ignore[operator]
    if row_of(model.weights) == model.name:
        return found
    network = create_model(
        model.name, num_classes=num_classes, source=model.source or None, **model.args
    )
    start_from(network, found.state_dict(), new=model.new)
    return network


def save_network(
    path: Path, network: nn.Module, *, model: ModelPart, clip: ClipSpec, labels: tuple[str, ...]
) -> None:
    """Write weights with the sidecar from which `zoopraxis.checkpoints.hub.open_model` builds the network."""
    args = dict(model.args)
    source = model.source
    if _has_tag(model):
        source = find_weights(model_spec(model.name), model.weights).source
    if source:
        args["source"] = source
    args["num_classes"] = len(labels)
    save_model(path, network, name=model.name, args=args, clip=clip, labels=labels)


@dataclass(frozen=True, kw_only=True)
class Feeds:
    """Training and validation clips of this process, in order."""

    order: TrainOrder
    train: Iterable[Batch]
    val: Iterable[Batch] | None
    val_samples: SampleList | None

    def steps_of(self, epoch: int, first: int) -> Iterator[list[Batch]]:
        """Pieces of each step of an epoch, from step ``first`` on."""
        self.order.start(epoch, first)
        pieces = iter(self.train)
        for _ in range(first, self.order.steps):
            yield [next(pieces) for _ in range(self.order.accumulate)]


def make_feeds(
    recipe: Recipe, clip: ClipSpec, train: SampleList, val: SampleList | None, *, share: Share
) -> Feeds:
    """Loaders of a recipe; a cache is filled now, before their workers start."""
    part = recipe.train
    order = TrainOrder(
        train,
        batch=part.batch,
        accumulate=part.accumulate,
        seed=part.seed,
        balanced=part.sampling == "balanced",
        share=share,
    )
    clips = ClipDataset(
        train, clip, augment=recipe.augment, seed=part.seed, cache=recipe.data.cache
    )
    loader = _loader(clips, order, recipe.data)
    if val is None:
        return Feeds(order=order, train=loader, val=None, val_samples=None)
    centre = ClipDataset(val, clip, seed=part.seed, cache=recipe.data.cache)
    batch = max(1, part.batch // (share.world * part.accumulate))
    val_order = ValOrder(len(val), batch=batch, share=share)
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
    """Say what a run trains on, in a line."""
    held_out = f", {len(val)} for validation" if val is not None else ", no validation"
    return (
        f"{len(train)} videos for training{held_out}; {len(train.labels)} classes; "
        f"{part.epochs} epochs of {len(train) // part.batch} steps of {part.batch} clips"
    )
