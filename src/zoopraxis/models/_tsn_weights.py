"""Published checkpoints of TSN: of its authors, TSM's and mmaction2, by the name of the row."""

from collections.abc import Mapping

from zoopraxis.spec import ClipSpec, Weights

_MM = "https://download.openmmlab.com/mmaction/v1.0/recognition/tsn/"
_DATASETS = {"kinetics400": ("kinetics400", 400), "sthv2": ("something-something-v2", 174)}


def _mmaction2(
    run: str, date_hash: str, top1: float, top5: float, *, data: str = "kinetics400", way: str = ""
) -> Weights:
    """Row of mmaction2's model zoo, by the name of its run."""
    folder = f"tsn_imagenet-pretrained-{run}_{data}-rgb"
    dataset, num_classes = _DATASETS[data]
    return Weights(
        tag=f"{dataset}{way}-mmaction2",
        url=f"{_MM}{folder}/{folder}_{date_hash}.pth",
        source="mmaction2",
        dataset=dataset,
        num_classes=num_classes,
        sha256=date_hash.split("-")[1],
        licence="Apache-2.0",
        top1=top1,
        top5=top5,
        protocol="25 segments x 10 crops",
    )


_R50_TSM = Weights(
    tag="kinetics400",
    url=(
        "https://hanlab18.mit.edu/projects/tsm/models/"
        "TSM_kinetics_RGB_resnet50_avg_segment5_e50.pth"
    ),
    source="tsm",
    dataset="kinetics400",
    num_classes=400,
    licence="MIT (code)",
    top1=68.8,
    protocol="8 segments, 1 clip, 1 centre crop; trained with 5",
)

_CAFFE = "https://yjxiong.blob.core.windows.net/tsn-reference-models/"
_CAFFE_CLIP = ClipSpec(
    frames=3,
    sampling="segments",
    mean=(104.0, 117.0, 123.0),
    std=(1.0, 1.0, 1.0),
    channel_order="bgr",
    value_range=255.0,
)


def _caffe(modality: str, *, clip: ClipSpec | None = None) -> tuple[Weights, ...]:
    """Reference models of the authors' first code, for each split of two data sets."""
    return tuple(
        Weights(
            tag=f"{data}_{split}",
            url=f"{_CAFFE}{data}_split_{split}_tsn_{modality}_reference_bn_inception.caffemodel.v5",
            source="caffe",
            dataset=f"{dataset}, split {split}",
            num_classes=num_classes,
            licence="BSD-2-Clause (the code)",
            clip=clip,
        )
        for data, dataset, num_classes in (("ucf101", "UCF-101", 101), ("hmdb51", "HMDB-51", 51))
        for split in (1, 2, 3)
    )


WEIGHTS: Mapping[str, tuple[Weights, ...]] = {
    "tsn_bninception_3": _caffe("rgb", clip=_CAFFE_CLIP),
    "tsn_bninception_flow_3": _caffe("flow"),
    "tsn_r50_3": (_mmaction2("r50_8xb32-1x1x3-100e", "20220906-cd10898e", 72.83, 90.65),),
    "tsn_r50_5": (
        _mmaction2("r50_8xb32-1x1x5-100e", "20220906-65d68713", 73.80, 91.21),
        _mmaction2("r50_8xb32-dense-1x1x5-100e", "20220906-dcbc6e01", 71.37, 89.67, way="-dense"),
    ),
    "tsn_r50_8": (
        _R50_TSM,
        _mmaction2("r50_8xb32-1x1x8-100e", "20220906-2692d16c", 74.12, 91.34),
        _mmaction2("r50_8xb32-1x1x8-50e", "20230313-06ad7d03", 35.51, 67.09, data="sthv2"),
    ),
    "tsn_r50_16": (
        _mmaction2("r50_8xb32-1x1x16-50e", "20230221-85bcc1c3", 36.91, 68.77, data="sthv2"),
    ),
    "tsn_r101_8": (_mmaction2("r101_8xb32-1x1x8-100e", "20220906-23cff032", 75.89, 92.07),),
}
