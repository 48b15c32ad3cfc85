"""zoopraxis evaluate: nothing is ever found under another identity."""

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from videos import write_frames
from zoopraxis.checkpoints.config import ModelConfig
from zoopraxis.checkpoints.saved import open_model, save_model
from zoopraxis.cli import app
from zoopraxis.data.examine import examine_videos
from zoopraxis.data.quarantine import write_quarantine
from zoopraxis.evaluation.result import read_evaluation
from zoopraxis.inputs.conventions import TEST
from zoopraxis.inputs.sampling import sample_test
from zoopraxis.models import model_spec
from zoopraxis.prediction.fully_convolutional import fully_convolutional
from zoopraxis.prediction.pipeline import predict
from zoopraxis.spec import Protocol, Weights
from zoopraxis.video import open_video

LABELS = ("darker", "brighter")
TINY = "test_r2plus1d"


@pytest.fixture
def videos(tmp_path):
    """Videos that fade in and out: each is the reverse of one of the other class."""
    for label, levels in (("darker", range(16, 0, -1)), ("brighter", range(1, 17))):
        (tmp_path / "videos" / label).mkdir(parents=True)
        for n in range(2):
            frames = [np.full((64, 64, 3), 12 * level + 8 * n, np.uint8) for level in levels]
            write_frames(tmp_path / "videos" / label / f"{n}.mp4", np.stack(frames))
    return tmp_path / "videos"


def run_of(folder, seed=0):
    """Folder of a run with the weights of a tiny network."""
    torch.manual_seed(seed)
    config = ModelConfig(name=TINY, clip=model_spec(TINY).clip, labels=LABELS)
    save_model(folder / "best.safetensors", config.build(), config)
    return folder


