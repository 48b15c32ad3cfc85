"""C3D: published sizes, fc6 features, what the last pooling leaves."""

import pytest
import torch

from zoopraxis.checkpoints.create import create_model
from zoopraxis.testing import count_macs, count_params, noise_clip


@pytest.mark.parametrize(
    ("name", "params", "macs"), [("c3d", 78_409_573, 38.5), ("c3d_vmz", 64.9e6, 38.5)]
)
def test_sizes_are_the_published_ones(name, params, macs):
    with torch.device("meta"):
        model = create_model(name)

    assert count_params(model) == pytest.approx(params, rel=1e-3)
    assert count_macs(model, (1, 3, 16, 112, 112)) / 1e9 == pytest.approx(macs, abs=0.05)


def test_fc6_sees_what_the_last_pooling_leaves():
    with torch.device("meta"):
        padded, plain, quo_vadis = (create_model(n) for n in ("c3d", "c3d_vmz", "quo_vadis_3d"))

    assert padded.fc6.linear.in_features == 512 * 4 * 4
    assert plain.fc6.linear.in_features == 512 * 3 * 3
    assert quo_vadis.fc6.linear.in_features == 512 * 4 * 4


@torch.no_grad()
def test_c3d_features_are_fc6_after_its_relu():
    torch.manual_seed(0)
    model = create_model("test_c3d").eval()
    clip = noise_clip((2, 3, 8, 56, 56))

    features = model.forward_fc6(clip)

    assert features.shape == (2, 512)
    assert features.min() == 0
    torch.testing.assert_close(model.fc8(model.fc7(features)), model(clip))
