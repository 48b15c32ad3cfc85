"""Published checkpoints of ST-GCN, from its authors ("stgcn") and from mmaction2."""

from collections.abc import Mapping

from torch import Tensor

from zoopraxis.models.stgcn import SPECS
from zoopraxis.spec import Protocol, Source, Weights

__all__ = ["SOURCES", "WEIGHTS"]

_STGCN = (
    (r"^A$", "adjacency"),
    (r"^data_bn\.", "input_norm."),
    (r"^st_gcn_networks\.", "blocks."),
    (r"\.gcn\.conv\.", ".graph_conv.conv."),
    (r"\.tcn\.0\.", ".graph_norm."),
    (r"\.tcn\.2\.", ".time_conv."),
    (r"\.tcn\.3\.", ".time_norm."),
    (r"\.residual\.", ".shortcut."),
    (r"^fcn\.", "head.linear."),
)
_MMACTION2 = (
    (r"^backbone\.data_bn\.", "input_norm."),
    (r"^backbone\.gcn\.0\.gcn\.A$", "adjacency"),
    (r"\.gcn\.A$", None),  # every block has the same matrices
    (r"^backbone\.gcn\.(\d+)\.gcn\.PA$", r"edge_importance.\1"),
    (r"^backbone\.gcn\.", "blocks."),
    (r"\.gcn\.conv\.", ".graph_conv.conv."),
    (r"\.gcn\.bn\.", ".graph_norm."),
    (r"\.tcn\.conv\.", ".time_conv."),
    (r"\.tcn\.bn\.", ".time_norm."),
    (r"\.residual\.conv\.", ".shortcut.0."),
    (r"\.residual\.bn\.", ".shortcut.1."),
    (r"^cls_head\.fc\.", "head.linear."),
)


def flatten_classifier(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Turn the classifier, a convolution (K, C, 1, 1), into a linear layer (K, C)."""
    return {
        key: tensor.squeeze((2, 3)) if tensor.ndim == 4 and key == "head.linear.weight" else tensor
        for key, tensor in state.items()
    }


_AUTHORS = Source(rename=_STGCN, adapt=flatten_classifier)
_PORT = Source(rename=_MMACTION2)
_WEIGHTED = tuple(spec.name for spec in SPECS if not spec.name.endswith("unweighted"))

SOURCES: Mapping[str, Mapping[str, Source]] = {
    spec.name: (
        {"stgcn": _AUTHORS, "mmaction2": _PORT} if spec.name in _WEIGHTED else {"stgcn": _AUTHORS}
    )
    for spec in SPECS
}

_ADDRESS = "https://open-mmlab.s3.ap-northeast-2.amazonaws.com/mmskeleton/models/st-gcn/"
_DRIVE = "https://drive.google.com/drive/folders/1IYKoSrjeI3yYJ9bO0_z_eDo92i7ob_aF"
_WHOLE = Protocol(views=1, num_frames=300, note="short ones filled up with zeros")


def _authors(
    model: str, tag: str, run: str, top1: float, *, dataset: str, num_classes: int, labels: str
) -> Weights:
    """Return a checkpoint of the authors by the name of its run."""
    return Weights(
        model=model,
        tag=tag,
        urls=(f"{_ADDRESS}st_gcn.{run}.pt",),
        page=_DRIVE,
        source="stgcn",
        dataset=dataset,
        num_classes=num_classes,
        labels=labels,
        licence="BSD-2-Clause (code)",
        top1=top1,
        protocol=_WHOLE,
    )


_MMACTION2_ADDRESS = "https://download.openmmlab.com/mmaction/v1.0/skeleton/stgcn/"


def _mmaction2(model: str, data: str, points: str, date_hash: str, top1: float) -> Weights:
    """Return a checkpoint of mmaction2's zoo, trained on the joints themselves."""
    run = f"stgcn_8xb16-joint-u100-80e_{data}-xsub-keypoint-{points}"
    return Weights(
        model=model,
        tag=f"mmaction2_{data}_xsub",
        urls=(f"{_MMACTION2_ADDRESS}{run}/{run}_{date_hash}.pth",),
        source="mmaction2",
        dataset=f"NTU RGB+D {data.removeprefix('ntu')}, cross-subject",
        num_classes=int(data.removeprefix("ntu")),
        sha256=date_hash.split("-")[1],
        labels=data,
        licence="Apache-2.0",
        top1=top1,
        protocol=Protocol(views=10),
    )


WEIGHTS = (
    _authors(
        "stgcn_openpose",
        "k400",
        "kinetics",
        31.6,
        dataset="Kinetics-skeleton",
        num_classes=400,
        labels="kinetics400",
    ),
    _authors(
        "stgcn_ntu",
        "ntu60_xsub",
        "ntu-xsub",
        81.6,
        dataset="NTU RGB+D 60, cross-subject",
        num_classes=60,
        labels="ntu60",
    ),
    _authors(
        "stgcn_ntu",
        "ntu60_xview",
        "ntu-xview",
        88.8,
        dataset="NTU RGB+D 60, cross-view",
        num_classes=60,
        labels="ntu60",
    ),
    _mmaction2("stgcn_coco", "ntu60", "2d", "20221129-484a394a", 88.95),
    _mmaction2("stgcn_coco", "ntu120", "2d", "20221129-612416c6", 83.19),
    _mmaction2("stgcn_ntu_100", "ntu60", "3d", "20221129-850308e1", 88.11),
    _mmaction2("stgcn_ntu_100", "ntu120", "3d", "20221129-0484f579", 82.15),
)
