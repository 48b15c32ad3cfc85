"""What a run starts from."""

from zoopraxis.models import model_spec
from zoopraxis.train.recipe import ModelPart
from zoopraxis.train.setup import clip_before


def test_clips_are_those_of_the_weights_a_run_starts_from():
    row = model_spec("r2plus1d_34").clip

    assert clip_before(ModelPart(name="r2plus1d_34")) == row
    assert clip_before(ModelPart(name="r2plus1d_34", weights="ig65m_32f")) == row
    assert clip_before(ModelPart(name="r2plus1d_34", weights="run/best.safetensors")) == row
    assert clip_before(ModelPart(name="r2plus1d_34", weights="ig65m_8f")).frames == 8