def evaluate(*words):
    done = CliRunner().invoke(app, ["evaluate", *map(str, words), "--views", "1", "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout), done.stderr


def accuracies(net, videos):
    from zoopraxis.data.samples import read_samples
    from zoopraxis.evaluation.evaluate import evaluate as direct
    from zoopraxis.inputs.playback import FORWARDS, Playback

    samples = read_samples(videos, labels=net.labels)
    return [
        direct(net, samples, views=1, play=p).summary()["calibration_error"]
        for p in (FORWARDS, Playback(order="reversed"))
    ]


def test_forwards_then_backwards(videos, tmp_path):
    run, out = run_of(tmp_path / "runs" / "x"), tmp_path / "out"
    expected = accuracies(open_model(run), videos)

    forwards, _ = evaluate(videos, "--model", run, "--out", out)
    backwards, said = evaluate(videos, "--model", run, "--out", out, "--reverse")
    again, resumed = evaluate(videos, "--model", run, "--out", out)

    assert expected[0] != expected[1]
    measured = [r["calibration_error"] for r in (forwards, backwards, again)]
    assert measured == pytest.approx([expected[0], expected[1], expected[0]])
    assert "starting from scratch" in said
    assert "resuming" in resumed
    assert "backwards" in (out / "report.html").read_text() or "resuming" in resumed


def test_other_weights_at_the_same_path(videos, tmp_path):
    run, out = run_of(tmp_path / "run"), tmp_path / "out"
    first, _ = evaluate(videos, "--model", run, "--out", out)
    run_of(tmp_path / "run", seed=1)
    expected = accuracies(open_model(run), videos)[0]

    second, said = evaluate(videos, "--model", run, "--out", out)

    assert second["calibration_error"] == pytest.approx(expected)
    assert second["calibration_error"] != first["calibration_error"]
    assert "starting from scratch" in said


def test_a_list_of_numbers_takes_the_models_labels(videos, tmp_path):
    paths = [videos / "darker" / "0.mp4", videos / "brighter" / "0.mp4"]
    (tmp_path / "val.csv").write_text("".join(f"{p} {n}\n" for n, p in enumerate(paths)))
    run = run_of(tmp_path / "run")

    by_number, _ = evaluate(tmp_path / "val.csv", "--model", run, "--out", tmp_path / "a")

    (tmp_path / "names.csv").write_text("".join(f"{p} {p.parent.name}\n" for p in paths))
    by_name, _ = evaluate(tmp_path / "names.csv", "--model", run, "--out", tmp_path / "b")
    drop = {"report", "logits"}
    assert {k: v for k, v in by_number.items() if k not in drop} == {
        k: v for k, v in by_name.items() if k not in drop
    }


def test_a_number_beyond_the_models_labels_is_refused(videos, tmp_path):
    (tmp_path / "val.csv").write_text(f"{videos / 'darker' / '0.mp4'} 2\n")
    command = ["evaluate", str(tmp_path / "val.csv"), "--model", str(run_of(tmp_path / "run"))]

    done = CliRunner().invoke(app, command)

    assert done.exit_code != 0
    assert "val.csv, line 1: the label '2' is not one of the 2 known ones" in str(done.exception)


def test_the_table_names_what_it_measures(videos, tmp_path):
    run = run_of(tmp_path / "run")
    command = ["evaluate", str(videos), "--model", str(run), "--out", str(tmp_path / "out")]

    done = CliRunner().invoke(app, command)

    assert done.exit_code == 0, done.output
    assert "top1" in done.stdout
    assert "with 10 views" in done.stdout
    assert (tmp_path / "out" / "report.html").is_file()


def test_the_first_line_names_the_classes_and_counts(videos, tmp_path):
    (videos / "darker" / "1.mp4").unlink()
    _, said = evaluate(videos, "--model", run_of(tmp_path / "run"), "--out", tmp_path / "out")
    assert said.splitlines()[0] == "3 videos of 2 classes: brighter (2), darker (1)"


def test_unreadable_videos_are_listed(videos, tmp_path):
    (videos / "darker" / "broken.mp4").write_bytes(b"no video")
    words = [videos, "--model", run_of(tmp_path / "run"), "--out", tmp_path / "out"]

    found, _ = evaluate(*words)
    table = CliRunner().invoke(app, ["evaluate", *map(str, words), "--views", "1"])

    assert found["unread"] == 1
    assert list(found["unreadable"]) == ["darker/broken.mp4"]
    reason = found["unreadable"]["darker/broken.mp4"]
    assert f"  {reason}\n" in table.stdout
    assert "darker/broken.mp4" in reason


def test_videos_in_quarantine_are_named_in_json_and_page(videos, tmp_path):
    bad = videos / "darker" / "broken.mp4"
    bad.write_bytes(b"no video")
    file = tmp_path / "bad.csv"
    write_quarantine(file, examine_videos([str(bad)], level="headers", workers=1))
    words = [videos, "--model", run_of(tmp_path / "run"), "--quarantine", file]

    found, said = evaluate(*words, "--out", tmp_path / "out")

    assert (found["videos"], found["unread"]) == (4, 0)
    assert list(found["quarantined"]) == ["darker/broken.mp4"]
    assert "1 of 5 videos are left out" in said
    assert "left out: darker/broken.mp4\n" in said
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Videos in quarantine" in page
    assert "<td>darker/broken.mp4</td>" in page


def test_nothing_readable_is_an_error(videos, tmp_path):
    for path in videos.rglob("*.mp4"):
        path.write_bytes(b"no video")
    command = ["evaluate", str(videos), "--model", str(run_of(tmp_path / "run"))]

    done = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "out")])

    assert done.exit_code == 1
    assert "none of the 4 videos" in str(done.exception)


def test_random_weights_say_so(videos, tmp_path):
    samples = "".join(f"{path} {n}\n" for n, path in enumerate(sorted(videos.rglob("*.mp4"))))
    (tmp_path / "list.txt").write_text(samples)
    random, said = evaluate(tmp_path / "list.txt", "--model", TINY, "--out", tmp_path / "a")
    trained, quiet = evaluate(videos, "--model", run_of(tmp_path / "run"), "--out", tmp_path / "b")
    assert (random["trained"], trained["trained"]) == (False, True)
    assert f"{TINY} has random weights: its predictions mean nothing" in said
    assert "random" not in quiet
    assert "random weights" in (tmp_path / "a" / "report.html").read_text()
    assert "of the model's" in said.splitlines()[0]


