"""Shards: what is in them, what is trained from them, and shards of other writers."""

import hashlib
import io
import json
import shutil
import tarfile

import pytest
import torch
from safetensors.torch import load_file

from videos import numbers_of, write
from zoopraxis.data.samples import read_samples
from zoopraxis.data.shards import index_shards, write_shards
from zoopraxis.errors import DataError, VideoError
from zoopraxis.training.logs import Watcher
from zoopraxis.training.loop import train
from zoopraxis.training.recipe import default_recipe
from zoopraxis.video import open_video

SEGMENTS = """path,label,group,start,end
in/run.a.mp4,run,x,0,0.4
in/run.a.mp4,sit,x,0.4,1
in/run.a.b.mp4,run,y,,
in/run/a.webm,sit,z,0,1
"""


@pytest.fixture
def listed(tmp_path):
    (tmp_path / "in" / "run").mkdir(parents=True)
    write(tmp_path / "in" / "run.a.mp4", frames=30)
    write(tmp_path / "in" / "run.a.b.mp4", frames=4)
    write(tmp_path / "in" / "run" / "a.webm", "libvpx-vp9", frames=28)
    (tmp_path / "list.csv").write_text(SEGMENTS)
    return read_samples(tmp_path / "list.csv")


def names(shard):
    with tarfile.open(shard) as tar:
        return tar.getnames()


def said(samples):
    """All of a list but where its videos lie."""
    return [(samples.labels[s.label], s.group, s.start, s.end) for s in samples]


def test_what_a_shard_holds(listed, tmp_path):
    out = tmp_path / "out"
    made = write_shards(listed, out, count=1, workers=1)

    assert (made.shards, made.videos, made.samples) == (1, 3, 4)
    assert made.bytes == (out / "shard-000000.tar").stat().st_size
    # keys end at the first dot, so dots within a name are replaced
    assert sorted(names(out / "shard-000000.tar")) == [
        *("run/a.cls", "run/a.json", "run/a.webm"),
        *("run_a.json", "run_a.mp4"),  # several labels, so no .cls
        *("run_a_b.cls", "run_a_b.json", "run_a_b.mp4"),
    ]
    with tarfile.open(out / "shard-000000.tar") as tar:
        video = (tmp_path / "in" / "run.a.mp4").read_bytes()
        assert tar.extractfile("run_a.mp4").read() == video
        assert tar.extractfile("run/a.cls").read() == b"1"
        assert json.load(tar.extractfile("run_a.json")) == {
            "file": "run.a.mp4",
            "sha256": hashlib.sha256(video).hexdigest(),
            "samples": [
                {"label": "run", "group": "x", "start": 0, "end": 0.4},
                {"label": "sit", "group": "x", "start": 0.4, "end": 1},
            ],
        }
    index = json.loads((out / "shards.json").read_text())
    (shard,) = index["shards"]
    assert (index["videos"], index["samples"], index["labels"]) == (3, 4, ["run", "sit"])
    assert shard["sha256"] == hashlib.sha256((out / shard["file"]).read_bytes()).hexdigest()
    offset, size = shard["videos"]["run_a.mp4"]
    assert (out / shard["file"]).read_bytes()[offset : offset + size] == video


def test_the_list_says_what_the_list_of_the_files_said(listed, tmp_path):
    made = write_shards(listed, tmp_path / "out", count=2, workers=1)

    for samples in (read_samples(tmp_path / "out"), read_samples(made.table)):
        assert said(samples) == said(listed)
        assert samples.missing() == ()
        for shard, file in zip(samples, listed, strict=True):
            with open_video(shard.path) as one, open_video(file.path) as other:
                assert one.num_frames == other.num_frames
                assert numbers_of(one.frames_at([3, 1])) == [3, 1]
    shutil.move(tmp_path / "out", tmp_path / "moved")
    assert read_samples(tmp_path / "moved").missing() == ()
    (tmp_path / "moved" / "shard-000001.tar").unlink()
    assert read_samples(tmp_path / "moved").missing() != ()


def test_keys_that_would_be_one_differ(tmp_path):
    for name in ("a.b.mp4", "a_b.mp4", "a.b.avi"):
        write(tmp_path / name, "mpeg4", frames=3)
    (tmp_path / "list.csv").write_text("path,label\na.b.mp4,x\na_b.mp4,y\na.b.avi,x\n")

    write_shards(read_samples(tmp_path / "list.csv"), tmp_path / "out", count=1, workers=1)

    (shard,) = json.loads((tmp_path / "out" / "shards.json").read_text())["shards"]
    assert {*shard["videos"]} == {"a_b.mp4", "a_b_2.mp4", "a_b_3.avi"}


