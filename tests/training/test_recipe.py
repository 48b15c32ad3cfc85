"""Recipes: what is read is what was written; mistakes are named."""

import pytest

from zoopraxis.errors import RecipeError
from zoopraxis.inputs import RGB, ClipSpec, Sampling
from zoopraxis.training.recipe import default_recipe, read_recipe, recipe_text

TEXT = """
[model]
name = "r2plus1d_18"
args = { dropout = 0.5 }

[data]
train = "videos"
group_pattern = '_g(\\d+)_'

[clip]
num_frames = 8
resize = [72, 96]
mean = [0.5, 0.5, 0.5]

[augment]
crop = "random"
left_right = [[0, 1], [4, 2]]

[optim]
name = "adamw"
lr = 1
milestones = [10, 20.5]
lr_scale = { "^head" = 10.0 }

[train]
epochs = 3
"""


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "recipe.toml"
    file.write_text(TEXT)
    return file


def test_sections_become_dataclasses(path):
    recipe = read_recipe(path)

    assert recipe.model.args == {"dropout": 0.5}
    assert recipe.data.group_pattern == r"_g(\d+)_"
    assert (recipe.optim.lr, recipe.optim.milestones) == (1.0, (10.0, 20.5))
    assert isinstance(recipe.optim.lr, float)
    assert recipe.optim.lr_scale == {"^head": 10.0}
    assert recipe.augment.left_right == ((0, 1), (4, 2))
    assert recipe.train.batch_size == 8  # a default


def test_written_recipe_reads_the_same(path, tmp_path):
    recipe = read_recipe(path)
    copy = tmp_path / "copy.toml"
    copy.write_text(recipe_text(recipe))

    assert recipe_text(read_recipe(copy)) == recipe_text(recipe)
    assert read_recipe(copy).optim == recipe.optim
    assert read_recipe(copy).augment == recipe.augment
    assert "checkpoint_minutes = 5.0" in copy.read_text()  # complete


def test_clip_changes_only_what_is_named(path):
    base = ClipSpec(sampling=Sampling(num_frames=16, stride=2), input=RGB(size=112))

    clip = read_recipe(path).clip_spec(base)

    assert (clip.sampling.num_frames, clip.sampling.stride, clip.input.size) == (8, 2, 112)
    assert clip.input.resize == (72, 96)


def test_overrides(path):
    recipe = read_recipe(
        path,
        [
            "optim.lr=0.3",
            "model.name=r3d_18",
            'data.train="a b"',
            "clip.num_frames=4",
            "train.ema=0.9",
        ],
    )

    assert recipe.optim.lr == 0.3
    assert recipe.model.name == "r3d_18"
    assert recipe.data.train == "a b"
    assert recipe.clip["num_frames"] == 4
    assert recipe.train.ema == 0.9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("optim.learning_rat=1", "there is no setting 'optim.learning_rat'"),
        ("optim.momentun=1", "did you mean momentum"),
        ("optimiser.lr=1", "did you mean optim"),
        ("optim.lr=fast", "optim.lr = 'fast' is not a number"),
        ("train.epochs=1.5", "train.epochs = 1.5 is not a whole number"),
        ("train.epochs=true", "train.epochs = True is not a whole number"),
        ("train.channels_last=1", "is not true or false"),
        ("optim.schedule=exponential", "is not one of constant, step, cosine"),
        ("optim.betas=[0.9]", "has 1 values instead of 2"),
        ("augment.jitter=2", "augment.jitter = 2 is not a list"),
        ("optim=3", "optim = 3 is not a table"),
        ("train.epochs=0", "train.epochs = 0 is not between 1"),
        ("train.batch_size=0", "train.batch_size = 0 is not between 1"),
        ("optim.momentum=2", "optim.momentum = 2.0 is not between 0 and 1"),
        ("optim.weight_decay=-1", "optim.weight_decay = -1.0 is not between 0"),
        ("optim.betas=[0.9, 2]", "optim.betas[1] = 2.0 is not between 0 and 1"),
        ("optim.lr=nan", "optim.lr = nan is not between"),
        ("optim.lr_scale={head=-1}", "optim.lr_scale.head = -1.0 is not between"),
        ('optim.lr_scale={"("=1}', "is not a regular expression"),
        ("model.new=(", "model.new: '(' is not a regular expression"),
        ("model.args.num_classes=7", "is set by the data"),
        ("augment.flip=2", "augment.flip = 2.0 is not between 0 and 1"),
        ("augment.contrast=-1", "augment.contrast = -1.0 is not between 0 and 1"),
        ("augment.jitter=[1.2, 1]", "augment.jitter = [1.2, 1.0] is not a range"),
        ("augment.area=[0, 1]", "augment.area = [0.0, 1.0] is not a range within (0, 1]"),
        ("augment.ratio=[2, 0.5]", "augment.ratio = [2.0, 0.5] is not a range"),
        ("augment.scales=[]", "augment.scales is empty"),
        ("augment.scales=[1.0, 2.0]", "augment.scales[1] = 2.0 is not between 0.01 and 1"),
        ("augment.max_distort=-1", "augment.max_distort = -1 is not between"),
        ("optim.warmup_epochs=4", "is not between 0 and 3"),
        ("data.val_fraction=1.0", "data.val_fraction = 1.0 is not between"),
        ("frames", "'frames' is not an override"),
        ("model.name.x=1", "name is a value, not a section"),
    ],
)
def test_mistakes_are_named(path, change, message):
    with pytest.raises(RecipeError) as error:
        read_recipe(path, [change])
    assert message in str(error.value)


