"""Look-up of the zoo's entries by name."""

import csv
import fnmatch
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import NamedTuple

from zoopraxis.errors import ModelNotFoundError, did_you_mean
from zoopraxis.spec import ModelSpec

__all__ = ["FAMILIES", "ModelSize", "family_of", "list_models", "model_size", "model_spec"]

FAMILIES = (
    "r2plus1d",
    "r2plus1d_variants",
    "csn",
    "densenet3d",
    "multi_fiber",
    "mict",
    "p3d",
    "resnet3d",
    "i3d",
    "s3d",
    "c3d",
    "cnn3d",
    "i3d_baselines",
    "slowfast",
    "inflated_resnet",
    "nonlocal_net",
    "space_time_region_graph",
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
    "collaborative_spatiotemporal",
    "eco",
    "fstcn",
    "motion_feature_network",
    "off",
    "tvnet",
    "representation_flow",
    "tdn",
    "coviar",
    "dmc_net",
    "x3d",
    "stgcn",
    "stgcn_plus",
    "agcn",
    "aagcn",
    "posec3d",
)
"""Files of `zoopraxis.models`, one paper each."""


class ModelSize(NamedTuple):
    """Size of a network with its default number of classes.

    Parameters
    ----------
    params_m : float
        Parameters in millions, buffers not counted.
    gmacs : float
        Billions of multiply-adds of convolutions and matrix products for one clip of the entry.
    """

    params_m: float
    gmacs: float


def _specs(family: str) -> tuple[ModelSpec, ...]:
    """Entries of one family; imports it."""
    specs: tuple[ModelSpec, ...] = import_module(f"zoopraxis.models.{family}").SPECS
    return specs


@cache
def _entries() -> dict[str, tuple[str, ModelSpec]]:
    """Family and entry by name; imports every family."""
    entries: dict[str, tuple[str, ModelSpec]] = {}
    for family in FAMILIES:
        for spec in _specs(family):
            if spec.name in entries:
                raise ValueError(
                    f"two models are called {spec.name!r}: in models/{entries[spec.name][0]}.py "
                    f"and models/{family}.py"
                )
            entries[spec.name] = (family, spec)
    return entries


def list_models(pattern: str = "*", *, family: str | None = None) -> list[str]:
    """List the names of models that match a shell pattern.

    Parameters
    ----------
    pattern : str, default="*"
        For example ``"r2*"``. The tiny test variants are listed only if it starts with ``test_``.
    family : str, optional
        Lists only the models of this file of `zoopraxis.models`.

    Returns
    -------
    list of str
        In the order of `FAMILIES` and of their entries.
    """
    tiny = pattern.startswith("test_")
    return [
        name
        for name, (file, _) in _entries().items()
        if family in (None, file)
        and fnmatch.fnmatchcase(name, pattern)
        and name.startswith("test_") == tiny
    ]


def model_spec(name: str) -> ModelSpec:
    """Return the entry of a model.

    Raises
    ------
    ModelNotFoundError
        No model has that name; the hint suggests similar ones.
    """
    return _find(name)[1]


def family_of(name: str) -> str:
    """Return the file of `zoopraxis.models` that defines a model."""
    return _find(name)[0]


def _find(name: str) -> tuple[str, ModelSpec]:
    """Family and entry of a model; imports no other family if the table of sizes has the model."""
    if name in _table():
        family = _table()[name]["family"]
        return family, next(spec for spec in _specs(family) if spec.name == name)
    if name in _entries():
        return _entries()[name]
    raise ModelNotFoundError(
        f"there is no model called {name!r}",
        did_you_mean(name, _entries(), otherwise="`zoopraxis models` lists them all"),
    )


@cache
def _table() -> dict[str, dict[str, str]]:
    """Rows of the table of sizes by model."""
    table = files("zoopraxis.models").joinpath("sizes.csv").read_text()
    return {row["model"]: row for row in csv.DictReader(table.splitlines())}


def model_size(name: str) -> ModelSize:
    """Return the parameters and multiply-adds of a model; the tests check them.

    Raises
    ------
    ModelNotFoundError
        No model has that name.
    """
    model_spec(name)
    row = _table()[name]
    return ModelSize(float(row["params_m"]), float(row["gmacs"]))
