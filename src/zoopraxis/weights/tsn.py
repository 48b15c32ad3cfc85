"""Published checkpoints of TSN, and the keys of the code bases that train it.

Source "tsn_pytorch" is the authors' PyTorch code; "gsm", "trn" and "tsm" are the repositories of
Gate-Shift, TRN and TSM, which train TSN as a baseline; "mmaction2" is the successor of the authors'
code; "torchvision" loads image networks as initial weights. "caffe" loads the authors' networks of
2016 and the image network from which they were trained: names and shapes follow the prototxts, and
could not be checked against a trained network.
"""

from collections.abc import Mapping

from zoopraxis.inputs import RGB, ClipSpec, Sampling
from zoopraxis.models.tsn import SPECS
from zoopraxis.spec import Protocol, Source, Weights
from zoopraxis.weights.keys import RENAME_BLOBS, RENAME_SEGMENTS, squeeze_blobs
from zoopraxis.weights.keys.bninception import RENAME_BNINCEPTION
from zoopraxis.weights.keys.inception_v3 import RENAME_INCEPTIONV3
from zoopraxis.weights.keys.mobilenet_v2 import RENAME_MOBILENETV2, RENAME_MOBILENETV2_MMACTION2
from zoopraxis.weights.keys.resnet2d import RENAME_MMACTION2, RENAME_RESNET2D
from zoopraxis.weights.keys.vgg import RENAME_VGG

# The wrapper of the TSN lineage around its image networks is the same in all repositories.
_LINEAGE_RESNET = Source(rename=(*RENAME_SEGMENTS, *RENAME_RESNET2D))
_LINEAGE_BNINCEPTION = Source(rename=(*RENAME_SEGMENTS, *RENAME_BNINCEPTION))
_LINEAGE_INCEPTIONV3 = Source(rename=(*RENAME_SEGMENTS, *RENAME_INCEPTIONV3))
_LINEAGE_MOBILENET = Source(rename=(*RENAME_SEGMENTS, *RENAME_MOBILENETV2))

# Keys of plain image networks have no "backbone." prefix.
_BACKBONE = (r"^(?!head\.)", "backbone.")
_TORCHVISION_RESNET = Source(rename=((r"^fc\.", "head.linear."), _BACKBONE, *RENAME_RESNET2D))
_TORCHVISION_VGG = Source(rename=((r"^classifier\.6\.", "head.linear."), *RENAME_VGG, _BACKBONE))
_CAFFE = Source(
    rename=(
        *RENAME_BLOBS,
        (r"^fc(-action)?\.", "head.linear."),  # the image network's is "fc"
        (r"/", "_"),
        _BACKBONE,
        *RENAME_BNINCEPTION,
    ),
    adapt=squeeze_blobs,
)

_MMACTION2 = Source(rename=RENAME_MMACTION2)

_STACKED_RESNETS = {
    **dict.fromkeys(("tsn_pytorch", "tsm", "trn"), _LINEAGE_RESNET),
    "mmaction2": _MMACTION2,
}
_BY_BACKBONE: Mapping[str, Mapping[str, Source]] = {
    "tsn_bninception": {
        **dict.fromkeys(("tsn_pytorch", "gsm", "trn", "tsm"), _LINEAGE_BNINCEPTION),
        "caffe": _CAFFE,
    },
    "tsn_r": {**_STACKED_RESNETS, "torchvision": _TORCHVISION_RESNET},
    "tsn_inceptionv3": dict.fromkeys(("gsm", "trn"), _LINEAGE_INCEPTIONV3),
    "tsn_mobilenetv2": {
        "tsm": _LINEAGE_MOBILENET,
        "mmaction2": Source(rename=RENAME_MOBILENETV2_MMACTION2),
    },
    "tsn_vgg16": {"torchvision": _TORCHVISION_VGG},
}


def _sources(name: str) -> Mapping[str, Source]:
    """Return the sources of an entry by the prefix of its name."""
    if name.startswith("tsn_r") and ("flow" in name or "rgbdiff" in name):
        return _STACKED_RESNETS  # torchvision's networks see single RGB frames
    return next((found for key, found in _BY_BACKBONE.items() if name.startswith(key)), {})


SOURCES: Mapping[str, Mapping[str, Source]] = {
    **{spec.name: _sources(spec.name) for spec in SPECS},
    "test_tsn": {
        "tsm": _LINEAGE_RESNET,
        "mmaction2": _MMACTION2,
        "torchvision": _TORCHVISION_RESNET,
    },
}

