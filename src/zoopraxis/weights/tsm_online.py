"""The published checkpoint of TSM's online demo, a MobileNet-V2 without the wrapper of TSN."""

from collections.abc import Mapping

from zoopraxis.spec import Source, Weights
from zoopraxis.weights.keys.mobilenet_v2 import RENAME_MOBILENETV2

SOURCES: Mapping[str, Mapping[str, Source]] = {
    "tsm_online_mobilenetv2": {
        "tsm": Source(
            rename=(
                (r"^(m|module)\.", ""),
                *RENAME_MOBILENETV2,
                (r"^(stem|blocks|last)\.", r"backbone.\1."),
                (r"^classifier\.", "head.linear."),
            )
        )
    }
}

WEIGHTS = (
    Weights(
        model="tsm_online_mobilenetv2",
        tag="jester",
        urls=(
            "https://hanlab18.mit.edu/projects/tsm/models/mobilenetv2_jester_online.pth.tar",
            "https://file.lzhu.me/projects/tsm/models/mobilenetv2_jester_online.pth.tar",
            "https://hanlab.mit.edu/projects/tsm/models/mobilenetv2_jester_online.pth.tar",
        ),
        source="tsm",
        dataset="Jester",
        num_classes=27,
        labels="jester_sorted",
        licence="MIT (code)",
    ),
)
