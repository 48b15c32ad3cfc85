"""Names in VMZ's Caffe2 files, as its own converter reads them."""

import pytest
import torch

from zoopraxis.checkpoints.convert import rename
from zoopraxis.checkpoints.create import create_model
from zoopraxis.weights import sources_of

CASES = {
    "r2plus1d_34": {
        "conv1_middle_w": "stem.conv.spatial.weight",
        "conv1_middle_spatbn_relu_riv": "stem.conv.norm.running_var",
        "conv1_w": "stem.conv.temporal.weight",
        "conv1_spatbn_relu_s": "stem.norm.weight",
        "comp_2_conv_1_middle_w": "layer1.2.conv1.spatial.weight",
        "comp_3_conv_2_w": "layer2.0.conv2.temporal.weight",
        "comp_7_spatbn_2_middle_rm": "layer3.0.conv2.norm.running_mean",
        "comp_15_spatbn_2_b": "layer4.2.norm2.bias",
        "shortcut_projection_3_w": "layer2.0.shortcut.conv.weight",
        "shortcut_projection_3_spatbn_s": "layer2.0.shortcut.norm.weight",
        "last_out_L400_w": "head.linear.weight",
    },
    "r2plus1d_152": {
        "comp_0_conv_1_w": "layer1.0.conv1.weight",
        "comp_0_conv_2_middle_w": "layer1.0.conv2.spatial.weight",
        "comp_0_conv_2_w": "layer1.0.conv2.temporal.weight",
        "comp_49_spatbn_3_s": "layer4.2.norm3.weight",
    },
    "ip_csn_152": {
        "conv1_w": "stem.conv.weight",
        "comp_11_conv_2_middle_w": "layer3.0.conv2.pointwise.weight",
        "comp_11_spatbn_2_middle_b": "layer3.0.conv2.norm.bias",
        "comp_11_conv_2_w": "layer3.0.conv2.depthwise.weight",
        "comp_11_conv_3_w": "layer3.0.conv3.weight",
    },
    "ir_csn_50": {  # its depth-wise convolution counts as the third
        "comp_0_conv_1_w": "layer1.0.conv1.weight",
        "comp_0_conv_3_w": "layer1.0.conv2.weight",
        "comp_0_spatbn_3_riv": "layer1.0.norm2.running_var",
        "comp_0_conv_4_w": "layer1.0.conv3.weight",
        "comp_0_spatbn_4_s": "layer1.0.norm3.weight",
    },
}


@pytest.mark.parametrize("name", CASES)
def test_blobs_become_parameters(name):
    with torch.device("meta"):
        keys = create_model(name).state_dict().keys()
    theirs = {blob: torch.zeros(()) for blob in CASES[name]}

    ours = rename(theirs, sources_of(name)["vmz_caffe2"])

    assert list(ours) == list(CASES[name].values())
    assert set(ours) <= set(keys)
