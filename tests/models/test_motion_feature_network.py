"""Motion feature network: a patch that moves is found by the filter of its step."""

import pytest
import torch

from zoopraxis.models.motion_feature_network import (
    STEPS,
    ConcatMotionBlock,
    MotionBlock,
    motion_filter,
)
from zoopraxis.testing import noise_clip


def clip_that_moves(down, right):
    """Noise that moves by a step from the first frame to the second: (2, 1, 8, 8)."""
    image = noise_clip((10, 10))
    first = image[1:9, 1:9]
    second = image[1 - down : 9 - down, 1 - right : 9 - right]
    return torch.stack([first, second]).unsqueeze(1)


@pytest.mark.parametrize(("index", "step"), list(enumerate(STEPS)))
@torch.no_grad()
def test_only_the_filter_of_the_correct_step_gives_zero(index, step):
    out = motion_filter(clip_that_moves(*step), 2)[0, :, 1:7, 1:7]  # inside, (5, 6, 6)

    is_zero = out.abs().amax(dim=(1, 2)) == 0
    assert is_zero.tolist() == [i == index for i in range(5)]


@torch.no_grad()
def test_by_hand_on_two_clips_of_two_frames():
    x = torch.tensor([1.0, 3.0, 10.0, 40.0])[:, None, None, None].expand(4, 1, 3, 3)

    out = motion_filter(x, 2)  # (4, 5, 3, 3)

    assert out[:, 0, 1, 1].tolist() == [2, 0, 30, 0]  # the last frame of each has no next
    assert out[0, 1].tolist() == [[2, 2, 2], [2, 2, 2], [-1, -1, -1]]  # below the edge is zero


@torch.no_grad()
def test_the_two_ways_of_joining():
    torch.manual_seed(0)
    added, beside = MotionBlock(32).eval(), ConcatMotionBlock(32).eval()
    beside.load_state_dict({**beside.state_dict(), **added.state_dict()})
    x = noise_clip((4, 32, 6, 6))
    motion = added.motion(x, 2)

    torch.testing.assert_close(added(x, 2), x + motion)
    weight, bias = beside.fuse.weight[:, :, 0, 0], beside.fuse.bias
    both = torch.cat((x, motion), dim=1).movedim(1, -1) @ weight.T + bias
    torch.testing.assert_close(beside(x, 2), both.movedim(-1, 1))
