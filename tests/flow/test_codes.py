"""Flow as 8-bit codes: exact where it can be, clipped and refused where it cannot."""

import pytest
import torch

from zoopraxis.errors import ShapeError
from zoopraxis.flow.codes import BOUND, from_codes, to_codes


def test_every_code_survives():
    codes = torch.arange(256, dtype=torch.uint8)

    assert torch.equal(to_codes(from_codes(codes)), codes)


def test_rounding_costs_at_most_half_a_step():
    flow = torch.linspace(-BOUND, BOUND, 10_001)

    assert (from_codes(to_codes(flow)) - flow).abs().max() <= BOUND / 255 + 1e-5


def test_flow_beyond_the_bound_is_clipped():
    assert to_codes(torch.tensor([-99.0, 99.0, -3.0]), bound=2.0).tolist() == [0, 255, 0]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_flow_that_is_not_finite_is_refused(value):
    with pytest.raises(ShapeError, match="not finite"):
        to_codes(torch.tensor([0.0, value]))
