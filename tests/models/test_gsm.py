"""Gate-shift: the module, where it is inserted, and that it starts as the 2D network."""

from functools import partial
from pathlib import Path

import pytest
import torch

from zoopraxis.checkpoints.convert import rename
from zoopraxis.checkpoints.create import create_model
from zoopraxis.errors import ShapeError
from zoopraxis.layers.bninception import BNInception
from zoopraxis.models.gsm import FrameGate, Gate, GatedConvNorm2d, GateShift, gate_shift
from zoopraxis.models.tsn import TSN
from zoopraxis.spec import Source
from zoopraxis.testing import count_macs, count_params, noise_clip, read_golden, relative_error

GOLDEN = Path(__file__).parent.parent / "golden"


@pytest.mark.parametrize("gate", [Gate, FrameGate])
@torch.no_grad()
def test_the_module_is_the_authors(gate):
    golden = read_golden("gsm_module_c16_t4", GOLDEN)
    rules = ((r"^gsm\.conv3D\.", "gate."), (r"^gsm\.bn\.", "gate.norm."))
    module = GateShift(16)
    module.gate = gate(16)
    module.load_state_dict(rename(golden.state_dict(), Source(rename=rules)))

    assert relative_error(module.eval()(golden.input(), 4), golden.output) < 1e-6


def test_the_fast_gate_equals_the_plain_gate_and_its_gradient():
    plain, fast = Gate(8).double(), FrameGate(8).double()
    torch.nn.init.normal_(plain.weight, std=0.1)
    torch.nn.init.normal_(plain.bias, std=0.1)
    fast.load_state_dict(plain.state_dict())
    x = torch.randn(6, 8, 5, 4, dtype=torch.double, requires_grad=True)

    out = {gate: gate(x, 3) for gate in (plain, fast)}

    torch.testing.assert_close(out[fast], out[plain])
    assert out[plain].abs().max() > 0.1
    weigh = torch.randn(6, 2, 5, 4, dtype=torch.double)
    grads = [
        torch.autograd.grad((out[gate] * weigh).sum(), (x, *gate.parameters()))
        for gate in (plain, fast)
    ]
    for ours, theirs in zip(*grads, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_closed_gates_only_interleave():
    x = torch.arange(8.0).reshape(1, 8, 1, 1)

    out = gate_shift(x, torch.zeros(1, 2, 1, 1), 1).flatten()

    assert out.tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_gates_split_what_moves_from_what_stays():
    x = 100 * torch.arange(1.0, 4.0)[:, None, None, None].expand(3, 4, 1, 1)  # 100 t, from t = 1
    gate = torch.tensor([0.25, 0.5]).expand(3, 2)[:, :, None, None]

    out = gate_shift(x, gate, 3)[:, :, 0, 0].T  # (C, T)

    # first half: 3/4 of 100 t stays, 1/4 of 100 (t + 1) is added; second: half of 100 (t - 1)
    assert out[0].tolist() == [75 + 50, 150 + 75, 225]
    assert out[2].tolist() == [50, 100 + 50, 150 + 100]


def test_gradients_of_the_gates():
    x = torch.randn(6, 8, 2, 2, dtype=torch.double, requires_grad=True)
    gate = torch.randn(6, 2, 2, 2, dtype=torch.double, requires_grad=True)

    assert torch.autograd.gradcheck(lambda x, gate: gate_shift(x, gate, 3), (x, gate))


def test_the_batch_must_split_into_clips():
    with pytest.raises(ShapeError, match="10 images does not split into clips of 4"):
        gate_shift(torch.zeros(10, 8, 1, 1), torch.zeros(10, 2, 1, 1), 4)


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
        if isinstance(module, GatedConvNorm2d):  # interleaves its output channels
            for part in ("weight", "bias"):
                key = f"{name}.conv.{part}"
                w = state[key]
                state[key] = w.reshape(2, 2, len(w) // 4, -1).transpose(1, 2).reshape(w.shape)
    flat.load_state_dict(state)
    clip = noise_clip((2, 3, 4, 64, 64))

    torch.testing.assert_close(gated(clip), flat(clip), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(gated(clip), gated(clip.flip(2)), rtol=1e-4, atol=1e-6)


def insertions(name):
    with torch.device("meta"):
        modules = create_model(name).backbone.named_modules()
    return [key.removesuffix(".shift") for key, module in modules if isinstance(module, GateShift)]


def test_ten_modules_in_bninception():
    assert insertions("gsm_bninception_8") == [
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


def test_ten_modules_in_inceptionv3():
    branches = [key.split(".")[:2] for key in insertions("gsm_inceptionv3_8")]

    assert [int(module.removeprefix("mixed_")) for module, _ in branches] == [
        *(0, 1, 2, 3, 4, 5, 7, 8, 9, 10)
    ]
    assert {branch for _, branch in branches} == {"branch1x1", "branch3x3dbl", "branch3x3"}


def test_a_gate_needs_four_channels():
    with pytest.raises(ShapeError, match="6 channels do not split"):
        GateShift(6)


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