def test_sizes_and_numbers_of_shards(squares, tmp_path):
    samples = read_samples(squares)
    made = write_shards(samples, tmp_path / "a", count=3, workers=1)
    counts = [len(names(p)) // 3 for p in sorted((tmp_path / "a").glob("*.tar"))]
    assert (made.shards, counts) == (3, [5, 6, 5])
    largest = max((squares / "left").iterdir(), key=lambda p: p.stat().st_size).stat().st_size

    made = write_shards(samples, tmp_path / "b", size=2 * largest, workers=1)

    counts = [len(names(p)) // 3 for p in sorted((tmp_path / "b").glob("*.tar"))]
    assert sum(counts) == made.videos == 16
    assert {2} <= {*counts} <= {1, 2, 3}
    for wrong in ({}, {"size": 1, "count": 1}, {"count": 0}, {"count": 17}):
        with pytest.raises(DataError):
            write_shards(samples, tmp_path / "c", workers=1, **wrong)
    assert not (tmp_path / "c").exists()


def test_the_seed_is_all_that_decides_the_order(squares, tmp_path):
    samples = read_samples(squares)
    for name, seed, workers in (("a", 1, 1), ("b", 1, 2), ("c", 2, 1)):
        write_shards(samples, tmp_path / name, count=2, seed=seed, workers=workers)

    data = {
        name: [p.read_bytes() for p in sorted((tmp_path / name).glob("*.tar"))] for name in "abc"
    }
    assert data["a"] == data["b"]
    order = [n for n in names(tmp_path / "a" / "shard-000000.tar") if n.endswith("mp4")]
    assert order != sorted(order)
    other = [n for n in names(tmp_path / "c" / "shard-000000.tar") if n.endswith("mp4")]
    assert order != other


def test_finished_shards_are_kept_and_others_are_not_overwritten(squares, tmp_path):
    shutil.copytree(squares, tmp_path / "in")
    samples, out = read_samples(tmp_path / "in"), tmp_path / "out"
    write_shards(samples, out, count=2, workers=1)
    first, second = sorted(out.glob("*.tar"))
    stamp, whole = first.stat().st_mtime_ns, second.read_bytes()
    second.unlink()
    (out / ".shard-000001.tar.writing").write_bytes(whole[:1000])  # of a run that was killed

    write_shards(samples, out, count=2, workers=1)

    assert first.stat().st_mtime_ns == stamp
    assert second.read_bytes() == whole
    assert {p.name for p in out.iterdir()} == {
        *("shard-000000.tar", "shard-000001.tar", "shards.json", "clips.csv")
    }
    changed = tmp_path / "in" / "left" / "3.mp4"
    changed.write_bytes(changed.read_bytes()[::-1])  # of the same size
    with pytest.raises(DataError, match="holds other videos than are asked for"):
        write_shards(samples, out, count=2, workers=1)


def test_what_is_no_file_is_named_before_anything_is_written(listed, tmp_path):
    (tmp_path / "in" / "run.a.mp4").unlink()

    with pytest.raises(DataError, match=r"1 of 3 videos .* no files with a suffix: .*run\.a\.mp4"):
        write_shards(listed, tmp_path / "out", count=1)
    assert not (tmp_path / "out").exists()


def test_several_labels_a_video(listed, tmp_path):
    (tmp_path / "list.csv").write_text(
        "path,label\nin/run.a.mp4,run;sit\nin/run.a.b.mp4,jump\nin/run/a.webm,jump;run\n"
    )
    several, out = read_samples(tmp_path / "list.csv"), tmp_path / "out"
    write_shards(several, out, count=1, workers=1)
    written = (out / "clips.csv").read_text()

    assert (
        [s.label for s in read_samples(out)]
        == [s.label for s in several]
        == [*((1, 2), (0,), (0, 1))]
    )
    assert not any(name.endswith(".cls") for name in names(out / "shard-000000.tar"))
    index_shards(out)
    assert sorted((out / "clips.csv").read_text().splitlines()) == sorted(written.splitlines())


def test_our_own_shards_are_indexed_as_they_were_written(listed, tmp_path):
    out = tmp_path / "out"
    write_shards(listed, out, count=2, workers=1)
    written = {name: (out / name).read_text() for name in ("shards.json", "clips.csv")}
    for name in written:
        (out / name).unlink()

    index_shards(out)

    assert (out / "shards.json").read_text() == written["shards.json"]
    lines = (out / "clips.csv").read_text().splitlines()
    assert sorted(lines) == sorted(written["clips.csv"].splitlines())


def foreign(folder, samples):
    """Write shards as others do: a sample a key, its files one after the other."""
    folder.mkdir()
    for number, files in enumerate(samples):
        with tarfile.open(folder / f"{number:05d}.tar", "w") as out:
            for name, data in files.items():
                header = tarfile.TarInfo(name)
                header.size = len(data)
                out.addfile(header, io.BytesIO(data))


def test_shards_of_other_writers(tmp_path):
    video = write(tmp_path / "a.mp4", frames=4).read_bytes()
    foreign(
        tmp_path / "s",
        [
            {"./2.mp4": video, "./2.cls": b"7", "./._2.mp4": b"", "1.mp4": video, "1.cls": b"3"},
            {"b/3.json": b'{"class_name": "jump"}', "b/3.mp4": video, "b/3.jpg": b"", "x": b""},
        ],
    )

    made = index_shards(tmp_path / "s")

    samples = read_samples(made.table)
    found = {s.path.removeprefix(f"{tmp_path}/s/"): samples.labels[s.label] for s in samples}
    assert found == {
        "00000.tar::1.mp4": "3",
        "00000.tar::./2.mp4": "7",
        "00001.tar::b/3.mp4": "jump",
    }
    for sample in samples:
        with open_video(sample.path) as opened:
            assert opened.num_frames == 4


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"a.jpg": b"", "a.cls": b"0"}, "a has jpg, cls, and no video"),
        ({"a.mp4": b"video"}, "a has no label"),
        ({"a.mp4": b"video", "a.json": b"{"}, r"a\.json is not JSON"),
        ({"a.mp4": b"video", "a.json": b"[1]"}, "a has no label"),
    ],
)
def test_samples_that_cannot_be_trained_on_are_named(files, problem, tmp_path):
    foreign(tmp_path / "s", [files])

    with pytest.raises(DataError, match=problem):
        index_shards(tmp_path / "s")
    assert [p.name for p in (tmp_path / "s").iterdir()] == ["00000.tar"]


