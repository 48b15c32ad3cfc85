"""Published checkpoints of DMC-Net, from its authors.

They come in one archive, for which the page stands; the names of the files in it are those of the
authors' training scripts, and could not be checked.
"""

from collections.abc import Mapping

from zoopraxis.models.dmc_net import SPECS
from zoopraxis.spec import Protocol, Source, Weights
from zoopraxis.weights.keys import RENAME_SEGMENTS
from zoopraxis.weights.keys.resnet2d import RENAME_RESNET2D

__all__ = ["SOURCES", "WEIGHTS"]

_DMC = Source(
    rename=(
        (r"^discriminator\.", None),  # serves training alone
        (r"^data_bn\.", None),  # the authors' code never uses it
        (r"^gen_flow_model\.conv_(\d)\.0\.", r"cue.generator.layers.\1."),
        (r"^gen_flow_model\.predict_flow\.", "cue.generator.predict."),
        (r"^gen_flow_model\.conv_context\.(\d)\.0\.", r"cue.generator.\1.conv."),
        (r"^gen_flow_model\.conv_context\.(\d)\.1\.", r"cue.generator.\1.norm."),
        *RENAME_SEGMENTS,
        *RENAME_RESNET2D,
    )
)

SOURCES: Mapping[str, Mapping[str, Source]] = {spec.name: {"dmc": _DMC} for spec in SPECS}

WEIGHTS = tuple(
    Weights(
        model="dmc_net_r18_3",
        tag=f"{data}_{split}",
        page="https://dl.fbaipublicfiles.com/dmc-net/models.zip",
        file=f"{data}_gan/split{split}/_mv_model_best.pth.tar",
        source="dmc",
        dataset=f"{dataset}, split {split}",
        num_classes=num_classes,
        labels=labels,
        licence="MIT (code)",
        protocol=Protocol(views=1, num_frames=25, crops=1, convention="coviar"),
    )
    for data, dataset, num_classes, labels in (
        ("ucf101", "UCF-101", 101, "ucf101"),
        ("hmdb51", "HMDB-51", 51, "hmdb51_coviar"),
    )
    for split in (1, 2, 3)
)
