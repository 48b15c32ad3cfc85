"""What is known of a file that was opened before, and when it is not believed."""

import os
import time

import numpy as np
import pytest
import torch

from videos import KINDS, make, numbers_of, write
from zoopraxis.errors import VideoError
from zoopraxis.video import _pyav, open_video
from zoopraxis.video._known import Known, identity

LONG_AGO = (1e9, 1e9)
FACTS = ("timestamps", "fps", "duration", "height", "width", "rotation", "mirrored", "codec")


@pytest.fixture
def examined(monkeypatch):
    """Names of the videos that were examined."""
    names = []
    examine = _pyav.PyAVVideo._examine

    def counted(self, *arguments):
        names.append(self._demuxer.name)
        return examine(self, *arguments)

    monkeypatch.setattr(_pyav.PyAVVideo, "_examine", counted)
    return names


@pytest.mark.parametrize("kind", KINDS)
def test_opened_again_a_file_is_the_same(kind, tmp_path):
    path = make(tmp_path, kind)
    os.utime(path, LONG_AGO)
    with open_video(path) as video:
        first = {name: getattr(video, name) for name in (*FACTS, "colours", "transfer", "keys")}
        together = video.frames_at(np.arange(video.num_frames))
    for order in (np.arange, lambda n: np.arange(n)[::-5]):
        with open_video(path) as video:
            for name, value in first.items():
                assert np.array_equal(getattr(video, name), value), name
            some = order(video.num_frames)
            assert torch.equal(video.frames_at(some), together[some.copy()])


def test_a_file_is_read_once(tmp_path, examined):
    path = make(tmp_path, "h264-b")
    os.utime(path, LONG_AGO)
    for _ in range(3):
        with open_video(path) as video:
            assert numbers_of(video.frames_at([7, 30])) == [7, 30]
    assert len(examined) == 1
    with open_video(path, stream=0):
        assert len(examined) == 2  # another question


def test_a_changed_file_is_read_again(tmp_path, examined):
    path = make(tmp_path, "h264-b")
    os.utime(path, LONG_AGO)
    data = path.read_bytes()
    with open_video(path) as video:
        assert video.num_frames == 40
    with pytest.raises(ValueError, match="read-only"):
        video.pts[0] = 1  # it is that of all who open the file
    write(path, options=KINDS["h264-b"][1]["options"], frames=20)
    with open_video(path) as video:
        assert video.num_frames == 20
    path.write_bytes(data[:-100])
    os.utime(path, LONG_AGO)
    with pytest.raises(VideoError, match="no frame that can be decoded"):
        open_video(path)
    assert len(examined) == 3


def test_a_file_that_was_replaced_by_one_of_its_size_and_time_is_read_again(tmp_path, examined):
    path = make(tmp_path, "h264-b")
    for times in (1, 2):
        path.write_bytes(path.read_bytes())
        os.utime(path, LONG_AGO)
        open_video(path).close()
        assert len(examined) == times
        time.sleep(0.05)  # a file system's clock has steps


def test_a_file_that_was_just_written_is_not_believed(tmp_path, examined):
    path = make(tmp_path, "h264-b")
    for _ in range(2):
        open_video(path).close()
    assert len(examined) == 2


def test_files_within_tar_files_differ(tmp_path):
    file = tmp_path / "a.tar"
    file.write_bytes(b"0" * 100)
    os.utime(file, LONG_AGO)
    one, two = (identity(f"subfile,,start,{n},end,{n + 10},,:file:{file}", None) for n in (0, 10))
    assert one is not None
    assert one != two
    assert identity(b"contents", None) is None
    assert identity("https://example.org/a.mp4", None) is None
    assert identity(f"file:{tmp_path / 'missing.mp4'}", None) is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # it has threads
def test_a_forked_process_is_not_locked_out():
    known = Known(room=10)
    known.put(("a",), [0])
    with known._lock:  # as if another thread had it
        child = os.fork()
        if not child:
            os._exit(0 if known.get(("a",)) == [0] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_those_opened_longest_ago_are_forgotten():
    known = Known(room=10)
    for key in ("a", "b", "a"):
        known.put((key,), [0] * 4)
    assert known.get(("b",)) == [0] * 4
    known.put(("c",), [0] * 4)
    assert known.get(("a",)) is None
    assert known.get(("b",)) == known.get(("c",)) == [0] * 4
    known.put(("large",), [0] * 11)
    assert [known.get((key,)) for key in ("a", "b", "c", "large")] == [None] * 4
    known.put(("d",), [0] * 10)
    known.clear()
    assert known.get(("d",)) is None
    known.put(("e",), [0] * 10)
    assert known.get(("e",)) == [0] * 10
    known.put(None, [0])
    assert known.get(None) is None
