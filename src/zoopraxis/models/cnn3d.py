"""3D Convolutional Neural Networks for Human Action Recognition.

Ji, Xu, Yang and Yu, ICML 2010; IEEE TPAMI 35(1), 2013. No code was published.

One of the first networks of 3D convolutions for action recognition. A hard-wired layer (H1) turns
7 grey frames of 60 x 40 pixels around a person into 33 channels of five kinds: 7 of grey values,
7 + 7 of their gradients along x and y, 6 + 6 of optical flow between neighbouring frames. Each kind
is convolved over space and time separately, with two sets of kernels (C2) and then three for each
of these (C4); a subsampling with a learned scale and offset follows each convolution (S3, S5). A
convolution over all maps (C6) and a linear classifier end the network. 295,458 parameters, counted
as in the paper: C6 has an offset for each pair of an input and an output map, the classifier none.

The paper does not say how flow was computed. `hardwired` accepts any (two channels for each pair
of frames, in pixels); by default it solves the least-squares problem of Lucas and Kanade over
5 x 5 pixels, in plain tensor arithmetic, so that the network maps grey clips to logits. Frames
larger than 60 x 40 give C6 several positions, whose logits are averaged; the entry's clip is a
square of 60 pixels. The auxiliary outputs of the 2013 version (bags of dense SIFT features as a
regulariser) are left out.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.errors import ShapeError
from zoopraxis.inputs import ClipSpec, Grey, Sampling
from zoopraxis.layers.head import linear_like
from zoopraxis.models.base import VideoClassifier
from zoopraxis.spec import ModelSpec

FRAMES = 7
KINDS = (7, 7, 7, 6, 6)  # channels of grey values, gradients along x and y, flow along x and y
WINDOW = 5  # side of the flow's least-squares window in pixels


class CNN3D(VideoClassifier):
    """Layers H1 to C6 and the classifier of the paper's Figure 3.

    Parameters
    ----------
    num_classes : int, default=3
        K; the paper's TRECVID data has three actions.
    """

    def __init__(self, *, num_classes: int = 3) -> None:
        super().__init__()
        self.c2 = KindConv(1, 2, (3, 7, 7))
        self.s3 = Subsample(2, 2, 2)
        self.c4 = KindConv(2, 3, (3, 7, 6))
        self.s5 = Subsample(6, 4, 3)
        self.num_features = 128
        self.c6 = PairOffsetConv(78, self.num_features, (7, 4))
        self.output = nn.Linear(self.num_features, num_classes, bias=False)

    def convolve(self, channels: Tensor) -> Tensor:
        """Map hard-wired channels (B, 33, H, W), at 60 x 40, to features (B, 128, 1, 1)."""
        # a list of five tensors, one for each kind; n = 7, 7, 7, 6, 6
        kinds = list(torch.split(channels, list(KINDS), dim=1))  # (B, n, 60, 40)
        kinds = [kind[:, None] for kind in kinds]  # (B, 1, n, 60, 40)
        kinds = [kind.tanh() for kind in self.c2(kinds)]  # (B, 2, n - 2, 54, 34), 23 maps per set
        kinds = [kind.tanh() for kind in self.s3(kinds)]  # (B, 2, n - 2, 27, 17)
        kinds = [kind.tanh() for kind in self.c4(kinds)]  # (B, 6, n - 4, 21, 12), 13 maps per set
        kinds = [kind.tanh() for kind in self.s5(kinds)]  # (B, 6, n - 4, 7, 4)
        x = torch.cat([kind.flatten(1, 2) for kind in kinds], dim=1)  # (B, 78, 7, 4)
        out: Tensor = self.c6(x).tanh()  # (B, 128, 1, 1)
        return out

    def forward_features(self, x: Tensor) -> Tensor:
        """Map grey clips (B, 1, 7, H, W) to features (B, 128, 1, H', W')."""
        return self.convolve(hardwired(x))[:, :, None]  # (B, 128, 1, H', W')

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, 128, 1, H', W') to logits (B, K)."""
        out: Tensor = self.output(x.mean(dim=(2, 3, 4)))  # (B, K)
        return out

    @property
    def num_classes(self) -> int:
        """K, the logits of one clip."""
        return self.output.out_features

    def reset_classifier(self, num_classes: int) -> None:
        """Replace the output layer by a re-initialised one for K classes."""
        self.output = linear_like(self.output, num_classes)


