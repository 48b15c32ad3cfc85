"""Rows of attention: of the whole matrix, in groups of frames, and of which blocks."""

import pytest
import torch

from zoopraxis.checkpoints.create import create_model
from zoopraxis.errors import ModelNotFoundError, ZoopraxisError
from zoopraxis.explain.attention import attention_row, nonlocal_blocks
from zoopraxis.layers.nonlocal_block import NonLocalBlock
from zoopraxis.testing import noise_clip

CLIP = (2, 8, 4, 6, 6)


@pytest.mark.parametrize("similarity", ["gaussian", "embedded_gaussian", "dot_product"])
@torch.no_grad()
def test_a_row_is_one_of_the_matrix(similarity):
    torch.manual_seed(0)
    block = NonLocalBlock(8, similarity=similarity)
    x = noise_clip(CLIP)

    row = attention_row(block, (x,), (0.5, 0.99, 0.2))

    theta, phi, _ = (part.flatten(2) for part in block.embed(x))
    whole = block.affinity(theta, phi)  # (B, 4 * 6 * 6, 4 * 3 * 3)
    expected = whole[:, 2 * 36 + 5 * 6 + 1].reshape(2, 4, 3, 3)  # frame 2, row 5, column 1
    torch.testing.assert_close(row, expected)
    if "gaussian" in similarity:
        torch.testing.assert_close(row.sum(dim=(1, 2, 3)), torch.ones(2))


def test_groups_of_frames_attend_to_themselves():
    torch.manual_seed(0)
    block = NonLocalBlock(8, num_frames=2)

    row = attention_row(block, (noise_clip(CLIP),), (1, 0, 0))

    assert row.shape == (2, 4, 3, 3)
    assert not row[:, :2].any()
    torch.testing.assert_close(row[:, 2:].sum(dim=(1, 2, 3)), torch.ones(2))


def test_the_block_is_named():
    model, clip = create_model("test_nonlocal_net").eval(), noise_clip((1, 3, 8, 64, 64))
    name = next(iter(nonlocal_blocks(model)))

    assert attention_row(model, (clip,), (0, 0, 0), block=name).shape == (1, 4, 4, 4)
    with pytest.raises(ModelNotFoundError, match="no non-local block 'layer9'"):
        attention_row(model, (clip,), (0, 0, 0), block="layer9")
    with pytest.raises(ZoopraxisError, match="no position"):
        attention_row(model, (clip,), (0, 0, 1.5))
    with pytest.raises(ModelNotFoundError, match="has no non-local blocks"):
        attention_row(create_model("test_tsm"), (clip,), (0, 0, 0))
