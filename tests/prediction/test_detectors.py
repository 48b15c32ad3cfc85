"""Detectors by name, and Faster R-CNN from files: what is saved is what detects."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import detection
from typer.testing import CliRunner

from zoopraxis.checkpoints.read import read_safetensors
from zoopraxis.cli import app
from zoopraxis.errors import CheckpointError, DownloadError, ZoopraxisError
from zoopraxis.prediction.detectors import (
    DETECTORS,
    DetectorConfig,
    FasterRCNN,
    create_detector,
    find_detector,
    open_detector,
    save_detector,
)
from zoopraxis.regions import read_boxes
from zoopraxis.regions.detect import People
from zoopraxis.video import write_video

CONFIG = DetectorConfig(
    network="fasterrcnn_mobilenet_v3_large_320_fpn",
    classes=("person", "ball"),
    min_size=48,
    max_size=64,
)


@pytest.fixture(scope="module")
def network():
    """Random weights that take everything for a ball."""
    torch.manual_seed(0)
    network = create_detector(CONFIG)
    with torch.no_grad():
        network.roi_heads.box_predictor.cls_score.bias.copy_(torch.tensor([-2.0, -2.0, 2.0]))
    return network.eval()


@pytest.fixture(scope="module")
def file(network, tmp_path_factory):
    return save_detector(tmp_path_factory.mktemp("detector") / "own.safetensors", network, CONFIG)


@pytest.fixture(scope="module")
def frame():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 90, 120), np.uint8))


@pytest.fixture(scope="module")
def video(frame, tmp_path_factory):
    """Three frames of noise."""
    path = tmp_path_factory.mktemp("video") / "noise.mp4"
    picture = frame.permute(1, 2, 0).numpy()
    write_video(path, ((i / 10, np.roll(picture, 9 * i, axis=0)) for i in range(3)), fps=10)
    return path


def test_a_file_detects_as_the_network_that_was_saved(network, file, frame):
    with torch.inference_mode():
        (expected,) = network([frame.float() / 255])

    found = find_detector(str(file), min_score=0.5)(frame)

    kept = expected["scores"] >= 0.5
    np.testing.assert_array_equal(found.boxes, expected["boxes"][kept].double().numpy())
    np.testing.assert_array_equal(found.scores, expected["scores"][kept].double().numpy())
    assert set(found.labels) == {"ball"}
    assert found.boxes.min() >= 0
    assert (found.boxes[:, 0::2].max(), found.boxes[:, 1::2].max()) <= (120, 90)
    assert not len(find_detector(str(file), min_score=1.0)(frame).boxes)


def test_a_state_dict_of_torch_says_what_it_is_beside_it(network, file, frame, tmp_path):
    # as the training script of torchvision saves it; its frozen batch norms have no counters
    state = {k: v for k, v in network.state_dict().items() if "num_batches" not in k}
    torch.save({"model": state, "epoch": 7}, tmp_path / "own.pth")
    (tmp_path / "own.json").write_text(
        json.dumps({"network": CONFIG.network, "classes": ["person", "ball"], "min_size": 48})
    )

    opened, config = open_detector(tmp_path / "own.pth")

    assert (config.classes, config.min_size, config.max_size) == (("person", "ball"), 48, None)
    assert not opened.training
    found, expected = (FasterRCNN(file=str(path))(frame) for path in (tmp_path / "own.pth", file))
    np.testing.assert_array_equal(found.boxes, expected.boxes)


def test_the_epsilon_of_the_batch_norms_is_that_of_the_configuration():
    for config, expected in ((CONFIG, 1e-5), (replace(CONFIG, epsilon=0.0), 0.0)):
        norms = [
            m for m in create_detector(config).modules() if isinstance(m, torch.nn.BatchNorm2d)
        ]
        assert len(norms) > 40
        assert {norm.eps for norm in norms} == {expected}


def test_a_name_says_which_weights_and_classes(file, tmp_path):
    state, _ = read_safetensors(file)
    names = [find_detector(str(file)).name]
    (tmp_path / "own.json").write_text(
        json.dumps({"network": CONFIG.network, "classes": ["a", "b"]})
    )
    save_file(state, tmp_path / "own.safetensors")
    names.append(find_detector(str(tmp_path / "own.safetensors")).name)
    (tmp_path / "more").mkdir()
    other = {**state, "roi_heads.box_predictor.cls_score.bias": torch.zeros(3)}
    save_file(other, tmp_path / "more/own.safetensors")
    (tmp_path / "own.json").rename(tmp_path / "more/own.json")
    names.append(find_detector(str(tmp_path / "more/own.safetensors")).name)

    assert len(set(names)) == 3  # boxes by one are not taken for those of another
    assert all(name.startswith("own.safetensors ") for name in names)
    assert find_detector(str(file), min_score=0.5).name == names[0].replace("0.3", "0.5")


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (None, r"own\.pth does not say which detector it holds, and there is no own\.json"),
        ("{", r"own\.json: the detector's configuration cannot be read"),
        ("[1]", r"own\.json: the detector's configuration is a list"),
        ({"classes": ["a"]}, r"own\.json has no network"),
        ({"network": "ssd300_vgg16", "classes": ["a"]}, "ssd300_vgg16"),
        ({"network": CONFIG.network, "classes": []}, "no classes"),
        ({"network": CONFIG.network, "classes": ["a"], "min_size": 0}, "to 0 pixels"),
        ({"network": CONFIG.network, "classes": ["a"], "epsilon": -1.0}, r"epsilon is -1\.0"),
        ({"network": CONFIG.network, "classes": ["a"], "anchors": 3}, "anchors"),
        ({"network": CONFIG.network, "classes": ["a"]}, "of 1 classes and background"),
        ({"network": "fasterrcnn_resnet50_fpn", "classes": ["a", "b"]}, "holds no fasterrcnn_res"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(network, tmp_path, table, problem):
    torch.save(network.state_dict(), tmp_path / "own.pth")
    if table is not None:
        text = table if isinstance(table, str) else json.dumps(table)
        (tmp_path / "own.json").write_text(text)
    with pytest.raises(CheckpointError, match=problem) as caught:
        find_detector(str(tmp_path / "own.pth"))
    assert str(tmp_path) in caught.value.problem


def test_files_that_are_no_detectors(tmp_path):
    (tmp_path / "text.safetensors").write_bytes(b"no weights")
    with pytest.raises(CheckpointError, match=r"text\.safetensors is not a safetensors file"):
        find_detector(str(tmp_path / "text.safetensors"))
    with pytest.raises(CheckpointError, match=r"no file .*none\.pth"):
        open_detector(tmp_path / "none.pth")
    with pytest.raises(CheckpointError, match=r"own\.pth is no \.safetensors file"):
        save_detector(tmp_path / "own.pth", torch.nn.Linear(1, 1), CONFIG)


def test_the_commands_detect_with_a_file(file, frame, video, tmp_path):
    words = ["boxes", video, tmp_path / "out", "--detector", file, "--every", 2, "--json"]
    done = CliRunner().invoke(app, [*map(str, words), "--min-score", "0.9"])

    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["detector"] == find_detector(str(file), min_score=0.9).name
    found = read_boxes(tmp_path / "out/noise.csv")
    assert found.looked.tolist() == [0, 2]
    assert len(found.boxes) == facts["videos"][0]["found"] > 0
    assert set(found.labels) == {"ball"}


def test_people_are_those_that_a_file_calls_so(network, file, video, tmp_path):
    pytest.importorskip("supervision")
    others = replace(CONFIG, classes=("ball", "person"))
    people = save_detector(tmp_path / "people.safetensors", network, others)
    found = []
    for detector in (file, people):
        words = ["people", video, "--detector", detector, "--every", 1, "--model", "test_tsn"]
        done = CliRunner().invoke(app, [*map(str, words), "--json"])
        assert done.exit_code == 0, done.output
        found.append(len(json.loads(done.stdout)["people"]))

    assert found[0] == 0 < found[1]  # balls are no people


def test_detectors_by_name():
    for name in DETECTORS:
        detector = find_detector(name)
        assert detector == find_detector(name)
        assert detector.name.startswith(name)
    assert find_detector("opencv", min_score=0.5) == People(min_score=0.5)
    with pytest.raises(ZoopraxisError, match="no detector, and no file, called 'opencb'") as caught:
        find_detector("opencb")
    assert "opencv" in caught.value.hint
    with pytest.raises(ZoopraxisError, match="lowest score is nan"):
        find_detector("torchvision", min_score=float("nan"))


def test_missing_weights_say_where_they_belong(tmp_path, monkeypatch):
    def no_network(*_args, **_options):
        raise OSError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", no_network)
    with pytest.raises(DownloadError, match="cannot be downloaded: no network") as caught:
        FasterRCNN()(torch.zeros(3, 32, 32, dtype=torch.uint8))
    assert f"{tmp_path}/hub/checkpoints/fasterrcnn_resnet50_fpn_coco" in caught.value.problem
    assert "https://download.pytorch.org" in caught.value.hint


def test_published_weights_are_those_of_the_80_classes(frame, tmp_path, monkeypatch):
    torch.manual_seed(0)
    small = {"min_size": 64, "max_size": 96, "box_score_thresh": 0.0}
    build = detection.fasterrcnn_resnet50_fpn
    weights = detection.FasterRCNN_ResNet50_FPN_Weights.COCO_V1
    place = tmp_path / "hub/checkpoints"
    place.mkdir(parents=True)
    random = build(weights=None, weights_backbone=None).state_dict()
    torch.save(random, place / weights.url.rpartition("/")[2])  # where a download would be
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(
        detection, "fasterrcnn_resnet50_fpn", lambda **options: build(**small, **options)
    )

    found = FasterRCNN(min_score=0.0)(frame)

    assert len(found.boxes) == len(found.scores) == len(found.labels) > 0
    assert (found.boxes[:, 0::2].max(), found.boxes[:, 1::2].max()) <= (120, 90)
    assert set(found.labels) <= set(weights.meta["categories"])
