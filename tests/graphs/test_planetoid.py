"""Planetoid's files: a miniature in their layout, damage, and pickles that run code."""

import numpy as np
import pytest
import scipy.sparse
import torch

from damage import CAMPAIGN, Counts, damaged
from planetoid_files import planetoid_parts, write_planetoid
from zoopraxis.errors import DataError
from zoopraxis.graphs.planetoid import read_planetoid

# 0 1 train, 2 3 4 validate, 5 without split, 6 7 9 test; 8 is in the graph only, as in Citeseer
FEATURES = np.eye(10, 12, dtype=np.float32)
FEATURES[:, 11] = 0.5
FEATURES[8] = 0
CLASSES = [0, 1, 0, 1, 2, 2, 1, 0, -1, 2]
ORDER = [9, 6, 7]  # of the test nodes in tx and ty
GRAPH = {0: [1, 2, 1], 1: [0], 2: [0, 3], 3: [2, 3], 4: [5], 5: [4], 6: [9], 7: [], 8: [], 9: [6]}


def parts():
    """What the files hold, by their endings."""
    return planetoid_parts(FEATURES, CLASSES, GRAPH, ORDER, num_train=2, num_known=6, num_classes=3)


def write(folder, *, protocol=2, **changed):
    write_planetoid(folder, "tiny", {**parts(), **changed}, ORDER, protocol=protocol)
    return folder


def read(folder):
    return read_planetoid(folder, "tiny", num_val=3)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_a_miniature(tmp_path, protocol):
    graph = read(write(tmp_path, protocol=protocol))

    assert graph.features.to_dense().equal(torch.from_numpy(FEATURES))
    assert graph.labels.tolist() == CLASSES
    assert graph.train.tolist() == [0, 1]
    assert graph.val.tolist() == [2, 3, 4]
    assert graph.test.tolist() == [6, 7, 9]
    assert graph.num_classes == 3
    wanted = torch.zeros(10, 10)
    for start, near in GRAPH.items():
        wanted[start, near] = 1
    assert graph.adjacency.to_dense().equal(wanted.maximum(wanted.mT))
    assert graph.adjacency.is_coalesced()


def python2(array):
    """Pickle an array as Python 2 did: its bytes are a string of one byte per character."""
    raw = array.tobytes()
    return (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01" + b"".join(b"K" + bytes([n]) for n in array.shape) + b"\x86cnumpy\ndtype\nU\x02"
        b"i4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T"
        + len(raw).to_bytes(4, "little")
        + raw
        + b"tb."
    )


def test_files_of_python_2(tmp_path):
    wide = np.zeros((6, 3), np.int32)
    wide[np.arange(6), CLASSES[:6]] = 1

    assert read(write(tmp_path, ally=python2(wide))).labels.tolist() == CLASSES


class Malicious:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("part", list(parts()))
def test_code_in_a_pickle_does_not_run(tmp_path, part):
    mark = tmp_path / "ran"
    write(tmp_path, **{part: Malicious(exec, f"open({str(mark)!r}, 'w').close()")})

    with pytest.raises(DataError, match=rf"(?s)ind\.tiny\.{part} .*__builtin__\.exec.*refused"):
        read(tmp_path)
    assert not mark.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"cos\nsystem\n(S'echo'\ntR.",
        b"cnumpy\ndtype\n(S'O'\ntR.",
        b"cnumpy.core.multiarray\n_reconstruct\n(cos\nsystem\n(tS'b'\ntR.",
        b"c__builtin__\nlist\n}S'append'\nI1\nsb.",  # sets an attribute of list
        b"cscipy.sparse.csr\ncsr_matrix\n}S'state'\nI1\nsb.",  # of a record's class
        b"ccollections\ndefaultdict\n)R}S'x'\nI1\nsb.",
        b"\x80\x02c_codecs\nencode\nU\x01aU\x05rot13\x86R.",
        b"c_codecs\nencode\n(U\x01aU\x06latin1tRNb.",
        b"P0\n.",  # a persistent id
        b"\x80\x02]r\xff\xff\xff\x7f.",  # a memo of 2^31 entries
        b"\x82\x01.",  # an extension code
        b"I1\n.",
        b"N.",
        b"",
        b"version https://git-lfs.github.com/spec/v1\n",
    ],
)
@pytest.mark.parametrize("part", ["x", "ally", "graph"])
def test_other_pickles_are_refused(tmp_path, part, data):
    write(tmp_path, **{part: data})

    with pytest.raises(DataError, match=rf"ind\.tiny\.{part} is not a file of Planetoid"):
        read(tmp_path)


