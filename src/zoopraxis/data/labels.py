"""Named lists of labels: the classes of public data sets, in the order of their indices."""

from collections.abc import Callable, Mapping
from pathlib import Path

from zoopraxis.errors import DataError

__all__ = ["label_names"]


def label_names(name: str | Path) -> tuple[str, ...]:
    """Names of the labels of a data set, by index.

    Parameters
    ----------
    name : str or Path
        ``"kinetics400"`` or ``"imagenet1k"`` (both as torchvision's weights have them), or a
        text file with one label a line.

    Returns
    -------
    tuple of str

    Raises
    ------
    DataError
        No list and no file of that name, or a file that is empty or names a label twice.
    """
    if str(name) in _LISTS:
        return _LISTS[str(name)]()
    path = Path(name)
    if path.is_file():
        return _labels_in(path)
    raise DataError(
        f"there is no label list called {str(name)!r}",
        f"known: {', '.join(_LISTS)}; or give a text file with one label a line",
    )


def _kinetics400() -> tuple[str, ...]:
    from torchvision.models.video import R3D_18_Weights  # slow to import

    return tuple(R3D_18_Weights.KINETICS400_V1.meta["categories"])


def _imagenet1k() -> tuple[str, ...]:
    from torchvision.models import ResNet50_Weights  # slow to import

    return tuple(ResNet50_Weights.IMAGENET1K_V1.meta["categories"])


_LISTS: Mapping[str, Callable[[], tuple[str, ...]]] = {
    "kinetics400": _kinetics400,
    "imagenet1k": _imagenet1k,
}


def _labels_in(path: Path) -> tuple[str, ...]:
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    labels = tuple(line.strip() for line in lines if line.strip())
    twice = next((label for i, label in enumerate(labels) if label in labels[:i]), None)
    if twice is not None:
        raise DataError(f"{path} has the label {twice!r} twice", "each line is one class")
    if not labels:
        raise DataError(f"{path} is empty", "write one label a line")
    return labels
