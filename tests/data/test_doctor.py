"""Bad, repeated and look-alike videos are named, sound ones are not; quarantine leaves them out."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from videos import X264, write
from zoopraxis.data import examine
from zoopraxis.data.doctor import diagnose, epoch_cost
from zoopraxis.data.examine import Examined, examine_videos
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
    kept, left = without_quarantined(train, file)
    assert len(kept) == 3
    assert left.lines() == [
        f"2 of 5 videos are left out: in quarantine ({file})",
        "left out: run/cut.mp4",
        "left out: run/empty.mp4",
    ]
    assert "the file is empty" in left.problems["run/empty.mp4"]
    write(folder / "run" / "cut.mp4")
    kept, left = without_quarantined(train, file)
    assert len(kept) == 4
    assert left.changed == (str(folder / "run" / "cut.mp4"),)
    assert "has changed" in left.lines()[-1]
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


@pytest.mark.parametrize("every", [0.0, 1e9])
def test_the_index_is_kept_as_the_work_proceeds(folder: Path, every: float) -> None:
    paths, index = (
        [str(folder / "run" / "empty.mp4"), str(folder / "run" / "cut.mp4")],
        "found.jsonl",
    )
    # killed, not interrupted
    script = f"""
import os
import subprocess
import sys
from pathlib import Path
from zoopraxis.data import examine
if __name__ == "__main__":
    examine.SAVE_EVERY, examine.SAVING = {every}, 1.0
    stop = lambda done, of: done == 1 and os._exit(9)
    examine.examine_videos({paths}, workers=1, index=Path({index!r}), progress=stop)
"""
    ran = subprocess.run([sys.executable, "-c", script], cwd=folder, check=False)
    assert ran.returncode == 9
    kept = [one.path for one in examine.read_index(folder / index)]
    assert kept == (paths[:1] if every == 0 else [])


def test_an_index_that_cannot_be_written_is_told_before_the_work(folder: Path) -> None:
    path = str(folder / "run" / "a.mp4")
    for index in (folder / "run" / "a.mp4" / "found.jsonl", folder / "run" / "a.mp4" / "b.parquet"):
        with pytest.raises(DataError, match=f"{index} cannot be written"):
            examine_videos([path], workers=1, index=index, progress=pytest.fail)


def test_an_index_is_told_from_a_list(folder: Path) -> None:
    index, table = folder / "index.jsonl", folder / "list.jsonl"
    examine_videos([str(folder / "run" / "a.mp4")], level="headers", workers=1, index=index)
    table.write_text('{"path": "run/a.mp4", "label": "run"}\n')
    assert examine.is_index(index)
    assert not any(map(examine.is_index, (table, folder / "run" / "a.mp4", folder / "gone")))


def test_what_is_odd_says_how_odd(tmp_path: Path) -> None:
    lengths = (40, 40, 4)
    paths = [str(write(tmp_path / f"{n}.mp4", frames=k)) for n, k in enumerate(lengths)]
    told = {one.title: one for one in diagnose(examine_videos(paths, level="headers", workers=1))}
    odd = told["are much longer or shorter than most"]
    assert odd.where == (f"{paths[2]}: 0.16 seconds, most 1.6",)
    assert odd.videos == ((paths[2],),)


@pytest.mark.parametrize("gop", [10, 40])
def test_frames_that_a_clip_needs_begin_at_a_key_frame(tmp_path: Path, gop: int) -> None:
    options = {"g": str(gop), "bf": "0", "sc_threshold": "0"}
    path = write(tmp_path / "a.mp4", frames=100, options=options)
    (found,) = examine_videos([str(path)], level="headers", workers=1)
    # frames 34 to 64; before them, the key frame 30 or 0
    assert found.clip_frames == 65 - {10: 30, 40: 0}[gop]
    assert 0 < found.open_seconds < found.clip_seconds


def test_the_estimate_scales_with_pixels_and_frames() -> None:
    video = Examined(
        path="a.mp4",
        sha256="",
        level="sampled",
        frames=300,
        width=1024,
        height=512,
        clip_seconds=1.1,
        open_seconds=0.1,
        clip_frames=73,
    )
    cost = epoch_cost([video, video], clips=600, workers=2)
    assert cost.minutes == pytest.approx(1.1 * 600 / 2 / 60)
    # a quarter of the pixels, and 36.5 of 73 frames; opening takes as long
    assert cost.resized == pytest.approx((0.1 + 1 / 4 / 2) * 600 / 2 / 60)
    assert cost.worth_resizing
    assert cost.told() == ("5.5 minutes", "1.1 minutes")
    assert epoch_cost([], clips=600, workers=2).told()[0] == "0 seconds"
