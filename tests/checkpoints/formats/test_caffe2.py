"""Caffe2 pickles: their arrays are read, nothing in them is executed."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from zoopraxis.checkpoints.convert import convert_state_dict
from zoopraxis.checkpoints.formats.caffe2 import read_blobs
from zoopraxis.checkpoints.read import read_state_dict
from zoopraxis.errors import CheckpointError

GOLDEN = Path(__file__).parents[2] / "golden"

# {'blobs': {'w': array([[1., 2.], [3., 4.]], float32)}} as Python 2 and numpy 1 pickle it: strings
# of one byte per character, numpy.core, no _codecs
PYTHON_2 = (
    b"\x80\x02}U\x05blobs}U\x01wcnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
    b"K\x00\x85U\x01b\x87R(K\x01K\x02K\x02\x86cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R"
    b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
    b"U\x10\x00\x00\x80?\x00\x00\x00@\x00\x00@@\x00\x00\x80@tbss."
)


def write(path, content, protocol=2):
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


def test_reads_what_python_2_wrote(tmp_path):
    (tmp_path / "a.pkl").write_bytes(PYTHON_2)

    blobs = read_blobs(tmp_path / "a.pkl")

    assert list(blobs) == ["w"]
    assert torch.equal(blobs["w"], torch.tensor([[1.0, 2.0], [3.0, 4.0]]))


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_reads_every_protocol_order_and_byte_order(tmp_path, protocol):
    plain = np.arange(6, dtype=np.float32).reshape(2, 3)
    arrays = {
        "plain": plain,
        "columns": np.asfortranarray(plain),
        "big": plain.astype(">f4"),
        "int": np.array([-5], dtype=np.int64),
    }
    path = write(
        tmp_path / "a.pkl", {"blobs": {**arrays, "lr": 0.1, "it": np.float64(3)}}, protocol
    )

    blobs = read_state_dict(path)

    assert set(blobs) == set(arrays)
    for name in ("plain", "columns", "big"):
        assert torch.equal(blobs[name], torch.from_numpy(plain))
    assert blobs["int"].tolist() == [-5]


class Malice:
    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("module", ["builtins", "os", "numpy"])
def test_executes_nothing(tmp_path, module):
    victim = tmp_path / "victim"
    payload = {
        "builtins": Malice(exec, f"open({str(victim)!r}, 'w')"),
        "os": Malice(Path.touch, victim),
        "numpy": Malice(np.save, str(victim), 0),
    }[module]
    path = write(tmp_path / "a.pkl", {"blobs": {"w": np.zeros(1), "x": payload}})

    with pytest.raises(CheckpointError, match="it asks for"):
        read_state_dict(path)
    assert not victim.exists()


def test_refuses_arrays_of_objects(tmp_path):
    path = write(tmp_path / "a.pkl", {"w": np.array([{}], dtype=object)})

    with pytest.raises(CheckpointError, match="cannot be read"):
        read_blobs(path)


@pytest.mark.parametrize("content", [b"", b"\x80\x02", b"not a pickle", pickle.dumps([1], 2)])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "a.pkl").write_bytes(content)

    with pytest.raises(CheckpointError, match=r"a\.pkl cannot be read as arrays alone"):
        read_state_dict(tmp_path / "a.pkl")


@pytest.mark.parametrize("zipped", [True, False])
def test_files_of_torch_are_recognised_by_their_content(tmp_path, zipped):
    torch.save({"w": torch.ones(2)}, tmp_path / "a.pkl", _use_new_zipfile_serialization=zipped)

    assert read_state_dict(tmp_path / "a.pkl")["w"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("blobs_i3d_baseline_32x2_IN_pretrain_400k", "i3d_r50_32x2"),
        ("blobs_i3d_nonlocal_32x2_IN_pretrain_400k", "i3d_nln_r50_32x2"),
    ],
)
def test_the_released_blobs_become_the_ports_parameters(file, name):
    # the same tensors, by the names of the blobs and by those of the port
    blobs = json.loads((GOLDEN / f"{file}.map.json").read_text())["blobs"]
    state = {key: torch.randn(entry["shape"]) for key, entry in blobs.items()}
    port = {entry["i3_res50_key"]: state[key] for key, entry in blobs.items()}
    state |= {"conv1_w_momentum": torch.ones(1), "model_iter": torch.ones(()), "lr": torch.ones(1)}

    ours = convert_state_dict(name, state, source="video_nonlocal_caffe2")

    same = convert_state_dict(name, port, source="video_nonlocal")
    assert list(ours) == list(same)
    assert all(torch.equal(ours[key], same[key]) for key in same)
