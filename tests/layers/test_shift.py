"""The shifts, checked by hand on clips whose values name their frame."""

import pytest
import torch

from zoopraxis.errors import ShapeError
from zoopraxis.layers.shift import gate_shift, temporal_shift


def named_frames(frames, channels):
    """Frame t is filled with t, from 1: (T, C, 1, 1)."""
    return torch.arange(1.0, frames + 1)[:, None, None, None].expand(frames, channels, 1, 1)


def test_channels_come_from_the_next_and_the_previous_frame():
    out = temporal_shift(named_frames(4, 8), 4, future=1, past=2)[:, :, 0, 0].T  # (C, T)

    assert out[0].tolist() == [2, 3, 4, 0]
    assert out[1].tolist() == [0, 1, 2, 3]
    assert out[2].tolist() == [0, 1, 2, 3]
    assert (out[3:] == torch.tensor([1.0, 2, 3, 4])).all()


def test_clips_of_a_batch_do_not_mix():
    two = torch.cat((named_frames(3, 2), 10 * named_frames(3, 2)))

    out = temporal_shift(two, 3, future=1, past=1)[:, :, 0, 0].T

    assert out.tolist() == [[2, 3, 0, 20, 30, 0], [0, 1, 2, 0, 10, 20]]


def test_gradients_shift_back():
    x = torch.randn(6, 4, 2, 2, dtype=torch.double, requires_grad=True)

    assert torch.autograd.gradcheck(lambda x: temporal_shift(x, 3, future=1, past=2), x)
    assert torch.autograd.gradgradcheck(lambda x: temporal_shift(x, 3, future=1, past=2), x)


def test_layout_of_the_input_is_kept():
    x = torch.randn(4, 8, 3, 5).to(memory_format=torch.channels_last)

    out = temporal_shift(x, 4, future=1, past=1)

    assert out.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(out, temporal_shift(x.contiguous(), 4, future=1, past=1))


def test_says_what_is_wrong_with_the_batch():
    with pytest.raises(ShapeError, match="10 images does not split into clips of 4"):
        temporal_shift(torch.zeros(10, 8, 1, 1), 4, future=1, past=1)


def test_closed_gates_only_interleave():
    x = torch.arange(8.0).reshape(1, 8, 1, 1)

    out = gate_shift(x, torch.zeros(1, 2, 1, 1), 1).flatten()

    assert out.tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_gates_divide_what_goes_from_what_stays():
    x = 100 * named_frames(3, 4)
    gate = torch.tensor([0.25, 0.5]).expand(3, 2)[:, :, None, None]

    out = gate_shift(x, gate, 3)[:, :, 0, 0].T  # (C, T)

    # three quarters of 100 t stay, a quarter of 100 (t + 1) comes; half and half of 100 (t - 1)
    assert out[0].tolist() == [75 + 50, 150 + 75, 225]
    assert out[2].tolist() == [50, 100 + 50, 150 + 100]


def test_gradients_of_the_gates():
    x = torch.randn(6, 8, 2, 2, dtype=torch.double, requires_grad=True)
    gate = torch.randn(6, 2, 2, 2, dtype=torch.double, requires_grad=True)

    assert torch.autograd.gradcheck(lambda x, gate: gate_shift(x, gate, 3), (x, gate))
