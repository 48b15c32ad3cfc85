"""Published checkpoints of TDN.

The biases of convolutions are moved into the batch norms after them, and the second stem
``conv1_temp``, which the authors' code never uses, is dropped.
"""

from collections.abc import Mapping

from torch import Tensor

from zoopraxis.models.tdn import SPECS
from zoopraxis.spec import Protocol, Source, Weights
from zoopraxis.weights.keys import RENAME_SEGMENTS, merge
from zoopraxis.weights.keys.resnet2d import RENAME_RESNET2D

__all__ = ["SOURCES", "WEIGHTS"]


def absorb_biases(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Subtract the biases of convolutions from the running means of the batch norms after them."""
    absorbed = dict(state)
    for key in [key for key in state if key.endswith("bias") and "conv" in key]:
        # layer2.0.conv1.bias goes into layer2.0.norm1.running_mean
        mean = key.replace("conv", "norm").removesuffix("bias") + "running_mean"
        if mean in state and state[mean].shape == state[key].shape:
            absorbed[mean] = state[mean] - absorbed.pop(key)
    return absorbed


def as_filters_2d(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Turn temporal filters, (C, 1, 3), into those of 2D convolutions, (C, 1, 3, 1)."""
    return {
        key: tensor.unsqueeze(3) if "temporal.conv" in key and tensor.ndim == 3 else tensor
        for key, tensor in state.items()
    }


_TDN = Source(
    rename=(
        *RENAME_SEGMENTS,
        (r"^backbone\.conv1_temp\.", None),
        (r"^backbone\.conv1_5\.0\.", "backbone.difference_stem.conv."),
        (r"^backbone\.conv1_5\.1\.", "backbone.difference_stem.norm."),
        (r"^backbone\.resnext_layer1\.", "backbone.difference_layer1."),
        (r"^backbone\.layer(\d)_bak\.", r"backbone.resnet.layer\1."),
        (r"^backbone\.(conv1|bn1)\.", r"backbone.resnet.backbone.\1."),
        (r"\.mse\.conv1\.", ".difference.reduce."),
        (r"\.mse\.bn1\.", ".difference.reduce_norm."),
        (r"\.mse\.conv2\.", ".difference.filters."),
        (r"\.mse\.conv3_smallscale2\.", ".difference.coarse."),
        (r"\.mse\.bn3_smallscale2\.", ".difference.coarse_norm."),
        (r"\.mse\.conv3_smallscale4\.", ".difference.fine."),
        (r"\.mse\.bn3_smallscale4\.", ".difference.fine_norm."),
        (r"\.mse\.conv3\.", ".difference.restore."),
        (r"\.mse\.bn3\.", ".difference.restore_norm."),
        (r"\.shift\.", ".temporal."),
        *RENAME_RESNET2D,
        (r"^backbone\.resnet\.backbone\.", "backbone.resnet."),
    ),
    adapt=merge(as_filters_2d, absorb_biases),
)
SOURCES: Mapping[str, Mapping[str, Source]] = {spec.name: {"tdn": _TDN} for spec in SPECS}


_DATA = {
    # tag: data set, K, label list, how it was tested
    "ssv1": ("Something-Something v1", 174, "", Protocol(views=1, crops=1, size=224)),
    "ssv2": ("Something-Something v2", 174, "ssv2", Protocol(views=1, crops=1, size=224)),
    "k400": ("Kinetics-400", 400, "kinetics400", Protocol(views=10, crops=3)),
}


def _tdn(
    model: str,
    tag: str,
    *,
    top1: float,
    top5: float,
    folder: str = "",
    drive_id: str = "",
) -> Weights:
    """Make the entry of a checkpoint, published as a file or in a folder."""
    dataset, num_classes, labels, protocol = _DATA[tag]
    return Weights(
        model=model,
        tag=tag,
        urls=(f"gdrive://{drive_id}",) if drive_id else (),
        page=f"https://drive.google.com/drive/folders/{folder}" if folder else "",
        file=f"tdn_{folder or drive_id}.pth.tar",  # the authors publish links without names
        source="tdn",
        dataset=dataset,
        num_classes=num_classes,
        labels=labels,
        licence="Apache-2.0",
        top1=top1,
        top5=top5,
        protocol=protocol,
    )


WEIGHTS: tuple[Weights, ...] = (
    _tdn("tdn_r50_8", "ssv1", folder="12RpThsHQ-3F04fSu8hduM5b7FGnkEfnE", top1=52.3, top5=80.6),
    _tdn("tdn_r50_8", "ssv2", folder="14pZ1W_Mh8nR4e1ziEz7AFpgbz-79HpIC", top1=64.0, top5=88.8),
    _tdn("tdn_r50_8", "k400", folder="1UALrg2ABFq-HGPdy8vgZ9mxqkSkuqWET", top1=76.6, top5=92.8),
    _tdn("tdn_r50_16", "ssv1", folder="1__HhId-WGIkrL7funwt9x8-PvA0jHs_2", top1=53.9, top5=82.1),
    _tdn("tdn_r50_16", "ssv2", folder="1AQOyCiRR9I50YIKHYc5E9q29J1ROe22A", top1=65.3, top5=89.7),
    _tdn("tdn_r50_16", "k400", folder="1p7NC4JjxaLzwfj1JUa4kkHd_KZBxBBYR", top1=77.5, top5=93.2),
    _tdn("tdn_r101_8", "ssv2", folder="1N4EojVdHFfNbEU_4WIkT_26d_mSHimmo", top1=65.8, top5=90.2),
    _tdn("tdn_r101_8", "k400", folder="19KPmxPrdp0VS8fsliOr_8kLj1yfhoqRb", top1=77.5, top5=93.6),
    _tdn("tdn_r101_16", "ssv2", drive_id="1RBzJvE2tGZgnN8Yl4EGj2uFwMECTbIdn", top1=66.9, top5=90.9),
    _tdn("tdn_r101_16", "k400", folder="1a82RenTMhmtPI66Y21Xyrr00iVKL8GOC", top1=78.5, top5=93.9),
)
