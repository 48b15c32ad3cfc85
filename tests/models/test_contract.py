"""What every model promises, whatever its paper: runs for the tiny variant of every family."""

import pytest
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from devices import DEVICES
from zoopraxis.checkpoints.create import create_model
from zoopraxis.errors import ShapeError
from zoopraxis.models import (
    FAMILIES,
    VideoClassifier,
    family_of,
    list_models,
    model_size,
    model_spec,
    registry,
)
from zoopraxis.models.base import is_wrong_clip_size
from zoopraxis.testing import count_macs, count_params, fill, noise_clip

TINY = list_models("test_*")
CANNOT_LEARN = {  # parameters that the function does not depend on, and why
    ("test_lrcn", "lstm.weight_hh_l1_reverse"): "the last frame is the first of the way back",
    ("test_nonlocal_net", "layer2.nonlocal1.phi.bias"): "a softmax does not see a constant",
    ("test_space_time_region_graph", "layer2.nonlocal1.phi.bias"): "as above",
    **{
        ("test_agcn", f"blocks.{block}.graph.theta.{subset}.bias"): "as above"
        for block in range(4)
        for subset in range(3)
    },
}


@pytest.fixture(params=TINY)
def spec(request):
    return model_spec(request.param)


@pytest.fixture
def model(spec):
    torch.manual_seed(0)
    return create_model(spec.name).eval()


@pytest.fixture(scope="module", params=[*list_models(), *TINY])
def entry(request):
    """Every entry of the zoo with its network, built once for all that ask, without memory."""
    with torch.device("meta"):
        return model_spec(request.param), create_model(request.param).eval()


@pytest.fixture
def clip(spec):
    """Two clips as the model is called with them: one tensor, or several."""
    inputs = spec.clip.example(batch=2, seed=1)
    return inputs if isinstance(inputs, tuple) else (inputs,)


def sized(spec, frames, size, **options):
    """A clip of zeros of other sizes than the entry's; boxes lie in the frames that there are."""
    _, *others = spec.clip.input.shapes(frames)
    shapes = ((spec.clip.channels, frames, *size), *others)
    return tuple(torch.zeros(1, *shape, **options) for shape in shapes)


def test_every_family_has_a_tiny_variant():
    assert {family_of(name) for name in TINY} == set(FAMILIES)


def test_parameters_and_macs_are_those_of_the_table(entry):
    spec, model = entry
    size = model_size(spec.name)
    shapes = [(1, *shape) for shape in spec.clip.shapes]

    assert count_params(model) / 1e6 == pytest.approx(size.params_m, abs=0.00501)
    assert count_macs(model, *shapes) / 1e9 == pytest.approx(size.gmacs, abs=0.00501)


