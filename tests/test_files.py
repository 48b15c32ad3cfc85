"""Files are replaced whole."""

from zoopraxis.files import write_atomically


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / "log.csv"
    for text in (b"old", b"new"):
        write_atomically(path, text)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("log.csv", b"new")]
