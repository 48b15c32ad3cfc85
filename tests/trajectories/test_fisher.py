"""Fisher vectors equal scikit-image's, and do not depend on what they must not depend on."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from skimage.feature import fisher_vector
from sklearn.mixture import GaussianMixture

from zoopraxis.errors import ShapeError, TrainingError
from zoopraxis.trajectories.fisher import (
    AT_ONCE,
    DESCRIPTORS,
    TrajectoryEncoder,
    fit_encoder,
    fit_trajectories,
)
from zoopraxis.trajectories.settings import TrajectorySettings

K, WIDTH = 5, 8


def descriptors(count, seed=0, width=WIDTH):
    """Descriptors (count, width) of three clusters, correlated."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(3, width, generator=torch.Generator().manual_seed(9))
    mixing = torch.randn(width, width, generator=torch.Generator().manual_seed(8)) / width
    which = torch.randint(3, (count,), generator=generator)
    return centres[which] + torch.randn(count, width, generator=generator) @ mixing


@pytest.fixture(scope="module")
def encoder():
    return fit_encoder(descriptors(600), components=K)


def double(encoder):
    return replace(encoder, **{name: tensor.double() for name, tensor in vars(encoder).items()})


def mixture_of(encoder):
    mixture = GaussianMixture(K, covariance_type="diag")
    mixture.weights_, mixture.means_ = encoder.weights.numpy(), encoder.means.numpy()
    mixture.covariances_ = encoder.variances.numpy()
    mixture.precisions_cholesky_ = 1 / np.sqrt(mixture.covariances_)
    return mixture


@pytest.mark.parametrize("count", [1, 7, AT_ONCE + 3])
def test_gradients_equal_those_of_scikit_image(encoder, count):
    exact, x = double(encoder), descriptors(count, seed=1).double()
    projected = ((x - exact.mean) @ exact.components.T).numpy()
    theirs = fisher_vector(projected, mixture_of(exact))
    half = K * WIDTH // 2
    # theirs has the gradients by the weights first, and those by the variances negative
    expected = np.concatenate([theirs[K : K + half], -theirs[K + half :]])

    np.testing.assert_allclose(exact.gradients(x).numpy(), expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        encoder.gradients(x.float()).numpy(), expected, rtol=0, atol=2e-5 * abs(expected).max()
    )


def test_the_normalisation_is_that_of_scikit_image(encoder):
    exact, x = double(encoder), descriptors(50, seed=1).double()
    projected = ((x - exact.mean) @ exact.components.T).numpy()
    theirs = fisher_vector(projected, mixture_of(exact), improved=True, alpha=0.5)[K:]
    theirs[K * WIDTH // 2 :] *= -1

    vector = exact.encode(x).numpy()

    np.testing.assert_allclose(vector, theirs / np.linalg.norm(theirs), rtol=1e-7, atol=1e-10)
    assert np.linalg.norm(vector) == pytest.approx(1)


def test_the_order_of_descriptors_and_how_often_all_occur_do_not_matter(encoder):
    exact, x = double(encoder), descriptors(300, seed=2).double()
    expected = exact.encode(x)

    assert torch.allclose(exact.encode(x.flip(0)), expected)
    assert torch.allclose(exact.encode(x.repeat(20, 1)), expected)  # more than AT_ONCE
    assert not torch.allclose(exact.encode(x[:150]), expected)


def test_the_expected_gradient_is_zero():
    """At its maximum the likelihood of the sample that was fitted does not change."""
    x = descriptors(2000)
    encoder = double(fit_encoder(x, components=1))

    assert encoder.gradients(x.double()).abs().max() < 1e-2  # of the floor of the variances
    assert encoder.gradients(x.double() + 1).abs().max() > 0.5


def test_no_descriptors_give_zeros(encoder):
    vector = encoder.encode(torch.zeros(0, WIDTH))

    assert vector.shape == (encoder.num_features,) == (2 * K * WIDTH // 2,)
    assert torch.equal(vector, torch.zeros_like(vector))


def test_equal_descriptors_give_numbers():
    x = torch.ones(200, WIDTH)
    x[:3, 0] = torch.tensor([0.0, 2.0, 3.0])

    encoder = fit_encoder(x, components=8)

    assert torch.isfinite(encoder.encode(x)).all()
    assert torch.isfinite(encoder.encode(torch.full((4, WIDTH), 50.0))).all()


def test_the_same_seed_gives_the_same_encoder():
    first, second = (fit_encoder(descriptors(400), components=4, seed=1) for _ in range(2))

    assert all(
        torch.equal(a, b) for a, b in zip(vars(first).values(), vars(second).values(), strict=True)
    )


def test_the_pca_keeps_half_the_dimensions_and_most_of_the_variance(encoder):
    x = descriptors(600)
    projected = (x - encoder.mean) @ encoder.components.T

    assert projected.shape[1] == WIDTH // 2
    assert projected.var(dim=0).sum() > 0.7 * x.var(dim=0).sum()
    assert torch.allclose(
        encoder.components @ encoder.components.T, torch.eye(WIDTH // 2), atol=1e-5
    )


def test_too_few_descriptors():
    with pytest.raises(TrainingError, match=r"30 descriptors are too few for 31") as caught:
        fit_encoder(descriptors(30), components=31)
    assert "--components" in caught.value.hint


def test_descriptors_of_another_kind(encoder):
    with pytest.raises(ShapeError, match=r"\(3, 9\), expected \(N, 8\)"):
        encoder.encode(torch.zeros(3, 9))


def test_trajectories_have_a_vector_of_each_kind_and_the_state_reads_back():
    rows = torch.rand(300, 436)
    settings = TrajectorySettings(stride=4)
    counts = []

    encoder = fit_trajectories(
        rows, settings=settings, components=2, progress=lambda *done: counts.append(done)
    )
    again = TrajectoryEncoder.from_state(encoder.state(), settings)

    vectors = encoder.encode(rows[:20])
    assert {name: len(v) for name, v in vectors.items()} == {
        "trajectory": 60, "hog": 192, "hof": 216, "mbhx": 192, "mbhy": 192
    }  # fmt: skip
    assert all(torch.equal(v, again.encode(rows[:20])[name]) for name, v in vectors.items())
    assert again.key == encoder.key
    assert TrajectoryEncoder.from_state(encoder.state(), TrajectorySettings()).key != encoder.key
    assert counts == [(n + 1, 5) for n in range(5)]
    assert set(DESCRIPTORS) == set(vectors)
