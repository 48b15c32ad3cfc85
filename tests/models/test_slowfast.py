"""SlowFast: its frames, its lateral connections, its published sizes, its test at full size."""

import re
from pathlib import Path

import pytest
import torch

from zoopraxis.checkpoints.convert import convert_state_dict
from zoopraxis.errors import ShapeError
from zoopraxis.models import create_model, model_spec
from zoopraxis.models.slowfast import Lateral
from zoopraxis.testing import count_macs, count_params, noise_clip, read_golden, relative_error

GOLDEN = Path(__file__).parent.parent / "golden"

# name, published M parameters, G multiply-adds at 256 pixels (None where the zoo adds norms')
PUBLISHED = [
    ("c2d_r50_8x8", 24.33, None),
    ("slow_r50_4x16", 32.45, None),
    ("slow_r50_8x8", 32.45, 54.52),
    ("slowfast_r50_4x16", 34.48, None),
    ("slowfast_r50_8x8", 34.57, 65.71),
    ("slowfast_r101_8x8", 62.83, None),
    ("slowfast_r101_50_50_16x8", 53.77, None),
]


@pytest.mark.parametrize(("name", "params", "macs"), PUBLISHED)
def test_published_parameters_and_multiply_adds(name, params, macs):
    with torch.device("meta"):
        model = create_model(name)

    assert round(count_params(model) / 1e6, 2) == params
    if macs:
        shape = (1, *model_spec(name).clip.shape)
        assert round(count_macs(model, shape) / 1e9, 2) == macs


def test_the_slow_pathway_sees_the_loaders_frames():
    model = create_model("test_slowfast")  # alpha 4
    clip = torch.arange(32.0).reshape(1, 1, 32, 1, 1).expand(1, 3, 32, 2, 2)

    slow = model.slow_frames(clip)

    assert slow[0, 0, :, 0, 0].tolist() == [0, 4, 8, 13, 17, 22, 26, 31]
    assert slow.shape == (1, 3, 8, 2, 2)


def test_says_which_clips_fit():
    with pytest.raises(ShapeError, match="30 frames came; the fast pathway takes a multiple of 4"):
        create_model("test_slowfast")(torch.zeros(1, 3, 30, 64, 64))


@torch.no_grad()
def test_a_lateral_connection_brings_every_alphath_frame():
    lateral = Lateral(1, frames=5, alpha=4).eval()
    lateral.conv.weight.zero_()
    lateral.conv.weight[0, 0, 2] = 1.0  # the middle frame
    lateral.conv.weight[1, 0, 4] = 1.0  # two frames later
    fast = torch.arange(8.0).reshape(1, 1, 8, 1, 1)
    slow = torch.full((1, 3, 2, 1, 1), -1.0)

    out = lateral(slow, fast)[0, :, :, 0, 0]  # (5, 2)

    assert (out[:3] == -1).all()
    torch.testing.assert_close(out[3:], torch.tensor([[0.0, 4.0], [2.0, 6.0]]), rtol=1e-4, atol=0)


@torch.no_grad()
def test_features_hold_both_pathways_side_by_side():
    model = create_model("test_slowfast").eval()
    clip = noise_clip((1, 3, 8, 64, 64), seed=2)

    features = model.forward_features(clip)

    assert features.shape == (1, 256 + 32, 2, 2, 2)
    fast = model.fast
    alone = fast.layer4(fast.layer3(fast.layer2(fast.layer1(fast.stem(clip)))))
    torch.testing.assert_close(features[:, 256:].mean(2), alone.mean(2))


def test_blocks_start_as_their_shortcuts():
    block = create_model("test_slowfast").slow.layer1[0].eval()
    x = torch.rand(1, block.conv1.in_channels, 2, 4, 4)

    torch.testing.assert_close(block(x), block.shortcut(x).relu())


@torch.no_grad()
def test_windows_are_classified_one_by_one():
    # 96 pixels end in 3x3 positions, which hold four windows of 64 pixels, 2x2
    model = create_model("test_slowfast").eval()
    features = model.forward_features(noise_clip((1, 3, 8, 96, 96), seed=3))
    corners = [features[..., i : i + 2, j : j + 2] for i in (0, 1) for j in (0, 1)]
    wanted = torch.stack([model.forward_head(c).softmax(1) for c in corners]).mean(0)

    got = model.forward_fullconv(noise_clip((1, 3, 8, 96, 96), seed=3), size=64)

    torch.testing.assert_close(got, wanted)


@torch.no_grad()
def test_the_official_test_path():
    golden = read_golden("psf_slow_8x8_r50_fullconv_v2", GOLDEN)
    model = create_model("slow_r50_8x8").eval()
    state = golden.state_dict()
    model.load_state_dict(convert_state_dict("slow_r50_8x8", state, source="pyslowfast"))

    probabilities = model.forward_fullconv(golden.input(), size=128)

    assert relative_error(probabilities, golden.output) < golden.tolerance


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


def test_caffe2_blobs_find_their_places():
    ours = create_model("test_slowfast").state_dict()
    ours = {k: torch.randn(v.shape) for k, v in ours.items() if "num_batches" not in k}
    blobs = {blob_name(key): tensor for key, tensor in ours.items()}
    blobs["pred_w"] = blobs["pred_w"][..., None, None, None]
    assert len(blobs) == len(ours)
    assert "t_res4_1_branch2c_bn_subsample_bn_riv" in blobs
    blobs |= {f"{name}_momentum": tensor for name, tensor in blobs.items() if name[-2:] == "_w"}

    got = convert_state_dict("test_slowfast", blobs, source="pyslowfast_caffe2")

    assert all(torch.equal(got[key], ours[key]) for key in ours)


@torch.no_grad()
def test_only_the_first_six_blocks_of_stage_4_reach_over_time():
    with torch.device("meta"):
        model = create_model("slowfast_r101_50_101_8x8")

    slow = [block.conv1.kernel_size[0] for block in model.slow.layer3]
    fast = [block.conv1.kernel_size[0] for block in model.fast.layer3]

    assert slow == [3] * 6 + [1] * 17
    assert fast == [3] * 23


def test_weights_name_their_conversion():
    for name in ("slowfast_r50_8x8", "slow_r50_4x16", "c2d_r50_8x8", "i3d_nln_r50_32x2"):
        spec = model_spec(name)
        assert spec.weights
        for weights in spec.weights:
            assert weights.source in spec.sources
            host = r"https://(dl\.fbaipublicfiles|download\.openmmlab)\.com"
            assert re.fullmatch(rf"{host}/\S+\.(pkl|pyth|pth)", weights.url)


def mmaction2_key(key):
    key = re.sub(r"norm(\d?)\.", r"conv\1.bn.", re.sub(r"conv(\d?)\.", r"conv\1.conv.", key))
    key = key.replace("stem.conv", "conv1").replace("shortcut.conv", "downsample")
    return key.replace("head.linear", "cls_head.fc_cls") if "head" in key else f"backbone.{key}"


def test_mmaction2_has_c2d_as_a_network_of_images():
    ours = create_model("c2d_r50_8x8", source="mmaction2").state_dict()
    assert create_model("c2d_r50_8x8", source="mmaction2").stem.pool.padding == (0, 0, 0)
    theirs = {mmaction2_key(key): t.squeeze(2) if t.ndim == 5 else t for key, t in ours.items()}
    assert "backbone.layer2.0.downsample.bn.weight" in theirs

    got = convert_state_dict("c2d_r50_8x8", {"meta": {}, "state_dict": theirs}, source="mmaction2")

    assert all(torch.equal(got[key], ours[key]) for key in ours)
