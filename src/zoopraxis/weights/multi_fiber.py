"""Published checkpoint of the multi-fiber network, from the authors."""

from collections.abc import Mapping

from zoopraxis.spec import Protocol, Source, Weights

__all__ = ["SOURCES", "WEIGHTS"]

_MFNET = {
    "mfnet": Source(
        rename=(
            (r"^conv1\.conv\.", "conv."),
            (r"^conv1\.bn\.", "norm."),
            (r"^tail\.bn\.", "last_norm."),
            # conv2.B01. -> layer1.0.: there the stem is stage 1, and blocks are counted from 1
            (r"^conv(\d)\.B(\d+)\.", lambda m: f"layer{int(m[1]) - 1}.{int(m[2]) - 1}."),
            (r"\.conv_i1\.", ".multiplexer.gather."),
            (r"\.conv_i2\.", ".multiplexer.scatter."),
            (r"\.conv_m(\d)\.", r".conv\1."),
            (r"\.conv_w1\.", ".shortcut."),
            (r"\.bn\.", ".norm."),
            (r"^classifier\.", "head.linear."),
        )
    )
}
SOURCES: Mapping[str, Mapping[str, Source]] = {"mfnet": _MFNET, "test_mfnet": _MFNET}

WEIGHTS: tuple[Weights, ...] = (
    Weights(
        model="mfnet",
        tag="k400",
        page="https://goo.gl/QdE85T",  # leads to Google Drive
        file="MFNet3D_Kinetics-400_72.8.pth",
        source="mfnet",
        dataset="Kinetics-400",
        num_classes=400,
        labels="kinetics400",
        licence="MIT (the code)",
        top1=72.8,
        protocol=Protocol(
            size=224, note="several random clips, random crops of frames of 256 x 256, averaged"
        ),
    ),
)
