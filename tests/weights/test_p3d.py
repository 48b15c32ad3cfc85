"""P3D's builds: the authors' poolings and prototxts, and the PyTorch port's."""

from pathlib import Path

import pytest
import torch

from zoopraxis.checkpoints.create import create_model
from zoopraxis.testing import golden_error, read_golden
from zoopraxis.weights.p3d import ReleasedB, ReleasedC

GOLDEN = Path(__file__).parent.parent / "golden"


@torch.no_grad()
def test_the_authors_pool_without_padding_and_round_up():
    x = torch.arange(6.0).expand(1, 1, 2, 6, 6)  # column i holds i

    authors, port = create_model("test_p3d"), create_model("test_p3d", source="p3d_pytorch")

    assert authors.pool(x)[0, 0, 0, 0].tolist() == [2.0, 4.0, 5.0]  # windows 0-2, 2-4, 4-5
    assert port.pool(x)[0, 0, 0, 0].tolist() == [1.0, 3.0, 5.0]  # windows 0-1, 1-3, 3-5


def test_source_p3d_caffe_keeps_the_authors_pooling():
    golden = read_golden("p3d_p3d199_caffepool", GOLDEN)

    assert golden_error(golden, "p3d_199", "p3d_caffe") < golden.tolerance
    assert golden_error(golden, "p3d_199", "p3d_pytorch") > 1e-3


@pytest.mark.parametrize(
    ("unit", "temporal", "expected"),
    [
        (ReleasedB, -1.0, 1.0),  # ReLU(2 - 1); with T rectified it would be 2
        (ReleasedB, -3.0, 0.0),  # ReLU(2 - 3)
        (ReleasedC, 3.0, 4.0),  # ReLU(2 + 3 * 2) / 2
        (ReleasedC, -0.5, 0.5),  # ReLU(2 - 0.5 * 2) / 2
    ],
)
@torch.no_grad()
def test_released_units_rectify_the_sum_instead_of_t(unit, temporal, expected):
    unit = unit(1).eval()
    for conv, value in ((unit.conv_s, 2.0), (unit.conv_t, temporal)):
        conv.weight.zero_()
        conv.weight[tuple(size // 2 for size in conv.weight.shape)] = value

    got = unit(torch.ones(1, 1, 1, 1, 1)).item()

    assert got == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_source_caffe_builds_the_released_units():
    with torch.device("meta"):
        model = create_model("p3d_199", source="caffe")

    kinds = [type(block.unit) for block in model.layer1]
    assert kinds[1:] == [ReleasedB, ReleasedC]