def csr(**changed):
    matrix = scipy.sparse.csr_matrix(FEATURES[:2])
    matrix.__dict__.update(changed)
    return matrix


@pytest.mark.parametrize(
    "matrix",
    [
        csr(_shape=(2, 3)),  # columns outside
        csr(_shape=(3, 12)),
        csr(indices=np.array([0, 11, 1, -1], np.int32)),
        csr(indices=np.array([0, 11, 1], np.int32)),
        csr(indptr=np.array([0, 5, 4], np.int32)),
        csr(indptr=np.array([0, 4, 2], np.int32)),
        csr(data=np.array([1, np.nan, 1, 1], np.float32)),
        csr(data=np.array([1, None, 1, 1], object)),
        csr(data=[1, 1, 1, 1]),
        csr(data=np.ones((4, 1), np.float32)),
        np.eye(2, 12, dtype=np.float32),
    ],
    ids=range(11),
)
def test_matrices_that_are_inconsistent(tmp_path, matrix):
    write(tmp_path, x=matrix)

    with pytest.raises(DataError, match=r"ind\.tiny\.x is not a file of Planetoid"):
        read(tmp_path)


def test_labels_that_are_not_one_hot(tmp_path):
    for bad in (np.full((6, 3), 2), np.ones((6, 3)), np.zeros(6)):
        with pytest.raises(DataError, match=r"ind\.tiny\.ally .* expected one-hot"):
            read(write(tmp_path, ally=bad))


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("y", np.eye(3)),
        ("ally", np.eye(6)),
        ("ty", np.eye(4)[:, :3]),
        ("tx", scipy.sparse.csr_matrix(FEATURES[ORDER][:, 7:])),
    ],
)
def test_files_that_do_not_fit_one_another(tmp_path, part, value):
    with pytest.raises(DataError, match=r"of shape .*; the other files expect"):
        read(write(tmp_path, **{part: value}))


def test_nodes_that_are_not_there(tmp_path):
    with pytest.raises(DataError, match=r"ind\.tiny\.graph has nodes 0 to 10; .* 10"):
        read(write(tmp_path, graph={**GRAPH, 0: [10]}))
    with pytest.raises(DataError, match=r"ind\.tiny\.graph is of shape \(9,\); .* \(10,\)"):
        read(write(tmp_path, graph={node: [] for node in range(9)}))
    for bad in ({0: "ab"}, {0: 1}, {"a": [1]}, {0: [2**70]}, {0: [1.5]}):
        with pytest.raises(DataError, match=r"ind\.tiny\.graph is not a file of Planetoid"):
            read(write(tmp_path, graph=bad))


@pytest.mark.parametrize(
    "text", ["9\n6\n", "9 6 6", "9 6 5", "9 6 x", "", f"9 6 {2**62}", f"9 6 {2**70}"]
)
def test_test_nodes_that_are_wrong(tmp_path, text):
    write(tmp_path)
    (tmp_path / "ind.tiny.test.index").write_text(text)

    with pytest.raises(DataError, match=r"ind\.tiny\."):
        read(tmp_path)


def test_files_that_are_missing(tmp_path):
    with pytest.raises(DataError, match=r"there is no .*ind\.tiny\.x\n.*eight files"):
        read(tmp_path)
    write(tmp_path)
    with pytest.raises(DataError, match=r"there is no .*ind\.tinny\.x\ndid you mean tiny"):
        read_planetoid(tmp_path, "tinny")
    (tmp_path / "ind.tiny.graph").unlink()
    with pytest.raises(DataError, match=r"there is no .*ind\.tiny\.graph\n.*eight files"):
        read(tmp_path)


def test_too_many_nodes_to_validate_on(tmp_path):
    with pytest.raises(DataError, match=r"has 6 nodes; .* 500 to validate on\n.*num_val"):
        read_planetoid(write(tmp_path), "tiny")


@pytest.mark.parametrize(
    "times", [12, pytest.param(1000, marks=pytest.mark.slow)], ids=["some", "many"]
)
def test_a_damaged_file_is_refused_or_read(tmp_path, record_property, times):
    counts = Counts()
    for part in parts():
        path = write(tmp_path) / f"ind.tiny.{part}"
        for data in damaged(path.read_bytes(), times):
            path.write_bytes(data)
            try:
                read(tmp_path)
                counts.read += 1
            except DataError as error:
                counts.refusal(error, "ind.tiny.")
    record_property(CAMPAIGN, f"planetoid: {counts}")

    assert counts.refused > counts.read
