"""Published checkpoints of TRN: the authors' and mmaction2's."""

import re
from collections.abc import Mapping

from zoopraxis.models.trn import SPECS
from zoopraxis.spec import Protocol, Source, Weights
from zoopraxis.weights.keys import RENAME_SEGMENTS
from zoopraxis.weights.keys.bninception import RENAME_BNINCEPTION
from zoopraxis.weights.keys.inception_v3 import RENAME_INCEPTIONV3
from zoopraxis.weights.keys.resnet2d import RENAME_MMACTION2, RENAME_RESNET2D

__all__ = ["RENAME_RELATIONS", "SOURCES", "WEIGHTS"]

RENAME_RELATIONS = (
    (r"^(cls_head\.)?consensus\.fc_fusion_scales\.(\d+)\.1\.", r"head.relations.\2.hidden."),
    (r"^(cls_head\.)?consensus\.fc_fusion_scales\.(\d+)\.3\.", r"head.relations.\2.out."),
    (r"^(cls_head\.)?consensus\.classifier\.1\.", "head.hidden."),
    (r"^(cls_head\.)?consensus\.classifier\.3\.", "head.out."),
)
"""Keys of multi-scale and single-scale relations in both code bases."""

# Where TSN has its classifier, TRN computes the features of a frame.
_DESCRIBE = (r"^head\.linear\.", "describe.")
_WRAPPER = (*RENAME_SEGMENTS, _DESCRIBE, *RENAME_RELATIONS)

BNINCEPTION = {"trn": Source(rename=(*_WRAPPER, *RENAME_BNINCEPTION))}
INCEPTIONV3 = {"trn": Source(rename=(*_WRAPPER, *RENAME_INCEPTIONV3))}
RESNET = {
    "trn": Source(rename=(*_WRAPPER, *RENAME_RESNET2D)),
    "mmaction2": Source(rename=(*RENAME_MMACTION2, _DESCRIBE, *RENAME_RELATIONS)),
}


def _sources(name: str) -> Mapping[str, Source]:
    """Choose the sources by the image network in a model's name."""
    if "inceptionv3" in name:
        return INCEPTIONV3
    return RESNET if re.search(r"_r\d", name) else BNINCEPTION


SOURCES: Mapping[str, Mapping[str, Source]] = {spec.name: _sources(spec.name) for spec in SPECS}


def _authors(
    model: str,
    tag: str,
    file: str,
    *,
    dataset: str,
    num_classes: int,
    labels: str,
    top1: float | None = None,
) -> Weights:
    return Weights(
        model=model,
        tag=tag,
        page="https://github.com/zhoubolei/TRN-pytorch",
        file=f"TRN_{file}.pth.tar",
        source="trn",
        dataset=dataset,
        num_classes=num_classes,
        labels=labels,
        licence="BSD-2-Clause (code)",
        top1=top1,
        protocol=Protocol(views=1, crops=10, note="validation") if top1 else None,
    )


def _mmaction2(version: int, date_hash: str, top1: float, top5: float) -> Weights:
    run = f"trn_imagenet-pretrained-r50_8xb16-1x1x8-50e_sthv{version}-rgb"
    folder = f"https://download.openmmlab.com/mmaction/v1.0/recognition/trn/{run}"
    return Weights(
        model="trn_r50_8",
        tag=f"mmaction2_ssv{version}",
        urls=(f"{folder}/{run}_{date_hash}.pth",),
        source="mmaction2",
        dataset=f"Something-Something v{version}",
        num_classes=174,
        sha256=date_hash.split("-")[1],
        labels=f"ssv{version}",
        licence="Apache-2.0",
        top1=top1,
        top5=top5,
        protocol=Protocol(views=2, crops=10),
    )


WEIGHTS: tuple[Weights, ...] = (
    _authors(
        "trn_bninception_8",
        "ssv1",
        "something_RGB_BNInception_TRNmultiscale_segment8_best_v0.4",
        dataset="Something-Something v1",
        num_classes=174,
        labels="ssv1_sorted",
        top1=34.44,
    ),
    _authors(
        "trn_bninception_8",
        "ssv2",
        "somethingv2_RGB_BNInception_TRNmultiscale_segment8_best",
        dataset="Something-Something v2",
        num_classes=174,
        labels="ssv2",
    ),
    _authors(
        "trn_bninception_8",
        "jester",
        "jester_RGB_BNInception_TRNmultiscale_segment8_best_v0.4",
        dataset="Jester",
        num_classes=27,
        labels="jester_sorted",
    ),
    _authors(
        "trn_inceptionv3_8",
        "mit",
        "moments_RGB_InceptionV3_TRNmultiscale_segment8_best_v0.4",
        dataset="Moments in Time",
        num_classes=339,
        labels="mit",
    ),
    _mmaction2(1, "20220815-e13db2e9", 33.65, 62.22),
    _mmaction2(2, "20220815-e01617db", 51.20, 78.42),
)
