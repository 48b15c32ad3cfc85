"""Published checkpoints of TSM, from its authors ("tsm") and from mmaction2."""

from collections.abc import Mapping

from torch import Tensor

from zoopraxis.models.tsm import SPECS
from zoopraxis.spec import Protocol, Source, Weights
from zoopraxis.weights.keys import RENAME_SEGMENTS
from zoopraxis.weights.keys.bninception import RENAME_BNINCEPTION
from zoopraxis.weights.keys.mobilenet_v2 import RENAME_MOBILENETV2, RENAME_MOBILENETV2_MMACTION2
from zoopraxis.weights.keys.resnet2d import RENAME_MMACTION2, RENAME_RESNET2D

_UNWRAP = (r"\.net\.", ".")  # the shift of both code bases is a module around a convolution
_NONLOCAL = (
    (r"\.nl\.W\.0\.", ".nonlocal_block.out."),
    (r"\.nl\.W\.1\.", ".nonlocal_block.norm."),
    (r"\.nl\.(g|phi)\.0\.", r".nonlocal_block.\1."),
    (r"\.nl\.", ".nonlocal_block."),
)
_NONLOCAL_MMACTION2 = (
    (r"\.non_local_block\.conv_out\.conv\.", ".nonlocal_block.out."),
    (r"\.non_local_block\.conv_out\.bn\.", ".nonlocal_block.norm."),
    (r"\.non_local_block\.(\w+)(\.0)?\.conv\.", r".nonlocal_block.\1."),
)


