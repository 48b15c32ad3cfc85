"""The non-local block: every position of a clip attends to every other.

Wang, Girshick, Gupta and He, CVPR 2018. arXiv:1711.07971

    y_i = 1/C(x) sum_j f(x_i, x_j) g(x_j)    (equation 1)
    z_i = W_z y_i + x_i                      (equation 6)

A convolution mixes a position with its neighbours; this operation mixes it with all positions of
all frames, near or far, weighted by their affinity f.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["NonLocalBlock", "PooledNonLocal", "Similarity"]

Similarity = Literal["gaussian", "embedded_gaussian", "dot_product", "concatenation"]
"""The paper's four pairwise functions f (section 3.2)."""


class NonLocalBlock(nn.Module):
    """Non-local block with the paper's bottleneck, sub-sampling and zero initialisation.

    The block starts as the identity, since the scale of its batch norm is zero, so that it can be
    inserted into a trained network (section 4.1).

    Parameters
    ----------
    channels : int
        C; theta, phi and g have half as many.
    similarity : {"embedded_gaussian", "gaussian", "dot_product", "concatenation"}
        f / C(x), where N is the number of positions j. With theta and phi 1x1x1 convolutions:
        softmax over j of ``theta_i . phi_j``, scaled by ``(C/2) ** -0.5`` as in the authors' code;
        softmax of ``x_i . x_j``, not scaled; ``theta_i . phi_j / N``;
        ``relu(w . [theta_i, phi_j]) / N``.
    pool : (int, int, int) or None, default=(1, 2, 2)
        Max pooling of the input of phi and g, in time, height and width: the sub-sampling trick,
        which saves three quarters of the pairs.
    num_frames : int, optional
        Frames of a clip attend to each other in groups of this length, as long clips have too many
        pairs; by default the whole clip is one group.
    """

    def __init__(
        self,
        channels: int,
        *,
        similarity: Similarity = "embedded_gaussian",
        pool: tuple[int, int, int] | None = (1, 2, 2),
        num_frames: int | None = None,
    ) -> None:
        super().__init__()
        inner = channels // 2
        self.similarity = similarity
        self.num_frames = num_frames
        self.pool = nn.MaxPool3d(pool) if pool else nn.Identity()
        embeds = similarity != "gaussian"
        self.theta = nn.Conv3d(channels, inner, 1) if embeds else nn.Identity()
        self.phi = nn.Conv3d(channels, inner, 1) if embeds else nn.Identity()
        self.g = nn.Conv3d(channels, inner, 1)
        if similarity == "concatenation":
            self.weigh = nn.Conv1d(2 * inner, 1, 1, bias=False)
        self.out = nn.Conv3d(inner, channels, 1)  # W_z
        self.norm = nn.BatchNorm3d(channels)
        self.initialise()

    def initialise(self) -> None:
        """Draw the convolutions from N(0, 0.01), and begin as the identity."""
        for module in self.modules():
            if isinstance(module, nn.Conv3d | nn.Conv1d):
                nn.init.normal_(module.weight, std=0.01)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.zeros_(self.norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to z of the same shape (equation 6)."""
        # 8 frames, num_frames 4: two groups (B, C, 4, H, W), each attends to itself
        groups = torch.split(x, self.num_frames or x.shape[2], dim=2)
        y = torch.cat([self.operation(group) for group in groups], dim=2)  # (B, C/2, T, H, W)
        out: Tensor = x + self.norm(self.out(y))  # (B, C, T, H, W)
        return out

    def operation(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to y, (B, C/2, T, H, W): the non-local operation (equation 1)."""
        # N = T H W positions i; M = N / 4 positions j after 2x2 pooling
        theta, phi, g = (
            part.flatten(2) for part in self.embed(x)
        )  # (B, C/2, N), (B, C/2, M) twice
        affinity = self.affinity(theta, phi)  # (B, N, M), positions i and j
        y = g @ affinity.transpose(1, 2)  # (B, C/2, N)
        return y.reshape(*y.shape[:2], *x.shape[2:])  # (B, C/2, T, H, W)

    def embed(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map (B, C, T, H, W) to theta of the positions i, phi and g of the pooled positions j."""
        pooled = self.pool(x)  # (B, C, T', H', W')
        return self.theta(x), self.phi(pooled), self.g(pooled)

    def affinity(self, theta: Tensor, phi: Tensor) -> Tensor:
        """Map theta (B, C/2, N) and phi (B, C/2, M) to f / C(x) of all pairs, (B, N, M)."""
        if self.similarity == "concatenation":
            # w . [theta_i, phi_j] = w_1 . theta_i + w_2 . phi_j: no pair has to be concatenated
            w1, w2 = self.weigh.weight.chunk(2, dim=1)
            pairs = F.conv1d(theta, w1).transpose(1, 2) + F.conv1d(phi, w2)  # (B, N, M)
            return F.relu(pairs) / phi.shape[2]
        pairs = theta.transpose(1, 2) @ phi  # (B, N, M)
        if self.similarity == "dot_product":
            return pairs / phi.shape[2]
        if self.similarity == "embedded_gaussian":
            pairs = pairs * theta.shape[1] ** -0.5
        return pairs.softmax(dim=2)


class PooledNonLocal(NonLocalBlock):
    """The block of the TSM repository and mmaction2: pools after phi and g, does not scale."""

    def embed(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map (B, C, T, H, W) to theta of the positions i, phi and g pooled to the positions j."""
        return self.theta(x), self.pool(self.phi(x)), self.pool(self.g(x))

    def affinity(self, theta: Tensor, phi: Tensor) -> Tensor:
        """Map theta (B, C/2, N) and phi (B, C/2, M) to f / C(x) of all pairs, (B, N, M)."""
        if self.similarity == "embedded_gaussian":
            return (theta.transpose(1, 2) @ phi).softmax(dim=2)
        return super().affinity(theta, phi)