def test_one_class_is_refused(videos, tmp_path):
    torch.manual_seed(0)
    config = ModelConfig(name=TINY, clip=model_spec(TINY).clip, labels=("darker",))
    save_model(tmp_path / "one" / "best.safetensors", config.build(), config)
    (tmp_path / "list.txt").write_text(f"{videos / 'darker' / '0.mp4'} 0\n")
    command = ["evaluate", str(tmp_path / "list.txt"), "--model", str(tmp_path / "one")]

    done = CliRunner().invoke(app, command)

    assert "knows one class, 'darker'" in str(done.exception)


def test_an_unknown_mode_is_refused_before_the_work(tmp_path):
    done = CliRunner().invoke(app, ["evaluate", "x", "--model", TINY, "--mode", "mean"])
    assert "unknown mode 'mean'" in str(done.exception)


def test_many_classes_are_summed_up():
    from zoopraxis.cli._shown import class_line
    from zoopraxis.data.samples import Sample, SampleList

    labels = tuple(f"c{n}" for n in range(20))
    samples = tuple(
        Sample(path="", label=k, group="", name="") for k in range(15) for _ in range(k + 1)
    )
    line = class_line(SampleList(samples=samples, labels=labels, root=""))
    assert line.startswith("120 videos of 15 classes of the model's 20: c14 (15), c13 (14), ")
    assert line.endswith("c5 (6), and 5 more with 1 to 5 each")


# Other clips than the model's


def measured(out):
    """The logits that an evaluation kept, by video."""
    (file,) = out.glob("logits-*.npz")
    kept = read_evaluation(file)
    return dict(zip(kept.names, kept.logits, strict=True))


def refused(*words):
    done = CliRunner().invoke(app, ["evaluate", *map(str, words)])
    assert done.exit_code == 1
    return done.exception


@pytest.mark.parametrize(
    ("convention", "words", "views"),
    [("pyslowfast", ("--views", "2"), 2), ("tsm_twice", (), 2), ("tsn", (), 1), ("", (), 10)],
)
def test_a_convention_chooses_the_frames(convention, words, views, videos, tmp_path):
    run, out = run_of(tmp_path / "run"), tmp_path / "out"
    net = open_model(run)
    command = ["evaluate", str(videos), "--model", str(run), "--out", str(out), *words]

    done = CliRunner().invoke(app, [*command, "--convention", convention])

    assert done.exit_code == 0, done.output
    found = measured(out)
    assert len(found) == 4
    for name, logits in found.items():
        with open_video(videos / name) as video:
            rule = TEST.get(convention, sample_test)
            indices = rule(video.num_frames, video.fps, net.clip.sampling, views=views)
            (draw,) = net.clip.input.crops(video, 1)
            clips = net.clip.input.prepare(net.clip.input.read(video, indices, draw), draw)
        with torch.no_grad():
            expected = net.model(clips)
        np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)


def test_a_model_whose_clip_has_a_convention_keeps_it_until_told_otherwise(videos, tmp_path):
    config = ModelConfig(
        name=TINY, clip=model_spec(TINY).clip.change(convention="pyslowfast"), labels=LABELS
    )
    torch.manual_seed(0)
    save_model(tmp_path / "theirs" / "best.safetensors", config.build(), config)
    ours = run_of(tmp_path / "ours")  # the same weights
    assert open_model(tmp_path / "theirs").clip.sampling.convention == "pyslowfast"

    words = [
        (tmp_path / "theirs",),
        (ours, "--convention", "pyslowfast"),
        (tmp_path / "theirs", "--convention", ""),
        (ours,),
    ]
    for number, (run, *more) in enumerate(words):
        evaluate(videos, "--model", run, *more, "--out", tmp_path / str(number))

    found = [np.stack(list(measured(tmp_path / str(n)).values())) for n in range(4)]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[2], found[3])
    assert not np.allclose(found[0], found[2])


def test_another_convention_is_another_evaluation(videos, tmp_path):
    run, out = run_of(tmp_path / "run"), tmp_path / "out"
    evaluate(videos, "--model", run, "--out", out)
    _, said = evaluate(videos, "--model", run, "--out", out, "--convention", "tsn")
    _, again = evaluate(videos, "--model", run, "--out", out, "--convention", "tsn")
    _, larger = evaluate(videos, "--model", run, "--out", out, "--size", 48)

    assert "starting from scratch" in said
    assert "starting from scratch" in larger
    assert "resuming" in again


