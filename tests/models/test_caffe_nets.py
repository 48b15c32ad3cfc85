"""Caffe releases: the layers of the authors' prototxts become ours, and compute the same.

``caffe_layers.json`` has the names and shapes of the blobs of every layer, from the prototxts.
"""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from caffe_files import random_layers, write_net
from zoopraxis.checkpoints.convert import convert_state_dict
from zoopraxis.checkpoints.create import create_model
from zoopraxis.checkpoints.read import read_state_dict
from zoopraxis.checkpoints.saved import convert_file, open_model
from zoopraxis.errors import ConversionError
from zoopraxis.models.off import KERNELS
from zoopraxis.testing import fill, noise_clip, relative_error

GOLDEN = Path(__file__).parent.parent / "golden"


def layers_of(net):
    if net != "p3d":
        return json.loads((GOLDEN / "caffe_layers.json").read_text())[net]["layers"]
    # for this net the list has convolutions alone; a batch norm follows each
    layers = {}
    nets = json.loads((GOLDEN / "p3d199_caffe_layers.json").read_text())["nets"]
    for entry in nets["kinetics"]["layers"]:
        name = entry["name"]
        if entry["type"] == "conv":
            out = entry["out_shape"][1]
            layers[name] = [[out, entry["in_shape"][1], *entry["kernel"]]]
            norm = "bn_conv1" if name == "conv1" else name.replace("res", "bn")
            layers[norm] = 4 * [[1, out]]
        elif entry["type"] == "fc":
            layers[name] = [[entry["out"], 2048], [entry["out"]]]
    return layers


def tagged(net):
    """Blobs filled with their own number, from 1; expanded, they take no memory."""
    shapes = {f"{k}.{i}": s for k, blobs in layers_of(net).items() for i, s in enumerate(blobs)}
    return {key: torch.tensor(float(n)).expand(s) for n, (key, s) in enumerate(shapes.items(), 1)}


def tags(state):
    """Numbers of the blobs by our key, without the counters of batch norms."""
    return {key: float(t[(0,) * t.ndim]) for key, t in state.items() if t.ndim}


KINDS = {"0": "weight", "1": "bias", "2": "running_mean", "3": "running_var"}


def in_pytorch(state, rename):
    """Blobs with the names and shapes of a PyTorch port, whose source has a golden."""
    out = {}
    for key, tensor in state.items():
        layer, _, number = key.rpartition(".")
        vector = tensor.ndim == 2 and tensor.shape[0] == 1
        out[f"{rename(layer)}.{KINDS[number]}"] = tensor[0] if vector else tensor
    return out


def tsn_port(layer):
    return "new_fc" if layer == "fc-action" else "base_model." + layer.replace("/", "_")


def eco_port(layer):
    head = layer.startswith("fc8")
    return "base_model.fc_final" if head else "base_model." + layer.replace("res3a_2n", "res3a_2")


def p3d_port(layer):
    ends = {"conv1": "conv1_custom", "bn_conv1": "bn1", "fc_kinetics": "fc"}
    if layer in ends:
        return ends[layer]
    kind, stage, letter, number, branch = re.fullmatch(
        r"(res|bn)(\d)([abc])(\d*)_branch(\w+)", layer
    ).groups()
    norm = kind == "bn"
    block = f"layer{int(stage) - 1}.{number or 'abc'.index(letter)}"
    if branch == "1":
        return f"{block}.downsample.{int(norm)}"
    index = ("2a", "2b", "2b_t", "2c").index(branch) + 1
    index = "_normal" if (stage, branch) == ("5", "2b") else index
    return f"{block}.{'bn' if norm else 'conv'}{index}"


def c3d_port(layer):
    return (
        layer.removesuffix("-1")
        if layer.startswith("fc")
        else layer.replace("1a", "1").replace("2a", "2")
    )