_CAFFE_ADDRESS = "https://yjxiong.blob.core.windows.net/tsn-reference-models/"
_CAFFE_CLIP = ClipSpec(
    sampling=Sampling(num_frames=3, mode="segments"),
    input=RGB(
        mean=(104.0, 117.0, 123.0), std=(1.0, 1.0, 1.0), channel_order="bgr", value_range=255.0
    ),
)


def _caffe(model: str, modality: str, *, clip: ClipSpec | None = None) -> tuple[Weights, ...]:
    """Return the reference models of the authors' Caffe code: one per split of two data sets."""
    file = "{}_split_{}_tsn_{}_reference_bn_inception.caffemodel.v5"
    return tuple(
        Weights(
            model=model,
            tag=f"{data}_{split}",
            urls=(_CAFFE_ADDRESS + file.format(data, split, modality),),
            source="caffe",
            dataset=f"{dataset}, split {split}",
            num_classes=num_classes,
            labels=labels,
            licence="BSD-2-Clause (the code)",
            clip=clip,
        )
        for data, dataset, num_classes, labels in (
            ("ucf101", "UCF-101", 101, "ucf101"),
            ("hmdb51", "HMDB-51", 51, "hmdb51_tsn"),
        )
        for split in (1, 2, 3)
    )


_MMACTION2_ADDRESS = "https://download.openmmlab.com/mmaction/v1.0/recognition/tsn/"


def _mmaction2(
    model: str, run: str, date_hash: str, top1: float, top5: float, *, variant: str = ""
) -> Weights:
    """Return a checkpoint of mmaction2's zoo by the name of its run."""
    something = run.endswith("sthv2")
    folder = f"tsn_imagenet-pretrained-{run}-rgb"
    return Weights(
        model=model,
        tag=f"mmaction2_{'ssv2' if something else 'k400'}{variant}",
        urls=(f"{_MMACTION2_ADDRESS}{folder}/{folder}_{date_hash}.pth",),
        source="mmaction2",
        dataset="Something-Something v2" if something else "Kinetics-400",
        num_classes=174 if something else 400,
        sha256=date_hash.split("-")[1],
        labels="ssv2" if something else "kinetics400",
        licence="Apache-2.0",
        top1=top1,
        top5=top5,
        protocol=Protocol(views=1, num_frames=25, crops=10),
    )


_TSM_FILE = "TSM_kinetics_RGB_resnet50_avg_segment5_e50.pth"

WEIGHTS = (
    *_caffe("tsn_bninception_3", "rgb", clip=_CAFFE_CLIP),
    *_caffe("tsn_bninception_flow_3", "flow"),
    _mmaction2("tsn_r50_3", "r50_8xb32-1x1x3-100e_kinetics400", "20220906-cd10898e", 72.83, 90.65),
    _mmaction2("tsn_r50_5", "r50_8xb32-1x1x5-100e_kinetics400", "20220906-65d68713", 73.80, 91.21),
    _mmaction2(
        "tsn_r50_5",
        "r50_8xb32-dense-1x1x5-100e_kinetics400",
        "20220906-dcbc6e01",
        71.37,
        89.67,
        variant="_dense",
    ),
    Weights(
        model="tsn_r50_8",
        tag="tsm_k400",
        urls=(
            f"https://hanlab18.mit.edu/projects/tsm/models/{_TSM_FILE}",
            f"https://file.lzhu.me/projects/tsm/models/{_TSM_FILE}",
            f"https://hanlab.mit.edu/projects/tsm/models/{_TSM_FILE}",
        ),
        source="tsm",
        dataset="Kinetics-400",
        num_classes=400,
        labels="kinetics400",
        licence="MIT (code)",
        top1=68.8,
        protocol=Protocol(
            views=1, crops=1, size=224, convention="tsn", note="trained with 5 segments"
        ),
    ),
    _mmaction2("tsn_r50_8", "r50_8xb32-1x1x8-100e_kinetics400", "20220906-2692d16c", 74.12, 91.34),
    _mmaction2("tsn_r50_8", "r50_8xb32-1x1x8-50e_sthv2", "20230313-06ad7d03", 35.51, 67.09),
    _mmaction2("tsn_r50_16", "r50_8xb32-1x1x16-50e_sthv2", "20230221-85bcc1c3", 36.91, 68.77),
    _mmaction2(
        "tsn_r101_8", "r101_8xb32-1x1x8-100e_kinetics400", "20220906-23cff032", 75.89, 92.07
    ),
)
