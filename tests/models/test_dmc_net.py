"""The generators of DMC-Net against the authors' code, and what is done with their output."""

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from zoopraxis.checkpoints.convert import rename
from zoopraxis.errors import ShapeError
from zoopraxis.layers.resnet2d import ResNet2d
from zoopraxis.models.dmc_net import (
    DILATIONS,
    WIDTHS,
    ContextGenerator,
    DenseGenerator,
    DMCNet,
    MotionCue,
)
from zoopraxis.spec import Source
from zoopraxis.testing import count_macs, count_params, noise_clip, read_golden, relative_error
from zoopraxis.weights.dmc_net import SOURCES

GOLDEN = Path(__file__).parent.parent / "golden"
RULES = ((r"^", "gen_flow_model."), *SOURCES["dmc_net_r18_3"]["dmc"].rename)
GENERATORS = {
    "dmc_contextnetwork": ContextGenerator,
    "dmc_estimatordensenet": lambda: DenseGenerator(WIDTHS["large"]),
    "dmc_estimatordensenettiny": DenseGenerator,
}


@pytest.mark.parametrize("name", GENERATORS)
@torch.no_grad()
def test_the_generators_are_the_authors(name):
    golden = read_golden(name, GOLDEN)
    generator = GENERATORS[name]()
    # the keys of the generator within the authors' whole network
    cue = MotionCue(generator).eval()
    state = rename(golden.state_dict(), Source(rename=RULES))
    cue.load_state_dict({key.removeprefix("cue."): tensor for key, tensor in state.items()})
    x = golden.input()  # (1, 5, 56, 56)

    assert relative_error(generator(x), golden.output) < golden.tolerance
    assert relative_error(cue(x[:, :2], x[:, 2:]), golden.output) < 1e-5
    assert count_params(generator) == golden.record["params"]
    assert count_macs(generator, tuple(x.shape)) == golden.record["flops_conv_matmul"]


@pytest.mark.parametrize("dilations", DILATIONS)
def test_how_far_a_context_generator_sees(dilations):
    generator = ContextGenerator(DILATIONS[dilations]).eval()
    for parameter in generator.parameters():
        parameter.data.abs_()  # so that no contributions cancel
    x = torch.ones(1, 5, 99, 99, requires_grad=True)

    generator(x)[0, 0, 49, 49].backward()

    seen = x.grad[0].sum(dim=0)
    reach = {"full": 33, "reduced": 18}[dilations]  # 67x67 and 37x37 pixels
    rows, columns = seen.nonzero().T
    assert (rows.min(), rows.max()) == (49 - reach, 49 + reach)
    assert (columns.min(), columns.max()) == (49 - reach, 49 + reach)


class Sums(nn.Module):
    """A generator that can be read: the sum of the residual, and that of the vectors."""

    def forward(self, x):
        return torch.stack((x[:, 2:].sum(dim=1), x[:, :2].sum(dim=1)), dim=1)


def test_a_correction_is_added_to_the_vectors():
    vectors, residual = noise_clip((2, 2, 6, 4)), noise_clip((2, 3, 6, 4), seed=1)

    cue = MotionCue(Sums())(vectors, residual)
    refined = MotionCue(Sums(), refine=True)(vectors, residual)

    torch.testing.assert_close(cue[:, 0], residual.sum(dim=1))
    torch.testing.assert_close(refined, vectors + cue)


def test_a_reduced_cue_is_tiled():
    vectors = torch.arange(16.0).reshape(1, 1, 4, 4).repeat(1, 2, 1, 1)
    cue = MotionCue(Sums(), reduction=2)(vectors, torch.zeros(1, 3, 4, 4))

    # means of squares, twice: 2 (0 + 1 + 4 + 5) / 4 = 5, then 9, 21, 25; as the authors tile them
    rows = [[5, 9, 5, 9], [21, 25, 21, 25]] * 2
    assert cue[0, 1].tolist() == rows


def test_the_generator_is_trained():
    cue = MotionCue(DenseGenerator(), refine=True, reduction=2)
    cue(noise_clip((1, 2, 8, 8)), noise_clip((1, 3, 8, 8))).square().mean().backward()

    assert all(p.grad.abs().sum() > 0 for p in cue.parameters())


def test_frames_must_fit():
    cue = MotionCue(Sums(), reduction=4)
    with pytest.raises(ShapeError, match=r"\(1, 2, 8, 8\).*\(1, 3, 8, 4\)"):
        cue(torch.zeros(1, 2, 8, 8), torch.zeros(1, 3, 8, 4))
    with pytest.raises(ShapeError, match="6x8 do not split into squares of 4"):
        cue(torch.zeros(1, 2, 6, 8), torch.zeros(1, 3, 6, 8))


@torch.no_grad()
def test_the_classifier_sees_the_cues_of_frames():
    torch.manual_seed(0)
    network = DMCNet(partial(ResNet2d, 10, width=8), num_classes=3, dropout=0.0, generator_fn=Sums)
    network.eval()
    clips = noise_clip((2, 5, 4, 32, 32))

    logits = network(clips)

    vectors = clips[:, :2]
    cue = torch.stack((clips[:, 2:].sum(dim=1), vectors.sum(dim=1)), dim=1) + vectors
    frames = [network.backbone(cue[:, :, t], 1).mean(dim=(2, 3)) for t in range(4)]
    expected = network.head.linear(torch.stack(frames)).mean(dim=0)
    torch.testing.assert_close(logits, expected)
