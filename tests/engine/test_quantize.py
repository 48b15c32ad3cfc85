"""Networks in eight bits compute nearly the same, and are never taken for the others."""

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from videos import write
from zoopraxis.checkpoints.saved import open_model, save_model
from zoopraxis.cli import app
from zoopraxis.data.samples import read_samples
from zoopraxis.engine.compiled import SUFFIXES, compile_exported
from zoopraxis.engine.export import export_model, export_quantized, open_exported
from zoopraxis.errors import DataError, ZoopraxisError
from zoopraxis.evaluation.identity import evaluation_key
from zoopraxis.evaluation.precision import ListedClips, precision_change, spread
from zoopraxis.inputs.playback import FORWARDS


class Noise:
    """Clips of noise, as the network takes them."""

    def __init__(self, net, count):
        self.clips = [(net.clip.example(seed=seed).numpy(),) for seed in range(count)]

    def __len__(self):
        return len(self.clips)

    def __iter__(self):
        return iter(self.clips)


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return open_model("test_r2plus1d")


@pytest.fixture(scope="module")
def videos(net, tmp_path_factory):
    """A list of six videos with labels of the network, of which it gets half right."""
    folder = tmp_path_factory.mktemp("videos")
    lines = []
    for number in range(6):
        write(folder / f"{number}.mp4", frames=20)
        lines.append(f"{number}.mp4,{net.labels[number % 2]}")
    (folder / "list.csv").write_text("\n".join(lines))
    return folder / "list.csv"


@pytest.mark.parametrize("fold", [None, "4d"])
@pytest.mark.parametrize("to", ["onnx", "openvino"])
@torch.no_grad()
def test_outputs_are_within_some_percent(net, to, fold, tmp_path):
    exact, small = tmp_path / f"exact{SUFFIXES[to]}", tmp_path / f"small{SUFFIXES[to]}"
    export_model(net, exact, to=to, fold=fold)
    export_quantized(net, small, to=to, clips=Noise(net, 4), fold=fold)

    again = open_exported(small)

    assert again.config == net.config
    clips = net.clip.example(batch=3, seed=9)
    wanted, got = net.model(clips), again.model(clips)
    error = float((got - wanted).abs().max() / wanted.abs().max())
    assert 1e-4 < error < 0.05  # eight bits indeed, and not far off
    weights = {"onnx": ".onnx", "openvino": ".bin"}[to]
    sizes = [path.with_suffix(weights).stat().st_size for path in (small, exact)]
    assert sizes[0] < 0.6 * sizes[1]


def test_kept_numbers_of_eight_bits_are_their_own(net, videos, tmp_path):
    export_model(net, tmp_path / "exact.xml", to="openvino")
    export_quantized(net, tmp_path / "small.xml", to="openvino", clips=Noise(net, 2))
    samples = read_samples(videos, labels=net.labels)
    settings = {"views": 1, "crops": 1, "precision": "float32", "play": FORWARDS}

    keys = {
        evaluation_key(open_exported(tmp_path / name), samples, **settings)
        for name in ("exact.xml", "small.xml")
    }

    assert len(keys) == 2
    assert compile_exported(tmp_path / "small.xml").engine == "openvino"


def call(*words):
    return CliRunner().invoke(app, ["export", *map(str, words)])


@pytest.mark.parametrize("to", ["onnx", "openvino"])
def test_the_command_prints_the_change_of_accuracy(net, videos, to, tmp_path):
    save_model(tmp_path / "net.safetensors", net.model, net.config)
    out = tmp_path / f"net{SUFFIXES[to]}"
    words = ["--precision", "int8", "--calibrate", videos, "--calibration-clips", 2]

    few = call(tmp_path / "net.safetensors", out, "--to", to, *words)
    whole = call(tmp_path / "net.safetensors", out, "--to", to, *words, "--check", "--json")

    assert few.exit_code == 0, few.output
    assert "in float32, " in few.stdout
    assert "in int8, on 2 videos; " in few.stdout
    about = json.loads(whole.stdout)
    assert about["videos"] == 6
    assert 0 < about["relative_error"] < 0.05
    # the videos are alike, and of two classes: a network is right about half of them, or none
    assert about["before"] in (0, 0.5)
    assert abs(about["after"] - about["before"]) == about["changed"] / 6 or about["changed"] == 0


def test_clips_are_of_the_list_and_calibrate_as_often_as_asked(net, videos):
    samples = read_samples(videos, labels=net.labels)
    assert [s.name for s in spread(samples, 3)] == [samples[i].name for i in (0, 2, 5)]
    assert spread(samples, 100) == samples
    told = []
    clips = ListedClips(spread(samples, 2), net.clip, progress=lambda *done: told.append(done))

    first, second = list(clips), list(clips)

    assert told == [(1, 2), (2, 2)]
    for (a,), (b,) in zip(first, second, strict=True):
        assert np.array_equal(a, b)
        assert a.shape == (1, *net.clip.input.shape(net.clip.sampling.num_frames))


def test_a_video_that_cannot_be_read_is_named(net, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    (tmp_path / "list.csv").write_text(f"broken.mp4,{net.labels[0]}\n")
    samples = read_samples(tmp_path / "list.csv", labels=net.labels)
    with pytest.raises(DataError, match=r"broken\.mp4 cannot calibrate"):
        export_quantized(
            net, tmp_path / "net.xml", to="openvino", clips=ListedClips(samples, net.clip)
        )
    assert not (tmp_path / "net.xml").exists()


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["net.xml", "--to", "openvino", "--precision", "int8"], "needs clips to calibrate"),
        (["net.xml", "--to", "openvino", "--calibrate", "x"], "go with --precision int8"),
        (["net.pt2", "--to", "torch", "--precision", "int8", "--calibrate", "x"], "is for onnx"),
    ],
)
def test_options_that_do_not_fit_are_refused(words, problem):
    done = call("test_r2plus1d", *words)
    assert isinstance(done.exception, ZoopraxisError)
    assert problem in done.exception.problem


def test_the_centre_is_by_our_own_rule_whatever_convention_a_clip_has(net, videos):
    # this one gives two views of a video, neither of which is the centre
    samples, twice = read_samples(videos, labels=net.labels), net.with_clip(convention="tsm_twice")

    plain, named = (list(ListedClips(samples, clip)) for clip in (net.clip, twice.clip))
    changes = [precision_change(one, one, samples) for one in (net, twice)]

    assert all(np.array_equal(x, y) for (x,), (y,) in zip(plain, named, strict=True))
    assert changes[0].before.key == changes[1].before.key
    assert np.array_equal(changes[0].before.logits, changes[1].before.logits)
