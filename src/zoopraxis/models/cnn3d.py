"""3D Convolutional Neural Networks for Human Action Recognition.

Ji, Xu, Yang and Yu, ICML 2010; IEEE TPAMI 35(1), 2013. No code was published.

The first convolutions over time. A hard-wired layer turns 7 grey frames of 60 x 40 pixels around
a person into 33 channels of five kinds: 7 of grey, 7 + 7 of its gradients along x and y, 6 + 6
of optical flow between neighbours. Every kind is convolved over space and time on its own, with
two sets of kernels (C2) and then three for each of these (C4), each followed by a subsampling
with a learned scale and offset (S3, S5), until one convolution (C6) sees everything and a linear
layer decides. 295,458 parameters, counted as the paper does: in C6 every pair of an input and
an output map has an offset, and the last layer has none.

Where we differ: the paper does not say how it computed flow; `hardwired` takes any (two channels
for each pair of frames, in pixels), and without one solves the least-squares problem of Lucas
and Kanade over 5 x 5 pixels, in plain tensor arithmetic, so that the network maps grey clips
to logits. Larger images than 60 x 40 give C6 several positions, whose logits are averaged; the
row's clip is a square of 60 pixels. The auxiliary outputs of the 2013 version (bags of dense
SIFT to regularise) are left out.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.errors import ShapeError
from zoopraxis.spec import ClipSpec, ModelSpec

FRAMES = 7
KINDS = (7, 7, 7, 6, 6)  # channels of grey, gradients x and y, flow x and y
WINDOW = 5  # pixels, of the flow's least squares


def hardwired(clips: Tensor, flow: Tensor | None = None) -> Tensor:
    """Give the 33 channels of the paper's first layer.

    Parameters
    ----------
    clips : Tensor of shape (B, 1, 7, H, W)
        Grey frames.
    flow : Tensor of shape (B, 2, 6, H, W), optional
        Motion in x and y from each frame to the next, in pixels; by default `lucas_kanade`.

    Returns
    -------
    Tensor of shape (B, 33, H, W)
        Grey, gradients in x, gradients in y, flow in x, flow in y; each in order of time.

    Raises
    ------
    ShapeError
        The clips are not 7 grey frames, or the flow does not belong to them.
    """
    if clips.ndim != 5 or clips.shape[1:3] != (1, FRAMES):
        raise ShapeError(
            f"clips of shape {tuple(clips.shape)}, expected (B, 1, {FRAMES}, H, W)",
            "the network sees 7 grey frames",
        )
    grey = clips[:, 0]  # (B, 7, H, W)
    dx, dy = gradients(grey)
    flow = lucas_kanade(grey) if flow is None else flow
    wanted = (len(grey), 2, FRAMES - 1, *grey.shape[2:])
    if flow.shape != wanted:
        raise ShapeError(f"flow of shape {tuple(flow.shape)}, expected {wanted}")
    return torch.cat([grey, dx, dy, flow[:, 0], flow[:, 1]], dim=1)


def gradients(images: Tensor) -> tuple[Tensor, Tensor]:
    """Differentiate images (B, T, H, W) along x and y: half the difference of the neighbours."""
    padded = F.pad(images, (1, 1, 1, 1), mode="replicate")  # (B, T, H + 2, W + 2)
    dx = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2  # (B, T, H, W)
    dy = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2  # (B, T, H, W)
    return dx, dy


def lucas_kanade(images: Tensor, *, ridge: float = 1e-4) -> Tensor:
    """Estimate small motions by least squares in a window (Lucas and Kanade, IJCAI 1981).

    Minimises ``sum (Ix u + Iy v + It)^2 + ridge (u^2 + v^2)``; where nothing has structure, the
    ridge makes the motion 0.

    Parameters
    ----------
    images : Tensor of shape (B, T, H, W)
        Grey frames, with a spread of about 1.
    ridge : float, default=1e-4
        Per pixel.

    Returns
    -------
    Tensor of shape (B, 2, T - 1, H, W)
        u and v in pixels.
    """
    change = images.diff(dim=1)  # (B, T - 1, H, W)
    ix, iy = gradients((images[:, :-1] + images[:, 1:]) / 2)  # (B, T - 1, H, W)
    products = torch.stack([ix * ix, ix * iy, iy * iy, ix * change, iy * change])
    sums = F.avg_pool2d(products.flatten(0, 2), WINDOW, stride=1, padding=WINDOW // 2)
    xx, xy, yy, xt, yt = torch.unflatten(sums, 0, products.shape[:3])  # (B, T - 1, H, W) each
    xx, yy = xx + ridge, yy + ridge
    determinant = xx * yy - xy * xy
    u, v = (xy * yt - yy * xt) / determinant, (xy * xt - xx * yt) / determinant
    return torch.stack([u, v], dim=1)


class KindConv(nn.Module):
    """3D convolutions of every kind of channel on its own, with several sets of kernels.

    Parameters
    ----------
    groups : int
        Sets of maps that come; each is convolved alone.
    sets : int
        Sets of kernels for each: a kernel for each kind.
    kernel : (int, int, int)
        (t, h, w).
    """

    def __init__(self, groups: int, sets: int, kernel: tuple[int, int, int]) -> None:
        super().__init__()
        self.kinds = nn.ModuleList(
            nn.Conv3d(groups, groups * sets, kernel, groups=groups) for _ in KINDS
        )

    def forward(self, kinds: list[Tensor]) -> list[Tensor]:
        """Map, for each kind, (B, groups, n, H, W) to (B, groups * sets, n - t + 1, H', W')."""
        return [conv(kind) for conv, kind in zip(self.kinds, kinds, strict=True)]


class Subsample(nn.Module):
    """Mean over squares of pixels, times a learned scale, plus a learned offset, for every map.

    Parameters
    ----------
    sets : int
        Sets of maps.
    taken : int
        Frames that the convolutions so far took from each kind.
    size : int
        Side of the squares.
    """

    def __init__(self, sets: int, taken: int, size: int) -> None:
        super().__init__()
        self.size = (1, size, size)
        shapes = [(sets, n - taken, 1, 1) for n in KINDS]
        self.scale = nn.ParameterList(torch.ones(shape) for shape in shapes)
        self.offset = nn.ParameterList(torch.zeros(shape) for shape in shapes)

    def forward(self, kinds: list[Tensor]) -> list[Tensor]:
        """Map, for each kind, (B, sets, n, H, W) to (B, sets, n, H / size, W / size)."""
        each = zip(kinds, self.scale, self.offset, strict=True)
        return [F.avg_pool3d(kind, self.size) * scale + offset for kind, scale, offset in each]


class Gather(nn.Module):
    """C6: a convolution of all maps at once, with an offset for each pair of maps."""

    def __init__(self, in_channels: int, out_channels: int, kernel: tuple[int, int]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, bias=False)
        self.offset = nn.Parameter(torch.zeros(out_channels, in_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C', H', W')."""
        out: Tensor = self.conv(x) + self.offset.sum(dim=1)[:, None, None]
        return out


