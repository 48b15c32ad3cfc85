"""Damaged files of every format: an error of ours that names the file, or other values.

Each campaign damages a small honest file some hundred times, always in the same ways, and asks of
every reader the same three things: no error but ours leaves it, the file is named, and memory
follows the length of the file, not what it claims.
"""

import io
import json
import pickle
import resource
import struct
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save

from caffe_files import random_layers, write_net
from damage import CAMPAIGN, Counts, damaged
from tensorflow_files import write_checkpoint
from zoopraxis.checkpoints.read import read_state_dict
from zoopraxis.errors import CheckpointError, ZoopraxisError

MIB = 1 << 20
FOREIGN_ADVICE = ("weights_only", "Re-running", "arbitrary code", "trusted source", "pytorch.org")
STATE = {"conv.weight": torch.arange(24.0).view(4, 3, 2), "conv.bias": torch.ones(4)}


def torch_file(*, zipped):
    buffer = io.BytesIO()
    torch.save({"epoch": 3, "state_dict": STATE}, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


def caffe_net(folder, layout):
    layers = random_layers({"conv1": [(4, 3, 2, 2), (4,)], "fc": [(5, 150), (5,)]})
    return write_net(folder / "whole", layers, layout).read_bytes()


def blobs(protocol):
    arrays = {key: tensor.numpy() for key, tensor in STATE.items()}
    return pickle.dumps({"blobs": {**arrays, "lr": 0.1, "it": np.float64(3)}}, protocol)


def index(folder):
    path = folder / "model.ckpt.index"
    write_checkpoint(path, {key: tensor.numpy() for key, tensor in STATE.items()})
    return path.read_bytes()


FORMATS = {
    "a.safetensors": lambda _: save(STATE, metadata={"format": "pt"}),
    "zip.pth": lambda _: torch_file(zipped=True),
    "legacy.pth": lambda _: torch_file(zipped=False),
    "2015.caffemodel": lambda folder: caffe_net(folder, "2015"),
    "2014.caffemodel": lambda folder: caffe_net(folder, "2014"),
    "c3d.caffemodel": lambda folder: caffe_net(folder, "c3d"),
    "python2.pkl": lambda _: blobs(2),
    "python3.pkl": lambda _: blobs(4),
    "text.pkl": lambda _: blobs(0),
    "model.ckpt.index": index,
}


def peak_memory():
    """Bytes that this process has held at most."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def read(path, counts):
    """Read a file; an error must be ours and name it."""
    try:
        state = read_state_dict(path)
    except ZoopraxisError as error:
        counts.refusal(error, path.name.partition(".")[0], never=FOREIGN_ADVICE)
        return
    assert all(isinstance(tensor, torch.Tensor) for tensor in state.values())
    assert sum(tensor.numel() for tensor in state.values()) < MIB
    counts.read += 1


def campaign(name, folder, times, record_property):
    data = FORMATS[name](folder)
    path = folder / name
    path.write_bytes(data)
    counts = Counts()
    read(path, counts)
    assert counts.read == 1
    before = peak_memory()
    tracemalloc.start()
    try:
        for bad in damaged(data, times):
            path.write_bytes(bad)
            read(path, counts)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    record_property(CAMPAIGN, f"{name} weights: {counts}")
    assert counts.refused > times // 10
    assert peak < 64 * MIB
    assert peak_memory() - before < 256 * MIB


@pytest.mark.parametrize("name", FORMATS)
def test_damage_is_refused_by_name_and_costs_no_memory(name, tmp_path, record_property):
    campaign(name, tmp_path, 120, record_property)


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_much_damage_is_refused_by_name_and_costs_no_memory(name, tmp_path, record_property):
    campaign(name, tmp_path, 2000, record_property)


# Files that lie on purpose


def header(values, data=b"", *, length=None):
    text = json.dumps(values).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def tensor(dtype, shape, *offsets):
    return {"a": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


def picklings(*opcodes):
    return b"\x80\x02}" + b"".join(opcodes) + b"."


ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n(t" + b"R"

LIES = {
    "terabytes.safetensors": header(tensor("F32", [10**12], 0, 4 * 10**12)),
    "axis.safetensors": header(tensor("F32", [0, 2**63], 0, 0)),
    "length.safetensors": header({}, length=10**12),
    "table.safetensors": header({"a": 3}),
    "memo.pkl": picklings(b"r\xff\xff\xff\x7f"),  # an entry of the memo: 2^31, 32 GB in C
    "memo_text.pkl": b"}p2000000000\n.",
    "bytes.pkl": b"\x80\x05\x8e" + struct.pack("<Q", 1 << 40) + b"x.",
    "bytearray.pkl": b"\x80\x05\x96" + struct.pack("<Q", 1 << 33) + b"x.",
    "encode.pkl": picklings(b"U\x01wc_codecs\nencode\n(J\x00\x00\x00\x7ftRs"),  # bytes(2**31)
    "unset.pkl": picklings(b"U\x01w", ARRAY, b"s"),  # an array that is never given its values
    "deep.pkl": b"\x80\x02" + b"]" * 50_000 + b"a" * 49_999 + b".",
    "text.pth": b"hello" * 100,
    "html.pth": b"<!DOCTYPE html><title>404</title>",
    "empty.pth": b"",
    "index.index": bytes(40) + (0xDB4775248B80FB57).to_bytes(8, "little"),
}


@pytest.mark.parametrize("name", LIES)
def test_files_that_claim_what_they_do_not_hold(name, tmp_path, record_property):
    path = tmp_path / name
    path.write_bytes(LIES[name])
    before = peak_memory()

    with pytest.raises(CheckpointError) as caught:
        read_state_dict(path)

    assert name in caught.value.problem
    assert peak_memory() - before < 256 * MIB


def test_a_tensor_larger_than_its_file_is_refused(tmp_path):
    # one number, shown 10^12 times: legal to torch, terabytes once it is copied
    torch.save({"w": torch.ones(1).expand(10**12)}, tmp_path / "a.pth")

    with pytest.raises(CheckpointError, match=r"a\.pth: the tensor 'w' .* is larger than the file"):
        read_state_dict(tmp_path / "a.pth")


def test_tensors_without_plain_values_are_refused(tmp_path):
    torch.save({"w": torch.ones(2, device="meta")}, tmp_path / "a.pth")

    with pytest.raises(CheckpointError, match=r"a\.pth: the tensor 'w' has no plain values"):
        read_state_dict(tmp_path / "a.pth")


def test_a_compressed_zip_is_refused_before_it_is_inflated(tmp_path):
    torch.save({"w": torch.zeros(1000)}, tmp_path / "a.pth")
    with (
        zipfile.ZipFile(tmp_path / "a.pth") as stored,
        zipfile.ZipFile(tmp_path / "b.pth", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for entry in stored.namelist():
            packed.writestr(entry, stored.read(entry))

    with pytest.raises(CheckpointError, match=r"b\.pth .* compressed zip"):
        read_state_dict(tmp_path / "b.pth")


class Program:
    def __reduce__(self):
        return (print, ("this must not run",))


def test_the_advice_to_unpickle_never_reaches_the_user(tmp_path):
    torch.save({"w": Program()}, tmp_path / "a.pth")

    with pytest.raises(CheckpointError, match=r"a\.pth .* it asks for print") as caught:
        read_state_dict(tmp_path / "a.pth")

    assert not any(advice in str(caught.value) for advice in FOREIGN_ADVICE)
    assert caught.value.__cause__ is None  # a traceback shows causes
    assert caught.value.__suppress_context__


def test_a_dict_without_a_state_dict_says_what_it_has(tmp_path):
    torch.save({"network": {"w": torch.ones(1)}, "epoch": 3}, tmp_path / "a.pth")

    with pytest.raises(CheckpointError, match=r"a\.pth holds no state dict .*'network', 'epoch'"):
        read_state_dict(tmp_path / "a.pth")


def test_many_arrays_of_the_same_data_are_refused(tmp_path):
    array = np.zeros(MIB, np.uint8)
    state = array.__reduce__()[2]

    class Shared:
        def __reduce__(self):
            return (*array.__reduce__()[:2], state)

    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps({f"w{k}": Shared() for k in range(1000)}, 2))
    assert path.stat().st_size < 3 * MIB

    with pytest.raises(CheckpointError, match=r"a\.pkl .* many arrays are of the same data"):
        read_state_dict(path)
