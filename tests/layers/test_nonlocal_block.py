"""The non-local block against the paper's sums, written out pair by pair."""

import pytest
import torch

from zoopraxis.layers.nonlocal_block import NonLocalBlock

KINDS = ["gaussian", "embedded_gaussian", "dot_product", "concatenation"]


def random_block(**args):
    """Return a block without zero parameters."""
    torch.manual_seed(1)  # with 0 the ReLU of the concatenation is zero for all pairs
    block = NonLocalBlock(4, **args).eval()
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return block


def by_the_sum(block, x):
    """Equations 1 and 6, one pair of positions at a time."""
    b = len(x)
    seen = torch.nn.functional.max_pool3d(x, block.pool.kernel_size)

    def at(module, y):
        return module(y).reshape(b, -1, y[0, 0].numel())

    theta, phi, g = at(block.theta, x), at(block.phi, seen), at(block.g, seen)
    inner, n, m = theta.shape[1], theta.shape[2], phi.shape[2]
    out = torch.zeros(b, g.shape[1], n)
    for clip in range(b):
        for i in range(n):
            dots = [theta[clip, :, i] @ phi[clip, :, j] for j in range(m)]
            if block.similarity == "gaussian":
                f = [dot.exp() for dot in dots]
            elif block.similarity == "embedded_gaussian":
                f = [(dot / inner**0.5).exp() for dot in dots]
            elif block.similarity == "dot_product":
                f = dots
            else:
                pairs = [torch.cat([theta[clip, :, i], phi[clip, :, j]]) for j in range(m)]
                f = [(block.weigh.weight[0, :, 0] @ pair).relu() for pair in pairs]
            total = sum(f) if "gaussian" in block.similarity else m
            out[clip, :, i] = sum(f[j] * g[clip, :, j] for j in range(m)) / total
    return x + block.norm(block.out(out.reshape(b, -1, *x.shape[2:])))


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pool", [(1, 1, 1), (1, 2, 2)])
def test_is_the_papers_sum(kind, pool):
    block = random_block(similarity=kind, pool=pool)
    x = torch.randn(2, 4, 2, 2, 4)

    torch.testing.assert_close(block(x), by_the_sum(block, x), rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_starts_as_the_identity(kind):
    x = torch.randn(1, 4, 2, 4, 4)

    assert torch.equal(NonLocalBlock(4, similarity=kind)(x), x)


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_reaches_from_the_first_frame_to_the_last(kind):
    block = random_block(similarity=kind)
    x = torch.randn(1, 4, 6, 4, 4)
    changed = x.clone()
    changed[:, :, -1] += 5 * torch.randn(4, 4, 4)

    assert not torch.allclose(block(x)[:, :, 0], block(changed)[:, :, 0], atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_groups_of_frames_are_clips_of_their_own(kind):
    block = random_block(similarity=kind, num_frames=2)
    x = torch.randn(3, 4, 6, 4, 4)

    first = block(x[:, :, :2])

    torch.testing.assert_close(block(x)[:, :, :2], first)
    block.num_frames = None
    assert not torch.allclose(block(x)[:, :, :2], first, rtol=1e-3)


def test_has_the_parameters_of_the_papers_bottleneck():
    # theta, phi, g: C C/2 + C/2; out: C/2 C + C; norm: 2 C
    block = NonLocalBlock(512)

    count = sum(parameter.numel() for parameter in block.parameters())
    assert count == 3 * (512 * 256 + 256) + (256 * 512 + 512) + 2 * 512
