"""The reader of TensorFlow checkpoints, on small checkpoints that this file writes."""

import numpy as np
import pytest
import torch

from caffe_files import field, varint
from zoopraxis.checkpoints.formats.protobuf import read_fields, read_varint
from zoopraxis.checkpoints.formats.tensorflow import read_checkpoint, read_index
from zoopraxis.checkpoints.read import read_state_dict
from zoopraxis.errors import CheckpointError

MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
TYPES = {np.dtype("<f4"): 1, np.dtype("<i8"): 9, np.dtype("<f2"): 19}


def block(records, *, compression=0):
    """A table block: every key is stored without the prefix that it shares with the one before."""
    out, last = b"", b""
    for key, value in records:
        shared = 0
        while shared < min(len(key), len(last)) and key[shared] == last[shared]:
            shared += 1
        fresh = key[shared:]
        out += varint(shared) + varint(len(fresh)) + varint(len(value)) + fresh + value
        last = key
    out += (0).to_bytes(4, "little") + (1).to_bytes(4, "little")  # one restart, at 0
    return out, out + bytes([compression]) + b"sum?"


def write_checkpoint(path, variables, *, compression=0, blocks=2, slices=b""):
    """Write ``path`` (.index) and its data file."""
    shard, records = b"", [(b"", field(1, 1))]  # the header: one shard
    for name in sorted(variables):
        value = variables[name]
        data = value.tobytes()
        shape = b"".join(field(2, field(1, n)) for n in value.shape)
        entry = field(1, TYPES[value.dtype]) + field(2, shape)
        # protocol buffers leave zeros out
        entry += field(4, len(shard)) if shard else b""
        entry += field(5, len(data)) + varint(6 << 3 | 5) + b"crc?" + slices
        records.append((name.encode(), entry))
        shard += data
    table, handles = b"", []
    per = -(-len(records) // blocks)
    for i in range(0, len(records), per):
        body, stored = block(records[i : i + per], compression=compression)
        handles.append((records[i : i + per][-1][0], varint(len(table)) + varint(len(body))))
        table += stored
    index, stored = block(handles)
    footer = varint(0) + varint(0) + varint(len(table)) + varint(len(index))
    path.write_bytes(table + stored + footer.ljust(40, b"\0") + MAGIC)
    path.with_name(path.name.replace(".index", ".data-00000-of-00001")).write_bytes(shard)


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
