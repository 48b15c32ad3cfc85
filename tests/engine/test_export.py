"""Exported files compute the same, and say what they are, without the project too."""

import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from videos import write
from zoopraxis.checkpoints.config import ModelConfig
from zoopraxis.checkpoints.saved import OpenModel, open_model
from zoopraxis.engine.compiled import SUFFIXES
from zoopraxis.engine.export import export_files, export_model, open_exported
from zoopraxis.errors import CheckpointError, ShapeError, ZoopraxisError
from zoopraxis.layers.resnet2d import Bottleneck2d
from zoopraxis.models import list_models

LSTM = "ignore:The tensor attributes self.*_flat_weights"  # torch's own, of an exported LSTM


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    opened = open_model("test_mc3")
    labels = tuple(f"Klasse „{k}“ <&>" for k in range(len(opened.labels)))
    config = ModelConfig(name=opened.config.name, clip=opened.clip, labels=labels)
    return OpenModel(opened.model, config)


@pytest.mark.parametrize("to", ["onnx", "openvino"])
@torch.no_grad()
def test_a_file_is_all_that_is_needed(net, to, tmp_path):
    path = tmp_path / f"net{SUFFIXES[to]}"
    assert export_model(net, path, to=to) < 1e-5

    again = open_exported(path)

    assert again.config == net.config
    clips = net.clip.example(batch=3, seed=2)
    torch.testing.assert_close(again.model(clips), net.model(clips), rtol=1e-4, atol=1e-5)
    names = {file.name for file in tmp_path.iterdir()}
    assert names == ({"net.onnx"} if to == "onnx" else {"net.xml", "net.bin"})
    with pytest.raises(ShapeError, match="was compiled for"):
        again.model(clips[:, :, 1:])


@torch.no_grad()
def test_onnx_runs_in_openvino_too(net, tmp_path):
    path = tmp_path / "net.onnx"
    export_model(net, path, to="onnx")

    again = open_exported(path, engine="openvino")

    assert again.config == net.config
    clip = net.clip.example(seed=2)
    torch.testing.assert_close(again.model(clip), net.model(clip), rtol=1e-4, atol=1e-5)


def test_pt2_opens_with_torch_alone(net, tmp_path):
    path = tmp_path / "net.pt2"
    export_model(net, path, to="torch")

    texts = {"zoopraxis.json": ""}
    program = torch.export.load(path, extra_files=texts)

    assert json.loads(texts["zoopraxis.json"]) == net.config.to_dict()
    clip = net.clip.example(seed=2)
    torch.testing.assert_close(program.module()(clip), net.model(clip))
    with pytest.raises(CheckpointError, match="Python objects"):
        open_exported(path)


def test_onnx_opens_with_onnx_runtime_alone(net, tmp_path):
    import onnxruntime

    path = tmp_path / "net.onnx"
    export_model(net, path, to="onnx")

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    about = json.loads(session.get_modelmeta().custom_metadata_map["zoopraxis"])
    clip = np.zeros(session.get_inputs()[0].shape, np.float32)
    (logits,) = session.run(None, {session.get_inputs()[0].name: clip})

    assert len(about["labels"]) == logits.shape[1]
    assert about["clip"]["input"].keys() >= {"mean", "std", "size"}


