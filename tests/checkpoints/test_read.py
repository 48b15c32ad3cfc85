"""The tensors of checkpoint files, and that nothing in them is executed."""

import pickle

import pytest
import torch
from safetensors.torch import save_file

from zoopraxis.checkpoints.read import read_state_dict
from zoopraxis.errors import CheckpointError


class Attack:
    def __reduce__(self):
        return (print, ("this must not run",))


@pytest.mark.parametrize("name", ["weights.pth", "weights.pkl"])
def test_a_checkpoint_with_code_is_refused(tmp_path, name, capsys):
    path = tmp_path / name
    path.write_bytes(pickle.dumps({"w": Attack()}, protocol=2))

    with pytest.raises(CheckpointError):
        read_state_dict(path)
    assert "must not run" not in capsys.readouterr().out


def test_code_in_a_zip_of_torch_is_refused(tmp_path, capsys):
    torch.save({"w": Attack()}, tmp_path / "weights.pth")

    with pytest.raises(CheckpointError, match=r"weights\.pth cannot be read as weights alone"):
        read_state_dict(tmp_path / "weights.pth")
    assert "must not run" not in capsys.readouterr().out


def test_what_wraps_a_state_dict_is_unwrapped(tmp_path):
    state = {"w": torch.ones(2)}
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "a.pth")
    torch.save({"model_state": state}, tmp_path / "b.pyth")
    torch.save({"epoch": 3, "model_state_dict": state}, tmp_path / "c.pth.tar")
    save_file(state, tmp_path / "d.safetensors")

    for name in ("a.pth", "b.pyth", "c.pth.tar", "d.safetensors"):
        assert torch.equal(read_state_dict(tmp_path / name)["w"], torch.ones(2))


def test_files_that_are_no_checkpoints(tmp_path):
    torch.save([1, 2], tmp_path / "list.pth")
    (tmp_path / "text.pth").write_text("hello")
    (tmp_path / "text.safetensors").write_text("hello")

    with pytest.raises(CheckpointError, match="holds a list, not a state dict"):
        read_state_dict(tmp_path / "list.pth")
    for name in ("text.pth", "text.safetensors"):
        with pytest.raises(CheckpointError, match="cannot be read as weights alone"):
            read_state_dict(tmp_path / name)
    with pytest.raises(CheckpointError, match="no file"):
        read_state_dict(tmp_path / "absent.pth")
