"""FstCN: sampling, the T-P operator, and the fusion of scores, checked by hand."""

import pytest
import torch

from zoopraxis.checkpoints.create import create_model
from zoopraxis.models.fstcn import (
    FstCN,
    TemporalLayers,
    TransformPermute,
    concentration,
    fuse_by_concentration,
    positions_per_side,
)
from zoopraxis.testing import count_params


@torch.no_grad()
def test_frames_have_a_stride_and_differences_a_distance():
    model = create_model("test_fstcn", length=5, stride=5, distance=9)
    squares = torch.arange(30.0).square()[None, None, :, None, None].expand(1, 3, 30, 2, 2)

    frames, differences = model.sample(squares)

    assert frames[0, :, 0, 0, 0].tolist() == [0, 25, 100, 225, 400]
    assert differences[0, :, 0, 0, 0].tolist() == [81, 14**2 - 25, 19**2 - 100, 24**2 - 225, 441]


@torch.no_grad()
def test_transformation_flattens_positions_and_permutation_reorders_channels():
    operator = TransformPermute(3)
    x = torch.zeros(1, 2, 3, 2, 2)
    for t in range(2):
        for f in range(3):
            x[0, t, f] = torch.tensor([[0.0, 1.0], [2.0, 3.0]]) + 10 * f + 100 * t

    assert operator(x)[0, 3].tolist() == [[3, 13, 23], [103, 113, 123]]  # last position, time x F
    operator.permutation.copy_(torch.tensor([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]))
    assert operator(x)[0, 0].tolist() == [[10, 20, 0], [110, 120, 100]]


@torch.no_grad()
def test_temporal_layers_span_three_and_five_frames():
    torch.manual_seed(0)
    layers = TemporalLayers(4, width=8).eval()
    layers.conv3.bias.fill_(10.0)  # every ReLU is active
    layers.conv5.bias.fill_(10.0)
    x = torch.randn(1, 4, 7, 6)
    poked = x.clone()
    poked[:, :, 3] += 1.0

    changed = (layers(poked) - layers(x)).abs().amax(dim=(0, 3)) > 1e-6  # (16, T)

    assert changed[:8].any(dim=0).tolist() == [False, False, True, True, True, False, False]
    assert changed[8:].any(dim=0).tolist() == [False, True, True, True, True, True, False]


@torch.no_grad()
def test_the_spatial_path_sees_only_the_middle_frame():
    torch.manual_seed(0)
    model = create_model("test_fstcn").eval()  # frames 0, 2, 4 and their neighbours
    x = torch.randn(1, 3, 6, 64, 64)

    for frame, sees in ((0, False), (1, False), (2, True), (4, False)):
        poked = x.clone()
        poked[:, :, frame] += 1.0
        still, moving = model.forward_paths(poked)
        was_still, was_moving = model.forward_paths(x)
        assert (not torch.equal(still, was_still)) == sees
        assert not torch.equal(moving, was_moving)


@pytest.mark.parametrize(
    ("probabilities", "index"),
    [([1.0, 0.0, 0.0, 0.0], 1.0), ([0.25] * 4, 0.0), ([0.7, 0.1, 0.1, 0.1], (4 * 0.7 - 1) / 3)],
)
def test_concentration_is_high_for_peaked_scores(probabilities, index):
    assert concentration(torch.tensor(probabilities)).item() == pytest.approx(index, abs=1e-6)


def test_fusion_weights_peaked_crops_and_takes_the_maximum_over_clips():
    peaked, flat = [0.9, 0.1, 0.0], [1 / 3, 1 / 3, 1 / 3]
    lean = [0.2, 0.2, 0.6]
    scores = torch.tensor([[peaked, flat], [lean, lean]])  # two clips of two crops

    assert fuse_by_concentration(scores).tolist() == pytest.approx([0.9, 0.2, 0.6])


@torch.no_grad()
def test_the_papers_crop_ends_in_sixteen_positions():
    with torch.device("meta"):
        model = FstCN()
        still, moving = model.forward_paths(torch.zeros(1, 3, 30, 204, 204))

    assert positions_per_side(204) == still.shape[-1] == moving.shape[-1] == 4


def test_parameters_add_up():
    with torch.device("meta"):
        model = create_model("fstcn")

    convs = 7 * 7 * 3 * 96 + 5 * 5 * 96 * 256 + 9 * 256 * 512 + 9 * 512 * 512 + 2 * 9 * 512 * 128
    biases = 96 + 256 + 2 * 512 + 2 * 128
    temporal = 128 * 128 + (9 + 25) * 16 * 32 + 2 * 32
    ends = sum(n * 4096 + 4096 + 4096 * 2048 + 2048 for n in (128 * 16, 64 * 5 * 128))
    top = 4096 * 2048 + 2048 + 2048 * 101 + 101
    assert count_params(model) == convs + biases + temporal + ends + top
