"""The non-local networks: where the blocks are, and that they start as the identity."""

import pytest
import torch

from zoopraxis.checkpoints.create import create_model
from zoopraxis.errors import ShapeError
from zoopraxis.layers.nonlocal_block import NonLocalBlock, PooledNonLocal
from zoopraxis.models.nonlocal_net import insert_nonlocal
from zoopraxis.testing import count_params, noise_clip

FIVE = {"layer2.nonlocal1", "layer2.nonlocal3"} | {f"layer3.nonlocal{i}" for i in (1, 3, 5)}


def insertions(model):
    return {name for name, module in model.named_modules() if isinstance(module, NonLocalBlock)}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("c2d_nln_r50_8x8", FIVE),
        ("i3d_nln_r101_8x8", FIVE),
        ("slowfast_nln_r50_8x8", {f"slow.{place}" for place in FIVE}),
        ("slowfast_nln_r101_50_50_16x8", {f"slow.layer3.nonlocal{i}" for i in (6, 13, 20)}),
    ],
)
def test_blocks_are_where_the_authors_put_them(name, expected):
    with torch.device("meta"):
        assert insertions(create_model(name)) == expected


@torch.no_grad()
def test_untrained_blocks_do_not_change_the_network():
    model = create_model("test_nonlocal_net").eval()
    plain = create_model("test_i3d_resnet").eval()
    plain.load_state_dict({k: v for k, v in model.state_dict().items() if "nonlocal" not in k})
    clip = noise_clip((1, 3, 8, 64, 64), seed=1)

    assert torch.equal(model(clip), plain(clip))
    assert list(model.layer2._modules) == ["0", "1", "nonlocal1"]

    torch.nn.init.ones_(model.layer2.nonlocal1.norm.weight)
    torch.nn.init.normal_(model.layer2.nonlocal1.out.bias)
    assert not torch.allclose(model(clip), plain(clip), rtol=1e-3)


@pytest.mark.parametrize(
    ("name", "params"), [("i3d_nln_r50_32x2", 35.4), ("c2d_nln_r50_8x8", 31.7)]
)
def test_published_parameters(name, params):
    with torch.device("meta"):
        assert round(count_params(create_model(name)) / 1e6, 1) == params


def test_the_error_names_the_missing_block():
    with pytest.raises(ShapeError, match="layer2 has 2 blocks, and no block 3"):
        insert_nonlocal(create_model("test_i3d_resnet"), {"layer2": (3,)}, "dot_product")


def test_second_stage_relates_long_clips_in_groups_of_four_frames():
    with torch.device("meta"):
        model = create_model("i3d_nln_r50_128x1")
    groups = {n: m.num_frames for n, m in model.named_modules() if isinstance(m, NonLocalBlock)}
    assert groups == {name: 4 if name.startswith("layer2") else None for name in FIVE}


def test_blocks_of_mmaction2_pool_after_their_convolutions():
    with torch.device("meta"):
        model = create_model("i3d_nln_r50_32x2", source="mmaction2")
        plain = create_model("i3d_nln_r50_32x2")

    assert isinstance(model.layer3.nonlocal5, PooledNonLocal)
    assert not isinstance(plain.layer3.nonlocal5, PooledNonLocal)
    assert insertions(model) == FIVE
