"""Where TSM shifts, and that the online network equals the offline one."""

import pytest
import torch

from zoopraxis.checkpoints.create import create_model
from zoopraxis.layers.nonlocal_block import PooledNonLocal
from zoopraxis.layers.resnet2d import Bottleneck2d, ResNet2d
from zoopraxis.models import tsm
from zoopraxis.models.tsm import InPlaceBottleneck, TSMBottleneck
from zoopraxis.testing import count_macs, count_params, noise_clip


def shifts(name):
    with torch.device("meta"):
        backbone = create_model(name).backbone
    stages = (backbone.layer1, backbone.layer2, backbone.layer3, backbone.layer4)
    return ["".join(".x"[isinstance(b, TSMBottleneck)] for b in stage) for stage in stages]


def test_every_block_shifts_at_depth_50():
    assert shifts("tsm_r50_8") == ["xxx", "xxxx", "xxxxxx", "xxx"]


def test_every_second_block_shifts_at_depth_101():
    assert shifts("tsm_r101_8") == ["x.x", "x.x.", "x.x.x.x.x.x.x.x.x.x.x.x", "x.x"]


@torch.no_grad()
def test_the_shortcut_is_shifted_in_place_only():
    # if the residual branch is zero, the block is the ReLU of its shortcut
    x = torch.arange(1.0, 4.0)[:, None, None, None].expand(3, 32, 2, 2)  # frame t is filled with t
    seen = {}
    for make in (Bottleneck2d, TSMBottleneck, InPlaceBottleneck):
        block = make(32, 8, stride=1, shortcut=torch.nn.Identity()).eval()
        torch.nn.init.zeros_(block.norm3.weight)
        seen[make] = block(x, 3)[:, [0, 4, 8], 0, 0].T.tolist()

    assert seen[TSMBottleneck] == seen[Bottleneck2d] == [[1, 2, 3]] * 3
    assert seen[InPlaceBottleneck] == [[2, 3, 0], [0, 1, 2], [1, 2, 3]]


@torch.no_grad()
def test_bninception_shifts_before_every_part_but_the_first(monkeypatch):
    seen = []

    def shift(x, num_frames):
        seen.append((x.shape[1], num_frames))
        return x

    monkeypatch.setattr(tsm, "fast_shift", shift)
    with torch.device("meta"):
        create_model("tsm_block_bninception_8")(torch.zeros(1, 3, 8, 224, 224))

    # input channels of the second convolution, and of modules 3a to 5b
    channels = [64, 192, 256, 320, 576, 576, 576, 608, 608, 608 + 448, 1024]
    assert seen == [(count, 8) for count in channels]


@pytest.mark.parametrize(
    ("similarity", "attention"),
    [("embedded_gaussian", 1.0), ("gaussian", 1.0), ("dot_product", 1.5 * 1.5)],
)
@torch.no_grad()
def test_nonlocal_blocks_pool_after_their_convolutions(similarity, attention):
    block = PooledNonLocal(2, similarity=similarity).eval()
    for name, parameter in block.named_parameters():
        torch.nn.init.constant_(parameter, 1.0 if name.endswith("weight") else 0.0)
    torch.nn.init.constant_(block.norm.weight, (1 + block.norm.eps) ** 0.5)  # undoes itself
    x = torch.zeros(1, 2, 1, 2, 2)
    x[0, 0, 0, 1, 1], x[0, 1] = 1.0, 0.5

    out = block(x)[0, 0, 0, 1, 1]

    # pooling leaves one of four positions; theta, phi and g of the brightest pixel are 1.5
    torch.testing.assert_close(out.item(), 1.0 + attention * 1.5)


@torch.no_grad()
def test_temporal_pooling_halves_the_frames():
    model = create_model("tsm_tpool_r50_8").eval()

    features = model.forward_features(noise_clip((1, 3, 8, 32, 32)))

    assert features.shape == (1, 2048, 4, 1, 1)


@torch.no_grad()
def test_frame_by_frame_equals_the_whole_clip():
    torch.manual_seed(0)
    model = create_model("test_tsm_online").eval()
    clip = noise_clip((2, 3, 6, 64, 64))

    whole = model.forward_frames(clip)
    cache, steps = (), []
    for frame in clip.unbind(2):
        logits, cache = model.step(frame, cache)
        steps.append(logits)

    torch.testing.assert_close(torch.stack(steps, dim=1), whole, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(model(clip), whole.mean(dim=1))
    assert (whole[:, 1:] - whole[:, :1]).abs().max() > 1e-3 * whole.abs().max()


@torch.no_grad()
def test_the_online_network_does_not_see_the_future():
    torch.manual_seed(0)
    model = create_model("test_tsm_online").eval()
    clip = noise_clip((1, 3, 6, 64, 64))
    changed = clip.clone()
    changed[:, :, 3] += 1

    difference = (model.forward_frames(clip) - model.forward_frames(changed)).abs().amax(dim=(0, 2))

    assert (difference > 0).tolist() == [False, False, False, True, True, True]


@pytest.mark.parametrize(
    ("name", "params", "macs"),
    [
        ("tsm_r50_8", 24327632, 32703643648),  # 24.3 M and 33 G in the paper's Table 2
        ("tsm_nln_r50_8", 31686096, 61104062464),
        ("tsm_tpool_r50_8", 24327632, 19495649280),
        ("tsm_mobilenetv2_8", 2736272, 2400050176),
    ],
)
def test_parameters_and_multiply_adds_of_the_authors_code(name, params, macs):
    with torch.device("meta"):
        model = create_model(name)

    assert count_params(model) == params
    assert count_macs(model, (1, 3, 8, 224, 224)) == macs


@torch.no_grad()
def test_nonlocal_blocks_begin_as_the_identity():
    backbone = ResNet2d(50, block=tsm.nonlocal_shift("embedded_gaussian"), width=4)
    blocks = [one for one in backbone.modules() if isinstance(one, PooledNonLocal)]

    assert len(blocks) == 5
    for block in blocks:
        x = torch.randn(1, block.out.out_channels, 2, 4, 4)
        assert torch.equal(block.eval()(x), x)
        assert block.theta.weight.std() < 0.02
