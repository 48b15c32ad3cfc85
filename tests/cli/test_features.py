"""zoopraxis features, probe, similarity and embedding: from films to numbers and pictures."""

import json

import cv2
import pytest
from typer.testing import CliRunner

from zoopraxis.cli import app
from zoopraxis.errors import DataError, ZoopraxisError
from zoopraxis.evaluation.features import open_features
from zoopraxis.theatre import Settings, make_theatre

TINY = "test_r2plus1d"


def invoke(*words):
    return CliRunner().invoke(app, list(map(str, words)))


def facts_of(*words):
    done = invoke(*words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def theatre(tmp_path_factory):
    folder = tmp_path_factory.mktemp("theatre")
    settings = Settings(size=(48, 40), performers=3)
    make_theatre(folder, clips_per_class=3, settings=settings, workers=1)
    return folder


@pytest.fixture(scope="module")
def features(theatre, tmp_path_factory):
    out = tmp_path_factory.mktemp("features")
    facts = facts_of("features", theatre, out, "--model", TINY, "--layer", "all", "--clips", 2)
    assert facts["videos"] == 36
    assert facts["trained"] is False
    assert facts["layers"]["pooled"] == [128]
    assert facts["layers"]["prob"] == [12]
    assert "layer3" in facts["layers"]
    return out


def test_features_for_people(theatre, tmp_path):
    done = invoke("features", theatre, tmp_path, "--model", TINY, "--clips", 1)

    assert done.exit_code == 0
    assert f"pooled: 36 x 128\nfeatures: {tmp_path}" in done.stdout
    assert "has random weights" in done.stderr
    assert open_features(tmp_path).read().shape == (36, 128)


def test_features_by_a_convention(theatre, tmp_path):
    words = ("features", theatre, tmp_path / "f", "--model", TINY, "--convention", "tsm_twice")
    done = invoke(*words, "--keep", "clips")

    assert done.exit_code == 0
    assert open_features(tmp_path / "f").read().shape == (36, 2, 128)
    refused = invoke(*words, "--clips", 20)
    assert "gives 2 views of a video, not 20" in str(refused.exception)
    other = invoke(*words[:-2], "--keep", "clips", "--clips", 2)
    assert "holds features of" in str(other.exception) or "differ" in str(other.exception)


def test_unreadable_videos_exit_1(theatre, tmp_path):
    good = next(theatre.rglob("*.mp4"))
    (tmp_path / "bad.mp4").write_bytes(b"none")
    (tmp_path / "list.csv").write_text(f"path,label\n{good},a\nbad.mp4,b\n")

    done = invoke(
        "features", tmp_path / "list.csv", tmp_path / "f", "--model", TINY, "--clips", 1, "--json"
    )

    assert done.exit_code == 1
    assert list(json.loads(done.stdout)["unreadable"]) == ["bad.mp4"]
    assert "1 of 2 videos have no features" in done.stderr


def test_probes_and_their_fusion(features, tmp_path):
    words = ["--layer", "pooled,layer3", "--folds", 3, "--shots", "1,all", "--draws", 2]
    facts = facts_of("probe", features, *words, "--out", tmp_path)

    first, second = facts["probes"]
    assert [p["shots"] for p in first["points"]] == [1, None]
    assert cv2.imread(facts["picture"]) is not None
    fused = facts_of("fuse", first["scores"][0], second["scores"][0], "--mode", first["mode"])
    assert fused["fused"]["videos"] == 12
    again = facts_of("probe", features, *words, "--out", tmp_path)
    assert again == facts
    # a second probe into the same folder leaves one file for each round
    assert len(list((tmp_path / "scores-1-round-1").iterdir())) == 1


def test_a_model_is_extracted_and_probed(theatre, tmp_path):
    words = ["probe", theatre, "--model", TINY, "--probe", "attentive", "--clips", 1]
    facts = facts_of(*words, "--folds", 2, "--out", tmp_path)

    assert facts["probes"][0]["name"] == f"{TINY} pooled attentive"
    assert len(open_features(tmp_path / "features").layers["pooled"]) == 5


def test_the_dimension_curve(features, tmp_path):
    facts = facts_of(
        "probe", features, "--layer", "pooled,layer3", "--dims", "2,10,500", "--folds", 3,
        "--out", tmp_path,
    )  # fmt: skip

    assert [c["dims"] for c in facts["curves"]] == [[2, 10], [2, 10]]
    assert cv2.imread(facts["picture"]) is not None


def test_a_table_for_people(features, tmp_path):
    done = invoke("probe", features, "--leave-one-out", "--probe", "knn", "--out", tmp_path)

    assert done.exit_code == 0
    head, row, *_ = done.stdout.splitlines()
    assert head.split("\t") == ["probe", "shots", "top1 %", "95 %", "top3 %", "mAP %"]
    assert row.startswith(f"{TINY} pooled knn\tall\t")


def test_similarity(features, tmp_path):
    pairs = tmp_path / "pairs.csv"
    words = ["similarity", pairs, "--features", features, "--layer", "prob,pooled,layer3,layer4"]

    facts = facts_of(*words, "--draw", 20, "--folds", 3)
    again = facts_of(*words)

    assert facts["numbers"] == 48
    assert len(facts["folds"]) == 3
    assert again == facts
    refused = invoke(*words, "--draw", 20)
    assert isinstance(refused.exception, DataError)


def test_embedding(features, tmp_path):
    done = invoke("embedding", features, tmp_path / "map.png")

    assert done.stdout.strip() == str(tmp_path / "map.png")
    assert cv2.imread(str(tmp_path / "map.png")).shape == (1200, 1200, 3)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--split", "a:b", "--leave-one-out"], "exclude each other"),
        (["--split", "a"], "'a' is no split"),
        (["--shots", "1,some"], "'some' is no number"),
        (["--dims", "0"], "'0' is no number"),
    ],
)
def test_what_cannot_be_asked(features, tmp_path, words, said):
    done = invoke("probe", features, *words, "--out", tmp_path)

    assert isinstance(done.exception, ZoopraxisError)
    assert said in done.exception.problem


def test_official_splits(theatre, features, tmp_path):
    lines = (theatre / "clips.csv").read_text().splitlines()
    label = {line.split(",")[0]: line.split(",")[1] for line in lines[1:]}
    for name, odd in (("train", True), ("test", False)):
        chosen = [
            f"{theatre / path},{action}"
            for n, (path, action) in enumerate(sorted(label.items()))
            if (n % 3 > 0) == odd
        ]
        (tmp_path / f"{name}.csv").write_text("\n".join(["path,label", *chosen]))

    split = f"{tmp_path}/train.csv:{tmp_path}/test.csv"
    facts = facts_of("probe", features, "--split", split, "--out", tmp_path / "out")

    assert len(facts["probes"][0]["scores"]) == 1
    assert facts["probes"][0]["points"][0]["low"] is None


def test_the_column_of_the_groups(theatre, tmp_path):
    films = sorted(theatre.rglob("*.mp4"))[:4]
    rows = [f"{film},{n % 2},scene{n // 2}" for n, film in enumerate(films)]
    (tmp_path / "list.csv").write_text("\n".join(["path,label,scene", *rows]))
    words = ["--model", TINY, "--clips", 1, "--group", "scene"]

    facts_of("features", tmp_path / "list.csv", tmp_path / "f", *words)

    assert open_features(tmp_path / "f").groups == ("scene0", "scene0", "scene1", "scene1")
    facts = facts_of("probe", tmp_path / "list.csv", *words, "--folds", 2, "--out", tmp_path / "p")
    assert len(facts["probes"][0]["points"][0]["values"]) == 2
