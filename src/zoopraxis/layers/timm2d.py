"""Any image network of timm as a backbone over frames (extra ``timm``).

A timm network pools its own features, so the feature map of a frame is 1x1. A paper's idea about
time wraps the first convolution of every residual block: as the blocks are timm's, the network is
changed after it has been built.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from torch import Tensor, nn

from zoopraxis.errors import ModelNotFoundError, ShapeError, did_you_mean

__all__ = ["TimmBackbone", "Wrap", "blocks_of", "on_timm"]

Wrap = Callable[[nn.Conv2d, int], nn.Module]
"""Maps a convolution and the number of frames to the module that replaces the convolution."""


class TimmBackbone(nn.Module):
    """An image network of timm without classifier.

    Parameters
    ----------
    name : str
        As for `timm.create_model`, with or without a tag: "resnet18", "resnet18.a1_in1k".
    in_channels : int, default=3
        Channels of a frame, or of a stack of frames.
    num_frames : int, default=8
        T, the number of frames of a clip.
    wrap : Wrap, optional
        Replaces the first convolution of every block.
    pretrained : bool, default=False
        Whether timm downloads its weights.

    Raises
    ------
    ModelNotFoundError
        timm is not installed, or has no such network.
    ShapeError
        ``wrap`` is given and the network has no blocks with convolutions.
    """

    def __init__(
        self,
        name: str,
        *,
        in_channels: int = 3,
        num_frames: int = 8,
        wrap: Wrap | None = None,
        pretrained: bool = False,
    ) -> None:
        super().__init__()
        self.num_frames = num_frames
        self.network = _create(name, in_chans=in_channels, num_classes=0, pretrained=pretrained)
        self.num_features: int = self.network.head_hidden_size
        if wrap is not None:
            _wrap_first_convolutions(self.network, name, wrap, num_frames)

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to features (B * T, F, 1, 1).

        Raises
        ------
        ShapeError
            The clip does not have the T frames for which the network was built.
        """
        if num_frames != self.num_frames:
            raise ShapeError(
                f"got clips of {num_frames} frames; the network was built for {self.num_frames}",
                f"build it with num_frames={num_frames}",
            )
        features: Tensor = self.network(x)  # (B * T, F)
        return features[:, :, None, None]


def on_timm(
    network: Callable[..., nn.Module],
    backbone: str,
    *,
    wrap: Wrap | None = None,
    num_frames: int = 8,
    pretrained: bool = False,
    **options: Any,
) -> nn.Module:
    """Build a network over segments whose backbone is an image network of timm.

    Parameters
    ----------
    network : callable
        For example `zoopraxis.models.tsm.TSM`; called with a `BackboneFn` and options.
    backbone, wrap, num_frames, pretrained
        As for `TimmBackbone`.
    **options
        Of ``network``.
    """
    backbone_fn = partial(
        TimmBackbone, backbone, num_frames=num_frames, wrap=wrap, pretrained=pretrained
    )
    return network(backbone_fn, **options)


def _create(name: str, **options: Any) -> Any:
    try:
        import timm
    except ModuleNotFoundError as error:
        raise ModelNotFoundError(
            f"the backbone {name!r} needs timm, which is not installed",
            "pip install 'zoopraxis[timm]'",
        ) from error
    if not timm.is_model(name.split(".")[0]):
        raise ModelNotFoundError(
            f"timm has no network called {name!r}",
            did_you_mean(name, timm.list_models(), otherwise="timm.list_models() lists them"),
        )
    return timm.create_model(name, **options)


def blocks_of(network: nn.Module) -> list[nn.Module]:
    """Residual blocks of a network of timm, in order.

    A block is part of a sequence, or of a module whose parts are all of one class. It holds at
    least two layers with weights, one of them a convolution, and no other such block.
    """
    # ResNet-18: layer1 holds two BasicBlocks, each with two convolutions, and is no block itself
    found = [
        part
        for parent in network.modules()
        for part in parent.children()
        if _is_sequence(parent) and _is_deep(part)
    ]
    return [block for block in found if not any(b in found for b in list(block.modules())[1:])]


def _is_sequence(parent: nn.Module) -> bool:
    classes = {type(part) for part in parent.children()}
    return isinstance(parent, nn.Sequential | nn.ModuleList) or len(classes) == 1


def _is_deep(part: nn.Module) -> bool:
    layers = [m for m in part.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    return len(layers) > 1 and any(isinstance(layer, nn.Conv2d) for layer in layers)


def _convolutions(block: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Conv2d]]:
    """Yield the convolutions of a block with their parents and names."""
    for parent in block.modules():
        for name, part in parent.named_children():
            if isinstance(part, nn.Conv2d):
                yield parent, name, part


def _wrap_first_convolutions(network: nn.Module, name: str, wrap: Wrap, num_frames: int) -> None:
    blocks = blocks_of(network)
    if not blocks:
        raise ShapeError(
            f"{name} has no blocks of convolutions that could mix frames",
            "choose a convolutional network, or TSN, which works on any network",
        )
    for block in blocks:
        parent, attribute, conv = next(_convolutions(block))
        setattr(parent, attribute, wrap(conv, num_frames))