def test_what_is_no_shard_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no \.tar files"):
        index_shards(tmp_path)
    (tmp_path / "s.tar").write_bytes(b"no tar file" * 100)
    with pytest.raises(DataError, match=r"s\.tar cannot be read"):
        index_shards(tmp_path)


class Stopped(BaseException):
    """What ends a run as a signal would."""


class StopAfter(Watcher):
    """Ends a run in the middle of an epoch."""

    def __init__(self, steps):
        self.left = steps

    def step(self, epoch, *, loss, clips_per_second):
        self.left -= 1
        if self.left == 0:
            raise Stopped


def test_training_from_shards_is_training_from_files(squares, tmp_path):
    settings = [
        *("clip.num_frames=4", "clip.size=32", "clip.resize=36", "augment.flip=0"),
        *("train.epochs=2", "train.batch_size=4", "train.checkpoint_steps=1"),
        "data.workers=2",
    ]
    write_shards(read_samples(squares), tmp_path / "shards", count=3, workers=1)
    whole = train(default_recipe(str(squares), "test_r2plus1d", settings), tmp_path / "files")
    recipe = default_recipe(str(tmp_path / "shards"), "test_r2plus1d", settings)

    with pytest.raises(Stopped):
        train(recipe, tmp_path / "run", watcher=StopAfter(2))
    assert not (tmp_path / "run" / "final.safetensors").exists()
    resumed = train(recipe, tmp_path / "run", resume=True)

    expected, found = load_file(whole.final), load_file(resumed.final)
    assert all(torch.equal(expected[key], found[key]) for key in expected)
    assert [row["val_loss"] for row in whole.history] == [r["val_loss"] for r in resumed.history]


def test_a_bad_video_in_a_shard_stops_training_and_is_named(squares, tmp_path):
    shutil.copytree(squares, tmp_path / "in")
    for file in (tmp_path / "in" / "left").iterdir():
        file.write_bytes(b"no video at all")
    write_shards(read_samples(tmp_path / "in"), tmp_path / "shards", count=1, workers=1)
    recipe = default_recipe(
        str(tmp_path / "shards"), "test_r2plus1d", ["clip.num_frames=4", "train.batch_size=4"]
    )

    with pytest.raises(VideoError, match=r"shard-000000\.tar::left/\d\.mp4"):
        train(recipe, tmp_path / "run")