def add_biases(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add biases of zeros to the last convolutions of non-local blocks: mmaction2's have none."""
    ends = [key for key in state if key.endswith("nonlocal_block.out.weight")]
    return {
        **state,
        **{key.replace("weight", "bias"): state[key].new_zeros(len(state[key])) for key in ends},
    }


_MMACTION2 = {
    "mmaction2": Source(rename=(_UNWRAP, *_NONLOCAL_MMACTION2, *RENAME_MMACTION2), adapt=add_biases)
}
_RESNET = {
    "tsm": Source(rename=(*RENAME_SEGMENTS, _UNWRAP, *_NONLOCAL, *RENAME_RESNET2D)),
    **_MMACTION2,
}
_BNINCEPTION = {"tsm": Source(rename=(*RENAME_SEGMENTS, *RENAME_BNINCEPTION))}
_MOBILENET = {
    "tsm": Source(rename=(*RENAME_SEGMENTS, *RENAME_MOBILENETV2)),
    "mmaction2": Source(rename=RENAME_MOBILENETV2_MMACTION2),
}


def _sources(name: str) -> Mapping[str, Source]:
    """Return the sources of an entry by its name."""
    if name in ("tsm_timm", "tsm_small"):
        return {}
    if "gaussian" in name or "dot_product" in name:  # the authors only have the embedded Gaussian
        return _MMACTION2
    if "bninception" in name:
        return _BNINCEPTION
    return _MOBILENET if "mobilenetv2" in name else _RESNET


SOURCES: Mapping[str, Mapping[str, Source]] = {spec.name: _sources(spec.name) for spec in SPECS}

_ADDRESSES = (
    "https://hanlab18.mit.edu/projects/tsm/models/",
    "https://file.lzhu.me/projects/tsm/models/",
    "https://hanlab.mit.edu/projects/tsm/models/",
)
# of the authors' test_models.py, which averages logits; --full_res is crops of 256 of 256 pixels
_UNIFORM = Protocol(views=1, crops=1, size=224, convention="tsn")
_DENSE = Protocol(views=10, crops=3, size=256, convention="tsm_dense", mode="mean_logit")
_TWICE = Protocol(views=2, crops=3, size=256, convention="tsm_twice", mode="mean_logit")
_DATA = {  # name, classes, labels
    "k400": ("Kinetics-400", 400, "kinetics400"),
    "ssv1": ("Something-Something v1", 174, "ssv1_sorted"),
    "ssv2": ("Something-Something v2", 174, "ssv2"),
}


def _authors(
    model: str, tag: str, run: str, top1: float, protocol: Protocol, *, top5: float | None = None
) -> Weights:
    """Return a checkpoint of the authors by the name of its run."""
    dataset, num_classes, labels = _DATA[tag.split("_")[0]]
    return Weights(
        model=model,
        tag=tag,
        urls=tuple(f"{address}TSM_{run}.pth" for address in _ADDRESSES),
        source="tsm",
        dataset=dataset,
        num_classes=num_classes,
        labels=labels,
        licence="MIT (code)",
        top1=top1,
        top5=top5,
        protocol=protocol,
    )


def _something(model: str, tag: str, top1: float) -> Weights:
    """Return a checkpoint of the authors on Something-Something v1 or v2."""
    depth, num_frames = model.removeprefix("tsm_r").split("_")
    data = {"ssv1": "something", "ssv2": "somethingv2"}[tag]
    run = f"{data}_RGB_resnet{depth}_shift8_blockres_avg_segment{num_frames}_e45"
    return _authors(model, tag, run, top1, _UNIFORM if tag == "ssv1" else _TWICE)


_MMACTION2_ADDRESS = "https://download.openmmlab.com/mmaction/v1.0/recognition/tsm/"


def _mmaction2(
    model: str,
    run: str,
    date_hash: str,
    top1: float,
    top5: float,
    *,
    crops: int = 10,
    variant: str = "",
) -> Weights:
    """Return a checkpoint of mmaction2's zoo by the name of its run."""
    data = "ssv2" if run.endswith("sthv2") else "k400"
    dataset, num_classes, labels = _DATA[data]
    folder = f"tsm_imagenet-pretrained-{run}-rgb"
    return Weights(
        model=model,
        tag=f"mmaction2_{data}{variant}",
        urls=(f"{_MMACTION2_ADDRESS}{folder}/{folder}_{date_hash}.pth",),
        source="mmaction2",
        dataset=dataset,
        num_classes=num_classes,
        sha256=date_hash.split("-")[1],
        labels=labels,
        licence="Apache-2.0",
        top1=top1,
        top5=top5,
        protocol=Protocol(views=1, crops=3 if data == "ssv2" else crops),
    )


def _mmaction2_nonlocal(model: str, kind: str, date_hash: str, top1: float, top5: float) -> Weights:
    """Return a checkpoint of mmaction2's zoo with non-local blocks."""
    return _mmaction2(model, f"r50-nl-{kind}_8xb16-1x1x8-50e_kinetics400", date_hash, top1, top5)


_R50 = "kinetics_RGB_resnet50_shift8_blockres_avg_segment"
_FLOW = "kinetics_Flow_resnet50_shift8_blockres_avg_segment8_e50"
_MOBILE = "kinetics_RGB_mobilenetv2_shift8_blockres_avg_segment8_e100_dense"

WEIGHTS = (
    _authors("tsm_r50_8", "k400", f"{_R50}8_e50", 71.2, _UNIFORM),
    _authors("tsm_r50_8", "k400_dense", f"{_R50}8_e100_dense", 74.1, _DENSE),
    _something("tsm_r50_8", "ssv1", 45.6),
    _something("tsm_r50_8", "ssv2", 61.2),
    _mmaction2("tsm_r50_8", "r50_8xb16-1x1x8-50e_kinetics400", "20220831-64d69186", 73.18, 90.56),
    _mmaction2(
        "tsm_r50_8",
        "r50_8xb16-1x1x8-100e_kinetics400",
        "20220831-a6db1e5d",
        73.22,
        90.22,
        variant="_100e",
    ),
    _mmaction2(
        "tsm_r50_8",
        "r50_8xb16-dense-1x1x8-50e_kinetics400",
        "20220831-f55d3c2b",
        73.38,
        90.78,
        variant="_dense",
    ),
    _mmaction2("tsm_r50_8", "r50_8xb16-1x1x8-50e_sthv2", "20230317-be0fc26e", 62.72, 87.70),
    _authors("tsm_r50_16", "k400", f"{_R50}16_e50", 72.6, _UNIFORM),
    _something("tsm_r50_16", "ssv1", 47.2),
    _something("tsm_r50_16", "ssv2", 63.1),
    _mmaction2("tsm_r50_16", "r50_8xb16-1x1x16-50e_kinetics400", "20220831-042b1748", 75.12, 91.55),
    _mmaction2("tsm_r50_16", "r50_8xb16-1x1x16-50e_sthv2", "20230317-ec6696ad", 64.16, 88.61),
    _something("tsm_r101_8", "ssv1", 46.9),
    _something("tsm_r101_8", "ssv2", 63.3),
    _mmaction2("tsm_r101_8", "r101_8xb16-1x1x8-50e_sthv2", "20230320-efcc0d1b", 63.70, 88.28),
    _authors("tsm_nln_r50_8", "k400_dense", f"{_R50}8_e100_dense_nl", 75.6, _DENSE),
    _mmaction2_nonlocal("tsm_nln_r50_8", "embedded-gaussian", "20220831-35eddb57", 74.34, 91.23),
    _mmaction2_nonlocal("tsm_nln_gaussian_r50_8", "gaussian", "20220831-7e54dacf", 73.66, 90.99),
    _mmaction2_nonlocal(
        "tsm_nln_dot_product_r50_8", "dot-product", "20220831-108bfde5", 74.49, 91.15
    ),
    _authors("tsm_r50_flow_8", "k400", _FLOW, 55.7, _UNIFORM, top5=79.5),
    _authors("tsm_mobilenetv2_8", "k400_dense", _MOBILE, 69.5, _DENSE),
    _mmaction2(
        "tsm_mobilenetv2_8",
        "mobilenetv2_8xb16-1x1x8-100e_kinetics400",
        "20230414-401127fd",
        68.71,
        88.32,
        crops=3,
    ),
)
