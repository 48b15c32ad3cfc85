"""zoopraxis fuse, and the pipeline of two streams from films to fused scores."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from zoopraxis.cli import app
from zoopraxis.errors import DataError, ZoopraxisError
from zoopraxis.evaluation.runs import read_run
from zoopraxis.theatre import Settings, make_theatre

STREAMS = {"rgb": "test_two_stream", "flow": "test_two_stream_flow"}


def invoke(*words):
    return CliRunner().invoke(app, list(map(str, words)))


def facts_of(*words):
    done = invoke(*words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    """Folder with flow, a run of each stream, and their evaluations of held-out and test clips.

    One clip of each of the twelve actions trains; one of another theatre chooses the weights, and
    one of a third is tested on.
    """
    folder = tmp_path_factory.mktemp("pipeline")
    for seed, part in enumerate(("train", "held_out", "test")):
        make_theatre(
            folder / part,
            clips_per_class=1,
            settings=Settings(size=(48, 40), seed=seed, performers=1),
            workers=1,
        )
        flow = folder / f"{part}_flow"
        facts_of("flow", folder / part, flow, "--short", 40, "--workers", 1)
    for stream, model in STREAMS.items():
        recipe = "two_stream_flow" if stream == "flow" else "two_stream"
        lists = [f"data.train={folder}/train_flow", f"data.val={folder}/held_out_flow"]
        small = ["clip.size=32", "clip.resize=40", "data.workers=0", "train.epochs=2"]
        steps = ["train.batch_size=4", "train.micro_batches=1", "optim.milestones=[1]"]
        steps += [f"model.weights={folder}/runs/rgb"] if stream == "flow" else []
        out = folder / "runs" / stream
        done = invoke(
            *("train", recipe, f"model.name={model}", *lists, *small, *steps),
            *("--out", out, "--accelerator", "cpu"),
        )
        assert done.exit_code == 0, done.output
        for part in ("held_out", "test"):
            facts_of(
                *("evaluate", folder / f"{part}_flow", "--model", out / "final.safetensors"),
                *("--views", 2, "--out", folder / part / stream),
            )
    return folder


def test_the_pipeline_of_two_streams(pipeline):
    test, held_out = ([pipeline / part / s for s in STREAMS] for part in ("test", "held_out"))
    val = [word for run in held_out for word in ("--val", run)]

    facts = facts_of("fuse", *test, *val, "--out", pipeline / "fused")

    scores = [read_run(run).scores() for run in test]
    fused = np.average(scores, axis=0, weights=facts["weights"])
    result = read_run(pipeline / "fused")
    np.testing.assert_allclose(result.scores(), fused, rtol=1e-4)
    assert facts["fused"]["top1"] == (fused.argmax(axis=1) == result.classes).mean()
    assert facts["chosen_on"] == facts["fused"]["videos"] == 12
    assert sum(facts["weights"]) == pytest.approx(1)
    assert [row["run"] for row in facts["runs"]] == list(map(str, test))
    assert (pipeline / "fused" / "report.html").is_file()

    again = facts_of("fuse", pipeline / "fused", test[0])  # what was fused can be fused
    assert again["runs"][0]["top1"] == facts["fused"]["top1"]


def test_an_svm_in_place_of_weights(pipeline):
    test, held_out = ([pipeline / part / s for s in STREAMS] for part in ("test", "held_out"))
    val = [word for run in held_out for word in ("--val", run)]

    facts = facts_of("fuse", *test, *val, "--by", "svm")

    assert facts["weights"] is None
    assert 0 <= facts["fused"]["top1"] <= 1
    assert "SVM trained on 12 held-out videos" in invoke("fuse", *test, *val, "--by", "svm").stdout


def test_the_test_is_not_held_out_too(pipeline):
    runs = [pipeline / "test" / stream for stream in STREAMS]

    done = invoke("fuse", *runs, *(word for run in runs for word in ("--val", run)))

    assert isinstance(done.exception, DataError)
    assert "12 held-out videos are among those to be fused" in done.exception.problem


def plain(path, scores):
    np.savez(path, scores=scores, names=["a.mp4", "b.mp4"], truth=[0, 1], labels=["sit", "stand"])
    return path


def test_the_table(tmp_path):
    rgb = plain(tmp_path / "rgb.npz", [[0.9, 0.1], [0.8, 0.2]])
    flow = plain(tmp_path / "flow.npz", [[0.4, 0.6], [0.1, 0.9]])

    done = invoke("fuse", rgb, flow, "--weights", "1,1.5")

    assert done.exit_code == 0, done.output
    cells = [line.split()[-5:] for line in done.stdout.splitlines()]
    assert cells[1][-5:] == ["1", "50.00", "%", "50.00", "%"]
    assert cells[2][-5:] == ["1.5", "50.00", "%", "50.00", "%"]
    # of sit 0.6 and 0.38
    assert cells[3][-5:] == ["fused", "100.00", "%", "100.00", "%"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--weights", "1;2"), "are not numbers"),
        (("--weights", "1"), "cannot average 2 networks"),
        (("--weights", "1,1", "--val", "x"), "leaves nothing to choose"),
        (("--by", "svm"), "an SVM is trained on held-out videos"),
        (("--mode", "mean"), "unknown mode 'mean'"),
    ],
)
def test_options_that_do_not_fit(options, message, tmp_path):
    runs = [plain(tmp_path / name, np.eye(2)) for name in ("rgb.npz", "flow.npz")]

    done = invoke("fuse", *runs, *options)

    assert isinstance(done.exception, ZoopraxisError)
    assert message in done.exception.problem
