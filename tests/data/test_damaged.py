"""Damaged lists, names of classes and folders: an error of ours that names them, or samples."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from damage import CAMPAIGN, Counts, damaged
from zoopraxis.data.labels import label_names
from zoopraxis.data.samples import read_samples
from zoopraxis.errors import DataError

CLASSES = ("run", "jump", "swim")
LISTS = {
    "header.csv": "path,label,group,start,end\n"
    + "".join(f'"v{i}.mp4",{CLASSES[i % 3]},g{i // 3},{i},{i + 2}.5\n' for i in range(12)),
    "semicolons.csv": "video;class\n" + "".join(f"v{i}.avi;{CLASSES[i % 3]}\n" for i in range(12)),
    "tabs.tsv": "".join(f"v{i}.webm\t{CLASSES[i % 3]}\n" for i in range(12)),
    "spaces.txt": "".join(f"v{i}.mp4 {i % 3}\n" for i in range(12)),
    "frames.txt": "".join(f"frames/v{i} {30 + i} {i % 3}\n" for i in range(12)),
    "many.txt": "".join(f"v{i}.mp4 {' '.join(map(str, range(i % 3 + 1)))}\n" for i in range(12)),
    "objects.json": json.dumps(
        [{"path": f"v{i}.mp4", "label": CLASSES[i % 3]} for i in range(12)], indent=1
    ),
    "lines.jsonl": "".join(
        json.dumps({"path": f"v{i}.mp4", "labels": [CLASSES[i % 3], "run"]}) + "\n"
        for i in range(12)
    ),
}
PARQUET = "rows.parquet"
NAMES = {
    "names.txt": "".join(f"{name}\n" for name in CLASSES),
    "numbers.txt": "".join(f"{i} {name}\n" for i, name in enumerate(CLASSES, 1)),
    "names.json": json.dumps(list(CLASSES)),
}
ENTRIES = [
    *("a.mp4", "b.mkv", "._a.mp4", ".hidden", "Thumbs.db", "notes.txt", "a.MP4", "clip.xyz"),
    *("1.jpg", "2.jpg", "img_00001.jpg", "flow_x_00001.jpg", "flow_y_00001.jpg", "clips.csv"),
    *("ünïcode.mp4", "10:30:00.mp4", "with, comma.mp4", " .mp4", ".mp4", "line\nbreak.mp4"),
]
FOLDERS = ["run", "jump", "train", "val", "frames", "g01", ".cache", "0", "1", "2", "with;sign"]


def list_of(name):
    """A whole list."""
    if name != PARQUET:
        return LISTS[name].encode()
    file = io.BytesIO()
    labels = [[CLASSES[i % 3], "run"] if i % 2 else ["jump"] for i in range(200)]
    columns = {"path": [f"v{i}.mp4" for i in range(200)], "label": labels}
    pq.write_table(pa.table({**columns, "start": [float(i) for i in range(200)]}), file)
    return file.getvalue()


def list_campaign(name, folder, times, record_property):
    path = folder / name
    counts = Counts()
    for contents in damaged(list_of(name), times):
        path.write_bytes(contents)
        try:
            samples = read_samples(path)
        except DataError as error:
            counts.refusal(error, name)
            continue
        assert_sound(samples)
        counts.read += 1
    record_property(CAMPAIGN, f"{name} lists: {counts}")
    assert counts.read > 0
    assert counts.refused > 0


def assert_sound(samples):
    """Every sample has a path, and labels that are indices of the names."""
    assert len(samples) > 0
    for sample in samples:
        assert sample.path
        label = sample.label
        assert all(0 <= k < len(samples.labels) for k in np.atleast_1d(label))
    assert all(samples.labels)
    assert len(set(samples.labels)) == len(samples.labels)


def grow(folder, random, depth=0):
    """Write a random tree of files, folders and links, some of which lead back."""
    for name in random.choice(ENTRIES, int(random.integers(0, 4)), replace=False):
        (folder / name).write_text("a.mp4,run\n" if name == "clips.csv" else "")
    if depth < 3:
        for name in random.choice(FOLDERS, int(random.integers(0, 4)), replace=False):
            if random.random() < 0.1:
                (folder / name).symlink_to(folder if random.random() < 0.5 else folder / "gone")
            else:
                (folder / name).mkdir()
                grow(folder / name, random, depth + 1)


def folder_campaign(folder, times, record_property):
    counts = Counts()
    for seed in range(times):
        root = folder / f"tree{seed}"
        root.mkdir()
        grow(root, np.random.default_rng(seed))
        try:
            samples = read_samples(root)
        except DataError as error:
            counts.refusal(error, root.name)
            continue
        assert_sound(samples)
        counts.read += 1
    record_property(CAMPAIGN, f"folders: {counts}")
    assert counts.read > 0
    assert counts.refused > 0


@pytest.mark.parametrize("name", [*LISTS, PARQUET])
def test_damaged_lists_are_read_or_refused_by_name(name, tmp_path, record_property):
    list_campaign(name, tmp_path, 300, record_property)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*LISTS, PARQUET])
def test_many_damaged_lists_are_read_or_refused_by_name(name, tmp_path, record_property):
    list_campaign(name, tmp_path, 20_000, record_property)


@pytest.mark.parametrize("name", NAMES)
def test_damaged_names_of_classes_are_read_or_refused_by_name(name, tmp_path, record_property):
    path = tmp_path / name
    counts = Counts()
    for contents in damaged(NAMES[name].encode(), 300):
        path.write_bytes(contents)
        try:
            labels = label_names(path)
        except DataError as error:
            counts.refusal(error, name)
            continue
        assert all(labels)
        assert len(set(labels)) == len(labels)
        counts.read += 1
    record_property(CAMPAIGN, f"{name} names: {counts}")
    assert counts.read > 0
    assert counts.refused > 0


def test_odd_folders_are_read_or_refused_by_name(tmp_path, record_property):
    folder_campaign(tmp_path, 150, record_property)


@pytest.mark.slow
def test_many_odd_folders_are_read_or_refused_by_name(tmp_path, record_property):
    folder_campaign(tmp_path, 5000, record_property)
