"""Trained nets and mean files of Caffe: every layout is read, everything else is an error."""

import numpy as np
import pytest
import torch

from caffe_files import LAYOUTS, blob, field, front_axes, random_layers, varint, write_net
from zoopraxis.checkpoints.formats.caffe import is_caffe_file, read_mean, read_net
from zoopraxis.checkpoints.read import read_state_dict
from zoopraxis.errors import CheckpointError

SHAPES = {
    "conv1/7x7_s2": [(4, 3, 1, 2, 2), (4,)],
    "conv1/7x7_s2_bn": [(4,), (4,), (4,), (4,)],
    "fc-action": [(5, 150), (5,)],  # its length takes a varint of two bytes
}
SHAPES_2D = SHAPES | {"conv1/7x7_s2": [(4, 3, 2, 2), (4,)]}


def layers_for(layout):
    """Layers that fit a layout: before 2015 a blob had four axes."""
    return random_layers(SHAPES_2D if layout == "2014" else SHAPES)


def as_stored(array, layout):
    """Shape of an array in a file of a layout."""
    return front_axes(array, {"2014": 4, "c3d": 5}.get(layout, 0))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_blobs_are_read_as_written(tmp_path, layout):
    layers = layers_for(layout)

    state = read_net(write_net(tmp_path / "a.caffemodel", layers, layout))

    expected = {f"{name}.{i}": b for name, blobs in layers.items() for i, b in enumerate(blobs)}
    assert list(state) == list(expected)
    for key, array in expected.items():
        assert state[key].shape == as_stored(array, layout)
        assert state[key].dtype == (torch.float64 if "double" in layout else torch.float32)
        assert np.array_equal(state[key].numpy().ravel(), array.ravel())


@pytest.mark.parametrize("name", ["a.caffemodel", "a.caffemodel.v5", "net_iter_1900000", "a.pth"])
@pytest.mark.parametrize("layout", ["2015", "c3d"])
def test_nets_are_recognised_by_their_content(tmp_path, name, layout):
    path = write_net(tmp_path / name, layers_for(layout), layout)

    assert is_caffe_file(path)
    assert "fc-action.1" in read_state_dict(path)


def test_files_of_torch_are_not_recognised_as_nets(tmp_path):
    torch.save({"w": torch.ones(2)}, tmp_path / "zip.pth")
    torch.save({"w": torch.ones(2)}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)

    for name in ("zip.pth", "old.pth"):
        assert not is_caffe_file(tmp_path / name)
        assert read_state_dict(tmp_path / name)["w"].tolist() == [1, 1]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_mean_file_is_a_blob(tmp_path, layout):
    mean = np.arange(24, dtype=np.float32).reshape((1, 3, 2, 4) if layout == "2014" else (3, 2, 4))
    (tmp_path / "mean.binaryproto").write_bytes(blob(mean, layout))

    read = read_mean(tmp_path / "mean.binaryproto")

    assert read.shape == as_stored(mean, layout)
    assert read.flatten().tolist() == list(range(24))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_truncated_file_is_read_as_a_whole_one(tmp_path, layout):
    layers = random_layers({"conv1": [(2, 1, 1, 2), (2,)], "conv1_bn": [(2,)] * 4})
    whole = write_net(tmp_path / "whole.caffemodel", layers, layout)
    data, keys = whole.read_bytes(), set(read_net(whole))
    cut = tmp_path / "truncated.caffemodel"
    silent, hints = [], set()
    for size in range(len(data)):
        cut.write_bytes(data[:size])
        try:
            silent.append(set(read_net(cut)))
        except CheckpointError as error:
            hints.add((str(cut) in error.problem, bool(error.hint)))

    assert hints == {(True, True)}
    # truncated after a layer it is a net of fewer layers: conv1, its ReLU, then conv1_bn
    conv = {key for key in keys if "_bn" not in key}
    assert silent == [conv, conv, keys]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_damage_is_an_error_or_changes_values_alone(tmp_path, layout):
    data = bytearray(
        write_net(tmp_path / "whole.caffemodel", layers_for(layout), layout).read_bytes()
    )
    random = np.random.default_rng(0)
    bad = tmp_path / "bad.caffemodel"
    errors = 0
    for _ in range(300):
        damaged = data.copy()
        for at in random.integers(0, min(len(data), 400), size=3):
            damaged[at] = random.integers(0, 256)
        bad.write_bytes(damaged)
        try:
            state = read_net(bad)
        except CheckpointError:
            errors += 1
        else:
            assert all(isinstance(tensor, torch.Tensor) for tensor in state.values())
    assert errors > 30


def test_a_truncated_mean_file_is_an_error(tmp_path):
    data = blob(np.ones((1, 3, 2, 2, 2), np.float32), "c3d")
    path = tmp_path / "mean.binaryproto"
    for size in range(1, len(data)):
        if data[size:].startswith(varint(7 << 3 | 2)):  # the gradients are not read
            continue
        path.write_bytes(data[:size])
        with pytest.raises(CheckpointError, match=r"mean\.binaryproto is not a mean file of Caffe"):
            read_mean(path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "no layers with blobs"),
        (b"\0" * 64, "no layers with blobs"),
        (b'name: "net"\nlayer { name: "conv1" }', "not a protocol buffer"),
        (b"<!DOCTYPE html>", "not a protocol buffer"),
        (b"\xff" * 4096, "more than 64 bits"),
        (b"\x89HDF\r\n\x1a\n", "in HDF5"),
        (field(1, "net") + field(2, field(1, "a layer of 2013")), "format of 2013"),
        (field(100, 7), "a number where it should be a message"),
        (field(100, field(1, b"\xff") + field(7, b"")), "not text"),
        (field(100, field(1, "a") + field(7, field(5, b"abc"))), "blob 'a.0': 3 bytes"),
        (field(100, field(1, "a") + field(7, field(5, b"") + field(7, b""))), "0 bytes"),
        (field(100, field(1, "a") + field(7, field(1, b""))), "a message where"),
        (field(100, field(7, field(5, bytes(4)) + field(7, 99 * field(1, 1)))), "99 axes are more"),
        (2 * field(100, field(1, "a") + field(7, field(5, bytes(4)))), "two blobs"),
    ],
)
def test_the_error_says_why_a_file_is_not_a_net(tmp_path, content, problem):
    (tmp_path / "a.caffemodel").write_bytes(content)

    with pytest.raises(CheckpointError) as caught:
        read_state_dict(tmp_path / "a.caffemodel")

    assert "a.caffemodel" in caught.value.problem
    assert problem in caught.value.problem
    assert caught.value.hint


@pytest.mark.parametrize("name", ["net.prototxt", "mean.binaryproto"])
def test_other_files_of_a_net_are_refused(tmp_path, name):
    content = {"net.prototxt": b'layer { name: "a" }', "mean.binaryproto": blob(np.ones((2, 3)))}
    (tmp_path / name).write_bytes(content[name])

    with pytest.raises(CheckpointError, match="is not a trained net of Caffe"):
        read_state_dict(tmp_path / name)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"no file .*absent"):
        read_mean(tmp_path / "absent.binaryproto")
