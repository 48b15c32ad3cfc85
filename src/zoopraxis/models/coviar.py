"""Compressed Video Action Recognition.

Wu, Zaheer, Hu, Manmatha, Smola and Krähenbühl, CVPR 2018. arXiv:1712.00636
Official code: https://github.com/chaoyuaw/pytorch-coviar (LGPL-2.1)

A video codec has done half of the work: it stores a whole image, the I-frame, only every dozen
frames, and of the others, the P-frames, how blocks of the frame before move and what remains. Three
networks read this without decoding it to images: a deep one the I-frames, two light ones the motion
vectors and the residuals, both traced back to the I-frame so that each P-frame depends on it alone
(section 3.1). Each is trained by itself on three frames, one of each third of the video, and the
sum of their scores is the prediction (section 3.2, `zoopraxis.prediction.fusion`).

These are the networks of the authors' PyTorch code, on torchvision's ResNets; the paper's were
pre-activation ResNets of MXNet. `zoopraxis.inputs.Compressed` reads the streams.
"""

from functools import partial
from typing import Any

from torch import Tensor, nn

from zoopraxis.inputs import ClipSpec, Compressed, Sampling
from zoopraxis.layers.frames import BackboneFn
from zoopraxis.layers.resnet2d import ResNet2d
from zoopraxis.models.base import SegmentNetwork
from zoopraxis.spec import ModelSpec


class MotionStream(SegmentNetwork):
    """An image network on motion vectors or residuals, which a batch norm scales first.

    The I-frame's network is a plain `SegmentNetwork`: images are scaled already.

    Parameters
    ----------
    backbone_fn : BackboneFn
        Builds the image network.
    in_channels : int, default=2
        2 for motion vectors, 3 for residuals.
    **options
        Of `SegmentNetwork`.
    """

    def __init__(self, backbone_fn: BackboneFn, *, in_channels: int = 2, **options: Any) -> None:
        super().__init__(backbone_fn, in_channels=in_channels, **options)
        self.input_norm = nn.BatchNorm3d(in_channels)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, C, T, H, W) to features (B, F, T, H/32, W/32)."""
        return super().forward_features(self.input_norm(x))


_VECTORS = ClipSpec(
    sampling=Sampling(num_frames=3, mode="segments"), input=Compressed(stream="vectors")
)
_RESIDUAL = _VECTORS.change(stream="residual", std=(0.229, 0.224, 0.225), channel_order="bgr")
_I_FRAME = _VECTORS.change(stream="i_frame", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


def _entry(
    name: str,
    build: type[SegmentNetwork],
    backbone_fn: BackboneFn,
    clip: ClipSpec,
    *,
    num_classes: int = 101,
) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=build,
        args={
            "backbone_fn": backbone_fn,
            "in_channels": clip.channels,
            "num_classes": num_classes,
            "dropout": 0.0,
        },
        clip=clip,
        strides=(1, 32),
        order_sensitive=False,
    )


SPECS = (
    _entry("coviar_iframe_r152_3", SegmentNetwork, partial(ResNet2d, 152), _I_FRAME),
    _entry("coviar_vectors_r18_3", MotionStream, partial(ResNet2d, 18), _VECTORS),
    _entry("coviar_residual_r18_3", MotionStream, partial(ResNet2d, 18), _RESIDUAL),
    _entry(
        "test_coviar",
        MotionStream,
        partial(ResNet2d, 10, width=16),
        _VECTORS.change(size=64, resize=64),
        num_classes=12,
    ),
)
