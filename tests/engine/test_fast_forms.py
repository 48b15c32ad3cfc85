"""Fast forms compute what the network computes, with its weights."""

import copy

import pytest
import torch
from torch import nn

from zoopraxis.checkpoints.create import create_model
from zoopraxis.engine.fast_forms import (
    FrameConv3d,
    PaddedConv3d,
    TimeConv3d,
    in_fast_forms,
    put_channels_last,
)
from zoopraxis.models import list_models, model_spec
from zoopraxis.models.collaborative_spatiotemporal import ThreeViews
from zoopraxis.models.gsm import Gate

LAYOUTS = {5: torch.channels_last_3d}  # by the number of axes


def relative(got, wanted):
    return float((got - wanted).abs().max() / wanted.abs().max())


@pytest.mark.parametrize("name", list_models("test_*"))
@torch.inference_mode()
def test_every_family_computes_the_same(name):
    torch.manual_seed(0)
    model = create_model(name).eval()
    clip = model_spec(name).clip.example(batch=2, seed=1)
    clip = clip if isinstance(clip, tuple) else (clip,)
    doubles = [x.double() if x.is_floating_point() else x for x in clip]

    single = in_fast_forms(model)(*clip)
    exact = model.double()(*doubles)

    # in double precision nothing but the function is left to differ
    assert relative(in_fast_forms(model)(*doubles), exact) < 1e-11
    assert relative(single, exact) < 1e-4


@pytest.mark.parametrize("name", list_models("test_*"))
def test_every_family_learns_the_same(name):
    torch.manual_seed(0)
    model = create_model(name).double().eval()  # dropout would draw by the layout
    clip = model_spec(name).clip.example(batch=2, seed=1)
    clip = clip if isinstance(clip, tuple) else (clip,)
    doubles = [x.double() if x.is_floating_point() else x for x in clip]

    gradients = []
    last = put_channels_last(copy.deepcopy(model))
    volumes = [
        x.contiguous(memory_format=LAYOUTS.get(x.ndim, torch.contiguous_format)) for x in doubles
    ]
    for network, inputs in ((model, doubles), (in_fast_forms(model), doubles), (last, volumes)):
        network(*inputs).logsumexp(dim=-1).sum().backward()
        gradients.append({key: p.grad for key, p in network.named_parameters()})

    for got in gradients[1:]:
        hold_gradients(got, gradients[0])


def hold_gradients(got, wanted):
    assert got.keys() == wanted.keys()
    largest = max(float(value.abs().max()) for value in wanted.values() if value is not None)
    for key, value in wanted.items():
        assert (value is None) == (got[key] is None)
        if value is not None:
            scale = max(float(value.abs().max()), 1e-6 * largest)  # some are 0 but for rounding
            assert float((got[key] - value).abs().max()) < 1e-6 * scale, key


@pytest.mark.parametrize(
    ("form", "options"),
    [
        (TimeConv3d, {"kernel_size": (3, 1, 1), "padding": (1, 0, 0)}),
        (TimeConv3d, {"kernel_size": (5, 1, 1), "stride": (2, 1, 1), "dilation": (2, 1, 1)}),
        (TimeConv3d, {"kernel_size": (3, 1, 1), "groups": 4, "bias": False}),
        (FrameConv3d, {"kernel_size": (1, 3, 5), "padding": (0, 1, 2)}),
        (FrameConv3d, {"kernel_size": (1, 3, 3), "stride": (1, 2, 3), "groups": 2}),
        (FrameConv3d, {"kernel_size": (1, 3, 3), "dilation": (1, 2, 1), "bias": False}),
        (FrameConv3d, {"kernel_size": 1, "stride": (1, 2, 2)}),
        (PaddedConv3d, {"kernel_size": 3, "padding": 1}),
        (nn.Conv3d, {"kernel_size": (3, 1, 1), "stride": (1, 2, 2)}),
        (PaddedConv3d, {"kernel_size": (3, 1, 1), "padding": (1, 1, 1)}),
        (nn.Conv3d, {"kernel_size": 1, "stride": 2}),
        (nn.Conv3d, {"kernel_size": (3, 1, 1), "padding": "same"}),
        (nn.Conv3d, {"kernel_size": (1, 3, 3), "padding": (0, 1, 1), "padding_mode": "circular"}),
    ],
)
@torch.inference_mode()
def test_every_convolution_keeps_its_function(form, options):
    torch.manual_seed(0)
    conv = nn.Sequential(nn.Conv3d(4, 8, **options)).eval()
    clip = torch.randn(2, 4, 9, 7, 8)

    fast = in_fast_forms(conv)

    assert type(fast[0]) is form
    assert relative(fast(clip), conv(clip)) < 1e-5


@pytest.mark.parametrize("others", [1, 3])  # the kernel along the other axes
@pytest.mark.parametrize(("kernel", "size"), [(3, 1), (3, 2), (5, 2), (5, 3), (7, 2)])
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("groups", [1, 64])
def test_bfloat16_gradients_of_clips_shorter_than_the_kernel(axis, kernel, size, others, groups):
    torch.manual_seed(0)
    kernels, sizes = [others] * 3, [7] * 3
    kernels[axis], sizes[axis] = kernel, size
    paddings = [k // 2 for k in kernels]
    full = nn.Conv3d(64, 64, kernels, padding=paddings, groups=groups, bias=False)
    half = in_fast_forms(nn.Sequential(copy.deepcopy(full)))
    for _ in range(3):  # memory that was never written is sometimes zero
        clip = torch.randn(4, 64, *sizes)
        upstream = torch.randn_like(full(clip))
        full.zero_grad()
        half.zero_grad()
        full(clip).backward(upstream)
        with torch.autocast("cpu", torch.bfloat16):
            out = half(clip)
        out.backward(upstream.bfloat16())

        error = (half[0].weight.grad - full.weight.grad).norm() / full.weight.grad.norm()
        assert error < 0.02  # 0.003 are rounding


@pytest.mark.parametrize(
    ("module", "clip"),
    [
        (Gate(64), (lambda: (torch.randn(8, 64, 7, 7), 2))),
        (ThreeViews(64, 64), (lambda: (torch.randn(4, 64, 2, 7, 7),))),
    ],
    ids=["gate of GSM", "views of CoST"],
)
def test_bfloat16_gradients_of_convolutions_that_are_no_modules(module, clip):
    torch.manual_seed(0)
    nn.init.normal_(module.weight, std=0.1)
    forward = module.views if isinstance(module, ThreeViews) else module
    for _ in range(5):
        inputs, gradients = clip(), []
        for enabled in (False, True):
            module.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
                out = forward(*inputs)
            out.float().pow(2).sum().backward()
            gradients.append(module.weight.grad.clone())
        error = (gradients[1] - gradients[0]).norm() / gradients[0].norm()
        assert error < 0.05


def test_weights_are_the_same_and_the_network_stays_as_it_was():
    model = create_model("test_r2plus1d").train()
    before = {key: value.clone() for key, value in model.state_dict().items()}

    fast = in_fast_forms(model)

    assert model.training
    assert all(type(module) is not TimeConv3d for module in model.modules())
    assert any(type(module) is TimeConv3d for module in fast.modules())
    assert fast.state_dict().keys() == before.keys()
    for key, value in fast.state_dict().items():
        assert torch.equal(value, before[key])
        assert torch.equal(model.state_dict()[key], before[key])
