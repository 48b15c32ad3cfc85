"""The non-local block: every position looks at every other.

Wang, Girshick, Gupta and He, CVPR 2018. arXiv:1711.07971

``y_i = 1/C(x) sum_j f(x_i, x_j) g(x_j)`` (equation 1), and ``z_i = W_z y_i + x_i`` (equation 6):
a convolution mixes a position with its neighbours, this mixes it with all positions of all
frames, near or far, by how much they resemble each other. What "resemble" means is f.
"""

from collections import OrderedDict
from collections.abc import Collection
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.errors import ShapeError

__all__ = ["NonLocalBlock", "PooledNonLocal", "Similarity", "insert_nonlocal"]

Similarity = Literal["gaussian", "embedded_gaussian", "dot_product", "concatenation"]
"""The paper's four pairwise functions f (section 3.2)."""


class NonLocalBlock(nn.Module):
    """Non-local block with the paper's bottleneck, sub-sampling and zero initialisation.

    The block is the identity until it has learned: the scale of its last norm starts at zero, so
    it may be put into a trained network (section 4.1).

    Parameters
    ----------
    channels : int
        C.
    similarity : {"embedded_gaussian", "gaussian", "dot_product", "concatenation"}
        f. With theta and phi 1x1x1 convolutions: softmax over j of ``theta_i . phi_j``, scaled
        by ``inner ** -0.5`` as in the authors' code; the same of ``x_i . x_j``, unscaled;
        ``theta_i . phi_j / N``; ``relu(w . [theta_i, phi_j]) / N``. N counts the positions j.
    inner : int, optional
        Channels of theta, phi and g; by default C/2, the bottleneck.
    pool : (int, int, int) or None, default=(1, 2, 2)
        Max pooling of what phi and g see, in time, height and width: the sub-sampling trick,
        which saves three quarters of the pairs.
    frames : int, optional
        Consecutive frames that see each other, for clips too long to compare all; by default all.
    eps : float, default=1e-5
        Of the norm.
    """

    def __init__(
        self,
        channels: int,
        *,
        similarity: Similarity = "embedded_gaussian",
        inner: int | None = None,
        pool: tuple[int, int, int] | None = (1, 2, 2),
        frames: int | None = None,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        inner = inner or channels // 2
        self.similarity = similarity
        self.frames = frames
        self.pool = nn.MaxPool3d(pool) if pool else nn.Identity()
        embeds = similarity != "gaussian"
        self.theta = nn.Conv3d(channels, inner, 1) if embeds else nn.Identity()
        self.phi = nn.Conv3d(channels, inner, 1) if embeds else nn.Identity()
        self.g = nn.Conv3d(channels, inner, 1)
        if similarity == "concatenation":
            self.weigh = nn.Conv1d(2 * inner, 1, 1, bias=False)
        self.out = nn.Conv3d(inner, channels, 1)
        self.norm = nn.BatchNorm3d(channels, eps=eps)
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv3d | nn.Conv1d):
                nn.init.normal_(module.weight, std=0.01)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.zeros_(self.norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to the same shape."""
        if self.frames is None:
            return self.look(x)
        return torch.cat([self.look(group) for group in torch.split(x, self.frames, dim=2)], dim=2)

    def look(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to the same shape; all its positions see each other."""
        seen = self.pool(x)  # (B, C, T', H', W'): the positions j
        theta = self.theta(x).flatten(2)  # (B, inner, N)
        phi = self.phi(seen).flatten(2)  # (B, inner, M)
        g = self.g(seen).flatten(2)  # (B, inner, M)
        attention = self.attend(theta, phi)  # (B, N, M)
        y = g @ attention.transpose(1, 2)  # (B, inner, N)
        y = y.unflatten(2, x.shape[2:])  # (B, inner, T, H, W)
        out: Tensor = x + self.norm(self.out(y))
        return out

    def attend(self, theta: Tensor, phi: Tensor) -> Tensor:
        """How much each of N positions takes from each of M, (B, N, M): f over its sum C(x).

        Parameters
        ----------
        theta : Tensor of shape (B, inner, N)
            The positions that look.
        phi : Tensor of shape (B, inner, M)
            The positions that are looked at.
        """
        if self.similarity == "concatenation":
            # w . [theta_i, phi_j] is a sum of two numbers: no pair needs to be laid out
            to_theta, to_phi = self.weigh.weight.chunk(2, dim=1)
            pairs = F.conv1d(theta, to_theta).transpose(1, 2) + F.conv1d(phi, to_phi)  # (B, N, M)
            return F.relu(pairs) / phi.shape[2]
        pairs = theta.transpose(1, 2) @ phi  # (B, N, M)
        if self.similarity == "dot_product":
            return pairs / phi.shape[2]
        if self.similarity == "embedded_gaussian":
            pairs = pairs * theta.shape[1] ** -0.5
        return pairs.softmax(dim=2)


class PooledNonLocal(NonLocalBlock):
    """Phi and g pool what their convolutions give, and nothing is scaled: TSM's, mmaction2's."""

    def look(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to the same shape."""
        theta = self.theta(x).flatten(2)  # (B, C/2, N); C for the Gaussian, which does not embed
        phi = self.pool(self.phi(x)).flatten(2)  # (B, C/2, M)
        g = self.pool(self.g(x)).flatten(2)  # (B, C/2, M)
        y = g @ self.attend(theta, phi).transpose(1, 2)  # (B, C/2, N)
        y = y.reshape(*y.shape[:2], *x.shape[2:])  # (B, C/2, T, H, W)
        out: Tensor = x + self.norm(self.out(y))  # (B, C, T, H, W)
        return out

    def attend(self, theta: Tensor, phi: Tensor) -> Tensor:
        """How much each of N positions takes from each of M, (B, N, M)."""
        if self.similarity == "dot_product":
            return super().attend(theta, phi)
        return (theta.transpose(1, 2) @ phi).softmax(dim=2)


def insert_nonlocal(
    stage: nn.Sequential,
    channels: int,
    *,
    after: Collection[int],
    similarity: Similarity = "embedded_gaussian",
    pool: tuple[int, int, int] | None = (1, 2, 2),
    frames: int | None = None,
    block: type[NonLocalBlock] = NonLocalBlock,
) -> nn.Sequential:
    """Put non-local blocks behind some blocks of a stage of any network.

    Parameters
    ----------
    stage : nn.Sequential
        Residual blocks; they and their names are kept.
    channels : int
        What the blocks put out.
    after : collection of int
        Numbers of the blocks that a non-local block follows; that behind block 3 is called
        ``nonlocal3``.
    similarity, pool, frames
        As in `NonLocalBlock`.
    block : type of NonLocalBlock, default=NonLocalBlock
        What to put in.

    Returns
    -------
    nn.Sequential
        The longer stage.

    Raises
    ------
    ShapeError
        The stage has no block of such a number.
    """
    if beyond := [index for index in after if not 0 <= index < len(stage)]:
        raise ShapeError(f"no block {beyond[0]} in a stage of {len(stage)} blocks")
    longer: OrderedDict[str, nn.Module] = OrderedDict()
    for index, (name, residual) in enumerate(stage.named_children()):
        longer[name] = residual
        if index in after:
            longer[f"nonlocal{name}"] = block(
                channels, similarity=similarity, pool=pool, frames=frames
            )
    return nn.Sequential(longer)
