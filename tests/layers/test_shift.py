"""The shift, checked by hand on clips filled with the frame number, and against its plain form."""

import pytest
import torch

from zoopraxis.errors import ShapeError
from zoopraxis.layers.shift import temporal_shift
from zoopraxis.models.tsm import fast_shift, shift


def named_frames(num_frames, channels):
    """Frame t is filled with t, from 1: (T, C, 1, 1)."""
    frames = torch.arange(1.0, num_frames + 1)[:, None, None, None]
    return frames.expand(num_frames, channels, 1, 1)


def test_channels_are_those_of_the_next_and_the_previous_frame():
    out = temporal_shift(named_frames(4, 8), 4, future=1, past=2)[:, :, 0, 0].T  # (C, T)

    assert out[0].tolist() == [2, 3, 4, 0]
    assert out[1].tolist() == [0, 1, 2, 3]
    assert out[2].tolist() == [0, 1, 2, 3]
    assert (out[3:] == torch.tensor([1.0, 2, 3, 4])).all()


def test_the_plain_form_moves_an_eighth_each_way():
    out = shift(named_frames(4, 16), 4)[:, :, 0, 0].T  # (C, T)

    assert out[:2].tolist() == [[2, 3, 4, 0]] * 2
    assert out[2:4].tolist() == [[0, 1, 2, 3]] * 2
    assert out[4:].tolist() == [[1, 2, 3, 4]] * 12


@pytest.mark.parametrize("channels", [7, 8, 20])
def test_the_fast_form_equals_the_plain_form_and_its_gradient(channels):
    x = torch.randn(6, channels, 3, 5, requires_grad=True)
    grad = torch.randn(6, channels, 3, 5)

    plain, fast = shift(x, 3), fast_shift(x, 3)

    assert torch.equal(fast, plain)
    ours, theirs = torch.autograd.grad(fast, x, grad), torch.autograd.grad(plain, x, grad)
    assert torch.equal(ours[0], theirs[0])
    with torch.no_grad():
        assert torch.equal(fast_shift(x, 3), plain)


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


@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.filterwarnings("ignore:`torch.jit", "ignore::torch.jit.TracerWarning")
def test_can_be_traced(requires_grad):
    x = torch.randn(4, 8, 3, 5, requires_grad=requires_grad)

    traced = torch.jit.trace(lambda x: fast_shift(x, 4), x)

    assert torch.equal(traced(2 * x), shift(2 * x, 4))


def test_says_what_is_wrong_with_the_batch():
    with pytest.raises(ShapeError, match="10 images does not split into clips of 4"):
        temporal_shift(torch.zeros(10, 8, 1, 1), 4, future=1, past=1)


@pytest.mark.parametrize("channels", [1, 7, 8])
@torch.no_grad()
def test_a_file_has_the_shift_without_writes_to_parts(channels):
    class Shift(torch.nn.Module):
        def forward(self, x):
            return temporal_shift(x, 3, future=channels // 8, past=channels // 2)

    x = torch.randn(6, channels, 3, 5)
    program = torch.export.export(Shift(), (x,)).run_decompositions()

    assert torch.equal(program.module()(x), Shift()(x))
    called = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    assert not [name for name in called if "scatter" in name or "copy" in name]
    assert all(node.meta["val"].ndim <= 4 for node in program.graph.nodes if "val" in node.meta)
