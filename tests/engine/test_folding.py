"""Folded networks compute the same, with four dimensions at most."""

import tempfile
from pathlib import Path

import pytest
import torch
from torch import nn

from zoopraxis.checkpoints.create import create_model
from zoopraxis.checkpoints.saved import open_model
from zoopraxis.engine.export import export_model, open_exported
from zoopraxis.engine.folding import FoldedNetwork
from zoopraxis.errors import ZoopraxisError
from zoopraxis.models import list_models, model_spec

FAMILIES = (
    "test_r2plus1d",
    "test_s3d",
    "test_p3d",
    "test_csn",
    "test_x3d",
    "test_tsm",
    "test_mict",
    "test_i3d_two_stream",
    "test_slowfast",
    "test_eco",
)
FACTORISED = ("r2plus1d", "r2plus1d_variants", "csn", "p3d", "s3d", "x3d", "tsm", "tsm_online")
REFUSED = {"s3dg_howto100m"}  # its stem makes space and time channels, in eight dimensions
UNFOLDED = {
    "test_cnn3d",
    "test_cost",
    "test_fstcn",
    "test_gsm",
    "test_repflow",
    "test_repflow_of_flow",
    "test_space_time_region_graph",
    "test_stgcn",
    "test_stgcn_plus",
    "test_tdn",
    "test_tvnet",
}


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


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in list_models("test_*") if name not in FAMILIES])
@pytest.mark.filterwarnings("default")  # the tracer warns about itself
def test_all_families_fold_but_these(name, tmp_path):
    net = open_model(name)
    if name in UNFOLDED:
        with pytest.raises(ZoopraxisError, match="form in four dimensions"):
            export_model(net, tmp_path / "net.onnx", to="onnx", fold="4d")
        assert not list(tmp_path.iterdir())
    else:
        assert compare(net.model, net.clip.example(seed=1)) < 1e-11


class OverPositions(nn.Linear):
    """A linear layer at every position, as heads with windows have."""

    def forward(self, x):
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


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
        nn.AdaptiveAvgPool3d((3, 7, 4)),
        OverPositions(4, 6),
        nn.ConstantPad3d((1, 2, 0, 1, 2, 0), 3.0),
    ],
)
def test_layers_compute_the_same(layer):
    torch.manual_seed(0)
    assert compare(Then(layer), torch.randn(1, 4, 9, 7, 8)) < 1e-12


@pytest.mark.parametrize("name", ["test_r2plus1d", "test_tsm"])  # full ones: below
def test_files_hold_four_dimensions_at_most(name, tmp_path):
    net, path = open_model(name), tmp_path / "net.onnx"
    assert export_model(net, path, to="onnx", fold="4d") < 1e-5

    assert_four_dimensions(path)
    clips = net.clip.example(batch=2, seed=2)
    with torch.no_grad():
        wanted = net.model(clips)
        got = open_exported(path).model(clips)
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for one in FACTORISED for name in list_models(family=one)])
@pytest.mark.filterwarnings("default")  # exporters warn about themselves
def test_every_factorised_network_has_four_dimensions(name, tmp_path, record_property):
    with tempfile.TemporaryDirectory(dir=tmp_path) as folder:  # pytest keeps what is in tmp_path
        path = Path(folder) / "net.onnx"
        if name in REFUSED:
            with pytest.raises(ZoopraxisError, match="no form in four dimensions"):
                export_model(open_model(name), path, to="onnx", fold="4d")
            return
        error = export_model(open_model(name), path, to="onnx", fold="4d")
        assert_four_dimensions(path)
    record_property("parity of folded networks", f"{name}: onnx {error:.1e}")
    assert error < 1e-4


def assert_four_dimensions(path):
    """Look at every tensor of an ONNX file."""
    import onnx

    proto = onnx.shape_inference.infer_shapes(onnx.load(path), strict_mode=True)
    values = [*proto.graph.value_info, *proto.graph.input, *proto.graph.output]
    named = {value.name for value in values} | {one.name for one in proto.graph.initializer}
    assert {name for node in proto.graph.node for name in node.output if name} <= named
    assert all(len(value.type.tensor_type.shape.dim) <= 4 for value in values)
    assert all(len(weight.dims) <= 4 for weight in proto.graph.initializer)


def test_a_folded_openvino_file_takes_clips_as_any_other(tmp_path):
    torch.manual_seed(0)
    net, path = open_model("test_r2plus1d"), tmp_path / "net.xml"
    export_model(net, path, to="openvino", fold="4d")
    again, clips = open_exported(path), net.clip.example(batch=2, seed=2)
    assert again.config == net.config
    with torch.no_grad():
        torch.testing.assert_close(again.model(clips), net.model(clips), rtol=1e-4, atol=1e-5)


def test_what_has_no_form_is_named(tmp_path):
    class Batched(nn.Module):
        def forward(self, x):
            return x.view(3, 4, 1, 2, 2).relu().flatten()[None]

    class Divided(nn.Module):
        def forward(self, x):
            return x.view(1, 2, 2, 3, 2, 2).transpose(1, 2).flatten(1)

    for model in (Batched(), Divided()):
        with pytest.raises(ZoopraxisError, match=r"no form in four dimensions: .*view"):
            compare(model, torch.randn(1, 4, 3, 2, 2))
    with pytest.raises(ZoopraxisError, match=r"an input of shape \(1, 3, 2, 4\) too"):
        FoldedNetwork(Batched(), (torch.zeros(1, 4, 3, 2, 2), torch.zeros(1, 3, 2, 4)))

    class Turned(nn.Module):
        def forward(self, x):
            return x.cumsum(2).flatten(1)

    with pytest.raises(ZoopraxisError, match=r"no form in four dimensions: .*cumsum"):
        compare(Turned(), torch.randn(1, 4, 3, 2, 2))
    with pytest.raises(ZoopraxisError, match="--fold is for onnx"):
        export_model(open_model("test_csn"), tmp_path / "net.pt2", to="torch", fold="4d")