def test_what_must_be_set(path, tmp_path):
    (tmp_path / "empty.toml").write_text("[data]\ntrain = 'x'\n")
    with pytest.raises(RecipeError, match="model has no name"):
        read_recipe(tmp_path / "empty.toml")
    with pytest.raises(RecipeError, match=r"missing\.toml cannot be read"):
        read_recipe(tmp_path / "missing.toml")
    path.write_text("[model\n")
    with pytest.raises(RecipeError, match=r"not valid TOML.*line 1"):
        read_recipe(path)


@pytest.mark.parametrize(
    "settings", [("train.focal=0.5",), ("train.focal=2", "train.label_smoothing=0.1")]
)
def test_focal_loss_is_refused_where_it_is_not_defined(settings):
    with pytest.raises(RecipeError, match="focal"):
        default_recipe("x", "m", list(settings))


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            ("train.class_weights=balanced", "train.sampling=balanced"),
            "train.sampling=balanced and train.class_weights=balanced would make up",
        ),
        (
            ("train.class_weights=balanced", "train.logit_adjustment=1"),
            "train.class_weights=balanced and train.logit_adjustment=1 would make up",
        ),
        (("train.logit_adjustment=1", "train.multi_label=true"), "is for one label per clip"),
        (("train.class_weights=balanced", "train.multi_label=true"), "is for one label per clip"),
        (("train.logit_adjustment=-1",), "is not between 0 and 100"),
        (("train.class_weights=inverse",), "is not one of none, balanced"),
    ],
)
def test_classes_of_unequal_size_are_made_up_for_once(settings, problem):
    with pytest.raises(RecipeError, match=problem):
        default_recipe("x", "m", list(settings))


def test_label_smoothing_is_for_one_label():
    with pytest.raises(RecipeError, match="one label per clip"):
        default_recipe("x", "m", ["train.multi_label=true", "train.label_smoothing=0.1"])


def test_a_name_that_looks_like_a_number_needs_no_quotes():
    recipe = default_recipe("videos", "r2plus1d_18", ["train.precision=32"])

    assert recipe.train.precision == "32"


def test_nesterov_needs_momentum():
    with pytest.raises(RecipeError, match="needs a momentum"):
        default_recipe("x", "m", ["optim.nesterov=true", "optim.momentum=0"])


def test_a_recipe_that_is_no_text(tmp_path):
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="is not text"):
        read_recipe(tmp_path / "binary.toml")
