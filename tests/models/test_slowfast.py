"""SlowFast: its frames, lateral connections, published sizes and fully convolutional test."""

from pathlib import Path

import pytest
import torch

from zoopraxis.checkpoints.convert import convert_state_dict
from zoopraxis.checkpoints.create import create_model
from zoopraxis.errors import ShapeError
from zoopraxis.models import model_spec
from zoopraxis.models.slowfast import Lateral
from zoopraxis.prediction.fully_convolutional import FullyConvolutional, map_size
from zoopraxis.testing import count_macs, count_params, noise_clip, read_golden, relative_error

GOLDEN = Path(__file__).parent.parent / "golden"

# name, published M parameters, GMACs at 256 pixels (None where the zoo adds those of batch norms)
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


def test_clips_must_be_multiples_of_alpha():
    with pytest.raises(ShapeError, match="the clip has 30 frames, which is not a multiple of 4"):
        create_model("test_slowfast")(torch.zeros(1, 3, 30, 64, 64))


@torch.no_grad()
def test_a_lateral_connection_samples_every_alphath_frame():
    lateral = Lateral(1, num_frames=5, alpha=4).eval()
    lateral.conv.weight.zero_()
    lateral.conv.weight[0, 0, 2] = 1.0  # the middle frame
    lateral.conv.weight[1, 0, 4] = 1.0  # two frames later
    fast = torch.arange(8.0).reshape(1, 1, 8, 1, 1)
    slow = torch.full((1, 3, 2, 1, 1), -1.0)

    out = lateral(slow, fast)[0, :, :, 0, 0]  # (5, 2)

    assert (out[:3] == -1).all()
    torch.testing.assert_close(out[3:], torch.tensor([[0.0, 4.0], [2.0, 6.0]]), rtol=1e-4, atol=0)


@torch.no_grad()
def test_features_are_those_of_both_pathways_concatenated():
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
def test_only_the_first_six_blocks_of_the_third_stage_convolve_over_time():
    with torch.device("meta"):
        model = create_model("slowfast_r101_50_101_8x8")

    slow = [block.conv1.kernel_size[0] for block in model.slow.layer3]
    fast = [block.conv1.kernel_size[0] for block in model.fast.layer3]

    assert slow == [3] * 6 + [1] * 17
    assert fast == [3] * 23


# The official test path; how its windows are made and averaged is in
# tests/prediction/test_fully_convolutional.py.


@torch.no_grad()
def test_the_official_test_path():
    golden = read_golden("psf_slow_8x8_r50_fullconv_v2", GOLDEN)
    model = create_model("slow_r50_8x8").eval()
    state = golden.state_dict()
    model.load_state_dict(convert_state_dict("slow_r50_8x8", state, source="pyslowfast"))
    window = map_size(model, model_spec("slow_r50_8x8").clip.change(size=128))

    logits = FullyConvolutional(model, window)(golden.input())

    assert relative_error(logits.softmax(1), golden.output) < golden.tolerance
