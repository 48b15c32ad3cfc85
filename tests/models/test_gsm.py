"""Gate-shift: the module, its places, and that it starts as the 2D network."""

from functools import partial
from pathlib import Path

import pytest
import torch

from zoopraxis.checkpoints.convert import rename
from zoopraxis.errors import ShapeError
from zoopraxis.layers.bninception import BNInception
from zoopraxis.models import create_model
from zoopraxis.models.gsm import Gate, GatedConvNorm2d, GateShift, VolumeGate, gate_maps
from zoopraxis.models.tsn import TSN
from zoopraxis.spec import Source
from zoopraxis.testing import count_macs, count_params, noise_clip, read_golden, relative_error

GOLDEN = Path(__file__).parent.parent / "golden"


@pytest.mark.parametrize("gate", [Gate, VolumeGate])
@torch.no_grad()
def test_the_module_is_the_authors(gate):
    golden = read_golden("gsm_module_c16_t4", GOLDEN)
    rules = ((r"^gsm\.conv3D\.", "gate."), (r"^gsm\.bn\.", "gate.norm."))
    module = GateShift(16, gate=gate)
    module.load_state_dict(rename(golden.state_dict(), Source(rename=rules)))

    assert relative_error(module.eval()(golden.input(), 4), golden.output) < 1e-6


def test_gates_start_closed_and_learn():
    module = GateShift(8)
    x = noise_clip((4, 8, 3, 3))

    out = module(x, 4)
    out.square().sum().backward()

    assert torch.equal(out, x[:, [0, 2, 1, 3, 4, 6, 5, 7]])
    assert module.gate.weight.grad.abs().max() > 0
    assert module.gate.bias.grad.abs().min() > 0


@torch.no_grad()
def test_training_starts_as_the_2d_network():
    torch.manual_seed(0)
    gated = create_model("test_gsm", gate_std=0.0).eval()
    flat = TSN(partial(BNInception, divide=8), num_classes=12).eval()
    state = {k: v.clone() for k, v in gated.state_dict().items() if ".shift." not in k}
    for name, module in gated.named_modules():
        if isinstance(module, GatedConvNorm2d):  # its channels leave interleaved
            for part in ("weight", "bias"):
                key = f"{name}.conv.{part}"
                w = state[key]
                state[key] = w.reshape(2, 2, len(w) // 4, -1).transpose(1, 2).reshape(w.shape)
    flat.load_state_dict(state)
    clip = noise_clip((2, 3, 4, 64, 64))

    torch.testing.assert_close(gated(clip), flat(clip), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(gated(clip), gated(clip.flip(2)), rtol=1e-4, atol=1e-6)


def places(name):
    with torch.device("meta"):
        modules = create_model(name).trunk.named_modules()
    return [key.removesuffix(".shift") for key, module in modules if isinstance(module, GateShift)]


def test_ten_places_in_bninception():
    assert places("gsm_bninception_8") == [
        "inception_3a.conv_1x1",
        "inception_3b.conv_1x1",
        "inception_3c.conv_3x3_reduce",
        "inception_4a.conv_1x1",
        "inception_4b.conv_1x1",
        "inception_4c.conv_1x1",
        "inception_4d.conv_1x1",
        "inception_4e.conv_3x3_reduce",
        "inception_5a.conv_1x1",
        "inception_5b.conv_1x1",
    ]


def test_ten_places_in_inceptionv3():
    branches = [place.split(".")[:2] for place in places("gsm_inceptionv3_8")]

    assert [int(module.removeprefix("mixed_")) for module, _ in branches] == [
        *(0, 1, 2, 3, 4, 5, 7, 8, 9, 10)
    ]
    assert {branch for _, branch in branches} == {"branch1x1", "branch3x3dbl", "branch3x3"}


def test_a_gate_needs_four_channels():
    with pytest.raises(ShapeError, match="6 channels do not split"):
        GateShift(6)


@torch.no_grad()
def test_gate_maps_show_every_gate():
    torch.manual_seed(0)
    model = create_model("test_gsm").eval()
    clip = noise_clip((2, 3, 4, 64, 64))

    maps = gate_maps(model, clip)

    assert len(maps) == 10
    first = maps["trunk.inception_3a.conv_1x1"]
    assert first.shape == (2, 4, 2, 8, 8)
    assert 0.01 < first.abs().max() <= 1
    assert not model.trunk.inception_3a.conv_1x1.shift.gate._forward_hooks
    torch.testing.assert_close(gate_maps(model, clip[1:])["trunk.inception_3a.conv_1x1"], first[1:])


@pytest.mark.parametrize(
    ("name", "pixels", "params", "macs"),
    [
        # 10.5 M and 22.2 M in the paper's Table 3; its 16.46 G and 26.85 G count the norms too
        ("gsm_bninception_8", 224, 10499650, 16338705920),
        ("gsm_inceptionv3_8", 229, 22207586, 26692627456),
    ],
)
def test_parameters_and_multiply_adds_of_the_authors_code(name, pixels, params, macs):
    with torch.device("meta"):
        model = create_model(name)

    assert count_params(model) == params
    assert count_macs(model, (1, 3, 8, pixels, pixels)) == macs
