"""zoopraxis predict, from the outside."""

import json
import re

import pytest
import torch
from typer.testing import CliRunner

from videos import write
from zoopraxis.checkpoints.config import ModelConfig
from zoopraxis.checkpoints.saved import open_model, save_model
from zoopraxis.cli import app
from zoopraxis.engine.optimize import optimize_opened
from zoopraxis.errors import ZoopraxisError
from zoopraxis.inputs import RGB
from zoopraxis.models import model_spec
from zoopraxis.prediction.fully_convolutional import fully_convolutional
from zoopraxis.prediction.pipeline import predict
from zoopraxis.prediction.timeline import Hysteresis, predict_timeline
from zoopraxis.video import open_video


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny network with four named classes."""
    torch.manual_seed(0)
    spec = model_spec("test_r2plus1d")
    labels = ("walk", "run", "sit down", "stand up")
    config = ModelConfig(name=spec.name, clip=spec.clip, labels=labels)
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    return str(save_model(path, config.build(), config))


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return str(write(tmp_path_factory.mktemp("video") / "numbers.mp4", frames=40))


def assert_close(seen, expected):
    """The same labels, and scores and logits within 1e-4."""
    assert [row["label"] for row in seen["top"]] == [row["label"] for row in expected["top"]]
    for a, b in zip(seen["top"], expected["top"], strict=True):
        assert a["score"] == pytest.approx(b["score"], abs=1e-4)
    for a, b in zip(seen["views"], expected["views"], strict=True):
        assert a["logits"] == pytest.approx(b["logits"], abs=1e-4)


def call(*words):
    return CliRunner().invoke(app, ["predict", *map(str, words)])


def test_json_is_what_the_library_says(model, video):
    done = call(video, "--model", model, "--views", 3, "--crops", 3, "--top", 2, "--json")
    assert done.exit_code == 0
    net = optimize_opened(open_model(model), engine="torch")
    expected = predict(video, net, views=3, crops=3, top=2)
    assert json.loads(done.stdout) == json.loads(expected.to_json())


def test_the_table_has_labels_scores_and_times(model, video):
    done = call(video, "--model", model, "--top", 2)
    expected = predict(video, model, top=2)
    first, *rows = done.stdout.splitlines()
    start, end = expected.times[0]
    assert first == f"{video}: seen {start:.2f}-{end:.2f} s"
    assert rows == [
        f"  {score:6.1%}  {label}"
        for label, score in zip(expected.labels, expected.scores, strict=True)
    ]


def test_the_clip_may_be_another_than_the_models(model, video):
    options = ("--convention", "tsm_twice", "--size", 64, "--resize", 72)
    done = call(video, "--model", model, *options, "--json")
    net = optimize_opened(open_model(model), engine="torch")
    net = net.with_clip(convention="tsm_twice", size=64, resize=72)
    assert json.loads(done.stdout) == json.loads(predict(video, net, views=2).to_json())

    windows = call(video, "--model", model, *options, "--fully-convolutional", 56, "--json")
    expected = predict(video, fully_convolutional(net, 56), views=2)
    assert_close(json.loads(windows.stdout), json.loads(expected.to_json()))

    lined = call(video, "--model", model, "--convention", "tsn", "--timeline")
    assert "--whole makes one prediction of 1 view by the convention tsn" in lined.stderr
    live = call(video, "--model", model, "--convention", "tsn", "--stream")
    assert "--stream does not go with --convention" in live.stderr


def test_a_timeline_when_asked(model, video):
    done = call(video, "--model", model, "--timeline", "--json")
    expected = predict_timeline(video, optimize_opened(open_model(model), engine="torch"))
    assert json.loads(done.stdout) == json.loads(expected.to_json())
    assert json.loads(done.stdout)["segments"][-1]["end"] == pytest.approx(1.6)


def test_two_thresholds_reach_the_timeline(model, video):
    words = ("--high", 0.15, "--low", 0.1, "--shortest", 0.1, "--none", "run")
    done = call(video, "--model", model, *words, "--json")
    rule = Hysteresis(high=0.15, low=0.1, shortest=0.1, none="run")
    expected = predict_timeline(
        video, optimize_opened(open_model(model), engine="torch"), rule=rule
    )
    assert expected.segments
    assert json.loads(done.stdout) == json.loads(expected.to_json())


@pytest.mark.parametrize(
    ("words", "hint"), [(["--low", 0.2], "--high"), (["--high", 0.5, "--whole"], "--whole")]
)
def test_thresholds_are_for_timelines(model, video, words, hint):
    done = call(video, "--model", model, *words)
    assert isinstance(done.exception, ZoopraxisError)
    assert hint in str(done.exception)


def test_a_long_video_becomes_a_timeline(model, tmp_path):
    path = write(tmp_path / "long.mp4", frames=33, rate=1)
    assert "timeline" in call(path, "--model", model).stdout
    assert "timeline" not in call(path, "--model", model, "--whole").stdout


def test_an_unreadable_video_does_not_stop_the_others(model, video, tmp_path):
    text = tmp_path / "notes.mp4"
    text.write_text("not a video\n" * 50)
    done = call(text, video, tmp_path / "none.mp4", "--model", model)
    assert done.exit_code == 1
    assert done.stdout.startswith(f"{video}: seen")
    assert f"error: {text}" in done.stderr
    assert f"error: {tmp_path / 'none.mp4'}" in done.stderr


def test_overlays_of_several_videos_go_into_a_folder(model, video, tmp_path):
    other = write(tmp_path / "other.mp4", frames=5)
    assert call(video, other, "--model", model, "--save", tmp_path / "out").exit_code == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["numbers.overlay.mp4", "other.overlay.mp4"]
    with open_video(tmp_path / "out" / names[1]) as saved:
        assert saved.num_frames == 5
    refused = call(video, other, "--model", model, "--save", tmp_path / "one.mp4")
    assert isinstance(refused.exception, ZoopraxisError)


def test_the_overlay_of_one_video(model, video, tmp_path):
    assert call(video, "--model", model, "--save", tmp_path / "one.mp4").exit_code == 0
    with open_video(tmp_path / "one.mp4") as saved:
        assert (saved.num_frames, saved.width, saved.height) == (40, 480, 360)


def test_an_unknown_model_is_an_error(video):
    assert isinstance(call(video, "--model", "r2plus1d_19").exception, ZoopraxisError)


def test_a_folder_called_like_a_model_does_not_shadow_it(video, tmp_path, monkeypatch):
    (tmp_path / "test_r2plus1d").mkdir()
    monkeypatch.chdir(tmp_path)
    done = call(video, "--model", "test_r2plus1d", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["model"] == "test_r2plus1d"


def test_the_folder_of_a_run_is_its_best_weights(model, video, tmp_path):
    import shutil
    from pathlib import Path

    (tmp_path / "runs" / "x").mkdir(parents=True)
    for ending in (".safetensors", ".json"):
        shutil.copy(Path(model).with_suffix(ending), tmp_path / "runs" / "x" / f"best{ending}")
    done = call(video, "--model", tmp_path / "runs" / "x", "--json")
    found = json.loads(done.stdout)
    assert found["model"].endswith("runs/x/best.safetensors")
    expected = predict(video, optimize_opened(open_model(model), engine="torch"))
    assert found["top"] == json.loads(expected.to_json())["top"]


def test_random_weights_say_so(video, model):
    done = call(video, "--model", "test_r2plus1d", "--json")
    assert "test_r2plus1d has random weights: its predictions mean nothing" in done.stderr
    assert json.loads(done.stdout)["trained"] is False
    done = call(video, "--model", model, "--json")
    assert done.stderr == ""
    assert json.loads(done.stdout)["trained"] is True


def test_weights_that_are_nan_predict_nothing(video, tmp_path):
    spec = model_spec("test_r2plus1d")
    config = ModelConfig(name=spec.name, clip=spec.clip, labels=("a", "b"))
    network = config.build()
    with torch.no_grad():
        for weight in network.parameters():
            weight.fill_(float("nan"))
    path = save_model(tmp_path / "m.safetensors", network, config)

    done = call(video, "--model", path)

    assert done.exit_code == 1
    assert done.stdout == ""
    assert f"error: {video}: the network's output is NaN or infinite" in done.stderr


def test_a_bug_at_one_video_does_not_stop_the_others(model, video, tmp_path, monkeypatch):
    other = write(tmp_path / "other.mp4", frames=20)
    open_ = RGB.open

    def broken(self, media):
        if str(media.path) == str(other):
            raise KeyError("what nobody thought of")
        return open_(self, media)

    monkeypatch.setattr(RGB, "open", broken)
    done = call(other, video, "--model", model)

    assert done.exit_code == 1
    assert done.stdout.startswith(f"{video}: seen")
    assert f"error: {other}: KeyError: 'what nobody thought of'" in done.stderr
    assert "this is a bug" in done.stderr
    assert "Traceback" in done.stderr


def test_live_videos_say_how_late_they_are(model, video, tmp_path, monkeypatch):
    from zoopraxis.video import _live

    monkeypatch.setattr(_live, "_address", lambda _: (None, video))  # a stream that is a file
    done = call("udp://camera", tmp_path / "none.mp4", "--model", model)
    assert re.search(r"\(lag \d+\.\d s, \d+ frames dropped\)$", done.stdout.splitlines()[0])
    assert f"error: {tmp_path / 'none.mp4'}" in done.stderr  # it goes on when the stream ends

    found = json.loads(call("udp://camera", "--model", model, "--json").stdout.splitlines()[0])
    assert found["lag"] >= 0
    assert found["dropped"] >= 0


def test_no_overlay_is_written_over_another_file(model, video, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "x.mp4", frames=4)
    both = [tmp_path / "a" / "x.mp4", tmp_path / "b" / "x.mp4"]
    done = call(*both, "--model", model, "--save", tmp_path / "out")
    assert "would both be saved as" in str(done.exception)
    before = both[0].read_bytes()
    done = call(both[0], "--model", model, "--save", both[0])
    assert "is the video itself" in str(done.exception)
    assert both[0].read_bytes() == before


def test_options_that_a_live_video_cannot_have_are_refused(model, tmp_path):
    done = call("camera:0", "--model", model, "--save", tmp_path / "o.mp4", "--views", 3)
    assert done.exit_code == 1
    assert "cannot be predicted with --views, --save" in done.stderr


def test_a_timeline_says_that_it_has_one_view(model, video):
    assert (
        "--whole makes one prediction of 3 views"
        in call(video, "--model", model, "--timeline", "--views", 3).stderr
    )


def test_a_device_that_is_not_there_is_no_bug(model, video):
    done = call(video, "--model", model, "--device", "abacus")
    assert done.exit_code == 1
    assert "error: the device 'abacus' cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("suffix", [".onnx", ".xml"])
def test_an_exported_file_predicts_what_its_network_does(model, video, suffix, tmp_path):
    to = {".onnx": "onnx", ".xml": "openvino"}[suffix]
    file = tmp_path / f"net{suffix}"
    written = CliRunner().invoke(app, ["export", model, str(file), "--to", to, "--json"])
    assert written.exit_code == 0
    report = json.loads(written.stdout)
    assert report["file"] == str(file)
    assert report["format"] == to
    assert 0 <= report["relative_error"] < 1e-4

    done = call(video, "--model", file, "--top", 2, "--json")

    assert_close(json.loads(done.stdout), json.loads(predict(video, model, top=2).to_json()))


@pytest.mark.parametrize("engine", ["auto", "torch", "openvino", "onnx"])
def test_engines_agree(model, video, engine):
    done = call(video, "--model", model, "--engine", engine, "--threads", 1, "--json")

    assert_close(json.loads(done.stdout), json.loads(predict(video, model).to_json()))


def test_an_exported_file_is_not_for_a_gpu_nor_for_any_engine(model, video, tmp_path):
    file = tmp_path / "net.xml"
    assert CliRunner().invoke(app, ["export", model, str(file), "--to", "openvino"]).exit_code == 0

    elsewhere = call(video, "--model", file, "--device", "cuda")
    assert isinstance(elsewhere.exception, ZoopraxisError)
    assert "runs on the CPU" in elsewhere.exception.problem
    other = call(video, "--model", file, "--engine", "torch")
    assert isinstance(other.exception, ZoopraxisError)
    assert "does not run" in other.exception.problem


def test_the_precision_reaches_the_network(model, video):
    exact, half = (
        json.loads(call(video, "--model", model, "--precision", precision, "--json").stdout)
        for precision in ("float32", "bfloat16")
    )
    (a,), (b,) = ([view["logits"] for view in seen["views"]] for seen in (exact, half))
    assert a != b
    assert a == pytest.approx(b, abs=0.05)


def test_a_processor_without_bfloat16_is_named(model, video, monkeypatch):
    has = {"avx2": True, "avx512_bf16": False, "amx_bf16": False}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has, raising=False)
    done = call(video, "--model", model, "--precision", "bfloat16")
    assert done.exit_code == 0
    assert "note: this processor has no bfloat16 instructions: float32 is faster" in done.stderr
    has["amx_bf16"] = True
    assert "note:" not in call(video, "--model", model, "--precision", "bfloat16").stderr


def test_a_stream_is_not_computed_in_halves(model, video):
    done = call(video, "--model", model, "--stream", "--precision", "bfloat16")
    assert done.exit_code == 1
    assert "--stream computes float32" in done.stderr