def hardwired(clips: Tensor, flow: Tensor | None = None) -> Tensor:
    """Compute the 33 channels of the paper's first layer, H1.

    Parameters
    ----------
    clips : Tensor of shape (B, 1, 7, H, W)
        Grey frames.
    flow : Tensor of shape (B, 2, 6, H, W), optional
        Flow along x and y from each frame to the next, in pixels; by default `lucas_kanade`.

    Returns
    -------
    Tensor of shape (B, 33, H, W)
        Grey values, gradients along x, along y, flow along x, along y; each in order of time.

    Raises
    ------
    ShapeError
        The clips are not 7 grey frames, or the flow does not match them.
    """
    if clips.ndim != 5 or clips.shape[1:3] != (1, FRAMES):
        raise ShapeError(
            f"clips of shape {tuple(clips.shape)}, expected (B, 1, {FRAMES}, H, W)",
            "the network expects 7 grey frames",
        )
    grey = clips[:, 0]  # (B, 7, H, W)
    dx, dy = gradients(grey)  # (B, 7, H, W) each
    flow = lucas_kanade(grey) if flow is None else flow  # (B, 2, 6, H, W)
    expected = (len(grey), 2, FRAMES - 1, *grey.shape[2:])
    if flow.shape != expected:
        raise ShapeError(f"flow of shape {tuple(flow.shape)}, expected {expected}")
    return torch.cat([grey, dx, dy, flow[:, 0], flow[:, 1]], dim=1)  # (B, 33, H, W)


class KindConv(nn.Module):
    """3D convolutions of each kind of channel separately, with several sets of kernels.

    Parameters
    ----------
    groups : int
        Sets of input maps, convolved separately.
    sets : int
        Sets of kernels for each of these; a set has one kernel for each kind.
    kernel : (int, int, int)
        Size (t, h, w).
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
    """Average pooling, times a learned scale, plus a learned offset, for each map.

    Parameters
    ----------
    sets : int
        Sets of maps.
    consumed : int
        Frames by which the convolutions so far have shortened each kind.
    size : int
        Side of the pooling window and its stride.
    """

    def __init__(self, sets: int, consumed: int, size: int) -> None:
        super().__init__()
        self.size = (1, size, size)
        shapes = [(sets, n - consumed, 1, 1) for n in KINDS]
        self.scale = nn.ParameterList(torch.ones(shape) for shape in shapes)
        self.offset = nn.ParameterList(torch.zeros(shape) for shape in shapes)

    def forward(self, kinds: list[Tensor]) -> list[Tensor]:
        """Map, for each kind, (B, sets, n, H, W) to (B, sets, n, H / size, W / size)."""
        layers = zip(kinds, self.scale, self.offset, strict=True)
        return [F.avg_pool3d(kind, self.size) * scale + offset for kind, scale, offset in layers]


class PairOffsetConv(nn.Module):
    """C6: a convolution of all maps, with an offset for each pair of an input and an output map."""

    def __init__(self, in_channels: int, out_channels: int, kernel: tuple[int, int]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, bias=False)
        self.offset = nn.Parameter(torch.zeros(out_channels, in_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C', H', W')."""
        out: Tensor = self.conv(x) + self.offset.sum(dim=1)[:, None, None]  # (B, C', H', W')
        return out


def gradients(images: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences of images (B, T, H, W) along x and along y."""
    padded = F.pad(images, (1, 1, 1, 1), mode="replicate")  # (B, T, H + 2, W + 2)
    dx = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2  # (B, T, H, W)
    dy = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2  # (B, T, H, W)
    return dx, dy


def lucas_kanade(images: Tensor, *, ridge: float = 1e-4) -> Tensor:
    """Estimate flow by least squares in a window (Lucas and Kanade, IJCAI 1981).

    Minimises the mean of ``(Ix u + Iy v + It)^2`` over the window plus ``ridge (u^2 + v^2)``;
    where an image has no texture, the ridge drives the flow to 0.

    Parameters
    ----------
    images : Tensor of shape (B, T, H, W)
        Grey frames, with a standard deviation of about 1.
    ridge : float, default=1e-4
        Weight of the ridge term.

    Returns
    -------
    Tensor of shape (B, 2, T - 1, H, W)
        u and v, in pixels.
    """
    it = images.diff(dim=1)  # (B, T - 1, H, W)
    ix, iy = gradients((images[:, :-1] + images[:, 1:]) / 2)  # (B, T - 1, H, W) each
    products = torch.stack([ix * ix, ix * iy, iy * iy, ix * it, iy * it])  # (5, B, T - 1, H, W)
    means = F.avg_pool2d(products.flatten(0, 2), WINDOW, stride=1, padding=WINDOW // 2)
    xx, xy, yy, xt, yt = torch.unflatten(means, 0, products.shape[:3])  # (B, T - 1, H, W) each
    # the normal equations [xx xy; xy yy] [u; v] = -[xt; yt], solved by Cramer's rule
    xx, yy = xx + ridge, yy + ridge
    determinant = xx * yy - xy * xy
    u, v = (xy * yt - yy * xt) / determinant, (xy * xt - xx * yt) / determinant
    return torch.stack([u, v], dim=1)  # (B, 2, T - 1, H, W)


_CLIP = ClipSpec(
    sampling=Sampling(num_frames=FRAMES), input=Grey(resize=60, size=60, mean=(0.5,), std=(0.25,))
)

SPECS = (
    ModelSpec(name="cnn3d", build=CNN3D, clip=_CLIP, strides=(None, 6)),
    ModelSpec(
        name="test_cnn3d", build=CNN3D, args={"num_classes": 12}, clip=_CLIP, strides=(None, 6)
    ),
)
