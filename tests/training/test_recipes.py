"""The recipes of this repository: read, and fitting their networks."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from zoopraxis.checkpoints.create import create_model
from zoopraxis.errors import RecipeError
from zoopraxis.inputs import Heatmap, Skeleton
from zoopraxis.inputs.images import ImageInput
from zoopraxis.models import FAMILIES, list_models, model_spec
from zoopraxis.theatre import Settings, make_theatre
from zoopraxis.training.loop import train
from zoopraxis.training.optim import build_optimizer
from zoopraxis.training.recipe import SHIPPED, read_recipe
from zoopraxis.weights import weights_of

RECIPES = sorted(SHIPPED.glob("*.toml"))
OF_SKELETONS = {
    family
    for family in FAMILIES
    if isinstance(model_spec(list_models(family=family)[0]).clip.input, Heatmap | Skeleton)
}
ELSEWHERE = {"coviar", "dmc_net", *OF_SKELETONS}  # not for the theatre's files; test_compressed.py


def test_recipes_are_found_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # outside a checkout
    assert read_recipe("finetune", ["data.train=x"]).data.train == "x"
    with pytest.raises(RecipeError, match="no recipe called 'finetun'") as caught:
        read_recipe("finetun")
    assert "did you mean finetune" in caught.value.hint


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
    if isinstance(clip.input, ImageInput):
        resize = clip.input.resize
        assert clip.input.size <= min(resize if isinstance(resize, tuple) else (resize,))
    assert recipe.model.weights in ("", *(w.tag for w in weights_of(spec.name)))


def test_fine_tuning_is_one_to_ten():
    recipe = read_recipe(next(p for p in RECIPES if p.stem == "finetune"))
    with torch.device("meta"):
        model = create_model(recipe.model.name, num_classes=5)
    groups = build_optimizer(model, recipe.optim).param_groups
    assert {g["scale"]: len(g["params"]) for g in groups}[10.0] == 2  # weight and bias


def test_every_family_has_a_recipe():
    assert {p.stem for p in RECIPES} >= set(FAMILIES)


@pytest.fixture(scope="module")
def theatre(tmp_path_factory):
    """Twelve actions, two clips each."""
    folder = tmp_path_factory.mktemp("theatre")
    settings = Settings(size=(96, 80), performers=2, boxes=True)
    return make_theatre(folder, clips_per_class=2, settings=settings, workers=1).parent


@pytest.mark.slow
@pytest.mark.parametrize("family", [family for family in FAMILIES if family not in ELSEWHERE])
def test_every_family_trains_an_epoch_from_its_recipe(family, theatre, tmp_path):
    changes = [
        f"model.name={list_models('test_*', family=family)[0]}",
        'model.weights=""',
        f'data.train="{theatre}"',
        "data.val_fraction=0.5",
        "data.workers=0",
        "optim.warmup_epochs=0",
        "train.epochs=1",
        "train.batch_size=4",
        "train.micro_batches=1",
    ]
    path = next(p for p in RECIPES if p.stem == family)
    recipe = replace(read_recipe(path, changes), clip={})  # the tiny variant has its own

    result = train(recipe, tmp_path / "run")

    assert result.final.exists()
    assert math.isfinite(result.history[0]["train_loss"])
    assert result.history[0]["step"] >= 1


@pytest.mark.parametrize("family", sorted(OF_SKELETONS))
def test_skeletons_train_an_epoch_from_their_recipe(family, tmp_path):
    rng = np.random.default_rng(0)
    name = f"test_{family}"
    clip = model_spec(name).clip
    num_joints = clip.input.joints.num_joints
    rows = ["path,label,skeleton"]
    for number in range(8):
        np.save(tmp_path / f"{number}.npy", rng.random((2, 24, num_joints, 3)))
        rows.append(f"{number}.npy,{'wave' if number % 2 else 'clap'},{number}.npy")
    (tmp_path / "train.csv").write_text("\n".join(rows))
    changes = [
        f"model.name={name}",
        f'data.train="{tmp_path / "train.csv"}"',
        f'data.val="{tmp_path / "train.csv"}"',
        "data.workers=0",
        f"clip.num_frames={clip.sampling.num_frames}",
        "train.epochs=1",
        "train.batch_size=4",
        "train.micro_batches=1",
    ]
    if isinstance(clip.input, Heatmap):
        changes.append(f"clip.size={clip.input.size}")

    result = train(read_recipe(family, changes), tmp_path / "run")

    assert result.final.exists()
    assert math.isfinite(result.history[0]["train_loss"])
    assert 0 <= result.history[0]["val_top1"] <= 100
