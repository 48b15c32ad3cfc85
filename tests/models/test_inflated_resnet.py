"""I3D on a ResNet: the inflated blocks, and the strides in time of the builds."""

import pytest
import torch

from zoopraxis.checkpoints.create import create_model
from zoopraxis.testing import count_macs, count_params


def meta(name, **args):
    with torch.device("meta"):
        return create_model(name, **args)


def test_every_second_block_spans_three_frames():
    model = meta("i3d_r50_8x8")

    spans = [
        [block.conv1.kernel_size[0] for block in stage]
        for stage in (model.layer1, model.layer2, model.layer3, model.layer4)
    ]

    # Wang et al. 2018, section 4: one of every two blocks; in res2 the code inflates all three
    assert spans == [[3, 3, 3], [3, 1, 3, 1], [3, 1, 3, 1, 3, 1], [1, 3, 1]]
    assert model.stem.conv.kernel_size == (5, 7, 7)


@pytest.mark.parametrize(
    ("name", "num_frames", "stem"),
    # 8 frames stay 8 until the pooling in time; 32 become 16 and 8 in the stem; the Caffe2 pooling
    # is not padded: 112 -> 55 instead of 56
    [("i3d_r50_8x8", 8, (8, 56, 56)), ("i3d_r50_32x2", 32, (8, 55, 55))],
)
def test_both_builds_end_in_four_frames(name, num_frames, stem):
    model = meta(name)
    clip = torch.zeros(1, 3, num_frames, 224, 224, device="meta")

    assert model.stem(clip).shape[2:] == stem
    assert model.forward_features(clip).shape == (1, 2048, 4, 7, 7)


def test_published_sizes():
    # PyTorchVideo's zoo, and mmaction2's table of the same networks; at 256 pixels
    assert round(count_params(meta("i3d_r50_8x8")) / 1e6, 2) == 28.04
    assert round(count_params(meta("i3d_r50_32x2")) / 1e6, 1) == 28.0
    assert count_macs(meta("i3d_r50_32x2"), (1, 3, 32, 256, 256)) == 42_928_013_312


def test_the_caffe2_source_builds_the_unpadded_pooling():
    assert meta("i3d_r50_8x8").stem.pool.padding == (0, 1, 1)
    assert meta("i3d_r50_8x8", source="video_nonlocal_caffe2").stem.pool.padding == (0, 0, 0)


def test_the_stem_of_the_mmaction2_source_keeps_every_fourth_frame():
    stem = meta("i3d_r50_32x2", source="mmaction2").stem
    clip = torch.zeros(1, 3, 32, 224, 224, device="meta")

    assert stem.conv.stride == (4, 2, 2)
    assert stem(clip).shape[2:] == (8, 56, 56)
