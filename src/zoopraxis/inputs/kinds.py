"""Kinds of input by name, and clips as plain JSON."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import zoopraxis.inputs
from zoopraxis.errors import RecipeError, ZoopraxisError
from zoopraxis.inputs.base import ClipSpec, Input
from zoopraxis.inputs.sampling import Sampling
from zoopraxis.records import build, change

__all__ = ["KINDS", "change_clip", "clip_from_dict", "clip_to_dict"]

_CLASSES = {
    "rgb": "RGB",
    "grey": "Grey",
    "rgb_diff": "RGBDiff",
    "flow": "Flow",
    "rgb_flow": "RGBFlow",
    "compressed": "Compressed",
    "depth": "Depth",
    "skeleton": "Skeleton",
    "heatmap": "Heatmap",
    "regions": "Regions",
}


class _Kinds(Mapping[str, type[Input[Any, Any]]]):
    """Imports a kind when it is asked for: flow brings OpenCV, which frames do without."""

    def __getitem__(self, name: str) -> type[Input[Any, Any]]:
        kind: type[Input[Any, Any]] = getattr(zoopraxis.inputs, _CLASSES[name])
        return kind

    def __iter__(self) -> Iterator[str]:
        return iter(_CLASSES)

    def __len__(self) -> int:
        return len(_CLASSES)


KINDS: Mapping[str, type[Input[Any, Any]]] = _Kinds()
"""Kinds of input by the name that they have in JSON."""


def clip_to_dict(clip: ClipSpec) -> dict[str, Any]:
    """Give a clip as plain JSON.

    A convention stands in it only where one is followed: what has none keeps the JSON, and the
    keys, that it had before there were any.
    """
    sampling = asdict(clip.sampling)
    if not clip.sampling.convention:
        del sampling["convention"]
    return {
        "sampling": sampling,
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
    return _joined(
        build(Sampling, sampling, where=f"{where}.sampling", error=error),
        build(kind, fields, where=f"{where}.input", error=error),
        where=where,
        error=error,
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
    return _joined(
        change(clip.sampling, sampling, where=where, error=error),
        change(clip.input, others, where=where, error=error, also=tuple(names)),
        where=where,
        error=error,
    )


def _joined(
    sampling: Sampling, kind: Input[Any, Any], *, where: str, error: type[ZoopraxisError]
) -> ClipSpec:
    """Make a clip; two parts that do not go together are an error of the whole."""
    try:
        return ClipSpec(sampling=sampling, input=kind)
    except ZoopraxisError as refusal:
        raise error(f"{where}: {refusal.problem}", refusal.hint) from refusal
