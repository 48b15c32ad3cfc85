"""Published checkpoints of TSM: of its authors, and of mmaction2, by the name of the row."""

from collections.abc import Mapping

from zoopraxis.spec import Weights

_HANLAB = "https://hanlab18.mit.edu/projects/tsm/models/"
_MM = "https://download.openmmlab.com/mmaction/v1.0/recognition/tsm/"
_UNIFORM = "1 clip of uniform segments, 1 centre crop"
_DENSE = "10 dense clips x 3 crops of the full resolution"
_TWICE = "2 clips x 3 crops of the full resolution"
_KINETICS, _SOMETHING = "kinetics400", "something-something-"


def _authors(
    tag: str,
    run: str,
    top1: float,
    protocol: str,
    *,
    top5: float | None = None,
    num_classes: int = 400,
) -> Weights:
    """Row of a checkpoint of the authors, by the name of its run."""
    return Weights(
        tag=tag,
        url=f"{_HANLAB}TSM_{run}.pth",
        source="tsm",
        dataset=tag.removesuffix("-dense"),
        num_classes=num_classes,
        licence="MIT (code)",
        top1=top1,
        top5=top5,
        protocol=protocol,
    )


def _something(version: str, depth: int, frames: int, top1: float) -> Weights:
    """Row of a checkpoint of the authors on Something-Something v1 or v2."""
    data = {"v1": "something", "v2": "somethingv2"}[version]
    return _authors(
        f"{_SOMETHING}{version}",
        f"{data}_RGB_resnet{depth}_shift8_blockres_avg_segment{frames}_e45",
        top1,
        _UNIFORM if version == "v1" else _TWICE,
        num_classes=174,
    )


def _mmaction2(
    run: str, date_hash: str, top1: float, top5: float, *, crops: int = 10, way: str = ""
) -> Weights:
    """Row of a checkpoint in mmaction2's model zoo, by the name of its run."""
    folder = f"tsm_imagenet-pretrained-{run}-rgb"
    something = "sthv2" in run
    dataset = f"{_SOMETHING}v2" if something else _KINETICS
    return Weights(
        tag=f"{dataset}{way}-mmaction2",
        url=f"{_MM}{folder}/{folder}_{date_hash}.pth",
        source="mmaction2",
        dataset=dataset,
        num_classes=174 if something else 400,
        sha256=date_hash.split("-")[1],
        licence="Apache-2.0",
        top1=top1,
        top5=top5,
        protocol=f"as many segments as in training x {3 if something else crops} crops",
    )


def _mmaction2_nonlocal(kind: str, date_hash: str, top1: float, top5: float) -> Weights:
    """Row of a network with non-local blocks in mmaction2's model zoo."""
    return _mmaction2(f"r50-nl-{kind}_8xb16-1x1x8-50e_kinetics400", date_hash, top1, top5)


_R50 = "kinetics_RGB_resnet50_shift8_blockres_avg_segment"

WEIGHTS: Mapping[str, tuple[Weights, ...]] = {
    "tsm_r50_8": (
        _authors(_KINETICS, f"{_R50}8_e50", 71.2, _UNIFORM),
        _authors("kinetics400-dense", f"{_R50}8_e100_dense", 74.1, _DENSE),
        _something("v1", 50, 8, 45.6),
        _something("v2", 50, 8, 61.2),
        _mmaction2("r50_8xb16-1x1x8-50e_kinetics400", "20220831-64d69186", 73.18, 90.56),
        _mmaction2(
            "r50_8xb16-1x1x8-100e_kinetics400", "20220831-a6db1e5d", 73.22, 90.22, way="-100e"
        ),
        _mmaction2(
            "r50_8xb16-dense-1x1x8-50e_kinetics400",
            "20220831-f55d3c2b",
            73.38,
            90.78,
            way="-dense",
        ),
        _mmaction2("r50_8xb16-1x1x8-50e_sthv2", "20230317-be0fc26e", 62.72, 87.70),
    ),
    "tsm_r50_16": (
        _authors(_KINETICS, f"{_R50}16_e50", 72.6, _UNIFORM),
        _something("v1", 50, 16, 47.2),
        _something("v2", 50, 16, 63.1),
        _mmaction2("r50_8xb16-1x1x16-50e_kinetics400", "20220831-042b1748", 75.12, 91.55),
        _mmaction2("r50_8xb16-1x1x16-50e_sthv2", "20230317-ec6696ad", 64.16, 88.61),
    ),
    "tsm_r101_8": (
        _something("v1", 101, 8, 46.9),
        _something("v2", 101, 8, 63.3),
        _mmaction2("r101_8xb16-1x1x8-50e_sthv2", "20230320-efcc0d1b", 63.70, 88.28),
    ),
    "tsm_nln_r50_8": (
        _authors("kinetics400-dense", f"{_R50}8_e100_dense_nl", 75.6, _DENSE),
        _mmaction2_nonlocal("embedded-gaussian", "20220831-35eddb57", 74.34, 91.23),
    ),
    "tsm_nln_gaussian_r50_8": (_mmaction2_nonlocal("gaussian", "20220831-7e54dacf", 73.66, 90.99),),
    "tsm_nln_dot_product_r50_8": (
        _mmaction2_nonlocal("dot-product", "20220831-108bfde5", 74.49, 91.15),
    ),
    "tsm_r50_flow_8": (
        _authors(
            _KINETICS,
            "kinetics_Flow_resnet50_shift8_blockres_avg_segment8_e50",
            55.7,
            _UNIFORM,
            top5=79.5,
        ),
    ),
    "tsm_mobilenetv2_8": (
        _authors(
            "kinetics400-dense",
            "kinetics_RGB_mobilenetv2_shift8_blockres_avg_segment8_e100_dense",
            69.5,
            _DENSE,
        ),
        _mmaction2(
            "mobilenetv2_8xb16-1x1x8-100e_kinetics400", "20230414-401127fd", 68.71, 88.32, crops=3
        ),
    ),
}
