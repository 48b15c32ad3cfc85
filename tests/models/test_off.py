"""OFF: gradients in x, y and t by hand, and what is gathered from where."""

import pytest
import torch

from zoopraxis.checkpoints.create import create_model
from zoopraxis.models.off import OFFUnit, Residual, TimeUnit


def unit(gradient):
    """A unit whose 1x1 convolutions pass one channel as it is."""
    made = OFFUnit(1, temporal=1, spatial=1, gradient=gradient).eval()
    for conv in (made.before_difference, made.before_gradient):
        torch.nn.init.ones_(conv.weight)
        torch.nn.init.zeros_(conv.bias)
    return made


def ramp(across, down, later):
    """Two frames whose brightness rises by these steps per pixel and frame: (2, 1, 5, 5)."""
    t, y, x = torch.meshgrid(*(torch.arange(float(n)) for n in (2, 5, 5)), indexing="ij")
    return (100 + across * x + down * y + later * t).unsqueeze(1)


@pytest.mark.parametrize(
    ("gradient", "expected"),
    [("sobel", [8 * 3, 8 * 5, 7]), ("cross", [2 * 3 - 2 * 5, 7])],  # along x, along y; in time
)
@torch.no_grad()
def test_gradients_of_a_ramp(gradient, expected):
    out = unit(gradient)(ramp(3.0, 5.0, 7.0), 2)

    assert out.shape == (1, len(expected), 5, 5)
    assert out[0, :, 2, 2].tolist() == expected


@torch.no_grad()
def test_clips_of_a_batch_are_not_mixed():
    clips = torch.cat([ramp(0.0, 0.0, 1.0), 10 * ramp(0.0, 0.0, 1.0)])  # (2 * 2, 1, 5, 5)

    assert unit("sobel").differences(clips, 2)[:, 0, 0, 0].tolist() == [1, 10]


@torch.no_grad()
def test_motion_of_flow_is_its_change_in_time_alone():
    made = TimeUnit(1, temporal=1)
    torch.nn.init.ones_(made.before_difference.weight)
    torch.nn.init.zeros_(made.before_difference.bias)

    assert made(ramp(3.0, 5.0, 7.0), 2).unique().tolist() == [7]
    with torch.device("meta"):
        units = create_model("off_bninception_flow_7").units.values()
    assert {type(unit) for unit in units} == {TimeUnit}


def test_sobel_filters_are_never_trained():
    model = create_model("test_off")

    assert not any("kernels" in name for name, _ in model.named_parameters())
    assert not any("kernels" in name for name in model.state_dict())


@torch.no_grad()
def test_features_are_of_frames_and_of_motion():
    model = create_model("test_off").eval()
    still = torch.randn(1, 3, 1, 64, 64).expand(-1, -1, 3, -1, -1)
    seen = {}
    for name, module in model.units.items():
        module.register_forward_hook(lambda _m, _args, out, name=name: seen.update({name: out}))

    features = model.forward_features(still)

    assert features.shape == (1, 256, 1, 2, 2)
    assert all(not out[:, -16:].any() for out in seen.values())  # no difference in time
    assert all(out[:, :8].any() for out in seen.values())  # but one in space


@torch.no_grad()
def test_residual_unit_by_hand():
    made = Residual(4, 1)
    for conv in (made.conv1, made.conv2, made.conv3):
        torch.nn.init.zeros_(conv.weight)
        torch.nn.init.ones_(conv.bias)
    x = torch.randn(1, 4, 3, 3)

    torch.testing.assert_close(made(x), x + 1)
