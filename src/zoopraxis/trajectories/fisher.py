"""Fisher vectors: how the descriptors of a video differ from those of a mixture of Gaussians.

Perronnin, Sánchez and Mensink, ECCV 2010 (improved Fisher kernel); Wang and Schmid, ICCV 2013,
"Feature encoding", for trajectories.

Each kind of descriptor is projected by PCA to half its dimensions, in which a mixture of K
Gaussians with diagonal covariance is fitted to a sample. A set of N descriptors x is then described
by the gradients of its log-likelihood with respect to the means and standard deviations,

    G_mean[k] = 1 / (N sqrt(w[k])) sum_n p[n, k] (x[n] - m[k]) / s[k]
    G_std[k] = 1 / (N sqrt(2 w[k])) sum_n p[n, k] ((x[n] - m[k])² / s[k]² - 1)

with p the posteriors: 2 K D numbers, however many descriptors there are. Their signed square root,
divided by its length, is the Fisher vector.
"""

import hashlib
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Self

import torch
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import Tensor

from zoopraxis.checkpoints.config import hash_weights
from zoopraxis.errors import ShapeError, TrainingError
from zoopraxis.trajectories.settings import PARTS, TrajectorySettings

__all__ = ["DESCRIPTORS", "FisherEncoder", "TrajectoryEncoder", "fit_encoder", "fit_trajectories"]

DESCRIPTORS: tuple[str, ...] = tuple(name for name in PARTS if name != "info")
"""Kinds of descriptors, each with PCA, mixture and Fisher vector of its own."""
AT_ONCE = 4096  # descriptors: their posteriors stay in the cache of a core
FLOOR = 1e-3  # of a variance, of the mean variance: keeps float32 exact, and duplicates harmless


@dataclass(frozen=True, kw_only=True, eq=False)
class FisherEncoder:
    """PCA and mixture of one kind of descriptor.

    Parameters
    ----------
    mean : Tensor of shape (P,)
        Of the descriptors. The type of the tensors, float32, is that of the arithmetic.
    components : Tensor of shape (D, P)
        Of the PCA.
    weights : Tensor of shape (K,)
        Of the mixture.
    means, variances : Tensor of shape (K, D)
        Of its components.
    """

    mean: Tensor
    components: Tensor
    weights: Tensor
    means: Tensor
    variances: Tensor

    @property
    def num_features(self) -> int:
        """Length 2 K D of a Fisher vector."""
        return 2 * self.means.numel()

    def gradients(self, descriptors: Tensor) -> Tensor:
        """Compute the Fisher vector before its normalisation.

        Parameters
        ----------
        descriptors : Tensor of shape (N, P)
            In any order.

        Returns
        -------
        Tensor of shape (2 K D,)
            The gradients by the means, component after component, then those by the
            standard deviations. Zero if N is 0.

        Raises
        ------
        ShapeError
            The descriptors are not (N, P).
        """
        if descriptors.ndim != 2 or descriptors.shape[1] != len(self.mean):
            raise ShapeError(
                f"descriptors of shape {tuple(descriptors.shape)}, expected (N, {len(self.mean)})",
                "encode descriptors of the kind that the PCA was fitted to",
            )
        count, (size, dims), dtype = len(descriptors), self.means.shape, self.mean.dtype
        if count == 0:
            return torch.zeros(self.num_features, dtype=dtype)
        weights, means = self.weights.double()[:, None], self.means.double()  # (K, 1), (K, D)
        precisions = 1 / self.variances.double()  # (K, D)
        # log(w N(x)) is linear in x and x²: a product with a matrix, and an offset
        slope = torch.cat([means * precisions, -precisions / 2], dim=1).T.to(dtype)  # (2 D, K)
        constant = (precisions.log() - means**2 * precisions - math.log(2 * math.pi)).sum(dim=1) / 2
        offset = (weights[:, 0].log() + constant).to(dtype)  # (K,)
        total = torch.zeros(size, 1, dtype=torch.float64)
        moments = torch.zeros(size, 2 * dims, dtype=torch.float64)
        for first in range(0, count, AT_ONCE):
            x = descriptors[first : first + AT_ONCE].to(dtype)  # (n, P)
            x = (x - self.mean) @ self.components.T  # (n, D)
            log = torch.addmm(offset, torch.cat([x, x * x], dim=1), slope)  # (n, K)
            posteriors = log.softmax(dim=1).double()
            total += posteriors.sum(dim=0)[:, None]
            # in double: the moments around the means are small differences of these
            x = x.double()
            moments += posteriors.T @ torch.cat([x, x * x], dim=1)
        sums, squares = moments[:, :dims], moments[:, dims:]  # of p x and p x², (K, D)
        by_mean = (sums - total * means) * precisions.sqrt()
        by_std = (squares - 2 * sums * means + total * means**2) * precisions - total
        scale = 1 / (count * weights.sqrt())  # (K, 1)
        both = torch.stack([by_mean * scale, by_std * scale / math.sqrt(2)])  # (2, K, D)
        return both.flatten().to(dtype)

    def encode(self, descriptors: Tensor) -> Tensor:
        """Compute the Fisher vector (2 K D,) of descriptors (N, P): of length 1, or 0 if N is 0."""
        vector = self.gradients(descriptors)
        vector = vector.sign() * vector.abs().sqrt()
        return torch.nn.functional.normalize(vector, dim=0)


