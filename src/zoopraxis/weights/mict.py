"""Published checkpoints of MiCT, from the port by F. Mahoudeau."""

from collections.abc import Mapping

from zoopraxis.models.mict import SPECS
from zoopraxis.spec import Protocol, Source, Weights
from zoopraxis.weights.keys import kernels_of_one_frame

__all__ = ["SOURCES", "WEIGHTS"]

_MICT = Source(
    rename=(
        (r"^conv1\.", "stem.conv."),
        (r"^bn1\.", "stem.norm."),
        (r"^conv2\.", "stem.motion.conv."),
        (r"^bn2\.", "stem.motion.norm."),
        (r"^(layer\d)\.conv\.", r"\1.motion.conv."),
        (r"^(layer\d)\.bn\.", r"\1.motion.norm."),
        (r"\.bottlenecks\.", ".blocks."),
        (r"\.bn(\d)\.", r".norm\1."),
        (r"\.downsample\.0\.", ".shortcut.conv."),
        (r"\.downsample\.1\.", ".shortcut.norm."),
        (r"^fc\.", "head.linear."),
    ),
    adapt=kernels_of_one_frame,
)
SOURCES: Mapping[str, Mapping[str, Source]] = {spec.name: {"mict": _MICT} for spec in SPECS}


def _ucf101(model: str, file: str, link: str, top1: float) -> Weights:
    return Weights(
        model=model,
        tag="ucf101_1",
        page=f"https://1drv.ms/u/{link}",
        file=file,
        source="mict",
        dataset="UCF-101, split 1",
        num_classes=101,
        labels="ucf101",
        licence="Apache-2.0",
        top1=top1,
        protocol=Protocol(crops=1, size=160, note="the first 300 frames as one clip"),
    )


WEIGHTS: tuple[Weights, ...] = (
    _ucf101("mict_18_v2", "MiCT-ResNet-18", "s!AvyZUg7UPo_CgdN0CZ9lbJsVihw-Lw?e=aWO657", 69.6),
    _ucf101("mict_34_v2", "MiCT-ResNet-34", "s!AvyZUg7UPo_CgdN1booEiNyzTweTQQ?e=dkfjXW", 73.8),
)
