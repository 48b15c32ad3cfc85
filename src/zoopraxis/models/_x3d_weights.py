"""The published checkpoints of X3D: PySlowFast's, PyTorchVideo's and mmaction2's zoos."""

from collections.abc import Mapping

from zoopraxis.models._slowfast_weights import mmaction2_weights, pytorchvideo_weights
from zoopraxis.spec import Weights

_CENTRE = "10 uniform clips, centre crop, mean of the probabilities"
_VIEWS = "10 uniform clips x 3 crops ({} pixels), fully convolutional, mean of the probabilities"


def _pyslowfast(size: str, top1: float) -> Weights:
    return Weights(
        tag="pyslowfast_kinetics400",
        url=f"https://dl.fbaipublicfiles.com/pyslowfast/x3d_models/x3d_{size}.pyth",
        source="pyslowfast",
        dataset="Kinetics-400",
        num_classes=400,
        labels="kinetics400",
        licence="Apache-2.0 (PySlowFast)",
        top1=top1,
        protocol=_CENTRE,
    )


def _pytorchvideo(size: str, crop: int, top1: float, top5: float) -> Weights:
    return pytorchvideo_weights(f"X3D_{size.upper()}", top1, top5, protocol=_VIEWS.format(crop))


def _mobile(size: str, top1: float, top5: float) -> Weights:
    """Return a checkpoint of PyTorchVideo's zoo for phones."""
    return pytorchvideo_weights(
        f"efficient_x3d_{size}_original_form",
        top1,
        top5,
        protocol="10 clips",
        source="pytorchvideo_mobile",
    )


def _mmaction2(file: str, top1: float) -> Weights:
    """Return PySlowFast's checkpoint as mmaction2 keeps it."""
    return mmaction2_weights("x3d", f"facebook/x3d_{file}", top1, None)


_PYTORCHVIDEO = {
    "xs": _pytorchvideo("xs", 182, 69.12, 88.63),
    "s": _pytorchvideo("s", 182, 73.33, 91.27),
    "m": _pytorchvideo("m", 256, 75.94, 92.72),
    "l": _pytorchvideo("l", 356, 77.44, 93.31),
}
WEIGHTS: Mapping[str, tuple[Weights, ...]] = {
    "x3d_xs": (_pyslowfast("xs", 68.7), _PYTORCHVIDEO["xs"], _mobile("xs", 68.5, 88.0)),
    "x3d_s": (
        _pyslowfast("s", 73.1),
        _PYTORCHVIDEO["s"],
        _mobile("s", 73.0, 90.6),
        _mmaction2("s_13x6x1_facebook-kinetics400-rgb_20201027-623825a0", 73.3),
    ),
    "x3d_m": (
        _pyslowfast("m", 75.1),
        _PYTORCHVIDEO["m"],
        _mmaction2("m_16x5x1_facebook-kinetics400-rgb_20201027-3f42382a", 76.4),
    ),
    "x3d_l": (_pyslowfast("l", 76.9), _PYTORCHVIDEO["l"]),
    **{f"x3d_ptv_{size}": (weights,) for size, weights in _PYTORCHVIDEO.items()},
}
