"""I3D: the inflated layers, the sliding classifier, the two streams."""

import json
import math
from pathlib import Path

import pytest
import torch

from zoopraxis.checkpoints.convert import convert_state_dict
from zoopraxis.checkpoints.create import create_model
from zoopraxis.layers.head import WindowHead
from zoopraxis.models import model_spec
from zoopraxis.testing import count_params, noise_clip, read_golden, relative_error

GOLDEN = Path(__file__).parent.parent / "golden"
CHECKPOINTS = json.loads((GOLDEN / "i3d_tf_variables.json").read_text())["checkpoints"]


@torch.no_grad()
def test_odd_sizes_give_the_references_logits_at_every_position():
    golden = read_golden("i3d_piergiaj_rgb_small", GOLDEN)
    state = convert_state_dict("i3d_inception", golden.state_dict(), source="i3d_piergiaj")
    model = create_model("i3d_inception").eval()
    model.load_state_dict(state)

    positions = model.head.positions(model.forward_features(golden.input()[:1]))

    assert positions.shape == (1, 400, 2, 2, 1)
    assert relative_error(positions, golden.output[:1]) < golden.tolerance


def test_sizes_are_the_papers():
    values = sum(
        math.prod(entry["shape"])
        for name, entry in CHECKPOINTS["rgb_imagenet"].items()
        if "moving" not in name
    )
    with torch.device("meta"):
        rgb, flow = create_model("i3d_inception"), create_model("i3d_inception_flow")

    scales = sum(len(p) for n, p in rgb.named_parameters() if n.endswith("norm.weight"))
    assert count_params(rgb) - scales == values == 12_689_984
    assert round((count_params(rgb) + count_params(flow)) / 1e6) == 25  # Table 1


@torch.no_grad()
def test_streams_are_added_and_see_only_their_channels():
    torch.manual_seed(0)
    model = create_model("test_i3d_two_stream").eval()
    clip = noise_clip((1, *model_spec("test_i3d_two_stream").clip.shape))

    logits = model(clip)

    torch.testing.assert_close(logits, model.rgb(clip[:, :3]) + model.flow(clip[:, 3:]))


@torch.no_grad()
def test_the_classifier_slides_and_counts_inner_frames_twice():
    head = WindowHead(1, 1)
    torch.nn.init.ones_(head.linear.weight)
    torch.nn.init.zeros_(head.linear.bias)
    x = torch.tensor([1.0, 2.0, 4.0])[None, None, :, None, None].expand(1, 1, 3, 7, 7)

    assert head.eval().positions(x).flatten().tolist() == [1.5, 3.0]
    assert head(x).item() == pytest.approx(2.25)  # the mean of all frames is 2.33
