"""The order of the flow fields in the published stacks."""

import torch

from zoopraxis.checkpoints.convert import convert_state_dict
from zoopraxis.checkpoints.create import create_model


def test_filters_for_a_loader_that_puts_the_first_field_last_are_rolled():
    theirs = create_model("test_two_stream_flow").state_dict()
    for old, new in (("backbone.stem.conv.", "conv1_custom."), ("backbone.stem.norm.", "bn1.")):
        theirs = {key.replace(old, new): value for key, value in theirs.items()}
    theirs = {key.replace("backbone.", "").replace(".norm", ".bn"): v for key, v in theirs.items()}
    theirs = {key.replace("head.linear.", "fc_custom."): value for key, value in theirs.items()}
    for name, place in (("conv", 0), ("norm", 1), ("bn", 1)):
        old, new = f".shortcut.{name}.", f".downsample.{place}."
        theirs = {key.replace(old, new): value for key, value in theirs.items()}
    filters = torch.arange(6.0)[None, :, None, None].expand(16, 6, 7, 7)
    theirs["conv1_custom.weight"] = filters  # of x1, y1, x2, y2, x0, y0

    plain = convert_state_dict("test_two_stream_flow", theirs, source="two_stream")
    turned = convert_state_dict("test_two_stream_flow", theirs, source="two_stream_loader")

    first = "backbone.stem.conv.weight"
    assert plain[first][0, :, 0, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert turned[first][0, :, 0, 0].tolist() == [4, 5, 0, 1, 2, 3]
