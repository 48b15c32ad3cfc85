"""What every model promises, whatever its paper: runs for the tiny variant of every family."""

import pytest
import torch

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
from zoopraxis.testing import count_macs, count_params, noise_clip

TINY = list_models("test_*")


@pytest.fixture(params=TINY)
def spec(request):
    return model_spec(request.param)


@pytest.fixture
def model(spec):
    torch.manual_seed(0)
    return create_model(spec.name).eval()


@pytest.fixture
def clip(spec):
    return noise_clip((2, *spec.clip.shape), seed=1)


def test_every_family_has_a_tiny_variant():
    assert {family_of(name) for name in TINY} == set(FAMILIES)


@pytest.mark.parametrize("name", [*list_models(), *TINY])
def test_parameters_and_macs_are_those_of_the_table(name):
    spec, size = model_spec(name), model_size(name)
    with torch.device("meta"):
        model = create_model(name)

    assert count_params(model) / 1e6 == pytest.approx(size.params_m, abs=0.00501)
    assert count_macs(model, (1, *spec.clip.shape)) / 1e9 == pytest.approx(size.gmacs, abs=0.00501)


def test_the_table_of_sizes_has_every_model_and_no_other():
    assert set(registry._sizes()) == {*list_models(), *TINY}


def test_a_second_entry_of_one_name_is_refused(monkeypatch):
    registry._entries.cache_clear()
    monkeypatch.setattr(registry, "FAMILIES", ("p3d", "p3d"))

    with pytest.raises(ValueError, match=r"two models are called 'p3d_63': in models/p3d\.py"):
        registry._entries()
    registry._entries.cache_clear()


def test_every_model_is_a_video_classifier(model, clip):
    assert isinstance(model, VideoClassifier)
    assert model(clip).shape == (2, model.num_classes)


@pytest.mark.parametrize("name", [*list_models(), *TINY])
def test_features_have_the_strides_of_the_entry(name):
    spec = model_spec(name)
    with torch.device("meta"):
        model = create_model(name).eval()
    time, space = spec.strides

    for axis, stride in ((1, time), (2, space), (3, space)):
        if stride is None:
            assert map_of(model, spec.clip.shape)[axis - 1] == 1
        elif axis == 1 and not takes_any_length(model, spec):
            assert map_of(model, spec.clip.shape)[0] * time == spec.clip.shape[1]
        else:
            # four strides more of input are four cells more, whatever the padding
            assert cells(model, spec, axis, 6 * stride) == cells(model, spec, axis, 2 * stride) + 4


def cells(model, spec, axis, more):
    """Cells along an axis of a clip that is longer along it by `more`."""
    shape = list(spec.clip.shape)
    shape[axis] += more
    return map_of(model, shape)[axis - 1]


def map_of(model, shape):
    """Size (T', H', W') of the feature map of a clip (C, T, H, W)."""
    return model.forward_features(torch.empty(1, *shape, device="meta")).shape[2:]


def takes_any_length(model, spec):
    """Whether clips longer than the entry's are taken; a network of relations refuses them."""
    channels, frames, *size = spec.clip.shape
    try:
        map_of(model, (channels, 2 * frames, *size))
    except ShapeError:
        return False
    return True


@torch.no_grad()
def test_videos_in_a_batch_do_not_see_each_other(model, clip):
    # unfolding (T*B) as (B, T) passes every shape test and fails here
    together, alone = model(clip), torch.cat([model(clip[:1]), model(clip[1:])])

    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(together[0], together[1], rtol=1e-4)


@torch.no_grad()
def test_frame_order_matters_if_and_only_if_declared(spec, model, clip):
    forward, backward = model(clip), model(clip.flip(2))

    changed = (forward - backward).abs().max() > 1e-4 * forward.abs().max()
    assert changed == spec.order_sensitive


@torch.no_grad()
def test_forward_is_features_then_head(model, clip):
    features = model.forward_features(clip)

    assert features.shape[1] == model.num_features
    torch.testing.assert_close(model.forward_head(features), model(clip))


@torch.no_grad()
def test_reset_classifier_changes_the_classes_and_nothing_else(model, clip):
    before = model.forward_features(clip)

    model.reset_classifier(5)

    assert model(clip).shape == (2, 5)
    torch.testing.assert_close(model.forward_features(clip), before)


def test_every_parameter_learns(model, clip):
    model.train()

    model(clip).square().sum().backward()

    idle = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert not idle


@torch.no_grad()
def test_weights_survive_the_disk(spec, model, clip, tmp_path):
    from safetensors.torch import load_file, save_file

    save_file(model.state_dict(), tmp_path / "model.safetensors")
    again = create_model(spec.name).eval()
    again.load_state_dict(load_file(tmp_path / "model.safetensors"))

    assert torch.equal(again(clip), model(clip))


@torch.no_grad()
@pytest.mark.filterwarnings("ignore:The tensor attributes self.*_flat_weights")  # torch's LSTM
def test_exports_to_the_same_function(model, clip):
    exported = torch.export.export(model, (clip,)).module()

    torch.testing.assert_close(exported(clip), model(clip), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.filterwarnings("default")  # the compiler warns about itself
def test_compiles_to_the_same_function(model, clip):
    torch.compiler.reset()  # or shapes that differ from the last network's become symbols
    compiled = torch.compile(model)

    torch.testing.assert_close(compiled(clip), model(clip), rtol=1e-3, atol=1e-4)