@pytest.mark.parametrize("device", DEVICES)
def test_every_device_agrees_with_double_precision(model, clip, device, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    doubles = [x.double() if x.is_floating_point() else x for x in clip]
    with torch.no_grad():
        there = model.to(device)(*(x.to(device) for x in clip)).cpu().double()
        exact = model.cpu().double()(*doubles)
    assert torch.linalg.norm(there - exact) <= 1e-4 * torch.linalg.norm(exact)


def test_the_table_of_sizes_has_every_model_and_no_other():
    table = {name: row["family"] for name, row in registry._table().items()}
    assert table == {name: family for name, (family, _) in registry._entries().items()}
    assert set(table) == {*list_models(), *TINY}


def test_a_second_entry_of_one_name_is_refused(monkeypatch):
    registry._entries.cache_clear()
    monkeypatch.setattr(registry, "FAMILIES", ("p3d", "p3d"))

    with pytest.raises(ValueError, match=r"two models are called 'p3d_63': in models/p3d\.py"):
        registry._entries()
    registry._entries.cache_clear()


def test_every_model_is_a_video_classifier(model, clip):
    assert isinstance(model, VideoClassifier)
    assert model(*clip).shape == (2, model.num_classes)


FIRST = {family_of(name): name for name in reversed(list_models())}.values()  # of each family


@torch.no_grad()
@pytest.mark.parametrize(
    "entry",
    [
        *FIRST,
        *(pytest.param(n, marks=pytest.mark.slow) for n in list_models() if n not in FIRST),
        *TINY,
    ],
    indirect=True,
)
def test_features_have_the_strides_of_the_entry(entry):
    spec, model = entry
    strides = (spec.strides[0], spec.strides[1], spec.strides[1])

    def cells(*more):
        """Size (T', H', W') of the map of a clip that is longer by so many strides."""
        size = spec.clip.shape[1:]
        size = [n + k * (stride or 0) for n, k, stride in zip(size, more, strides, strict=True)]
        return model.forward_features(*sized(spec, size[0], size[1:], device="meta")).shape[2:]

    # six strides more of input are four cells more than two strides more, whatever the padding;
    # the axes grow by different amounts, lest one be taken for another
    less, more = (2, 2, 2), (6, 4, 8)
    try:
        small, large = cells(*less), cells(*more)
    except ShapeError:  # a network of relations takes clips of one length
        assert cells(0, 0, 0)[0] * strides[0] == spec.clip.shape[1]
        less, more = (0, 2, 2), (0, 4, 8)
        small, large = cells(*less), cells(*more)
    for axis, stride in enumerate(strides):
        if stride is None:
            assert small[axis] == large[axis] == 1
        else:
            assert large[axis] - small[axis] == more[axis] - less[axis]


@torch.no_grad()
def test_videos_in_a_batch_do_not_see_each_other(model, clip):
    # unfolding (T*B) as (B, T) passes every shape test and fails here
    together = model(*clip)
    alone = torch.cat([model(*(x[i : i + 1] for x in clip)) for i in range(2)])

    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(together[0], together[1], rtol=1e-4)


@torch.no_grad()
def test_frame_order_matters_if_and_only_if_declared(spec, model, clip):
    several = len(clip) > 1
    reverse = spec.clip.input.reverse(clip) if several else (clip[0].flip(2),)
    forward, backward = model(*clip), model(*reverse)

    changed = (forward - backward).abs().max() > 1e-4 * forward.abs().max()
    assert changed == spec.order_sensitive


@torch.no_grad()
@pytest.mark.parametrize("size", [4, 13, 33, None])
@pytest.mark.parametrize("frames", [1, 2, 3, None])
def test_clips_of_other_sizes_are_taken_or_refused(spec, model, frames, size):
    _, length, height, width = spec.clip.shape
    try:
        out = model(*sized(spec, frames or length, (size or height, size or width)))
    except (ShapeError, RuntimeError) as error:
        known = isinstance(error, ShapeError) or is_wrong_clip_size(error)
        if not known or not (frames or size):
            raise
    else:
        assert torch.isfinite(out).all()


@torch.no_grad()
def test_forward_is_features_then_head(model, clip):
    features = model.forward_features(*clip)

    assert features.shape[1] == model.num_features
    torch.testing.assert_close(model.forward_head(features), model(*clip))


@torch.no_grad()
def test_reset_classifier_changes_the_classes_and_nothing_else(model, clip):
    before = model.forward_features(*clip)

    model.reset_classifier(5)

    assert model(*clip).shape == (2, 5)
    torch.testing.assert_close(model.forward_features(*clip), before)


def test_gradients_at_initialisation_are_finite(model, clip):
    model.train()

    model(*clip).square().sum().backward()

    bad = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert not bad


@pytest.mark.parametrize("mode", ["training", "evaluation"])
def test_every_parameter_learns(spec, model, clip, mode):
    # Gates and last norms that start at zero hide what comes before them: every tensor is filled.
    # In float64 a gradient that is zero on paper is some 1e-17 of the largest, others 1e-7.
    model.double().load_state_dict(
        {
            key: torch.from_numpy(fill(key, tuple(tensor.shape))) if tensor.ndim else tensor
            for key, tensor in model.state_dict().items()
        }
    )
    if mode == "evaluation":
        calibrate(model, [x.double() for x in clip])  # or units die, or saturate
    model.train(mode == "training")

    logits = model(*(x.double() for x in clip))
    (logits * noise_clip(tuple(logits.shape), seed=2)).sum().backward()

    sizes = {name: float(p.grad.abs().max()) for name, p in model.named_parameters()}
    idle = {
        (spec.name, name) for name, size in sizes.items() if not size > 1e-12 * max(sizes.values())
    }
    if mode == "training":  # batch norms remove the constants before them
        idle = {(model, name) for model, name in idle if not name.endswith("bias")}
    expected = {(model, name) for model, name in CANNOT_LEARN if model == spec.name}
    assert idle == {e for e in expected if mode == "evaluation" or not e[1].endswith("bias")}


@torch.no_grad()
def calibrate(model, clip):
    """Set the statistics of batch norms to those of a clip."""
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.momentum = 1.0
    model.train()(*clip)


@torch.no_grad()
def test_weights_survive_the_disk(spec, model, clip, tmp_path):
    from safetensors.torch import load_file, save_file

    save_file(model.state_dict(), tmp_path / "model.safetensors")
    again = create_model(spec.name).eval()
    again.load_state_dict(load_file(tmp_path / "model.safetensors"))

    assert torch.equal(again(*clip), model(*clip))


@torch.no_grad()
@pytest.mark.filterwarnings("ignore:The tensor attributes self.*_flat_weights")  # torch's LSTM
def test_exports_to_the_same_function(model, clip):
    exported = torch.export.export(model, clip).module()

    torch.testing.assert_close(exported(*clip), model(*clip), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.filterwarnings("default")  # the compiler warns about itself
def test_compiles_to_the_same_function(model, clip):
    torch.compiler.reset()  # or shapes that differ from the last network's become symbols
    compiled = torch.compile(model)

    torch.testing.assert_close(compiled(*clip), model(*clip), rtol=1e-3, atol=1e-4)
