"""Training: what is sampled, kept and computed again; and that the classes are learned."""

import shutil

import numpy as np
import pytest
import torch

from zoopraxis.data.samples import read_samples
from zoopraxis.errors import DataError, TrainingError
from zoopraxis.evaluation.result import read_evaluation
from zoopraxis.evaluation.trajectories import MODE, evaluate_trajectories
from zoopraxis.trajectories.classify import open_classifier
from zoopraxis.trajectories.settings import TrajectorySettings
from zoopraxis.trajectories.store import read_trajectories, save_trajectories
from zoopraxis.trajectories.training import TrainingProtocol, train_classifier
from zoopraxis.trajectories.vectors import Part, parts_of, sample_rows

SMALL = TrainingProtocol(components=2, sample=300)


@pytest.fixture
def samples(made):
    return read_samples(made)


def parts(samples):
    return parts_of(samples, None, settings=None)[0]


def scores_of(classifier, sample):
    rows = read_trajectories(sample.trajectories).values
    return classifier.scores(classifier.encoder.encode(rows))


def stamps(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_the_classes_are_learned_and_the_model_reads_back(samples, tmp_path):
    stages = []

    classifier = train_classifier(
        samples, tmp_path / "out", protocol=SMALL, progress=lambda *done: stages.append(done)
    )

    assert [scores_of(classifier, s).argmax().item() for s in samples] == [s.label for s in samples]
    opened = open_classifier(tmp_path / "out")
    assert torch.equal(scores_of(opened, samples[0]), scores_of(classifier, samples[0]))
    assert opened.training == {**vars(SMALL), "videos": 12}
    assert [s for s in stages if s[1] == s[2]] == [
        ("fitting", 5, 5), ("encoding", 12, 12), ("separating", 3, 3)
    ]  # fmt: skip


def test_a_run_resumes_and_computes_only_what_is_missing(samples, tmp_path):
    out, said = tmp_path / "out", []
    first = train_classifier(samples, out, protocol=SMALL)
    before = stamps(out / "fisher")
    gone = sorted(before)[::2]
    for name in gone:
        (out / "fisher" / name).unlink()

    second = train_classifier(samples, out, protocol=SMALL, say=said.append)

    after = stamps(out / "fisher")
    assert [name for name in sorted(after) if after[name] != before[name]] == gone
    assert said == [f"resuming from {out / 'encoder.safetensors'}"]
    assert second.key == first.key


def test_nothing_is_found_under_other_settings_or_trajectories(samples, made, tmp_path):
    out = tmp_path / "out"
    first = train_classifier(samples, out, protocol=SMALL)
    other = train_classifier(
        samples, out, protocol=TrainingProtocol(components=2, sample=300, seed=1)
    )
    assert len(stamps(out / "fisher")) == 24
    assert other.encoder.key != first.encoder.key

    file = samples[0].trajectories
    stored = read_trajectories(file)
    save_trajectories(
        made.parent / file, stored.values[:30].numpy(), times=stored.times, settings=stored.settings
    )
    third = train_classifier(samples, out, protocol=SMALL)
    assert third.encoder.key != first.encoder.key

    fresh = train_classifier(samples, tmp_path / "fresh", protocol=SMALL)
    assert fresh.key == third.key

    again = train_classifier(
        samples, out, protocol=TrainingProtocol(components=2, sample=300, penalty=1e-3)
    )
    assert again.encoder.key == third.encoder.key  # C is the SVMs' alone
    assert again.key != third.key


def test_a_damaged_encoder_is_fitted_again(samples, tmp_path):
    first = train_classifier(samples, tmp_path, protocol=SMALL)
    (tmp_path / "encoder.safetensors").write_bytes(b"damage")

    assert train_classifier(samples, tmp_path, protocol=SMALL).key == first.key


def test_a_damaged_vector_is_named(samples, tmp_path):
    train_classifier(samples, tmp_path, protocol=SMALL)
    damaged = sorted((tmp_path / "fisher").iterdir())[0]
    damaged.write_bytes(damaged.read_bytes()[:100])

    with pytest.raises(DataError, match="holds no Fisher vectors") as caught:
        train_classifier(samples, tmp_path, protocol=SMALL)
    assert damaged.name in caught.value.problem
    assert "remove it" in caught.value.hint


def test_a_sample_is_drawn_from_all_videos_alike(samples):
    everything = torch.cat([part.read() for part in parts(samples)])
    rows = {tuple(row) for row in everything.tolist()}
    times = np.zeros(12)

    for seed in range(60):
        drawn = sample_rows(parts(samples), size=100, seed=seed)
        assert len({tuple(row) for row in drawn.tolist()} & rows) == 100  # none twice
        video = torch.cdist(drawn[:, 10:], everything[:, 10:]).argmin(dim=1) // 61.5
        times += np.bincount(video.long().clamp(0, 11), minlength=12)

    # 6000 draws of 12 videos of 60 to 63 rows: 500 each, a standard deviation of 20
    assert 400 < times.min() <= times.max() < 600


def test_samples_are_reproducible_and_no_larger_than_there_is(samples):
    first, second = (sample_rows(parts(samples), size=50, seed=3) for _ in range(2))

    assert torch.equal(first, second)
    assert not torch.equal(first, sample_rows(parts(samples), size=50, seed=4))
    assert len(sample_rows(parts(samples), size=10_000)) == sum(60 + n for n in range(4)) * 3


def test_a_segment_counts_its_own_trajectories(samples):
    whole = parts(samples)[0]
    segment = Part(whole.name, whole.file, start=0.0, end=2.0)

    assert segment.count() == len(segment.read()) == 5  # that end at frames 15 to 19
    assert len(sample_rows([segment], size=100)) == 5


def test_too_few_trajectories(samples, tmp_path):
    with pytest.raises(TrainingError, match="738 descriptors are too few for 739 Gaussians"):
        train_classifier(samples, tmp_path, protocol=TrainingProtocol(components=739))


def test_settings_that_differ(samples, made, tmp_path):
    stored = read_trajectories(samples[3].trajectories)
    save_trajectories(
        made.parent / samples[3].trajectories,
        stored.values.numpy(),
        times=stored.times,
        settings=TrajectorySettings(stride=9),
    )

    with pytest.raises(DataError, match=r"0_3.safetensors was extracted with .*stride=9"):
        train_classifier(samples, tmp_path, protocol=SMALL)


def test_several_labels_a_video(made, tmp_path):
    made.write_text(made.read_text().replace("class 0", "class 0;class 1", 1))

    with pytest.raises(DataError, match="several labels a video"):
        train_classifier(read_samples(made), tmp_path, protocol=SMALL)


@pytest.mark.parametrize("wrong", [{"components": 0}, {"sample": 0}, {"penalty": 0.0}])
def test_protocols_out_of_range(wrong):
    with pytest.raises(TrainingError, match=r"is 0"):
        TrainingProtocol(**wrong)


def test_an_evaluation_keeps_scores_that_can_be_fused(samples, tmp_path):
    classifier = train_classifier(samples, tmp_path / "out", protocol=SMALL)

    result = evaluate_trajectories(classifier, samples, tmp_path / "val", name="idt")

    expected = torch.stack([scores_of(classifier, s) for s in samples]).numpy()
    np.testing.assert_allclose(result.scores(mode=MODE), expected, atol=1e-6)
    assert result.summary(mode=MODE)["top1"] == 1
    assert result.by_class(mode=MODE) == {f"class {k}": 1.0 for k in range(3)}
    (file,) = (tmp_path / "val").glob("logits-*.npz")
    kept = read_evaluation(file)
    assert np.array_equal(kept.logits, result.logits)
    assert (kept.names, kept.labels, kept.model) == (result.names, result.labels, "idt")
    assert file.name == f"logits-{result.key[:12]}.npz"


def test_a_video_without_trajectories_is_zero_and_said_so(samples, made, tmp_path):
    classifier = train_classifier(samples, tmp_path / "out", protocol=SMALL)
    save_trajectories(
        made.parent / samples[0].trajectories,
        np.zeros((0, 436), np.float32),
        times=np.arange(90) / 10,
        settings=TrajectorySettings(),
    )
    said = []

    result = evaluate_trajectories(classifier, samples, tmp_path / "val", say=said.append)

    assert said == ["0_0.mp4 has no trajectories: its Fisher vectors are all zero"]
    np.testing.assert_array_equal(result.logits[0, 0], classifier.bias.numpy())

    said.clear()
    again = train_classifier(samples, tmp_path / "again", protocol=SMALL, say=said.append)
    assert said == ["0_0.mp4 has no trajectories: its Fisher vectors are all zero"]
    assert all(torch.isfinite(tensor).all() for tensor in again.state().values())


def test_labels_of_another_list(samples, made, tmp_path):
    classifier = train_classifier(samples, tmp_path / "out", protocol=SMALL)
    made.write_text(made.read_text().replace("class 2", "class 3"))

    with pytest.raises(DataError, match="class 3"):
        evaluate_trajectories(classifier, read_samples(made), tmp_path / "val")


def test_videos_of_the_same_name_do_not_share_trajectories(theatre, tmp_path):
    for folder, number in (("a", 0), ("b", 1)):  # 33 frames each
        (tmp_path / folder / "push").mkdir(parents=True)
        shutil.copy(theatre / "push" / f"{number}.mp4", tmp_path / folder / "push" / "x.mp4")
    settings = TrajectorySettings(camera="none", scales=1)

    first, second, again = (
        parts_of(read_samples(tmp_path / name), tmp_path / "t", settings=settings)[0][0]
        for name in "aba"
    )

    assert first.file == again.file != second.file
    assert not torch.equal(first.read()[:20], second.read()[:20])


def test_videos_are_extracted_where_the_list_names_no_trajectories(theatre, tmp_path):
    shutil.copytree(theatre, tmp_path / "videos")
    settings = TrajectorySettings(camera="none", scales=1)
    samples = read_samples(tmp_path / "videos")

    classifier = train_classifier(
        samples, tmp_path / "out", protocol=SMALL, settings=settings, workers=1
    )

    assert classifier.settings == settings
    files = sorted(p.name for p in (tmp_path / "out" / "trajectories").rglob("*.safetensors"))
    assert [name[:2] for name in files] == ["0-", "0-", "1-", "1-", "2-", "2-"]

    (tmp_path / "videos" / "wave" / "1.mp4").write_bytes(b"no video")
    shutil.rmtree(tmp_path / "out")
    with pytest.raises(DataError, match=r"1 of 6 videos have no trajectories, .*1\.mp4"):
        train_classifier(samples, tmp_path / "out", protocol=SMALL, settings=settings, workers=1)

    result = evaluate_trajectories(classifier, samples, tmp_path / "val", workers=1)
    assert list(result.unread) == ["wave/1.mp4"]
    assert np.isnan(result.logits[4]).all()
    assert np.isfinite(np.delete(result.logits, 4, axis=0)).all()
    assert result.summary(mode=MODE)["unread"] == 1
