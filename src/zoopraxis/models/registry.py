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


@cache
def _entries() -> dict[str, tuple[str, ModelSpec]]:
    """Family and entry by name."""
    entries: dict[str, tuple[str, ModelSpec]] = {}
    for family in FAMILIES:
        for spec in import_module(f"zoopraxis.models.{family}").SPECS:
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
    if name in _entries():
        return _entries()[name][1]
    raise ModelNotFoundError(
        f"there is no model called {name!r}",
        did_you_mean(name, _entries(), otherwise="`zoopraxis models` lists them all"),
    )


def family_of(name: str) -> str:
    """Return the file of `zoopraxis.models` that defines a model."""
    model_spec(name)
    return _entries()[name][0]


@cache
def _sizes() -> dict[str, ModelSize]:
    table = files("zoopraxis.models").joinpath("sizes.csv").read_text()
    return {
        row["model"]: ModelSize(float(row["params_m"]), float(row["gmacs"]))
        for row in csv.DictReader(table.splitlines())
    }


def model_size(name: str) -> ModelSize:
    """Return the parameters and multiply-adds of a model; the tests check them.

    Raises
    ------
    ModelNotFoundError
        No model has that name.
    """
    model_spec(name)
    return _sizes()[name]