def test_what_a_convention_does_not_have_is_refused_before_the_work(videos, tmp_path):
    words = [videos, "--model", run_of(tmp_path / "run"), "--out", tmp_path / "out"]

    error = refused(*words, "--convention", "tsn", "--views", 10)
    assert error.problem == "the convention 'tsn' gives 1 view of a video, not 10"
    assert error.hint == "set views to 1"
    error = refused(*words, "--convention", "pyslow")
    assert "pyslowfast" in error.hint
    assert not (tmp_path / "out").exists()


def test_larger_crops(videos, tmp_path):
    run, out = run_of(tmp_path / "run"), tmp_path / "out"
    net = open_model(run)

    evaluate(videos, "--model", run, "--out", out, "--size", 64, "--resize", 72)

    larger = net.with_clip(size=64, resize=72)
    assert larger.clip.shape[-2:] == (64, 64)
    expected = predict(videos / "darker" / "1.mp4", larger).logits
    np.testing.assert_allclose(measured(out)["darker/1.mp4"], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_windows_of_larger_crops(engine, videos, tmp_path):
    run, out = run_of(tmp_path / "run"), tmp_path / "out"
    sizes = ("--size", 64, "--resize", 72)
    words = [videos, "--model", run, "--out", out, *sizes, "--engine", engine]
    evaluate(*words)

    _, said = evaluate(*words, "--fully-convolutional", 56)

    assert "starting from scratch" in said
    larger = fully_convolutional(open_model(run).with_clip(size=64, resize=72), 56)
    expected = predict(videos / "darker" / "1.mp4", larger).logits
    files = sorted(out.glob("logits-*.npz"), key=lambda file: file.stat().st_mtime_ns)
    kept = read_evaluation(files[-1])
    logits = kept.logits[kept.names.index("darker/1.mp4")]
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)


def test_windows_that_cannot_be_are_refused(videos, tmp_path):
    words = [videos, "--out", tmp_path / "out", "--model", run_of(tmp_path / "run")]

    error = refused(*words, "--fully-convolutional", 64)
    assert error.problem == "crops of 56 pixels hold no windows of 64"
    error = refused(*words, "--fully-convolutional", 56, "--mode", "mean_given")
    assert "the mode 'mean_given' says that the model gives none" in error.problem


def test_sizes_that_a_network_does_not_take_are_refused(videos, tmp_path):
    words = [videos, "--out", tmp_path / "out", "--model"]

    error = refused(*words, "test_c3d", "--size", 128, "--resize", 128)
    assert "test_c3d does not take clips of 3 x 8 x 128 x 128" in error.problem
    assert "weights for the positions" in error.problem
    assert error.hint.startswith("leave the sizes as they are: clips of 3 x 8 x ")
    error = refused(*words, "test_stgcn", "--size", 128)
    assert error.problem == "test_stgcn takes skeleton, which has no size"
    error = refused(*words, run_of(tmp_path / "run"), "--size", 40, "--resize", 32)
    assert "32" in error.problem
    assert "40" in error.problem


# Published accuracy


@pytest.fixture
def published_run(tmp_path, monkeypatch):
    """A run whose weights say they are a checkpoint of the zoo, and that checkpoint."""
    weights = Weights(
        model=TINY,
        tag="k400",
        source="torchvision",
        dataset="Kinetics-400",
        num_classes=2,
        top1=75.5,
        protocol=Protocol(views=2, crops=3, size=64, resize=72, convention="pyslowfast"),
    )
    monkeypatch.setattr("zoopraxis.weights.registry.weights_of", lambda _: (weights,))
    origin = {"weights": weights.name}
    config = ModelConfig(name=TINY, clip=model_spec(TINY).clip, labels=LABELS, origin=origin)
    torch.manual_seed(0)
    save_model(tmp_path / "theirs" / "best.safetensors", config.build(), config)
    return tmp_path / "theirs"


