"""The zoo: one file per paper, each with its rows of `ModelSpec` in ``SPECS``."""

import difflib
import fnmatch
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from zoopraxis.errors import ModelNotFoundError
from zoopraxis.spec import ModelSpec, Source

if TYPE_CHECKING:
    from torch import nn

__all__ = ["FAMILIES", "create_model", "list_models", "model_spec"]

FAMILIES = (
    "r2plus1d",
    "r2plus1d_ports",
    "csn",
    "densenet3d",
    "mfnet",
    "mict",
    "p3d",
    "resnet3d",
    "i3d",
    "s3d",
    "c3d",
    "cnn3d",
    "quo_vadis",
    "slowfast",
    "i3d_resnet",
    "nonlocal_net",
    "two_stream",
    "lrcn",
    "beyond_short_snippets",
    "tsn",
    "tsm",
    "tsm_online",
    "gsm",
    "trn",
    "gst",
    "stm",
    "cost",
    "eco",
    "fstcn",
    "motion_feature_network",
    "off",
    "tdn",
    "x3d",
)


@cache
def _specs() -> dict[str, ModelSpec]:
    """Rows of all families by name."""
    modules = [import_module(f"zoopraxis.models.{family}") for family in FAMILIES]
    rows = [row for module in modules for row in module.SPECS]
    return {row.name: row for row in rows}


def list_models(pattern: str = "*", *, family: str | None = None) -> list[str]:
    """Names of the models that match a shell pattern.

    Parameters
    ----------
    pattern : str, default="*"
        Such as ``"r2*"``. The tiny variants are listed by a pattern that starts with ``test_``.
    family : str, optional
        Only the models of this file of `zoopraxis.models`.

    Returns
    -------
    list of str
        In the order of the families and their rows.
    """
    names = [name for name, row in _specs().items() if family is None or family_of(row) == family]
    tiny = pattern.startswith("test_")
    return [n for n in names if fnmatch.fnmatchcase(n, pattern) and n.startswith("test_") == tiny]


def family_of(spec: ModelSpec) -> str:
    """Name of the file that holds a row."""
    return next(f for f in FAMILIES if spec in import_module(f"zoopraxis.models.{f}").SPECS)


def model_spec(name: str) -> ModelSpec:
    """Row of a model.

    Raises
    ------
    ModelNotFoundError
        No model has that name; the hint gives near ones.
    """
    if name in _specs():
        return _specs()[name]
    near = difflib.get_close_matches(name, _specs(), n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else "`zoopraxis models` lists them all"
    raise ModelNotFoundError(f"there is no model called {name!r}", hint)


def create_model(
    name: str,
    *,
    weights: str | None = None,
    num_classes: int | None = None,
    source: str | None = None,
    **args: Any,
) -> "nn.Module":
    """Build a model, and load its weights when asked to.

    Parameters
    ----------
    name : str
        A name from `list_models`, or ``name.tag`` for a published checkpoint.
    weights : str, optional
        Tag of a published checkpoint (``"kinetics400"``). The default is random weights.
    num_classes : int, optional
        K. With weights of another K the head is new and random.
    source : str, optional
        Build the network as this source has it, where builds differ in a padding or an eps,
        to load a state dict converted from it.
    **args
        Arguments of the model's class, in place of the row's.

    Returns
    -------
    nn.Module
        In training mode, on the CPU; maps (B, C, T, H, W) to logits (B, K).

    Raises
    ------
    ModelNotFoundError
        No model, tag or source of that name.
    """
    if weights is None and "." in name:
        name, weights = name.split(".", 1)
    spec = model_spec(name)
    if weights is not None:
        from zoopraxis.checkpoints.hub import load_published

        return load_published(spec, tag=weights, num_classes=num_classes, **args)
    arguments = {**spec.args, **(source_of(spec, source).args if source else {}), **args}
    if num_classes is not None:
        arguments["num_classes"] = num_classes
    model: nn.Module = spec.build(**arguments)
    return model


def source_of(spec: ModelSpec, source: str) -> Source:
    """`Source` of a row by name, or an error that lists those there are."""
    if source in spec.sources:
        return spec.sources[source]
    known = ", ".join(spec.sources) or "none"
    raise ModelNotFoundError(f"{spec.name} has no source called {source!r}", f"known: {known}")
