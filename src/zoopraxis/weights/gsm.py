"""Published checkpoints of Gate-Shift networks, and the authors' order of summation.

Ten successive gates amplify rounding errors by two orders of magnitude, so the network of source
"gsm" computes them as the authors do, by 3D convolutions.
"""

import re
from collections.abc import Mapping
from typing import Any

from zoopraxis.layers.frames import BackboneFn
from zoopraxis.models.gsm import GSM, SPECS, Gate, GateShift
from zoopraxis.spec import Protocol, Source, Weights
from zoopraxis.weights.keys import RENAME_SEGMENTS
from zoopraxis.weights.keys.bninception import RENAME_BNINCEPTION
from zoopraxis.weights.keys.inception_v3 import RENAME_INCEPTIONV3, mixed_branch


class VolumeGSM(GSM):
    """GSM with every gate in its plain form, `Gate`; the parameters are those of `GSM`."""

    def __init__(self, backbone_fn: BackboneFn, **options: Any) -> None:
        super().__init__(backbone_fn, **options)
        for module in self.modules():
            if isinstance(module, GateShift):
                module.gate = over_volumes(module.gate)


def over_volumes(gate: Gate) -> Gate:
    """Return the plain form of a gate, with the same weights."""
    plain = Gate(gate.norm.num_features)
    plain.load_state_dict(gate.state_dict())
    return plain


def _mixed_gate(match: re.Match[str]) -> str:
    """gsm_mixed_3_tower_conv_Conv2D. becomes mixed_3.branch3x3dbl.0.shift.gate. ."""
    return f"{mixed_branch(match)}.shift.gate."


_GATE = (
    (r"\bgsm_inception_(\d[a-e])_(\w+)\.", r"inception_\1.conv_\2.shift.gate."),
    (r"\bgsm_mixed_?(\d+)?_(\w+)_Conv2D\.", _mixed_gate),
    (r"\.gate\.conv3D\.", ".gate."),
    (r"\.gate\.bn\.", ".gate.norm."),
)
_BNINCEPTION = Source(rename=(*RENAME_SEGMENTS, *_GATE, *RENAME_BNINCEPTION), build=VolumeGSM)
_INCEPTIONV3 = Source(rename=(*RENAME_SEGMENTS, *_GATE, *RENAME_INCEPTIONV3), build=VolumeGSM)

_NAMES = [spec.name for spec in SPECS]
SOURCES: Mapping[str, Mapping[str, Source]] = {
    **{name: {"gsm": _BNINCEPTION} for name in _NAMES if "bninception" in name},
    **{name: {"gsm": _INCEPTIONV3} for name in _NAMES if "inceptionv3" in name},
    "test_gsm": {"gsm": _BNINCEPTION},
}

_DATA = {  # name, prefix of the file, classes, labels
    "ssv1": ("Something-Something v1", "something-v1", 174, "ssv1_sorted"),
    "diving48": ("Diving48", "diving48", 48, "diving48"),
}


def _published(
    model: str, file_id: str, top1: float | None = None, *, data: str = "ssv1"
) -> Weights:
    """Return a checkpoint on the authors' Google Drive."""
    _, backbone, segments = model.split("_")
    backbone = {"bninception": "BNInception", "inceptionv3": "InceptionV3"}[backbone]
    dataset, prefix, num_classes, labels = _DATA[data]
    return Weights(
        model=model,
        tag=data,
        urls=(f"gdrive://{file_id}",),
        file=f"{prefix}_RGB_{backbone}_avg_segment{segments}_checkpoint.pth.tar",
        source="gsm",
        dataset=dataset,
        num_classes=num_classes,
        labels=labels,
        licence="BSD-2-Clause (code)",
        top1=top1,
        protocol=Protocol(views=1, crops=1, note="validation") if top1 else None,
    )


WEIGHTS = (
    _published("gsm_bninception_8", "1rPma02uIiNI-TmL50rOyDDL1JOZeYPzT"),
    _published("gsm_bninception_16", "1anqY7A1PuUq_qleesy8OtTTkm_UoK23r"),
    _published("gsm_inceptionv3_8", "14OplsnndeyUx7Uf4Hy82enPrhodEYXgo", 49.01),
    _published("gsm_inceptionv3_12", "1t_NAC4WNEqA2XMm7bK3TUVByNLgnM5wJ", 51.58),
    _published("gsm_inceptionv3_16", "1JCHJZK7r15yHCUiHKh3XJrrvibEGZhu4", 50.63),
    _published("gsm_inceptionv3_16", "1gbtufj34TA-2Pwxn7RGPWwkvtyK98Zx5", 39.03, data="diving48"),
    _published("gsm_inceptionv3_24", "14uqOw9yAAuk9HDIsm-2NI7zEKKf4gstF", 49.63),
)