@pytest.mark.parametrize(
    ("net", "model", "port", "rename"),
    [
        ("tsn_rgb", "tsn_bninception_3", "tsn_pytorch", tsn_port),
        ("tsn_flow", "tsn_bninception_flow_7", "tsn_pytorch", tsn_port),
        ("eco_lite", "eco_lite_16", "eco", eco_port),
        ("eco_full", "eco_full_8", "eco", eco_port),
        ("c3d_sports1m", "c3d", "jfzhang", c3d_port),
        ("p3d", "p3d_199", "p3d_pytorch", p3d_port),
    ],
)
def test_blobs_become_the_same_tensors_as_the_ports_parameters(net, model, port, rename):
    blobs = tagged(net)

    ours = tags(convert_state_dict(model, blobs, source="caffe"))

    same = tags(convert_state_dict(model, in_pytorch(blobs, rename), source=port))
    assert ours == same
    assert sorted(ours.values()) == list(range(1, len(blobs) + 1))


def test_the_image_network_that_initialises_tsn_has_another_head():
    blobs = tagged("tsn_rgb")
    images = {key.replace("fc-action", "fc"): tensor for key, tensor in blobs.items()}
    images |= {"fc.0": torch.zeros(1000, 1024), "fc.1": torch.zeros(1000)}

    ours, tsn = (
        convert_state_dict("tsn_bninception_3", state, source="caffe") for state in (images, blobs)
    )

    assert ours["head.linear.weight"].shape == (1000, 1024)
    heads = {"head.linear.weight": 0, "head.linear.bias": 0}
    assert tags(ours) == tags(tsn) | heads


def number_of(blobs, key):
    """The number that `tagged` filled a blob with."""
    return list(blobs).index(key) + 1


def test_blobs_of_lrcn_become_encoder_lstm_and_head():
    blobs = tagged("lrcn_rgb")

    ours = tags(convert_state_dict("lrcn_hybrid", blobs, source="caffe"))

    expected = {"lstm.weight_ih_l0": "lstm1.0", "lstm.bias_ih_l0": "lstm1.1"}
    expected |= {"lstm.weight_hh_l0": "lstm1.2"}
    for ends, number in (("weight", 0), ("bias", 1)):
        expected[f"head.linear.{ends}"] = f"fc8-final.{number}"
        for layer in ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6"):
            expected[f"encoder.{layer}.{ends}"] = f"{layer}.{number}"
    assert ours.pop("lstm.bias_hh_l0") == 0
    assert ours == {key: number_of(blobs, blob) for key, blob in expected.items()}


@torch.no_grad()
def test_gates_of_the_lstm_are_those_of_caffe():
    blobs = tagged("lrcn_rgb")
    random = torch.Generator().manual_seed(0)
    w_x, b, w_h = (
        0.02 * torch.randn(blobs[f"lstm1.{i}"].shape, generator=random) for i in range(3)
    )
    blobs |= {"lstm1.0": w_x, "lstm1.1": b, "lstm1.2": w_h}
    state = convert_state_dict("lrcn_hybrid", blobs, source="caffe")
    lstm = nn.LSTM(4096, 256, batch_first=True)
    lstm.load_state_dict({k.removeprefix("lstm."): t for k, t in state.items() if "lstm" in k})
    x = torch.randn(1, 5, 4096, generator=random)

    steps, _ = lstm(x)

    h = c = torch.zeros(256)
    for t in range(5):  # as in Caffe's LSTMUnit: input, forget, output, cell
        i, f, o, g = (w_x @ x[0, t] + b + w_h @ h).chunk(4)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        torch.testing.assert_close(steps[0, t], h, rtol=1e-4, atol=1e-5)


def off_blobs():
    """Tagged blobs, except the filters, which are constants."""
    cross = torch.tensor(KERNELS["cross"]).expand(32, 1, 3, 3)
    constants = {".0": cross, ".1": torch.zeros(32)}
    return {
        key: constants[key[-2:]] if "spatial_grad" in key else tensor
        for key, tensor in tagged("off_rgb").items()
    }


