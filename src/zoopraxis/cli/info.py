"""zoopraxis info MODEL: what a model is, the input it expects, and where its weights come from."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from zoopraxis.inputs import ClipSpec
    from zoopraxis.spec import Weights


METRICS = {"top1": "top-1", "top5": "top-5", "map": "mAP", "mean_class": "mean class"}
"""What is measured, in words."""


def info(
    model: Annotated[
        str, typer.Argument(help="A name of `zoopraxis models`, or NAME.TAG for a checkpoint.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show a model's paper, input, size and sources, and its published checkpoints.

    With NAME.TAG, show that checkpoint alone.
    """
    from zoopraxis.weights import find_weights

    name, _, tag = model.partition(".")
    if tag:
        weights = find_weights(name, tag)
        print(_json(_checkpoint(weights)) if as_json else "\n".join(_checkpoint_lines(weights)))
    else:
        print(_json(_model(name)) if as_json else "\n".join(_model_lines(name)))


def _json(facts: dict[str, Any]) -> str:
    return json.dumps(facts, indent=1, ensure_ascii=False)


# A model


def _paper(name: str) -> tuple[str, list[str]]:
    """Title of a model's paper, and the lines that cite it and its code: its file begins so."""
    from importlib import import_module
    from inspect import cleandoc

    from zoopraxis.models import family_of

    text = cleandoc(import_module(f"zoopraxis.models.{family_of(name)}").__doc__ or "")
    title, reference = text.split("\n\n")[:2]
    return title, reference.splitlines()


def _model(name: str) -> dict[str, Any]:
    from zoopraxis.inputs import clip_to_dict
    from zoopraxis.models import family_of, model_size, model_spec
    from zoopraxis.weights import sources_of, weights_of

    spec, size = model_spec(name), model_size(name)
    title, reference = _paper(name)
    return {
        "name": name,
        "family": family_of(name),
        "paper": title,
        "reference": " ".join(reference),
        "input": ["B", *spec.clip.shape],
        "inputs": [["B", *shape] for shape in spec.clip.shapes],
        "clip": clip_to_dict(spec.clip),
        "params_m": size.params_m,
        "gmacs": size.gmacs,
        "order_sensitive": spec.order_sensitive,
        "sources": list(sources_of(name)),
        "weights": [_checkpoint(weights) for weights in weights_of(name)],
    }


def _model_lines(name: str) -> Iterator[str]:
    from zoopraxis.models import model_size, model_spec
    from zoopraxis.weights import sources_of, weights_of

    spec, size = model_spec(name), model_size(name)
    title, reference = _paper(name)
    yield from (name, *(f"  {line}" for line in (title, *reference)))
    yield from _clip_lines(spec.clip)
    yield f"size     {size.params_m:.2f} M parameters, {size.gmacs:.2f} GMACs for one clip"
    yield f"order    the order of the frames {'matters' if spec.order_sensitive else 'is ignored'}"
    yield f"sources  {', '.join(sources_of(name)) or 'none'}"
    published = weights_of(name)
    if not published:
        yield "weights  none published"
    for weights in published:
        yield from _checkpoint_lines(weights)


def _clip_lines(clip: "ClipSpec") -> Iterator[str]:
    """The input's shapes, kind and sampling."""
    sampling = clip.sampling
    shapes = [", ".join(map(str, ("B", *shape))) for shape in clip.shapes]
    yield f"input    {', '.join(f'({shape})' for shape in shapes)}, {clip.input.kind}"
    if sampling.mode == "segments":
        rule = f"{sampling.num_frames} segments, one sample from each"
    else:
        rule = f"{sampling.num_frames} frames, stride {sampling.stride}"
    stack = f", {sampling.stack} consecutive items per sample" if sampling.stack > 1 else ""
    rate = f", at {sampling.fps:g} fps" if sampling.fps else ""
    yield f"clip     {rule}{stack}{rate}"


# A checkpoint


def _checkpoint(weights: "Weights") -> dict[str, Any]:
    from zoopraxis.checkpoints.hub import cached_file, file_of, is_non_commercial
    from zoopraxis.inputs import clip_to_dict

    path = cached_file(weights)
    return {
        "name": weights.name,
        "dataset": weights.dataset,
        "num_classes": weights.num_classes,
        "labels": weights.labels,
        "source": weights.source,
        "top1": weights.top1,
        "top5": weights.top5,
        "map": weights.map,
        "protocol": str(weights.protocol or ""),
        "tested": asdict(weights.protocol) if weights.protocol else None,
        "clip": clip_to_dict(weights.clip) if weights.clip else None,
        "licence": weights.licence,
        "non_commercial": is_non_commercial(weights.licence),
        "urls": list(weights.urls),
        "page": weights.page,
        "file": str(file_of(weights)),
        "sha256": weights.sha256,
        "cached": str(path) if path.is_file() else None,
    }


def _checkpoint_lines(weights: "Weights") -> Iterator[str]:
    facts = _checkpoint(weights)
    yield f"weights  {facts['name']}"
    order = f"labels {weights.labels}" if weights.labels else "order of labels not published"
    yield f"         trained on {weights.dataset}: {weights.num_classes} classes, {order}"
    scores = [f"{value:g} % {METRICS[metric]}" for metric, value in weights.published.items()]
    if scores:
        protocol = f" ({weights.protocol})" if weights.protocol else ""
        yield f"         published accuracy: {', '.join(scores)}{protocol}"
    if weights.clip:
        for line in _clip_lines(weights.clip):
            yield f"         {line}"
    note = "; to be accepted with --accept-licence" if facts["non_commercial"] else ""
    yield f"         licence: {weights.licence or 'not stated'}{note}"
    for address in facts["urls"]:
        yield f"         {address}"
    if facts["page"]:
        yield f"         {facts['file']} from {facts['page']}"
    if facts["cached"]:
        yield f"         downloaded: {facts['cached']}"
