"""SVMs in the dual are the linear SVMs; a file of ours gives the same scores, or an error."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import SVC

from zoopraxis.errors import CheckpointError, TrainingError
from zoopraxis.trajectories.classify import (
    HEADER,
    TrajectoryClassifier,
    fit_svm,
    open_classifier,
    save_classifier,
)
from zoopraxis.trajectories.fisher import fit_trajectories
from zoopraxis.trajectories.settings import TrajectorySettings


@pytest.fixture(scope="module")
def classifier():
    torch.manual_seed(0)
    encoder = fit_trajectories(
        torch.rand(200, 436), settings=TrajectorySettings(camera="none"), components=2
    )
    weights = {name: torch.randn(3, part.num_features) for name, part in encoder.parts.items()}
    return TrajectoryClassifier(
        labels=("run", "walk", "läuft"),
        encoder=encoder,
        weights=weights,
        bias=torch.randn(3),
        training={"seed": 4},
    )


def test_the_dual_gives_the_planes_of_linear_svms():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((40, 100)), np.arange(40) % 3
    x[:, :3] += np.eye(3)[y]
    reference = OneVsRestClassifier(SVC(C=0.1, kernel="linear")).fit(x, y)
    new = rng.standard_normal((10, 100))

    duals, bias = fit_svm(x @ x.T, y.tolist(), labels="abc", penalty=0.1)

    scores = new @ (duals.double().numpy() @ x).T + bias.numpy()
    np.testing.assert_allclose(scores, reference.decision_function(new), atol=2e-3)
    assert (duals.abs() <= 0.1 + 1e-6).all()  # C bounds the duals


def test_a_class_without_videos():
    with pytest.raises(TrainingError, match=r"1 of 3 classes have no video, the first: 'b'"):
        fit_svm(np.eye(4), [0, 0, 2, 2], labels="abc")
    with pytest.raises(TrainingError, match="all videos show 'a'"):
        fit_svm(np.eye(4), [0, 0, 0, 0], labels="a")


def test_saved_and_opened_the_scores_are_equal_bit_by_bit(classifier, tmp_path):
    save_classifier(tmp_path / "model.safetensors", classifier)
    opened = open_classifier(tmp_path)

    rows = torch.rand(50, 436)
    expected = classifier.scores(classifier.encoder.encode(rows))
    assert torch.equal(opened.scores(opened.encoder.encode(rows)), expected)
    assert (opened.labels, opened.settings) == (classifier.labels, classifier.settings)
    assert opened.training == {"seed": 4}
    assert opened.key == classifier.key
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]


def test_the_key_depends_on_weights_labels_and_settings(classifier):
    def changed(**values):
        return TrajectoryClassifier(**{**vars(classifier), **values}).key

    keys = {
        classifier.key,
        changed(bias=classifier.bias + 1),
        changed(labels=("walk", "run", "läuft")),
    }
    assert len(keys) == 3
    assert changed(training={}) == classifier.key


def test_what_is_no_classifier(classifier, tmp_path):
    file = tmp_path / "model.safetensors"
    with pytest.raises(CheckpointError, match="no file"):
        open_classifier(file)
    file.write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        open_classifier(file)
    save_file({"a": torch.zeros(1)}, file)
    with pytest.raises(CheckpointError, match="holds no classifier of trajectories"):
        open_classifier(file)


def test_a_file_that_does_not_hold_what_its_header_says(classifier, tmp_path):
    file = tmp_path / "model.safetensors"
    save_classifier(file, classifier)
    state = load_file(file)
    header = {"settings": {}, "labels": ["a", "b", "c"], "sha256": "0", "training": {}}

    save_file(state, file, metadata={HEADER: json.dumps(header)})
    with pytest.raises(CheckpointError, match="not those that its header describes"):
        open_classifier(file)

    header["settings"] = {"camera": "handheld"}
    save_file(state, file, metadata={HEADER: json.dumps(header)})
    with pytest.raises(CheckpointError, match="camera"):
        open_classifier(file)


def test_tensors_that_do_not_fit_one_another(classifier, tmp_path):
    values = {**vars(classifier), "labels": ("run", "walk")}
    save_classifier(tmp_path / "model.safetensors", TrajectoryClassifier(**values))

    with pytest.raises(CheckpointError, match="scores for 2 labels"):
        open_classifier(tmp_path)

    parts = classifier.encoder.parts
    wrong = {**parts, "hof": replace(parts["hof"], means=torch.zeros(2, 53))}
    for values in (
        {"bias": torch.zeros(4)},
        {"encoder": replace(classifier.encoder, parts=wrong)},
    ):
        other = TrajectoryClassifier(**{**vars(classifier), **values})
        save_classifier(tmp_path / "model.safetensors", other)
        with pytest.raises(CheckpointError, match="holds no classifier"):
            open_classifier(tmp_path)
