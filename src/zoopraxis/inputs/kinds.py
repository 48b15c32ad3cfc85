"""Kinds of input by name, and clips as plain JSON."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from zoopraxis.errors import RecipeError, ZoopraxisError
from zoopraxis.inputs.base import ClipSpec, Input
from zoopraxis.inputs.compressed import Compressed
from zoopraxis.inputs.depth import Depth
from zoopraxis.inputs.flow import Flow, RGBFlow
from zoopraxis.inputs.heatmap import Heatmap
from zoopraxis.inputs.regions import Regions
from zoopraxis.inputs.rgb import RGB, Grey, RGBDiff
from zoopraxis.inputs.sampling import Sampling
from zoopraxis.inputs.skeleton import Skeleton
from zoopraxis.records import build, change

__all__ = ["KINDS", "change_clip", "clip_from_dict", "clip_to_dict"]

KINDS: Mapping[str, type[Input[Any, Any]]] = {
    kind.kind: kind
    for kind in (RGB, Grey, RGBDiff, Flow, RGBFlow, Compressed, Depth, Skeleton, Heatmap, Regions)
}
"""Kinds of input by the name that they have in JSON."""


def clip_to_dict(clip: ClipSpec) -> dict[str, Any]:
    """Give a clip as plain JSON."""
    return {
        "sampling": asdict(clip.sampling),
        "input": {"kind": clip.input.kind, **asdict(clip.input)},  # type: ignore[call-overload]
    }


def clip_from_dict(
    values: Mapping[str, Any], *, where: str = "clip", error: type[ZoopraxisError] = RecipeError
) -> ClipSpec:
    """Make a clip of its JSON form, checking every name and type.

    Raises
    ------
    ZoopraxisError
        Of the type ``error``: something is missing, unknown or of a wrong type.
    """
    sampling, given = values.get("sampling"), values.get("input")
    if not isinstance(sampling, Mapping) or not isinstance(given, Mapping):
        raise error(f"{where} has no sampling and input", "expected a clip as JSON")
    kind = KINDS.get(str(given.get("kind")))
    if kind is None:
        raise error(
            f"{where}.input: unknown kind {given.get('kind')!r}", f"known: {', '.join(KINDS)}"
        )
    fields = {key: value for key, value in given.items() if key != "kind"}
    return ClipSpec(
        sampling=build(Sampling, sampling, where=f"{where}.sampling", error=error),
        input=build(kind, fields, where=f"{where}.input", error=error),
    )


def change_clip(
    clip: ClipSpec,
    changes: Mapping[str, Any],
    *,
    where: str = "clip",
    error: type[ZoopraxisError] = RecipeError,
) -> ClipSpec:
    """Change fields of a clip's sampling or input by name, checking every name and type.

    # change_clip(clip, {"num_frames": 8, "size": 112})
    """
    names = asdict(clip.sampling)
    sampling = {key: value for key, value in changes.items() if key in names}
    others = {key: value for key, value in changes.items() if key not in names}
    return ClipSpec(
        sampling=change(clip.sampling, sampling, where=where, error=error),
        input=change(clip.input, others, where=where, error=error, also=tuple(names)),
    )
