"""Folded networks compute the same, with four dimensions at most."""

import pytest
import torch
from torch import nn

from zoopraxis.checkpoints.create import create_model
from zoopraxis.checkpoints.saved import open_model
from zoopraxis.engine.export import export_model, open_exported
from zoopraxis.engine.folding import FoldedNetwork
from zoopraxis.errors import ZoopraxisError
from zoopraxis.models import model_spec

FAMILIES = ("test_r2plus1d", "test_s3d", "test_p3d", "test_csn", "test_mc3", "test_x3d", "test_tsm")


def compare(model, clip):
    """Relative difference of a network and its folded form, in double precision."""
    model, clip = model.double().eval(), clip.double()
    folded = FoldedNetwork(model, (clip,))
    with torch.no_grad():
        wanted = model(clip)
        got = folded(clip[0].transpose(0, 1))
    assert got.shape == wanted.shape
    return float((got - wanted).abs().max() / wanted.abs().max())


@pytest.mark.parametrize("name", FAMILIES)
def test_networks_compute_the_same(name):
    torch.manual_seed(0)
    assert compare(create_model(name), model_spec(name).clip.example(seed=1)) < 1e-11


class Then(nn.Module):
    """A layer whose outputs are put in a row, as a network's are."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x).flatten(1)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv3d(4, 6, 3, padding=1),
        nn.Conv3d(4, 6, (3, 1, 1), stride=(2, 1, 1), padding=(2, 0, 0), dilation=(2, 1, 1)),
        nn.Conv3d(4, 8, (3, 5, 3), stride=(2, 2, 1), dilation=(2, 1, 1), groups=2, bias=False),
        nn.Conv3d(4, 6, 1, stride=2),
        nn.Conv3d(4, 4, (3, 1, 1), stride=(1, 2, 2), groups=4),
        nn.MaxPool3d(3, stride=2, padding=1),
        nn.MaxPool3d((2, 3, 3), stride=2, ceil_mode=True),
        nn.AvgPool3d((3, 2, 2), stride=(2, 1, 1), padding=(1, 0, 0)),
        nn.ConstantPad3d((1, 2, 0, 1, 2, 0), 3.0),
    ],
)
def test_layers_compute_the_same(layer):
    torch.manual_seed(0)
    assert compare(Then(layer), torch.randn(1, 4, 9, 7, 8)) < 1e-12


@pytest.mark.parametrize("name", ["test_r2plus1d", "test_s3d", "test_p3d", "test_csn", "test_tsm"])
def test_files_hold_four_dimensions_at_most(name, tmp_path):
    import onnx

    torch.manual_seed(0)
    net, path = open_model(name), tmp_path / "net.onnx"
    assert export_model(net, path, to="onnx", fold="4d") < 1e-5

    proto = onnx.shape_inference.infer_shapes(onnx.load(path), strict_mode=True)
    values = [*proto.graph.value_info, *proto.graph.input, *proto.graph.output]
    named = {value.name for value in values} | {one.name for one in proto.graph.initializer}
    assert {name for node in proto.graph.node for name in node.output if name} <= named
    assert all(len(value.type.tensor_type.shape.dim) <= 4 for value in values)
    assert all(len(weight.dims) <= 4 for weight in proto.graph.initializer)
    clips = net.clip.example(batch=2, seed=2)
    with torch.no_grad():
        wanted = net.model(clips)
        got = open_exported(path).model(clips)
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-5)


def test_a_folded_openvino_file_takes_clips_as_any_other(tmp_path):
    torch.manual_seed(0)
    net, path = open_model("test_r2plus1d"), tmp_path / "net.xml"
    export_model(net, path, to="openvino", fold="4d")
    again, clips = open_exported(path), net.clip.example(batch=2, seed=2)
    assert again.config == net.config
    with torch.no_grad():
        torch.testing.assert_close(again.model(clips), net.model(clips), rtol=1e-4, atol=1e-5)


def test_what_has_no_form_is_named(tmp_path):
    class Turned(nn.Module):
        def forward(self, x):
            return x.cumsum(2).flatten(1)

    with pytest.raises(ZoopraxisError, match=r"no form in four dimensions: .*cumsum"):
        compare(Turned(), torch.randn(1, 4, 3, 2, 2))
    with pytest.raises(ZoopraxisError, match="--fold is for onnx"):
        export_model(open_model("test_csn"), tmp_path / "net.pt2", to="torch", fold="4d")
