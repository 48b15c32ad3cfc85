"""Data sets with a column of videos, as Hugging Face's datasets writes them."""

import shutil
import sys

import datasets
import huggingface_hub
import pytest
from typer.testing import CliRunner

from videos import numbers_of, write
from zoopraxis import open_video
from zoopraxis.cli import app
from zoopraxis.data.hub import hub_list
from zoopraxis.data.samples import read_samples
from zoopraxis.errors import DataError

CLASSES = ("walk", "run; fast")
VIDEO, TEXT = datasets.Video(decode=False), datasets.Value("string")


@pytest.fixture(autouse=True)
def caches(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOOPRAXIS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


@pytest.fixture
def clips(tmp_path):
    (tmp_path / "clips").mkdir()
    return [str(write(tmp_path / "clips" / f"{k}.mp4", frames=6 + k)) for k in range(3)]


def table(clips, label=(1, 0, 1), kind=None, **columns):
    features = {"clip": VIDEO, "label": kind or datasets.ClassLabel(names=CLASSES)}
    for name, cells in columns.items():
        features[name] = datasets.Value("string" if isinstance(cells[0], str) else "float64")
    return datasets.Dataset.from_dict(
        {"clip": clips, "label": [*label], **columns}, features=datasets.Features(features)
    )


def saved(tmp_path, data, name="saved"):
    data.save_to_disk(tmp_path / name)  # with the videos inside
    return f"hf:{tmp_path / name}"


def test_videos_inside_its_tables(clips, tmp_path):
    address = saved(tmp_path, table(clips, group=["a", "b", "a"], start=[0.0, 0.1, 0.0]))
    shutil.rmtree(tmp_path / "clips")

    samples = read_samples(address)

    assert samples.labels == ("run; fast", "walk")
    assert [s.label for s in samples] == [0, 1, 0]
    assert [s.group for s in samples] == ["a", "b", "a"]
    assert [s.start for s in samples] == [0.0, 0.1, 0.0]
    for k, sample in enumerate(samples):
        with open_video(sample.path) as video:
            assert numbers_of(video.frames_at(range(video.num_frames))) == [*range(6 + k)]


def test_parquet_with_paths_and_several_labels(clips, tmp_path):
    several = datasets.Sequence(datasets.ClassLabel(names=["x", "y"]))
    (tmp_path / "repo").mkdir()
    table(clips, [[0], [0, 1], [1]], several).to_parquet(tmp_path / "repo" / "val-0.parquet")

    samples = read_samples(f"hf:{tmp_path / 'repo'}@validation")

    assert [s.label for s in samples] == [(0,), (0, 1), (1,)]
    assert [s.path for s in samples] == clips  # which are not copied


def test_folders_of_classes(clips, tmp_path):
    for clip, name in zip(clips, ("x", "y", "x"), strict=True):
        (tmp_path / "tree" / "train" / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(clip, tmp_path / "tree" / "train" / name)
    samples = read_samples(f"hf:{tmp_path / 'tree'}")
    assert [samples.labels[s.label] for s in samples] == ["x", "x", "y"]


def test_what_was_written_is_not_written_again_until_the_data_change(clips, tmp_path):
    address = saved(tmp_path, table(clips))
    first = hub_list(address)
    videos = sorted(first.parent.glob("*.mp4"))
    first.unlink()  # as if it had been stopped
    videos[0].unlink()
    kept = videos[1].stat().st_mtime_ns
    assert hub_list(address) == first
    assert videos[0].exists()
    assert videos[1].stat().st_mtime_ns == kept

    shutil.rmtree(tmp_path / "saved")
    saved(tmp_path, table(clips[:2], [0, 1]))
    assert hub_list(address) != first
    assert len(read_samples(address)) == 2


def test_splits_that_were_saved_together(clips, tmp_path):
    datasets.DatasetDict({"train": table(clips), "test": table(clips[:1], [0])}).save_to_disk(
        tmp_path / "both"
    )
    assert len(read_samples(f"hf:{tmp_path / 'both'}")) == 3
    assert len(read_samples(f"hf:{tmp_path / 'both'}@test")) == 1
    with pytest.raises(DataError, match="unknown split 'val': it has train, test"):
        read_samples(f"hf:{tmp_path / 'both'}@val")


def test_a_network_is_trained_and_tested_on_it(clips, tmp_path):
    address, out = saved(tmp_path, table(clips)), str(tmp_path / "run")
    recipe = ["train.epochs=1", "train.batch_size=2", f"data.val={address}"]
    for words in (
        ["train", "--model", "test_x3d", "--data", address, "--out", out, *recipe],
        ["evaluate", address, "--model", out, "--out", str(tmp_path / "out")],
        ["data", "doctor", address],
    ):
        done = CliRunner().invoke(app, words, catch_exceptions=False)
        assert done.exit_code == 0, done.output
    assert "3 videos" in done.output


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (lambda c: table(c).rename_column("label", "what"), "has no column of labels.*clip, what"),
        (lambda c: table(c).remove_columns("clip"), "has no column of videos.*label"),
        (lambda c: table(c, [1, -1, 0]), "row 2: the column 'label' has no label"),
        (lambda c: table(c, ["x", "y", None], TEXT), "row 3: the column 'label' has no label"),
        (lambda c: table(c, [["x"], [], ["y"]], datasets.Sequence(TEXT)), "row 2: .* no label"),
        (
            lambda c: table(c).add_column("other", c).cast_column("other", VIDEO),
            "several columns of videos: clip, other",
        ),
    ],
)
def test_says_what_is_missing(clips, tmp_path, data, problem):
    with pytest.raises(DataError, match=problem) as caught:
        read_samples(saved(tmp_path, data(clips)))
    assert caught.value.hint


def test_says_what_cannot_be_loaded(clips, tmp_path):
    with pytest.raises(DataError, match=r"hf:nobody/nothing@train cannot be loaded: .*nothing"):
        read_samples("hf:nobody/nothing@train")
    with pytest.raises(DataError, match="names no data set"):
        read_samples("hf:")
    (tmp_path / "repo").mkdir()
    table(clips).to_parquet(tmp_path / "repo" / "train-0.parquet")
    (tmp_path / "clips" / "1.mp4").unlink()
    with pytest.raises(DataError, match=r"row 2: its video .*1\.mp4' is not on this machine"):
        read_samples(f"hf:{tmp_path / 'repo'}")


def test_without_datasets_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)  # as if it were not installed
    with pytest.raises(DataError, match="datasets, which is not installed") as caught:
        read_samples("hf:owner/name")
    assert "zoopraxis[hf]" in caught.value.hint
