"""Bad, repeated and look-alike videos are named, sound ones are not; quarantine leaves them out."""

import os
from pathlib import Path

import pytest

from videos import X264, write
from zoopraxis.data import examine
from zoopraxis.data.doctor import diagnose
from zoopraxis.data.examine import examine_videos
from zoopraxis.data.quarantine import without_quarantined, write_quarantine
from zoopraxis.data.samples import read_samples
from zoopraxis.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes with a sound video, a copy of it, a re-encoded one, a cut and an empty one."""
    (tmp_path / "run").mkdir()
    (tmp_path / "jump left").mkdir()
    content = write(tmp_path / "run" / "a.mp4", options=X264).read_bytes()
    (tmp_path / "jump left" / "copy.mp4").write_bytes(content)
    write(tmp_path / "run" / "again.avi", "mpeg4", options={"g": "12"})
    (tmp_path / "run" / "cut.mp4").write_bytes(content[: len(content) // 2])
    (tmp_path / "run" / "empty.mp4").write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize("level", ["sampled", "all"])
def test_findings_name_the_videos(folder: Path, level: str) -> None:
    train = read_samples(folder)
    found = examine_videos([s.path for s in train], level=level, workers=1)
    told = {one.title: one.where for one in diagnose(found, train=train)}
    assert [Path(t.split(":")[0]).name for t in told["cannot be read"]] == ["cut.mp4", "empty.mp4"]
    assert told["have the same content"] == (
        f"{folder / 'run' / 'a.mp4'} = {folder / 'jump left' / 'copy.mp4'}",
    )
    assert [Path(t.split(" = ")[0]).name for t in told["look the same"]] == ["again.avi"]
    assert told["classes that a flip changes"] == ("jump left",)


def test_a_mended_file_leaves_quarantine(folder: Path) -> None:
    train, file = read_samples(folder), folder / "bad.csv"
    found = examine_videos([s.path for s in train], level="headers", workers=1)
    assert write_quarantine(file, found) == 2
    kept, lines = without_quarantined(train, file)
    assert len(kept) == 3
    assert lines == [f"2 of 5 videos are left out: in quarantine ({file})"]
    write(folder / "run" / "cut.mp4")
    kept, lines = without_quarantined(train, file)
    assert len(kept) == 4
    assert "has changed" in lines[1]
    file.write_text("path\n")
    with pytest.raises(DataError, match="no list of quarantined"):
        without_quarantined(train, file)


def test_the_index_is_kept_until_the_content_changes(folder: Path) -> None:
    path, index = folder / "run" / "a.mp4", folder / "index.jsonl"
    (first,) = examine_videos([str(path)], workers=1, index=index)
    assert examine.read_index(index) == [first]
    status = path.stat()
    write(path, frames=20)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    (second,) = examine_videos([str(path)], workers=1, index=index)
    assert (first.frames, second.frames) == (40, 20)