def test_every_blob_of_off_is_used_once():
    blobs = off_blobs()

    state = convert_state_dict("off_cross_bninception_7", blobs, source="caffe")

    head, ours = state["head.linear.weight"], tags(state)
    # two classifiers become one
    assert head[0, 0] == number_of(blobs, "fc-action.0")
    assert head[0, -1] == number_of(blobs, "fc-action-motion.0")
    biases = number_of(blobs, "fc-action.1"), number_of(blobs, "fc-action-motion.1")
    assert ours["head.linear.bias"] == sum(biases)
    for key, blob in {
        "backbone.inception_5b.conv_pool_proj.norm.running_var": "inception_5b/pool_proj_bn.3",
        "units.3c.before_difference.weight": "motion_conv_gen_3c.0",
        "units.5a.before_gradient.bias": "motion_spatial_down_5a.1",
        "fine.0.weight": "motion_conv_trans_28.0",
        "fine.2.shortcut.bias": "motion_conv_branch_28a.1",
        "fine.6.conv3.weight": "motion_conv3_trans_28c.0",
        "middle.2.shortcut.weight": "motion_conv_expand_trans_14a.0",
        "middle.4.conv2.bias": "motion_conv2_trans_14b.1",
        "coarse.0.weight": "motion_conv_trans.0",
        "coarse.2.conv1.weight": "motion_conv1_trans.0",
        "coarse.2.shortcut.weight": "motion_conv_branch_trans.0",
    }.items():
        assert ours[key] == number_of(blobs, blob)
    left_out = ("spatial_grad", "motion_28", "motion_14", "fc-action")
    used = {number_of(blobs, key) for key in blobs if not any(part in key for part in left_out)}
    assert sorted(v for k, v in ours.items() if "head" not in k) == sorted(used)


@pytest.mark.parametrize("number", [0, 1])
def test_filters_other_than_offs_are_refused(number):
    blobs = off_blobs()
    key = f"motion_spatial_grad_4a.{number}"
    blobs[key] = blobs[key] + 1e-3

    with pytest.raises(ConversionError, match=r"units\.4a\.kernels\.\w+ does not hold"):
        convert_state_dict("off_cross_bninception_7", blobs, source="caffe")


def blobs_of_rule(net):
    """Blobs filled by `fill`, by their names in PyTorch; those of batch norms are (1, C)."""
    blobs = {}
    for layer, shapes in layers_of(net).items():
        for index, shape in enumerate(shapes):
            kind = "weight_hh" if (layer, index) == ("lstm1", 2) else KINDS[str(index)]
            vector = shape[1:] if shape[0] == 1 and len(shape) == 2 else shape
            values = torch.from_numpy(fill(f"{layer}.{kind}", tuple(vector))).reshape(shape)
            blobs[f"{layer}.{index}"] = values
    if net == "off_rgb":
        blobs |= {key: tensor for key, tensor in off_blobs().items() if "spatial_grad" in key}
    return blobs


@torch.no_grad()
@pytest.mark.parametrize(
    ("net", "model", "num_frames", "size"),
    [
        ("tsn_rgb", "tsn_bninception_3", 3, 224),
        ("p3d", "p3d_199", 16, 160),
        ("lrcn_rgb", "lrcn_hybrid", 16, 227),
        ("c3d_sports1m", "c3d", 16, 112),
        ("eco_lite", "eco_lite_16", 16, 224),
        pytest.param("eco_full", "eco_full_16", 16, 224, marks=pytest.mark.slow),
        pytest.param("off_rgb", "off_cross_bninception_7", 25, 224, marks=pytest.mark.slow),
    ],
)
def test_nets_output_what_caffe_output(net, model, num_frames, size):
    expected = torch.from_numpy(np.load(GOLDEN / "caffe_outputs.npz")[net])
    state = convert_state_dict(model, blobs_of_rule(net), source="caffe")
    network = create_model(model, source="caffe", num_classes=len(expected)).eval()
    network.load_state_dict(state)
    if net in ("p3d", "c3d_sports1m"):  # their input in Caffe is a clip, not a batch of images
        clip = noise_clip((1, 3, num_frames, size, size))
    else:
        clip = noise_clip((num_frames, 3, size, size)).transpose(0, 1)[None]

    error = relative_error(network(clip)[0], expected)

    assert error < 1e-5


