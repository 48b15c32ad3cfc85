"""Inception-v1 for images: equal to torchvision's, by its own keys."""

from pathlib import Path

import pytest
import torch

from zoopraxis.checkpoints.convert import rename
from zoopraxis.layers.inception_v1 import GoogLeNet, pool_size
from zoopraxis.testing import count_macs, count_params, read_golden, relative_error
from zoopraxis.weights.keys.inception_v1 import GOOGLENET_TORCHVISION

GOLDEN = Path(__file__).parent.parent / "golden"


@pytest.mark.parametrize("name", ["tv_googlenet", "tv_googlenet_aux"])
@torch.no_grad()
def test_images_give_the_references_output(name):
    golden = read_golden(name, GOLDEN)
    network = GoogLeNet().eval()

    network.load_state_dict(rename(golden.state_dict(), GOOGLENET_TORCHVISION))

    assert relative_error(network(golden.input()), golden.output) < golden.tolerance


def test_it_has_the_published_size():
    with torch.device("meta"):
        network = GoogLeNet()

    assert count_params(network) == 6_624_904
    assert count_macs(network, (1, 3, 224, 224)) == 1_498_376_192


def test_the_first_two_poolings_keep_time():
    assert pool_size("pool_2a", 3, 2) == ((1, 3, 3), (1, 2, 2))
    assert pool_size("pool_4a", 3, 2) == ((3, 3, 3), (2, 2, 2))
