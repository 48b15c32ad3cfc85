"""The reader of TensorFlow checkpoints, on small checkpoints that this file writes."""

import numpy as np
import pytest
import torch

from caffe_files import field, varint
from tensorflow_files import write_checkpoint
from zoopraxis.checkpoints.formats.protobuf import read_fields, read_varint
from zoopraxis.checkpoints.formats.tensorflow import read_checkpoint, read_index
from zoopraxis.checkpoints.read import read_state_dict
from zoopraxis.errors import CheckpointError


@pytest.fixture
def variables():
    random = np.random.default_rng(0)
    return {
        "RGB/conv_3d/w": random.standard_normal((3, 1, 2, 4, 5), dtype=np.float32),
        # a size of 1200 bytes takes a varint of two bytes
        "RGB/conv_3d/b": random.standard_normal(300, dtype=np.float32),
        "RGB/half": random.standard_normal((2, 2)).astype(np.float16),
        "global_step": np.asarray(115_000, dtype=np.int64),
    }


@pytest.mark.parametrize("blocks", [1, 2, 5])
def test_variables_are_read_as_written(tmp_path, variables, blocks):
    path = tmp_path / "model.ckpt.index"
    write_checkpoint(path, variables, blocks=blocks)

    state = read_checkpoint(path)

    assert state.keys() == variables.keys()
    for name, value in variables.items():
        assert torch.equal(state[name], torch.from_numpy(value))


def test_read_state_dict_reads_them_too(tmp_path, variables):
    write_checkpoint(tmp_path / "model.ckpt.index", variables)

    state = read_state_dict(tmp_path / "model.ckpt.index")

    assert state["global_step"].item() == 115_000


def test_the_index_says_where_variables_are_stored(tmp_path, variables):
    write_checkpoint(tmp_path / "model.ckpt.index", variables)

    entry = read_index(tmp_path / "model.ckpt.index")["RGB/conv_3d/w"]

    assert (entry.shape, entry.offset, entry.size) == ((3, 1, 2, 4, 5), 1200, 480)


def test_the_index_is_the_file_to_name(tmp_path, variables):
    write_checkpoint(tmp_path / "model.ckpt.index", variables)

    with pytest.raises(CheckpointError, match="not the index of a TensorFlow checkpoint"):
        read_checkpoint(tmp_path / "model.ckpt.data-00000-of-00001")
    with pytest.raises(CheckpointError, match=r"no file .*other\.index"):
        read_checkpoint(tmp_path / "other.index")


def test_unsupported_layouts_are_refused(tmp_path, variables):
    path = tmp_path / "model.ckpt.index"
    write_checkpoint(path, variables, compression=1)
    with pytest.raises(CheckpointError, match="compressed"):
        read_checkpoint(path)

    write_checkpoint(path, variables, slices=field(7, b""))
    with pytest.raises(CheckpointError, match="split into slices"):
        read_checkpoint(path)


def test_damaged_files_are_errors(tmp_path, variables):
    path = tmp_path / "model.ckpt.index"
    write_checkpoint(path, variables)
    shard = tmp_path / "model.ckpt.data-00000-of-00001"
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="global_step"):
        read_checkpoint(path)

    shard.unlink()
    with pytest.raises(CheckpointError, match="data file 0, which is missing"):
        read_checkpoint(path)


def test_varints_and_fields():
    assert read_varint(b"\xac\x02", 0) == (300, 2)
    assert list(read_fields(field(1, 7) + field(2, b"xy"))) == [(1, 7), (2, b"xy")]
    with pytest.raises(CheckpointError, match="ends within a number"):
        read_varint(b"\xac", 0)
    with pytest.raises(CheckpointError, match="ends within a field"):
        list(read_fields(field(2, b"xy")[:-1]))
    with pytest.raises(CheckpointError, match="wire type 3"):
        list(read_fields(varint(1 << 3 | 3)))
