"""Saved states: whole, flushed, and never half."""

import pytest
import torch

from zoopraxis.errors import CheckpointError
from zoopraxis.training.checkpoint import State, load_state, save_state
from zoopraxis.training.state import Progress


def state(step: int) -> State:
    weight = torch.full((2, 3), float(step)).to(torch.bfloat16)
    optimizer = {"state": {0: {"momentum_buffer": torch.ones(3)}}, "param_groups": [{"lr": 0.1}]}
    progress = Progress(
        epoch=1, step=step, loss=1 / 3, history=[{"epoch": 1.0}], skipped={"a": "b"}
    )
    return State(
        weights={"w": weight, "turned": torch.arange(6.0).view(2, 3).T},
        average={},
        optimizer=optimizer,
        scaler={},
        progress=progress,
    )


def test_what_is_saved_is_loaded(tmp_path):
    save_state(tmp_path / "last", state(7))

    loaded = load_state(tmp_path / "last")

    assert loaded.weights["w"].dtype == torch.bfloat16
    assert loaded.weights["w"].float().mean() == 7
    assert torch.equal(loaded.weights["turned"], torch.arange(6.0).view(2, 3).T)
    assert torch.equal(loaded.optimizer["state"][0]["momentum_buffer"], torch.ones(3))
    assert loaded.progress == state(7).progress
    assert loaded.progress.loss == 1 / 3  # to the last bit


def test_newest_is_kept_alone(tmp_path):
    for step in (7, 12):
        save_state(tmp_path, state(step))

    assert [p.name for p in tmp_path.iterdir()] == ["000000012"]
    assert load_state(tmp_path).progress.step == 12


def test_a_state_that_was_being_written_does_not_count(tmp_path):
    save_state(tmp_path, state(7))
    (tmp_path / ".writing").mkdir()
    (tmp_path / ".writing" / "model.safetensors").write_bytes(b"half")

    assert load_state(tmp_path).progress.step == 7
    save_state(tmp_path, state(8))
    assert [p.name for p in tmp_path.iterdir()] == ["000000008"]


def test_nothing_yet(tmp_path):
    assert load_state(tmp_path / "last") is None


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.pt", "progress.json"])
def test_damaged_file_is_named(tmp_path, name):
    save_state(tmp_path, state(7))
    (tmp_path / "000000007" / name).write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match="000000007 cannot be read"):
        load_state(tmp_path)


def test_code_in_a_state_is_not_run(tmp_path):
    save_state(tmp_path, state(7))
    torch.save({"optimizer": print, "scaler": {}}, tmp_path / "000000007" / "optimizer.pt")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_state(tmp_path)
