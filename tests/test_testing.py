"""Goldens: the inputs of references in our layout, and the precisions they are held in."""

import numpy as np
import pytest
import torch

from zoopraxis.checkpoints.create import create_model
from zoopraxis.errors import DataError
from zoopraxis.models import model_spec
from zoopraxis.testing import Golden, as_clip, fill, golden_error, noise_clip


def test_frames_of_references_become_clips():
    # value = 10 t + c of frame t and channel c
    folded = torch.tensor([[0.0, 1.0, 2.0, 10.0, 11.0, 12.0]])[..., None, None]  # (B, T * C, 1, 1)
    frames = folded.reshape(2, 3, 1, 1)  # (T, C, 1, 1)
    wanted = torch.tensor([[0.0, 10.0], [1.0, 11.0], [2.0, 12.0]])  # (C, T)

    for reference in (folded, frames, frames[None], as_clip(folded, 3)):
        assert torch.equal(as_clip(reference, 3)[0, :, :, 0, 0], wanted)


@pytest.fixture
def golden():
    """What test_tsn computes in float64 and in float32, the latter with a processor's rounding."""
    shape = (1, *model_spec("test_tsn").clip.shape)
    model = create_model("test_tsn").double().eval()
    state = {
        key: torch.from_numpy(fill(key, tuple(tensor.shape))) if tensor.ndim else tensor
        for key, tensor in model.state_dict().items()
    }
    model.load_state_dict(state)
    with torch.no_grad():
        exact = model(noise_clip(shape).double())
    record = {
        "name": "tsn",
        "weight_rule": "v1",
        "fp32_noise": 4e-5,
        "input": {"shape": shape, "seed": 0},
        "state_dict": {
            key: {"shape": list(tensor.shape), "dtype": str(tensor.dtype).removeprefix("torch.")}
            for key, tensor in state.items()
        },
    }
    rounded = (exact + 3e-5 * exact.abs().max()).float()
    return Golden(record, {"output": rounded.numpy(), "output64": exact.numpy()})


def test_rounding_is_forgiven_in_float32_and_an_error_is_not_in_float64(golden, monkeypatch):
    # the keys are ours already
    monkeypatch.setattr("zoopraxis.testing.convert_state_dict", lambda name, state, source: state)
    wrong = golden.arrays["output64"] * (1 + 1e-9)  # far below what float32 can show
    off = Golden(golden.record, {**golden.arrays, "output64": wrong})

    def error(golden, dtype):
        return golden_error(golden, "test_tsn", "", dtype=dtype)

    single, double = torch.float32, torch.float64
    assert 1e-5 < error(golden, single) < golden.tolerance_in(single) == pytest.approx(4e-4)
    assert error(golden, double) < golden.tolerance_in(double)
    assert error(off, double) > off.tolerance_in(double)


def test_a_golden_without_float64_says_so():
    golden = Golden({"name": "x"}, {"output": np.zeros((1, 2), np.float32)})

    assert golden.dtypes == (torch.float32,)
    with pytest.raises(DataError, match=r"golden 'x' has no output in torch\.float64"):
        golden.logits_in(torch.float64)
