"""Networks are laid out without values, at the cost of their Python alone."""

import subprocess
import sys

import torch

from zoopraxis.checkpoints.layout import without_values
from zoopraxis.models.registry import list_models
from zoopraxis.weights.registry import build_network

EVERY_FAMILY = """
import sys
from zoopraxis.checkpoints.layout import without_values
from zoopraxis.models.registry import list_models
from zoopraxis.weights.registry import build_network
for name in list_models("test_*"):
    with without_values():
        build_network(name)
    if "torch._dynamo" in sys.modules:
        sys.exit(f"{name} imports torch._dynamo")
"""


def test_no_family_imports_the_compiler():
    done = subprocess.run(
        [sys.executable, "-c", EVERY_FAMILY], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_shapes_are_those_of_the_network():
    for name in list_models("test_*"):
        with without_values():
            laid_out = build_network(name)
        assert all(parameter.is_meta for parameter in laid_out.parameters())
        wanted = {key: tensor.shape for key, tensor in build_network(name).state_dict().items()}
        assert {key: tensor.shape for key, tensor in laid_out.state_dict().items()} == wanted


def test_values_are_drawn_again_outside():
    with without_values():
        pass
    assert torch.empty(8).normal_().std() > 0
