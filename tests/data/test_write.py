"""A list that is written reads back as it was."""

from dataclasses import replace

import pytest

from zoopraxis.data.samples import read_samples
from zoopraxis.data.write import write_samples
from zoopraxis.errors import DataError


@pytest.mark.parametrize("form", ["csv", "jsonl", "json", "parquet"])
def test_a_written_list_reads_back(tmp_path, form):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "list.csv").write_text(
        "path,label,group,start,end,flow,trajectories\n"
        'x.mp4,"Pushing it, quickly",g1,0.5,,x,\n'
        "https://a.example/y.mp4,run,g2,,2,,../t/y.safetensors\n"
    )
    samples = read_samples(tmp_path / "a" / "list.csv")

    write_samples(tmp_path / "b" / f"list.{form}", samples)

    again = read_samples(tmp_path / "b" / f"list.{form}")
    assert again.labels == samples.labels
    for new, old in zip(again, samples, strict=True):
        for path in ("path", "flow", "trajectories"):
            value = getattr(new, path)
            if value and "://" not in value:
                value = str((tmp_path / value).resolve())
                assert value == str((tmp_path / getattr(old, path)).resolve())
            else:
                assert value == getattr(old, path)
        assert (new.label, new.group, new.start, new.end) == (
            old.label, old.group, old.start, old.end
        )  # fmt: skip


def test_only_the_columns_that_are_needed(tmp_path):
    (tmp_path / "in.csv").write_text("path,label\nx.mp4,run\ny.mp4,walk\n")
    samples = read_samples(tmp_path / "in.csv")

    write_samples(tmp_path / "out.csv", samples)

    assert (tmp_path / "out.csv").read_text().splitlines()[0] == "path,label,group"


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_several_labels_a_video(tmp_path, form):
    (tmp_path / "in.csv").write_text("path,label\nx.mp4,run;jump\ny.mp4,walk\n")
    samples = read_samples(tmp_path / "in.csv")

    write_samples(tmp_path / f"out.{form}", samples)

    again = read_samples(tmp_path / f"out.{form}")
    assert again.labels == samples.labels
    assert [s.label for s in again] == [s.label for s in samples] == [(0, 1), (2,)]
    names = replace(samples, labels=("a;b", *samples.labels[1:]))
    with pytest.raises(DataError, match="semicolons in their names"):
        write_samples(tmp_path / "other.csv", names)
    assert not (tmp_path / "other.csv").exists()
