"""zoopraxis diagnose, and zoopraxis compare on what it leaves."""

import json

import pytest
from typer.testing import CliRunner

from zoopraxis.cli import app
from zoopraxis.errors import DataError, ZoopraxisError
from zoopraxis.evaluation.runs import read_run
from zoopraxis.theatre import Settings, make_theatre

PAIR = ("--pair", "sit_down:stand_up", "--pair", "push:pull")


def invoke(*words):
    return CliRunner().invoke(app, list(map(str, words)))


def facts_of(*words):
    done = invoke(*words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Films of every action, and a network that was trained on them for one epoch."""
    folder = tmp_path_factory.mktemp("diagnose")
    settings = Settings(size=(48, 40), performers=1)
    make_theatre(folder / "films", clips_per_class=1, settings=settings, workers=1)
    lists = [f"data.train={folder}/films", f"data.val={folder}/films", "data.val_fraction=0"]
    for model in ("test_tsm", "test_tsn"):
        done = invoke(
            *("train", "theatre_r2plus1d", f"model.name={model}", *lists, "train.epochs=2"),
            *("data.workers=0", "train.batch_size=4", "--out", folder / model),
            *("--accelerator", "cpu"),
        )
        assert done.exit_code == 0, done.output
    return folder


def test_a_diagnosis_and_its_comparison(place):
    model, out = place / "test_tsm" / "final.safetensors", place / "out"

    facts = facts_of(
        *("diagnose", place / "films", "--model", model, "--out", out, *PAIR),
        *("--static", place / "test_tsn" / "final.safetensors", "--factor", 3),
    )

    assert list(facts["plays"]) == [
        *("forwards", "reversed", "shuffled", "frozen", "subsampled 3x", "sped_up 3x"),
    ]
    assert facts["order_sensitive"] is True
    assert facts["videos"] == 12
    assert facts["report"] == str(out / "report.html")
    assert "does time matter" in (out / "report.html").read_text()
    reversed_ = facts["plays"]["reversed"]
    assert reversed_["within_pairs"] == 1 - facts["plays"]["forwards"]["within_pairs"]  # exact
    kept = read_run(out / "reversed").summary()
    assert kept["top1"] == reversed_["top1"]
    assert facts["static_bias"]["static_top1"] == read_run(out / "static").summary()["top1"]

    picture = out / "compared.png"
    compared = facts_of("compare", out / "forwards", out / "reversed", "--picture", picture)

    (pair,) = compared["pairs"]
    for key in ("change", "gained", "lost", "p_value"):
        assert pair[key] == reversed_[key]
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert compared["picture"] == str(picture)


def test_what_is_printed(place):
    model = place / "test_tsn" / "final.safetensors"
    words = ("diagnose", place / "films", "--model", model, "--play", "reversed")

    done = invoke(*words, "--out", place / "tsn", "--views", 2)

    assert done.exit_code == 0, done.output
    head, forwards, backwards, report = done.stdout.splitlines()
    assert head.startswith("played\ttop-1 %")
    assert forwards.split("\t")[:2] == ["forwards", backwards.split("\t")[1]]
    assert backwards.split("\t")[3:] == [*("+0.0", backwards.split("\t")[4]), "1", "0.0"]
    assert report == f"report {place / 'tsn' / 'report.html'}"

    done = invoke("compare", place / "tsn" / "forwards", place / "tsn" / "reversed")

    assert done.exit_code == 0, done.output
    assert "12 videos" in done.stdout
    assert "gains: none" in done.stdout
    assert "loses: none" in done.stdout


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (("--play", "reverse"), "cannot be played 'reverse'", "did you mean reversed?"),
        (("--pair", "sit"), "'sit' is no pair", "--pair"),
        (("--pair", "sit_down:stand"), "no class 'stand'", "it knows"),
        (("--mode", "median"), "unknown mode", "known"),
    ],
)
def test_what_is_refused(place, words, message, hint):
    model = place / "test_tsn" / "final.safetensors"

    done = invoke("diagnose", place / "films", "--model", model, "--out", place / "no", *words)

    assert isinstance(done.exception, ZoopraxisError)
    assert message in done.exception.problem
    assert hint in done.exception.hint
    assert not (place / "no").exists()


def test_runs_of_other_videos_are_refused(place):
    model = place / "test_tsn" / "final.safetensors"
    make_theatre(
        place / "more", clips_per_class=2, settings=Settings(size=(48, 40), performers=1), workers=1
    )
    for films in ("films", "more"):
        words = ("evaluate", place / films, "--model", model, "--views", 1)
        facts_of(*words, "--out", place / f"of_{films}")

    done = invoke("compare", place / "of_films", place / "of_more")

    assert isinstance(done.exception, DataError)
    assert "lacks 12 of the 24 videos" in done.exception.problem
    assert "same list" in done.exception.hint