def fit_encoder(descriptors: Tensor, *, components: int = 256, seed: int = 0) -> FisherEncoder:
    """Fit the PCA, to half the dimensions, and the mixture to a sample of descriptors.

    Parameters
    ----------
    descriptors : Tensor of shape (N, P)
        The sample; the papers take 256,000 for 256 components.
    components : int, default=256
        Number of Gaussians, K.
    seed : int, default=0
        Of the k-means that initialises the mixture.

    Returns
    -------
    FisherEncoder

    Raises
    ------
    TrainingError
        There are fewer descriptors than Gaussians or dimensions.
    """
    count, width = descriptors.shape
    needed = max(components, width // 2)
    if count < needed:
        raise TrainingError(
            f"{count} descriptors are too few for {components} Gaussians in {width // 2} "
            f"dimensions: {needed} are needed at least",
            "train on more or longer videos, sample more descriptors (--sample), or fit fewer "
            "Gaussians (--components)",
        )
    sample = descriptors.float().numpy()
    pca = PCA(n_components=width // 2, svd_solver="covariance_eigh").fit(sample)
    projected = pca.transform(sample)  # (N, D)
    floor = max(FLOOR * float(projected.var(axis=0).mean()), 1e-6)
    mixture = GaussianMixture(
        components, covariance_type="diag", reg_covar=floor, random_state=seed
    )
    with warnings.catch_warnings():
        # 100 iterations are enough, and empty Gaussians of many equal descriptors do no harm
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture.fit(projected)
    return FisherEncoder(
        mean=torch.from_numpy(pca.mean_).float(),
        components=torch.from_numpy(pca.components_).float().contiguous(),
        weights=torch.from_numpy(mixture.weights_).float(),
        means=torch.from_numpy(mixture.means_).float(),
        variances=torch.from_numpy(mixture.covariances_).float(),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class TrajectoryEncoder:
    """Fisher vectors of trajectories: an encoder of each kind of their descriptors.

    Parameters
    ----------
    settings : TrajectorySettings
        How the trajectories are extracted.
    parts : mapping of str to FisherEncoder
        By the names in `DESCRIPTORS`.
    """

    settings: TrajectorySettings
    parts: Mapping[str, FisherEncoder]

    def encode(self, trajectories: Tensor) -> dict[str, Tensor]:
        """Compute the Fisher vector of each kind of descriptor.

        Parameters
        ----------
        trajectories : Tensor of shape (N, 436)
            Their descriptors count as rounded to float16, as files hold them.

        Returns
        -------
        dict of str to Tensor
            (2 K D,) each; all zeros if N is 0.
        """
        return {
            name: encoder.encode(trajectories[:, PARTS[name]].half())
            for name, encoder in self.parts.items()
        }

    def state(self) -> dict[str, Tensor]:
        """Give the tensors, named ``hog.means``."""
        return {
            f"{name}.{field.name}": getattr(encoder, field.name)
            for name, encoder in self.parts.items()
            for field in fields(encoder)
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor], settings: TrajectorySettings) -> Self:
        """Make an encoder of what `state` gives; other tensors are ignored.

        Raises
        ------
        KeyError
            A tensor is missing.
        """
        parts = {
            name: FisherEncoder(
                **{field.name: state[f"{name}.{field.name}"] for field in fields(FisherEncoder)}
            )
            for name in DESCRIPTORS
        }
        return cls(settings=settings, parts=parts)

    @property
    def key(self) -> str:
        """Hash of all that decides the Fisher vectors of a video."""
        digest = hashlib.sha256(self.settings.key.encode())
        digest.update(hash_weights(self.state()).encode())
        return digest.hexdigest()


def fit_trajectories(
    sample: Tensor,
    *,
    settings: TrajectorySettings,
    components: int = 256,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> TrajectoryEncoder:
    """Fit an encoder of each kind of descriptor to a sample of trajectories (N, 436).

    Parameters
    ----------
    sample, components, seed
        As for `fit_encoder`.
    settings : TrajectorySettings
        How the trajectories were extracted.
    progress : callable, optional
        Called with the number of kinds done and their total.

    Raises
    ------
    TrainingError
        The sample is too small.
    """
    parts: dict[str, FisherEncoder] = {}
    for name in DESCRIPTORS:
        parts[name] = fit_encoder(sample[:, PARTS[name]], components=components, seed=seed)
        if progress is not None:
            progress(len(parts), len(DESCRIPTORS))
    return TrajectoryEncoder(settings=settings, parts=parts)
