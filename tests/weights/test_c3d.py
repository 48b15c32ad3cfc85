"""C3D's sources: the Caffe2 blobs, norms without biases, the Caffe build, the mean volume."""

import numpy as np
import pytest
import torch

from caffe_files import blob
from zoopraxis.checkpoints.convert import convert_state_dict
from zoopraxis.checkpoints.create import create_model
from zoopraxis.checkpoints.formats.caffe import read_mean
from zoopraxis.errors import ShapeError
from zoopraxis.testing import fill, noise_clip
from zoopraxis.weights.c3d import VOLUME, subtract_mean_volume


def test_caffe2_blobs_become_ours():
    with torch.device("meta"):
        shapes = {k: tuple(v.shape) for k, v in create_model("c3d_vmz").state_dict().items()}
    blobs = {}
    for key, shape in shapes.items():
        layer, *kind, what = key.split(".")
        if what == "num_batches_tracked":
            continue
        letters = {"weight": "s", "bias": "b", "running_mean": "rm", "running_var": "riv"}
        name = layer.replace("fc8", "last_out_L400")
        if kind == ["norm"]:
            blobs[f"{name}_bn_{letters[what]}"] = torch.ones(shape)
        else:
            blobs[f"{name}_{what[0]}"] = torch.ones(shape)

    state = convert_state_dict("c3d_vmz", blobs, source="vmz")

    assert {key: tuple(tensor.shape) for key, tensor in state.items()} == shapes


@torch.no_grad()
def test_norms_without_biases_before_them_convert_exactly():
    # mmcv leaves out the bias of a convolution with a norm, whose eps is 1e-5
    torch.manual_seed(0)
    conv = torch.nn.Conv3d(3, 64, 3, padding=1, bias=False)
    norm = torch.nn.BatchNorm3d(64, eps=1e-5).eval()
    norm.running_var.fill_(0.01)
    with torch.device("meta"):
        shapes = create_model("c3d_bn").state_dict()
    state = {}
    for key, tensor in shapes.items():
        if not key.endswith(("conv.bias", "tracked")):
            name = key.replace(".norm.", ".bn.").replace("fc8.", "cls_head.fc_cls.")
            name = name.replace(".linear.", ".")
            prefix = "" if name.startswith("cls_head") else "backbone."
            state[prefix + name] = torch.zeros(tensor.shape)
    state["backbone.conv1a.conv.weight"] = conv.weight
    state |= {f"backbone.conv1a.bn.{k}": v for k, v in norm.state_dict().items() if v.ndim}

    converted = convert_state_dict("c3d_bn", state, source="mmaction2")

    with torch.device("meta"):
        first = create_model("c3d_bn").conv1a
    first = first.to_empty(device="cpu").eval()
    own = {k.removeprefix("conv1a."): v for k, v in converted.items() if k.startswith("conv1a.")}
    first.load_state_dict(own)
    x = noise_clip((1, 3, 2, 4, 4))
    torch.testing.assert_close(first(x), torch.relu(norm(conv(x))))


def test_the_mean_volume_is_read_and_its_centre_subtracted(tmp_path):
    values = fill("mean", VOLUME)
    (tmp_path / "mean.binaryproto").write_bytes(blob(values[None], "c3d"))

    volume = read_mean(tmp_path / "mean.binaryproto")
    left = subtract_mean_volume(torch.zeros(1, 3, 16, 112, 112), volume)

    assert np.array_equal(volume[0].numpy(), values)
    assert torch.equal(subtract_mean_volume(torch.zeros(1, 3, 16, 112, 112), volume[0]), left)
    assert left[0, 2, 5, 0, 0] == -values[2, 5, 8, 29]
    assert left[0, 2, 5, -1, -1] == -values[2, 5, 119, 140]


def test_another_blob_or_clip_is_refused(tmp_path):
    (tmp_path / "mean.binaryproto").write_bytes(blob(np.zeros((2, 3)), "c3d"))
    other = read_mean(tmp_path / "mean.binaryproto")

    with pytest.raises(ShapeError, match=r"shape \(1, 1, 1, 2, 3\), expected a mean volume"):
        subtract_mean_volume(torch.zeros(1, 3, 16, 112, 112), other)
    with pytest.raises(ShapeError, match="do not fit a volume"):
        subtract_mean_volume(torch.zeros(1, 3, 8, 112, 112), torch.zeros(VOLUME))


@torch.no_grad()
@pytest.mark.parametrize(
    ("source", "windows"),
    [("caffe", ((0, 2), (2, 4), (4, 6), (6, 7))), ("", ((0, 1), (1, 3), (3, 5), (5, 7)))],
)
def test_caffe_rounds_the_last_pooling_up_and_others_pad_it(source, windows):
    torch.manual_seed(0)
    model = create_model("test_c3d", source=source, clip=(8, 112)).eval()
    seen = []
    model.conv5b.register_forward_hook(lambda _module, _inputs, out: seen.append(out))

    features = model.forward_features(noise_clip((1, 3, 8, 112, 112)))

    assert seen[0].shape[3:] == (7, 7)
    for i, (top, bottom) in enumerate(windows):
        for j, (left, right) in enumerate(windows):
            window = seen[0][..., top:bottom, left:right]
            assert torch.equal(features[..., i, j], window.amax(dim=(3, 4)))
    model.fc6(features.flatten(1))  # expects as many numbers
