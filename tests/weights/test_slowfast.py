"""SlowFast: the keys of Caffe2 and mmaction2, and its checkpoints."""

import re

import pytest
import torch

from zoopraxis.checkpoints.convert import convert_state_dict
from zoopraxis.checkpoints.create import create_model
from zoopraxis.weights import sources_of, weights_of


def blob_name(key):
    """Name of one of our parameters in the Caffe2 release, written down the other way round."""
    suffix = {"running_mean": "rm", "running_var": "riv", "bias": "b", "weight": "w"}
    parts = key.split(".")
    kind = suffix[parts.pop()]
    if "norm" in parts[-1]:
        kind = "s" if kind == "w" else kind
    if parts[0] == "head":
        return f"pred_{kind}"
    norm = "_bn" if "norm" in parts[-1] else ""
    if parts[0].startswith("fuse"):
        stage = int(parts[0][4:])
        last = {2: 0, 3: 0, 4: 0}  # test_slowfast: two blocks a stage, numbered 0 and 1
        place = "pool1" if stage == 1 else f"res{stage}_{last[stage] + 1}_branch2c_bn"
        return f"t_{place}_subsample{norm}_{kind}"
    fast = "t_" if parts[0] == "fast" else ""
    if parts[1] == "stem":
        return f"{fast}{'res_conv1_bn' if norm else 'conv1'}_{kind}"
    branch = "1" if parts[3] == "shortcut" else f"2{'abc'[int(parts[3][-1]) - 1]}"
    return f"{fast}res{int(parts[1][5:]) + 1}_{parts[2]}_branch{branch}{norm}_{kind}"


def test_caffe2_blobs_are_renamed():
    ours = create_model("test_slowfast").state_dict()
    ours = {k: torch.randn(v.shape) for k, v in ours.items() if "num_batches" not in k}
    blobs = {blob_name(key): tensor for key, tensor in ours.items()}
    blobs["pred_w"] = blobs["pred_w"][..., None, None, None]
    assert len(blobs) == len(ours)
    assert "t_res4_1_branch2c_bn_subsample_bn_riv" in blobs
    blobs |= {f"{name}_momentum": tensor for name, tensor in blobs.items() if name[-2:] == "_w"}

    got = convert_state_dict("test_slowfast", blobs, source="pyslowfast_caffe2")

    assert all(torch.equal(got[key], ours[key]) for key in ours)


@pytest.mark.parametrize(
    "name", ["slowfast_r50_8x8", "slow_r50_4x16", "c2d_r50_8x8", "i3d_nln_r50_32x2"]
)
def test_every_checkpoint_has_a_source_that_converts_it(name):
    assert weights_of(name)
    for weights in weights_of(name):
        assert weights.source in sources_of(name)
        hosts = r"https://(dl\.fbaipublicfiles\.com|download\.openmmlab\.com|s3\.amazonaws\.com)"
        assert weights.urls
        for url in weights.urls:
            assert re.fullmatch(rf"{hosts}/\S+\.(pkl|pyth|pth)", url)


def mmaction2_key(key):
    key = re.sub(r"norm(\d?)\.", r"conv\1.bn.", re.sub(r"conv(\d?)\.", r"conv\1.conv.", key))
    key = key.replace("stem.conv", "conv1").replace("shortcut.conv", "downsample")
    return key.replace("head.linear", "cls_head.fc_cls") if "head" in key else f"backbone.{key}"


def test_c2d_of_mmaction2_is_an_image_network():
    ours = create_model("c2d_r50_8x8", source="mmaction2").state_dict()
    assert create_model("c2d_r50_8x8", source="mmaction2").stem.pool.padding == (0, 0, 0)
    theirs = {mmaction2_key(key): t.squeeze(2) if t.ndim == 5 else t for key, t in ours.items()}
    assert "backbone.layer2.0.downsample.bn.weight" in theirs

    got = convert_state_dict("c2d_r50_8x8", {"meta": {}, "state_dict": theirs}, source="mmaction2")

    assert all(torch.equal(got[key], ours[key]) for key in ours)