# A small P3D with the authors' names, computed layer by layer as in their prototxt.

P3D = {  # layer: shape of the kernel
    "conv1": (8, 3, 1, 7, 7),
    **{f"res2a_branch{part}": shape for part, shape in {
        "1": (32, 8, 1, 1, 1), "2a": (8, 8, 1, 1, 1), "2b": (8, 8, 1, 3, 3),
        "2b_t": (8, 8, 3, 1, 1), "2c": (32, 8, 1, 1, 1)}.items()},
    **{f"res3a_branch{part}": shape for part, shape in {
        "1": (64, 32, 1, 1, 1), "2a": (16, 32, 1, 1, 1), "2b": (16, 16, 1, 3, 3),
        "2b_t": (16, 16, 3, 1, 1), "2c": (64, 16, 1, 1, 1)}.items()},
    **{f"res4a_branch{part}": shape for part, shape in {
        "1": (128, 64, 1, 1, 1), "2a": (32, 64, 1, 1, 1), "2b": (32, 32, 1, 3, 3),
        "2b_t": (32, 32, 3, 1, 1), "2c": (128, 32, 1, 1, 1)}.items()},
    **{f"res5a_branch{part}": shape for part, shape in {
        "1": (256, 128, 1, 1), "2a": (64, 128, 1, 1), "2b": (64, 64, 3, 3),
        "2c": (256, 64, 1, 1)}.items()},
}  # fmt: skip


def small_p3d():
    """Layers of a P3D of one block per stage: A, B, C and 2D; blobs of batch norms are (1, C)."""
    shapes = {}
    for name, shape in P3D.items():
        norm = "bn_conv1" if name == "conv1" else name.replace("res", "bn")
        shapes |= {name: [shape], norm: 4 * [(1, shape[0])]}
    return random_layers(shapes | {"fc_small": [(12, 256), (12,)]})


