"""The recipes of this repository: read, and fitting their networks."""

from pathlib import Path

import pytest
import torch

from zoopraxis.models import create_model, model_spec
from zoopraxis.train.optim import build_optimizer
from zoopraxis.train.recipe import read_recipe

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))


def test_there_are_recipes():
    assert {p.stem for p in RECIPES} >= {"finetune", "theatre_r2plus1d"}


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_recipe_fits_its_network(path):
    recipe = read_recipe(path)
    spec = model_spec(recipe.model.name)

    with torch.device("meta"):
        model = create_model(spec.name, num_classes=5, **recipe.model.args)
    optimizer = build_optimizer(model, recipe.optim)

    count = sum(p.numel() for g in optimizer.param_groups for p in g["params"])
    assert count == sum(p.numel() for p in model.parameters())
    clip = recipe.clip_spec(spec.clip)
    assert clip.size <= min(clip.resize if isinstance(clip.resize, tuple) else (clip.resize,))
    assert recipe.model.weights in ("", *(w.tag for w in spec.weights))


def test_fine_tuning_is_one_to_ten():
    recipe = read_recipe(next(p for p in RECIPES if p.stem == "finetune"))
    with torch.device("meta"):
        model = create_model(recipe.model.name, num_classes=5)
    groups = build_optimizer(model, recipe.optim).param_groups
    assert {g["scale"]: len(g["params"]) for g in groups}[10.0] == 2  # weight and bias
