"""MATLAB files: what SciPy writes is read as it was, and no damage ends the process."""

import io
import struct

import numpy as np
import pytest
import scipy.io

from damage import CAMPAIGN, Counts, damaged
from zoopraxis.errors import DataError
from zoopraxis.matlab import HEADER, read_matlab

TYPES = ("f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")


def saved(path, variables, *, compress=False):
    scipy.io.savemat(path, variables, do_compression=compress)
    return path


def nested():
    """A struct array with numbers, a struct, a cell and text in it."""
    cell = np.empty((1, 2), object)
    cell[0] = [np.arange(3.0), "text"]
    fields = [("numbers", object), ("inner", object), ("cell", object)]
    rows = [(np.eye(2) * k, {"values": np.array([[k], [k + 1]])}, cell) for k in range(3)]
    return np.array([rows], fields)


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("code", TYPES)
def test_numbers(tmp_path, code, compress):
    x = np.arange(24).reshape(2, 3, 4).astype(code)
    got = read_matlab(saved(tmp_path / "x.mat", {"x": x, "y": x[0]}, compress=compress))
    assert list(got) == ["x", "y"]
    assert got["x"].dtype == np.dtype(code)
    np.testing.assert_array_equal(got["x"], x)
    np.testing.assert_array_equal(got["y"], x[0])


@pytest.mark.parametrize("compress", [False, True])
def test_structs_cells_and_text(tmp_path, compress):
    content = {"s": nested(), "empty": np.zeros((0, 3)), "text": "naïve"}
    got = read_matlab(saved(tmp_path / "x.mat", content, compress=compress))
    assert [set(row) for row in got["s"]] == 3 * [{"numbers", "inner", "cell"}]
    np.testing.assert_array_equal(got["s"][2]["numbers"], 2 * np.eye(2))
    np.testing.assert_array_equal(got["s"][2]["inner"][0]["values"], [[2], [3]])
    np.testing.assert_array_equal(got["s"][0]["cell"][0].ravel(), [0, 1, 2])
    assert got["s"][0]["cell"][1] == "text"
    assert got["empty"].shape == (0, 3)
    assert got["text"] == "naïve"


def test_the_other_byte_order(tmp_path):
    def element(kind, data):
        return struct.pack(">II", kind, len(data)) + data + bytes(-len(data) % 8)

    matrix = element(6, struct.pack(">II", 6, 0)) + element(5, struct.pack(">ii", 1, 2))
    matrix += element(1, b"x") + element(9, struct.pack(">dd", 1.5, -2.0))
    header = b"MATLAB 5.0".ljust(124) + struct.pack(">H", 0x0100) + b"MI"
    (tmp_path / "x.mat").write_bytes(header + element(14, matrix))
    np.testing.assert_array_equal(read_matlab(tmp_path / "x.mat")["x"], [[1.5, -2.0]])


def test_what_is_not_read_is_refused(tmp_path):
    file = tmp_path / "x.mat"
    with pytest.raises(DataError, match=r"x\.mat cannot be read"):
        read_matlab(file)
    file.write_text("no matrix")
    with pytest.raises(DataError, match=r"x\.mat is not a MATLAB file"):
        read_matlab(file)
    file.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    with pytest.raises(DataError) as caught:
        read_matlab(file)
    assert "save -v7" in caught.value.hint
    with pytest.raises(DataError, match="complex"):
        read_matlab(saved(file, {"x": np.array([1j])}))
    with pytest.raises(DataError, match="class 5"):
        read_matlab(saved(file, {"x": scipy.sparse.eye(3).tocsc()}))


def test_sizes_that_the_file_cannot_hold_allocate_nothing(tmp_path):
    file = saved(tmp_path / "x.mat", {"x": nested()})
    whole = bytearray(file.read_bytes())
    at = whole.index(struct.pack("<ii", 1, 3), HEADER)  # the shape of the struct
    whole[at : at + 8] = struct.pack("<ii", 2**30, 2**30)
    file.write_bytes(whole)
    with pytest.raises(DataError, match="do not fit"):
        read_matlab(file)


@pytest.mark.parametrize("times", [120, pytest.param(6000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("compress", [False, True])
def test_a_damaged_file_is_refused_or_read(tmp_path, record_property, times, compress):
    counts = Counts()
    stream = io.BytesIO()
    scipy.io.savemat(stream, {"s": nested(), "x": np.arange(30.0)}, do_compression=compress)
    file = tmp_path / "damaged.mat"
    for data in damaged(stream.getvalue(), times):
        file.write_bytes(data)
        try:
            read_matlab(file)
            counts.read += 1
        except DataError as error:
            counts.refusal(error, file.name)
    record_property(CAMPAIGN, f"MATLAB files: {counts}")
    assert counts.refused > times // 10
