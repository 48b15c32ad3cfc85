"""DeepDraw: the class rises, regularisers do what they say, drawing repeats itself."""

import pytest
import torch

from zoopraxis.checkpoints.create import create_model
from zoopraxis.errors import RecipeError, ShapeError, ZoopraxisError
from zoopraxis.explain.deep_draw import DrawSettings, deep_draw
from zoopraxis.models import model_spec

QUICK = DrawSettings(octaves=2, steps=6)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    model = create_model("test_r2plus1d").eval()

    return model, model_spec("test_r2plus1d").clip


def test_the_class_that_is_drawn_rises(network):
    for label in (0, 1):
        before = deep_draw(*network, label, settings=DrawSettings(octaves=1, steps=1, rate=0.0))
        after = deep_draw(*network, label, settings=QUICK)

        assert after.score > before.score


def test_a_clip_or_a_still(network):
    clip = deep_draw(*network, 1, settings=QUICK).pictures
    still = deep_draw(*network, 1, settings=DrawSettings(octaves=2, steps=6, motion="still"))

    assert clip.shape == (8, 56, 56, 3)
    assert still.pictures.shape == (1, 56, 56, 3)
    assert clip.dtype == torch.uint8
    assert torch.equal(clip, deep_draw(*network, 1, settings=QUICK).pictures)
    other = DrawSettings(octaves=2, steps=6, seed=1)
    assert not torch.equal(clip, deep_draw(*network, 1, settings=other).pictures)


@pytest.mark.parametrize(("axis", "name"), [(0, "variation_in_time"), (2, "variation")])
def test_less_variation_is_smoother(network, axis, name):
    rough, smooth = (
        deep_draw(*network, 1, settings=DrawSettings(octaves=1, steps=8, blur=(0, 0), **{name: v}))
        for v in (0.0, 1.0)
    )

    def roughness(drawn):
        return drawn.pictures.float().diff(dim=axis).abs().mean()

    assert roughness(smooth) < 0.9 * roughness(rough)


def test_progress_counts_every_step(network):
    seen = []
    deep_draw(*network, 1, settings=QUICK, progress=lambda *step: seen.append(step))

    assert seen == [(i, 12) for i in range(1, 13)]


def test_what_cannot_be_drawn_is_said(network):
    with pytest.raises(ShapeError, match="class 1000 of a network"):
        deep_draw(*network, 1000)
    flow = "test_two_stream_flow"
    with pytest.raises(ZoopraxisError, match="input of kind 'flow' cannot be drawn"):
        deep_draw(create_model(flow), model_spec(flow).clip, 0)
    with pytest.raises(RecipeError, match="steps is 0"):
        DrawSettings(steps=0)
