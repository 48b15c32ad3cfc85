"""Predictions of exported files are those of the straight line, and need no torch."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from videos import write
from zoopraxis import models
from zoopraxis.checkpoints.config import ModelConfig
from zoopraxis.checkpoints.saved import OpenModel, open_model
from zoopraxis.engine.compiled import compile_exported
from zoopraxis.engine.export import export_model, open_exported
from zoopraxis.errors import CheckpointError, RecipeError, ShapeError
from zoopraxis.inputs import RGB, Media
from zoopraxis.inputs.augment import Draw
from zoopraxis.prediction.exported import frame_network, predict_exported, prepare_frames
from zoopraxis.prediction.pipeline import predict


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    torch.manual_seed(0)
    opened = open_model("test_r2plus1d")
    clip = opened.clip.change(stride=2, resize=40, size=32, channel_order="bgr", fps=12.0)
    config = ModelConfig(name=opened.config.name, clip=clip, labels=tuple("abcdefghijkl"))
    path = tmp_path_factory.mktemp("net") / "net.xml"
    export_model(OpenModel(opened.model, config), path, to="openvino")
    return path


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return str(write(tmp_path_factory.mktemp("video") / "numbers.mp4", frames=40, rotation=90))


@pytest.mark.parametrize("options", [{}, {"views": 3, "crops": 10}, {"crops": 3, "mode": "vote"}])
def test_it_predicts_what_the_straight_line_predicts(file, video, options):
    media = Media(path=video, start=0.2, end=1.4)
    net = frame_network(compile_exported(file), file)

    found = predict_exported(media, net, **options)

    expected = predict(media, open_exported(file), **options)
    assert found == expected
    np.testing.assert_allclose(found.logits, expected.logits, rtol=1e-5, atol=1e-6)
    assert json.loads(found.to_json()).keys() == json.loads(expected.to_json()).keys()


def test_a_convention_is_part_of_the_file(video, tmp_path):
    net = open_model("test_r2plus1d").with_clip(convention="tsm_twice")
    export_model(net, tmp_path / "net.onnx", to="onnx")
    quick = frame_network(compile_exported(tmp_path / "net.onnx"), tmp_path / "net.onnx")

    found = predict_exported(Media(path=video), quick, views=2)

    assert found == predict(video, open_exported(tmp_path / "net.onnx"), views=2)
    np.testing.assert_allclose(
        found.logits, predict(video, net, views=2).logits, rtol=1e-4, atol=1e-5
    )
    with pytest.raises(RecipeError, match="gives 2 views of a video, not 1"):
        predict_exported(Media(path=video), quick)
    with pytest.raises(ShapeError, match="was converted for clips of 3 x 8 x 56 x 56, not 3 x 8 x"):
        open_exported(tmp_path / "net.onnx").with_clip(size=64)


@pytest.mark.parametrize("order", ["rgb", "bgr"])
@pytest.mark.parametrize("flip", [False, True])
def test_clips_are_prepared_alike(order, flip):
    kind = RGB(resize=20, size=16, channel_order=order, value_range=255.0, mean=(90.0, 99.0, 9.0))
    frames = np.random.default_rng(0).integers(0, 256, (5, 20, 30, 3), dtype=np.uint8)
    draw = Draw(scaled=(20, 30), box=(3, 7, 16, 16), flip=flip)

    found = prepare_frames(frames, draw, kind)

    (expected,) = kind.prepare(torch.from_numpy(frames).movedim(-1, -3)[None], draw)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_longer_videos_are_left_to_timelines(file, video):
    net = frame_network(compile_exported(file), file)
    assert predict_exported(Media(path=video), net, longest=1.0) is None
    assert predict_exported(Media(path=video), net, longest=2.0) is not None


def test_other_inputs_are_left_to_the_straight_line(file):
    compiled = compile_exported(file)
    about = json.loads(compiled.text)
    about["clip"]["input"]["kind"] = "rgb_diff"
    assert frame_network(_with_text(compiled, json.dumps(about)), file) is None
    about["clip"]["input"] |= {"kind": "rgb", "size": "wide"}
    with pytest.raises(CheckpointError, match=r"clip\.input\.size = 'wide'"):
        frame_network(_with_text(compiled, json.dumps(about)), file)
    with pytest.raises(CheckpointError, match="does not say what network"):
        frame_network(_with_text(compiled, "{}"), file)


def _with_text(compiled, text):
    return replace(compiled, text=text)


def imported(program, *arguments):
    """Run a program in another process: what it prints, and the large packages it imported."""
    code = f"import sys\n{program}\nprint(*(sys.modules.keys() & set({[*HEAVY, *FAMILIES]!r})))"
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
    )
    *lines, modules = done.stdout.splitlines()
    return lines, set(modules.split())


HEAVY = ["torch", "torchvision", "sklearn", "numba", "matplotlib", "timm", "cv2"]
FAMILIES = [f"zoopraxis.models.{family}" for family in models.FAMILIES]
COMMAND = """
from zoopraxis.cli import main
sys.argv[0] = "zoopraxis"
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""


def test_an_exported_file_is_run_without_torch(file, video):
    command = ("predict", video, "--model", file, "--engine", "openvino", "--json")

    (line,), modules = imported(COMMAND, *command)

    assert modules == set()
    expected = predict(video, open_exported(file))
    assert [row["label"] for row in json.loads(line)["top"]] == list(expected.labels)


def test_the_table_needs_no_torch_either(file, video):
    lines, modules = imported(COMMAND, "predict", video, "--model", file, "--top", 2)
    assert len(lines) == 3
    assert modules == set()


def test_a_network_of_the_zoo_is_run_without_the_others(video):
    command = ("predict", video, "--model", "test_x3d")
    assert imported(COMMAND, *command)[1] == {"torch", "zoopraxis.models.x3d"}


def test_help_imports_nothing_heavy():
    assert imported(COMMAND, "predict", "--help")[1] == set()


@pytest.mark.parametrize("module", ["zoopraxis.prediction.pipeline", "zoopraxis.doctor"])
def test_nothing_on_the_main_path_imports_torchvision(module):
    assert imported(f"import {module}")[1] == {"torch"}