def test_a_published_accuracy_is_measured_again(published_run, videos, tmp_path):
    words = [videos, "--model", published_run, "--out", tmp_path / "out", "--published"]
    done = CliRunner().invoke(app, ["evaluate", *map(str, words), "--json"])
    table = CliRunner().invoke(app, ["evaluate", *map(str, words)])

    assert done.exit_code == table.exit_code == 0, done.output
    net = open_model(published_run).with_clip(size=64, resize=72, convention="pyslowfast")
    for name, logits in measured(tmp_path / "out").items():
        expected = predict(videos / name, net, views=2, crops=3).logits
        np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)
    facts = json.loads(done.stdout)
    top1 = 100 * facts["top1"]
    assert facts["published"]["top1"] == {
        "measured": pytest.approx(top1),
        "published": 75.5,
        "difference": pytest.approx(top1 - 75.5),
    }
    assert facts["published"]["weights"] == f"{TINY}.k400"
    assert "frames by pyslowfast" in done.stderr
    assert "does not state how scores are aggregated; as usual here: the mean" in done.stderr
    assert f"top1\t{top1:.2f} %\t75.50 %\t{top1 - 75.5:+.2f}" in table.stdout
    assert "others resize and re-encode them" in table.stdout
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Published accuracy" in page
    assert "75.50 %" in page
    assert "2 clips x 3 crops of 64 pixels" in page


def test_options_that_are_given_win(published_run, videos, tmp_path):
    words = [videos, "--model", published_run, "--out", tmp_path / "out", "--published", "--json"]
    given = ["--views", "1", "--crops", 1, "--size", 56, "--convention", "", "--mode", "vote"]
    done = CliRunner().invoke(app, ["evaluate", *map(str, [*words, *given])])

    assert done.exit_code == 0, done.output
    net = open_model(published_run).with_clip(resize=72)
    for name, logits in measured(tmp_path / "out").items():
        expected = predict(videos / name, net).logits
        np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)
    first = json.loads(done.stdout)["published"]["remarks"][0]
    assert first.startswith("Measured by another protocol: 1 clip, centre crop of 56 pixels")


def test_what_nobody_has_measured_is_refused(videos, tmp_path):
    words = [videos, "--out", tmp_path / "out", "--published", "--model"]

    error = refused(*words, run_of(tmp_path / "run"))
    assert "is no published checkpoint: nobody has measured it" in error.problem
    assert "zoopraxis models --weights" in error.hint


# Timelines


def test_timelines_of_whole_videos(videos, tmp_path):
    rows = [f"{path},0,0.3,{path.parent.name}" for path in sorted(videos.rglob("*.mp4"))]
    (tmp_path / "list.csv").write_text("\n".join(["path,start,end,label", *rows]))
    run, out = run_of(tmp_path / "runs" / "x"), tmp_path / "out"
    words = ["evaluate", str(tmp_path / "list.csv"), "--model", str(run), "--out", str(out)]
    words += ["--timeline", "--none", "darker", "--json"]

    plain = CliRunner().invoke(app, words)
    ruled = CliRunner().invoke(app, [*words, "--high", "2"])  # no probability is as high
    text = CliRunner().invoke(app, words[:-1])

    assert plain.exit_code == ruled.exit_code == text.exit_code == 0, plain.output + ruled.output
    facts = json.loads(plain.stdout)
    assert (facts["videos"], facts["segments"]) == (4, 2)
    assert list(facts["by_class"]) == ["brighter"]
    assert json.loads(ruled.stdout)["predicted"] == 0
    assert "the scores of 4 of 4 videos were kept" in ruled.stderr
    assert "map@0.5" in text.stdout
    assert (out / "report.html").is_file()


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--high", "0.5"], "--high does not go without --timeline"),
        (["--timeline", "--views", "3", "--reverse"], "--views, --reverse do not go with"),
        (["--timeline", "--convention", "tsn"], "--convention does not go with --timeline"),
        (["--timeline", "--published"], "--published does not go with --timeline"),
        (["--timeline", "--low", "0.5"], "--low and --shortest go with --high"),
    ],
)
def test_options_that_do_not_go_together(words, problem, videos):
    done = CliRunner().invoke(app, ["evaluate", str(videos), "--model", "x", *words])
    assert done.exit_code == 1
    assert problem in str(done.exception)