class CNN3D(nn.Module):
    """H1, C2, S3, C4, S5, C6 and the output layer of the paper's Figure 3.

    Parameters
    ----------
    num_classes : int, default=3
        K; the three actions of TRECVID.
    """

    def __init__(self, *, num_classes: int = 3) -> None:
        super().__init__()
        self.c2 = KindConv(1, 2, (3, 7, 7))
        self.s3 = Subsample(2, 2, 2)
        self.c4 = KindConv(2, 3, (3, 7, 6))
        self.s5 = Subsample(6, 4, 3)
        self.num_features = 128
        self.c6 = Gather(78, self.num_features, (7, 4))
        self.output = nn.Linear(self.num_features, num_classes, bias=False)

    def convolve(self, channels: Tensor) -> Tensor:
        """Map hard-wired channels (B, 33, H, W), at 60 x 40, to features (B, 128, 1, 1)."""
        kinds = [
            kind[:, None] for kind in torch.split(channels, list(KINDS), dim=1)
        ]  # (B, 1, n, 60, 40)
        kinds = [kind.tanh() for kind in self.c2(kinds)]  # (B, 2, n - 2, 54, 34): 23 maps a set
        kinds = [kind.tanh() for kind in self.s3(kinds)]  # (B, 2, n - 2, 27, 17)
        kinds = [kind.tanh() for kind in self.c4(kinds)]  # (B, 6, n - 4, 21, 12): 13 maps a set
        kinds = [kind.tanh() for kind in self.s5(kinds)]  # (B, 6, n - 4, 7, 4)
        x = torch.cat([kind.flatten(1, 2) for kind in kinds], dim=1)  # (B, 78, 7, 4)
        out: Tensor = self.c6(x).tanh()  # (B, 128, 1, 1)
        return out

    def forward_features(self, x: Tensor) -> Tensor:
        """Map grey clips (B, 1, 7, H, W) to features (B, 128, 1, H', W')."""
        return self.convolve(hardwired(x))[:, :, None]

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, 128, 1, H', W') to logits (B, K)."""
        out: Tensor = self.output(x.mean(dim=(2, 3, 4)))
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Map grey clips (B, 1, 7, H, W) to logits (B, K)."""
        return self.forward_head(self.forward_features(x))

    def reset_head(self, num_classes: int) -> None:
        """Replace the output layer by a new one for K classes."""
        weight = self.output.weight
        self.output = nn.Linear(
            self.num_features, num_classes, bias=False, device=weight.device, dtype=weight.dtype
        )


_CLIP = ClipSpec(frames=7, resize=60, size=60, mean=(0.5,), std=(0.25,), modality="gray")

SPECS = (
    ModelSpec(name="cnn3d", build=CNN3D, clip=_CLIP, params_m=0.30, macs_g=0.03, strides=(None, 6)),
    ModelSpec(
        name="test_cnn3d",
        build=CNN3D,
        args={"num_classes": 12},
        clip=_CLIP,
        params_m=0.30,
        macs_g=0.03,
        strides=(None, 6),
    ),
)