def test_formats_written_together_are_those_written_alone(net, tmp_path):
    paths = {to: tmp_path / f"net{suffix}" for to, suffix in SUFFIXES.items()}
    errors = export_files(net, paths)

    assert errors.keys() == SUFFIXES.keys()
    assert max(errors.values()) < 1e-5
    clip = net.clip.example(seed=2)
    with torch.no_grad():
        expected = net.model(clip)
        program = torch.export.load(paths["torch"]).module()
        for run in (program, *(open_exported(paths[to]).model for to in ("onnx", "openvino"))):
            torch.testing.assert_close(run(clip), expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(ZoopraxisError, match="--fold is for onnx"):
        export_files(net, paths, fold="4d")


@pytest.mark.filterwarnings("default")
def test_the_2d_features_of_eco_are_averaged_over_time_in_files(tmp_path):
    # maps of 1 x 2 x 2, from 4 x 2 x 2: ONNX has no adaptive pooling in 3D
    net = open_model("test_eco")
    short = OpenModel(net.model, replace(net.config, clip=net.clip.change(num_frames=4)))
    assert export_model(short, tmp_path / "net.onnx", to="onnx") < 1e-4


class Magnified(torch.nn.Module):
    """A network of whose logits only the last digits count."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return torch.sin(1e9 * self.model(x))


def test_a_network_that_magnifies_rounding_is_told_from_a_wrong_file(net, tmp_path):
    magnified = OpenModel(Magnified(net.model), net.config)
    with pytest.raises(ZoopraxisError, match="when its input changes in the last digit"):
        export_model(magnified, tmp_path / "net.onnx", to="onnx")
    assert not list(tmp_path.iterdir())


# Random blocks double what they are given, and TDN gates it: after 33 of them rounding shows.
MAGNIFYING = ("tdn_r101_8", "tdn_r101_16")


@pytest.mark.parametrize("name", [*list_models("test_*"), *list_models()])
@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # exporters warn about themselves
def test_every_network_exports(name, tmp_path, record_property):
    with tempfile.TemporaryDirectory(dir=tmp_path) as folder:  # pytest keeps what is in tmp_path
        paths = {to: Path(folder) / f"net{suffix}" for to, suffix in SUFFIXES.items()}
        net = open_model(name)
        if name in MAGNIFYING:
            for block in net.model.modules():
                if isinstance(block, Bottleneck2d):
                    torch.nn.init.constant_(block.norm3.weight, 0.5)
        errors = export_files(net, paths)
    shown = ", ".join(f"{to} {error:.1e}" for to, error in errors.items())
    record_property("parity of exported networks", f"{name}: {shown}")
    assert errors.keys() == SUFFIXES.keys()
    assert max(errors.values()) < 1e-4


def test_what_cannot_be_written_leaves_nothing(net, tmp_path, monkeypatch):
    with pytest.raises(ZoopraxisError, match=r"does not end in \.onnx"):
        export_model(net, tmp_path / "net.pt", to="onnx")
    with pytest.raises(ZoopraxisError, match="no folder"):
        export_model(net, tmp_path / "nowhere" / "net.onnx", to="onnx")
    broken = OpenModel(open_model("test_mc3").model, net.config)
    with torch.no_grad():
        next(broken.model.parameters()).fill_(float("nan"))
    with pytest.raises(ZoopraxisError, match="is not written"):
        export_model(broken, tmp_path / "net.xml", to="openvino")
    assert not list(tmp_path.iterdir())


def test_files_of_others_are_refused(net, tmp_path):
    import onnx

    path = tmp_path / "net.onnx"
    with pytest.raises(CheckpointError, match="no file"):
        open_exported(path)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(CheckpointError, match="cannot be read by ONNX Runtime"):
        open_exported(path)
    with pytest.raises(CheckpointError, match="cannot be read by OpenVINO"):
        open_exported(path, engine="openvino")
    with pytest.raises(ZoopraxisError, match="does not run"):
        open_exported(path, engine="torch")
    export_model(net, path, to="onnx")
    proto = onnx.load(path)
    del proto.metadata_props[:]
    onnx.save(proto, path)
    for engine in ("onnx", "openvino"):
        with pytest.raises(CheckpointError, match="does not say which network"):
            open_exported(path, engine=engine)


def test_the_example_runs_a_file_without_the_project(net, tmp_path):
    example = Path(__file__).parents[2] / "examples" / "run_exported.py"
    export_model(net, tmp_path / "net.onnx", to="onnx")
    video = write(tmp_path / "clip.mp4", frames=30)
    code = (
        "import runpy, sys; sys.modules['zoopraxis'] = sys.modules['torch'] = None;"
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, example, tmp_path / "net.onnx", video],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    rows = [line.strip().split("  ", 1) for line in done.stdout.splitlines()]
    scores, labels = zip(*rows, strict=True)
    assert len(labels) == 5
    assert set(labels) <= set(net.labels)
    values = [float(score.removesuffix("%")) for score in scores]
    assert values == sorted(values, reverse=True)
    assert 0 < sum(values) <= 100.5
