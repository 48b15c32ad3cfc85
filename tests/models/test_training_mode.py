"""A step of training does to our networks what it does to torchvision's."""

import pytest
import torch
from torchvision.models import video

from zoopraxis.checkpoints.convert import convert_state_dict
from zoopraxis.checkpoints.create import create_model
from zoopraxis.testing import fill, noise_clip, relative_error

CLASSES = 3
NETWORKS = ("r3d_18", "mc3_18", "r2plus1d_18", "s3d")
# (B, C, T, H, W), no size a multiple of a stride; S3D divides time by 8, and needs 2 cells of it
SHAPES = {"s3d": (2, 3, 13, 67, 65)}
ODD = (2, 3, 5, 33, 29)


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_and_running_statistics_are_torchvisions(name):
    theirs = getattr(video, name)(num_classes=CLASSES).double().train()
    if name == "s3d":  # its window of 2 x 7 x 7 cells would need 209 pixels
        theirs.avgpool = torch.nn.AdaptiveAvgPool3d(1)
    theirs.load_state_dict(
        {
            key: torch.from_numpy(fill(key, tuple(tensor.shape))) if tensor.ndim else tensor
            for key, tensor in theirs.state_dict().items()
        }
    )
    ours = create_model(name, source="torchvision", num_classes=CLASSES).double().train()
    ours.load_state_dict(convert_state_dict(name, theirs.state_dict(), source="torchvision"))
    for network in (ours, theirs):
        prepare(network)
    clip = noise_clip(SHAPES.get(name, ODD)).double()

    for network in (ours, theirs):
        (network(clip) * noise_clip((2, CLASSES), seed=1)).sum().backward()

    def converted(state):
        return convert_state_dict(name, state, source="torchvision")

    state = converted(theirs.state_dict())
    for key, tensor in ours.state_dict().items():
        if tensor.is_floating_point():
            assert relative_error(tensor, state[key]) < 1e-10, key
        else:  # number of batches
            assert tensor == state[key] == 1, key
    # gradients are named and shaped as the weights are, and take the same way
    buffers = dict(theirs.named_buffers())
    gradients = converted({**{k: p.grad for k, p in theirs.named_parameters()}, **buffers})
    largest = max(float(p.grad.abs().max()) for p in ours.parameters())
    for key, parameter in ours.named_parameters():
        # of the largest: a constant before a batch norm has a gradient of rounding alone
        assert (parameter.grad - gradients[key]).abs().max() < 1e-10 * largest, key


def prepare(network):
    """Leave out what is random: dropout."""
    for module in network.modules():
        if isinstance(module, torch.nn.modules.dropout._DropoutNd):
            module.p = 0.0