class Prototxt:
    """The small P3D, layer by layer as in the authors' prototxt."""

    def __init__(self, layers):
        self.blobs = {k: [torch.from_numpy(b) for b in blobs] for k, blobs in layers.items()}

    def conv(self, x, name, stride=1):
        (weight,) = self.blobs[name]
        if weight.ndim == 4:
            x = F.conv2d(x[:, :, 0], weight, stride=stride, padding=weight.shape[-1] // 2)
            x = x[:, :, None]
        else:
            pads = tuple(size // 2 for size in weight.shape[2:])
            x = F.conv3d(x, weight, stride=(1, stride, stride), padding=pads)
        norm = "bn_conv1" if name == "conv1" else name.replace("res", "bn")
        slope, bias, mean, var = (b.reshape(1, -1, 1, 1, 1) for b in self.blobs[norm])
        return slope * (x - mean) / (var + 1e-5).sqrt() + bias

    def block(self, x, name, kind, stride):
        shortcut = self.conv(x, f"{name}_branch1", stride)
        x = F.relu(self.conv(x, f"{name}_branch2a", stride))
        s = F.relu(self.conv(x, f"{name}_branch2b"))
        if kind == "A":
            s = F.relu(self.conv(s, f"{name}_branch2b_t"))
        elif kind == "B":
            s = F.relu(s + self.conv(x, f"{name}_branch2b_t"))
        elif kind == "C":
            s = F.relu(0.5 * s + 0.5 * self.conv(s, f"{name}_branch2b_t"))
        return F.relu(self.conv(s, f"{name}_branch2c") + shortcut)

    def __call__(self, x):
        x = F.relu(self.conv(x, "conv1", 2))
        x = F.max_pool3d(x, (2, 3, 3), stride=2, ceil_mode=True)
        for name, kind, stride in (("res2a", "A", 1), ("res3a", "B", 2), ("res4a", "C", 2)):
            x = F.max_pool3d(self.block(x, name, kind, stride), (2, 1, 1), stride=(2, 1, 1))
        x = self.block(x, "res5a", "2D", 2).mean(dim=(2, 3, 4))
        weight, bias = self.blobs["fc_small"]
        return x @ weight.T + bias


@torch.no_grad()
@pytest.mark.parametrize("layout", ["2015", "2015 unpacked", "2015 double"])
def test_p3d_equals_its_prototxt(tmp_path, layout):
    layers = small_p3d()
    path = write_net(tmp_path / "p3d.caffemodel", layers, layout)
    model = create_model("test_p3d", source="caffe").eval()
    clip = noise_clip((2, 3, 16, 64, 64))

    model.load_state_dict(convert_state_dict("test_p3d", read_state_dict(path), source="caffe"))

    torch.testing.assert_close(model(clip), Prototxt(layers)(clip), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_c3d_equals_its_prototxt(tmp_path):
    widths = {"conv1a": (8, 3), "conv2a": (16, 8), "conv3a": (32, 16), "conv3b": (32, 32)}
    widths |= {"conv4a": (64, 32), "conv4b": (64, 64), "conv5a": (64, 64), "conv5b": (64, 64)}
    shapes = {name: [(*pair, 3, 3, 3), (pair[0],)] for name, pair in widths.items()}
    shapes |= {"fc6-1": [(512, 256), (512,)], "fc7-1": [(512, 512), (512,)]}
    layers = random_layers(shapes | {"fc8-1": [(12, 512), (12,)]})
    path = write_net(tmp_path / "conv3d_iter_7", layers, "c3d")
    model = create_model("test_c3d", source="caffe", clip=(8, 48)).eval()  # 3 x 3 before pool5
    x = clip = noise_clip((2, 3, 8, 48, 48))

    model.load_state_dict(convert_state_dict("test_c3d", read_state_dict(path), source="caffe"))

    blobs = {name: [torch.from_numpy(b) for b in pair] for name, pair in layers.items()}
    for name in widths:
        x = F.relu(F.conv3d(x, *blobs[name], padding=1))
        if name not in ("conv3a", "conv4a", "conv5a"):
            t = 1 if name == "conv1a" else min(2, x.shape[2])
            x = F.max_pool3d(x, (t, 2, 2), stride=(t, 2, 2), ceil_mode=True)
    x = F.relu(F.linear(x.flatten(1), *blobs["fc6-1"]))
    x = F.linear(F.relu(F.linear(x, *blobs["fc7-1"])), *blobs["fc8-1"])
    torch.testing.assert_close(model(clip), x, rtol=1e-4, atol=1e-6)


def test_a_caffemodel_becomes_safetensors_and_a_config(tmp_path):
    path = write_net(tmp_path / "p3d.caffemodel", small_p3d())

    out = convert_file(path, model="test_p3d", source="caffe", out=tmp_path / "a.safetensors")

    opened = open_model(out)
    assert isinstance(opened.model, type(create_model("test_p3d")))
    expected = create_model("test_p3d", source="caffe").eval()
    expected.load_state_dict(opened.model.state_dict())
    clip = noise_clip((1, 3, 16, 32, 32))
    assert torch.equal(opened.model(clip), expected(clip))
    assert json.loads((tmp_path / "a.json").read_text())["origin"]["file"] == "p3d.caffemodel"


def test_a_net_without_its_last_layers_is_refused(tmp_path):
    layers = small_p3d()
    del layers["fc_small"]
    path = write_net(tmp_path / "cut.caffemodel", layers)

    with pytest.raises(ConversionError, match=r"2 keys missing, the first 'head\.linear"):
        convert_file(path, model="test_p3d", source="caffe", out=tmp_path / "a.safetensors")


@pytest.mark.parametrize("model", ["test_p3d", "c3d", "tsn_bninception_3", "eco_lite_4"])
def test_another_net_is_refused(model):
    blobs = tagged("lrcn_rgb") | {"odd": torch.ones(1)}

    with pytest.raises(ConversionError, match="does not fit"):
        convert_state_dict(model, blobs, source="caffe")
