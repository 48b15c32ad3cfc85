"""Recipes: everything that decides the outcome of a training run, as one TOML file."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from zoopraxis.errors import RecipeError, did_you_mean
from zoopraxis.inputs import KINDS, ClipSpec, Sampling, change_clip
from zoopraxis.inputs.augment import Augment
from zoopraxis.records import build
from zoopraxis.training.toml import dump, override, parse

__all__ = [
    "DataPart",
    "ModelPart",
    "OptimPart",
    "Recipe",
    "TrainPart",
    "default_recipe",
    "read_recipe",
    "recipe_path",
    "recipe_text",
]


SHIPPED = Path(__file__).parent / "recipes"
"""Folder of the recipes that come with the package."""

COLOURS = ("brightness", "contrast", "saturation")
CLIP_FIELDS = tuple(
    dict.fromkeys(f.name for record in (Sampling, *KINDS.values()) for f in fields(record))  # type: ignore[arg-type]
)
"""Settings of the section ``[clip]``, of which each kind of input has some."""


@dataclass(frozen=True, kw_only=True)
class ModelPart:
    """The network.

    Parameters
    ----------
    name : str
        A name from `zoopraxis.list_models`.
    weights : str, default=""
        Tag of a published checkpoint to start from, or a file or run of ours: of this model, or of
        a related architecture, such as the same network for another kind of input
        (`zoopraxis.checkpoints.inflate.start_from`). Empty is random weights.
    new : str, default=""
        Regular expression for names of tensors that the checkpoint of a related architecture lacks:
        they are re-initialised.
    source : str, default=""
        Build the network as this source has it; empty keeps what the weights say.
    args : mapping
        Arguments of the model's class, in place of the entry's.
    """

    name: str
    weights: str = ""
    new: str = ""
    source: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class DataPart:
    """The videos.

    Parameters
    ----------
    train : str
        A folder of classes or a list; see `zoopraxis.data.samples.read_samples`.
    val : str, default=""
        The same for validation; empty holds out a fraction of the training groups.
    val_fraction : float, default=0.2
        That fraction; 0 trains on everything and does not validate.
    split_seed : int, default=0
        Of the split.
    labels : str, default=""
        Names of the classes by index: see `zoopraxis.data.labels.label_names`. Empty takes the
        sorted names that occur in the training list.
    first_label : {-1, 0, 1}, default=-1
        Number of the first class, where the labels of the lists are numbers; -1 infers it.
    group_column : str, default="group"
        The column of a list that holds the groups of the split.
    group_pattern : str, default=""
        A regular expression that finds the group in a sample's name instead.
    workers : int, default=0
        Loader processes; 0 decodes in the training process. The result is the same.
    cache : {"none", "memory"}, default="none"
        "memory" decodes each video once and keeps it: for small clips.
    quarantine : str, default=""
        Leave out the videos of this list, which ``zoopraxis data doctor --quarantine`` wrote.
    """

    train: str
    val: str = ""
    val_fraction: float = 0.2
    split_seed: int = 0
    labels: str = ""
    first_label: int = -1
    group_column: str = "group"
    group_pattern: str = ""
    workers: int = 0
    cache: Literal["none", "memory"] = "none"
    quarantine: str = ""


@dataclass(frozen=True, kw_only=True)
class OptimPart:
    """Optimiser and learning-rate schedule.

    Parameters
    ----------
    name : {"sgd", "adamw"}, default="sgd"
        The optimiser.
    lr : float, default=0.01
        Learning rate for a step of ``train.batch_size`` clips.
    momentum : float, default=0.9
        Of SGD.
    nesterov : bool, default=False
        Of SGD.
    betas : (float, float), default=(0.9, 0.999)
        Of AdamW.
    weight_decay : float, default=1e-4
        Of every parameter with two or more axes.
    decay_norms : bool, default=True
        Whether it applies to batch norms and biases too.
    lr_scale : mapping of str to float
        Regular expressions for names of parameters, and a factor on the learning rate of those
        that match; the first matching pattern wins. ``{"^head" = 10.0}`` fine-tunes 1x/10x.
    warmup_epochs : float, default=0
        Length of the linear warm-up from 0 to ``lr``.
    schedule : {"constant", "step", "cosine"}, default="cosine"
        After the warm-up: constant; times ``gamma`` at ``milestones``; or half a cosine to 0.
    milestones : list of float
        Epochs.
    gamma : float, default=0.1
        Factor at a milestone.
    clip_grad : float, default=0
        Maximum norm of the gradient over all parameters; 0 does not clip.
    """

    name: Literal["sgd", "adamw"] = "sgd"
    lr: float = 0.01
    momentum: float = 0.9
    nesterov: bool = False
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 1e-4
    decay_norms: bool = True
    lr_scale: Mapping[str, float] = field(default_factory=dict)
    warmup_epochs: float = 0.0
    schedule: Literal["constant", "step", "cosine"] = "cosine"
    milestones: tuple[float, ...] = ()
    gamma: float = 0.1
    clip_grad: float = 0.0


@dataclass(frozen=True, kw_only=True)
class TrainPart:
    """Length of training, batch size, precision, regularisation and saved states.

    Parameters
    ----------
    epochs : int, default=30
        Passes over the training list.
    batch_size : int, default=8
        Clips of one step, over all devices and micro-batches.
    micro_batches : int, default=1
        Micro-batches into which each device splits its shard of the batch, to save memory.
    precision : {"32", "bf16-mixed", "16-mixed"}, default="32"
        Precision of the network's arithmetic; weights stay in 32 bits.
    channels_last : bool, default=False
        Keep activations as (B, T, H, W, C) in memory: faster with bf16 and depth-wise kernels.
    compile : bool, default=False
        Train the network as torch.compile writes it, for a GPU: the first step takes about a
        minute longer.
    seed : int, default=0
        Of initial weights, order, augmentation, dropout and mixup.
    multi_label : bool, default=False
        Any number of labels per clip: a sigmoid for each, mAP instead of accuracy.
    sampling : {"all", "balanced"}, default="all"
        Each clip once an epoch, or as many draws with equal chances for every class.
    label_smoothing : float, default=0
        Fraction of the target that is spread over all classes.
    focal : float, default=0
        Gamma of the focal loss, which gives less weight to clips that are easily recognised; the
        authors use 2. 0 is the cross entropy.
    class_weights : {"none", "balanced"}, default="none"
        Weights of the classes in the loss: equal, or inversely proportional to their clips.
    logit_adjustment : float, default=0
        Tau of logit adjustment, which adds the logarithm of the classes' frequencies to the logits
        in training; the authors use 1. 0 adds nothing.
    mixup : float, default=0
        Alpha of the beta distribution of the mixing weight; 0 does not mix.
    ema : float, default=0
        Decay of the moving average of the weights, which is then validated and saved; 0 is none.
    freeze_norms : {"none", "all", "all_but_first"}, default="none"
        Batch norms whose statistics and parameters are frozen; TSN's partial batch norm spares the
        first.
    val_interval : int, default=1
        Epochs from one validation to the next; the last epoch is always validated.
    on_bad_video : {"stop", "skip"}, default="stop"
        What happens at a video that cannot be read; skipped ones are counted and reported.
    checkpoint_minutes : float, default=5
        Time between saved states within an epoch; each epoch ends with one. 0 is never.
    checkpoint_steps : int, default=0
        Steps between saved states within an epoch. 0 is never.
    """

    epochs: int = 30
    batch_size: int = 8
    micro_batches: int = 1
    precision: Literal["32", "bf16-mixed", "16-mixed"] = "32"
    channels_last: bool = False
    compile: bool = False
    seed: int = 0
    multi_label: bool = False
    sampling: Literal["all", "balanced"] = "all"
    label_smoothing: float = 0.0
    focal: float = 0.0
    class_weights: Literal["none", "balanced"] = "none"
    logit_adjustment: float = 0.0
    mixup: float = 0.0
    ema: float = 0.0
    freeze_norms: Literal["none", "all", "all_but_first"] = "none"
    val_interval: int = 1
    on_bad_video: Literal["stop", "skip"] = "stop"
    checkpoint_minutes: float = 5.0
    checkpoint_steps: int = 0


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A training run: one section of the TOML file each.

    Parameters
    ----------
    model : ModelPart
        Which network.
    data : DataPart
        Which videos.
    clip : mapping
        Fields of the clip's sampling and input in place of the model's: ``num_frames``, ``size``.
    augment : Augment
        How training clips vary.
    optim : OptimPart
        Optimiser and learning-rate schedule.
    train : TrainPart
        Length of training, batch size, precision, regularisation and saved states.
    """

    model: ModelPart
    data: DataPart
    clip: Mapping[str, Any] = field(default_factory=dict)
    augment: Augment = field(default_factory=Augment)
    optim: OptimPart = field(default_factory=OptimPart)
    train: TrainPart = field(default_factory=TrainPart)

    def clip_spec(self, base: ClipSpec) -> ClipSpec:
        """Clip of the model, with the recipe's changes.

        Raises
        ------
        RecipeError
            A change to a field that the clip does not have, or of a wrong type.
        """
        return change_clip(base, self.clip)


def read_recipe(path: str | Path, overrides: Iterable[str] = ()) -> Recipe:
    """Read a recipe from a TOML file.

    Parameters
    ----------
    path : str or Path
        The file, or the name of a recipe that comes with the package: ``"tsm"``.
    overrides : iterable of str
        ``section.key=value``, applied to the file's content.

    Raises
    ------
    RecipeError
        The file is not there or not TOML, or a setting is unknown or has a wrong value.
    """
    file = recipe_path(path)
    if file.is_dir():
        raise RecipeError(
            f"{path} is a folder, not a recipe",
            "a recipe is a .toml file; to train on a folder of videos: --data FOLDER --model NAME",
        )
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise RecipeError(
            f"the recipe {path} cannot be read: {error.strerror}",
            "give a .toml file, or the name of a recipe that comes with the package, such as tsm",
        ) from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"the recipe {path} is not text: {error}", "save it as UTF-8") from error
    return _recipe(parse(text, where=str(path)), overrides)


def default_recipe(data: str, model: str, overrides: Iterable[str] = ()) -> Recipe:
    """Recipe that trains a model on a folder or list with every other setting at its default."""
    return _recipe({"model": {"name": model}, "data": {"train": data}}, overrides)


def _recipe(tables: dict[str, Any], overrides: Iterable[str]) -> Recipe:
    override(tables, overrides)
    for section in ("model", "data"):
        tables.setdefault(section, {})
    recipe = build(Recipe, tables)
    _check(recipe)
    return recipe


def _check(recipe: Recipe) -> None:
    """Refuse values out of range."""
    unknown = [key for key in recipe.clip if key not in CLIP_FIELDS]
    if unknown:
        raise RecipeError(
            f"there is no setting 'clip.{unknown[0]}'", did_you_mean(unknown[0], CLIP_FIELDS)
        )
    o, t, d, a = recipe.optim, recipe.train, recipe.data, recipe.augment
    limits: dict[str, tuple[float, float, float]] = {  # setting: (value, lowest, highest)
        "train.epochs": (t.epochs, 1, 10**9),
        "data.val_fraction": (d.val_fraction, 0, 0.999),
        "data.first_label": (d.first_label, -1, 1),
        "data.workers": (d.workers, 0, 1024),
        "optim.lr": (o.lr, 0, 1e6),
        "optim.momentum": (o.momentum, 0, 1),
        "optim.weight_decay": (o.weight_decay, 0, 1e6),
        "optim.gamma": (o.gamma, 0, 1e6),
        "optim.clip_grad": (o.clip_grad, 0, float("inf")),
        "optim.warmup_epochs": (o.warmup_epochs, 0, t.epochs),
        "train.batch_size": (t.batch_size, 1, 10**9),
        "train.micro_batches": (t.micro_batches, 1, t.batch_size),
        "train.seed": (t.seed, 0, 2**63 - 1),
        "train.val_interval": (t.val_interval, 1, 10**9),
        "train.label_smoothing": (t.label_smoothing, 0, 1),
        "train.focal": (t.focal, 0, 100),
        "train.logit_adjustment": (t.logit_adjustment, 0, 100),
        "train.mixup": (t.mixup, 0, 1e6),
        "train.ema": (t.ema, 0, 1),
        "train.checkpoint_minutes": (t.checkpoint_minutes, 0, float("inf")),
        "train.checkpoint_steps": (t.checkpoint_steps, 0, 10**12),
        "augment.flip": (a.flip, 0, 1),
        "augment.max_distort": (a.max_distort, 0, 1000),
    }
    limits |= {f"optim.betas[{i}]": (beta, 0, 1) for i, beta in enumerate(o.betas)}
    limits |= {f"optim.lr_scale.{key}": (value, 0, 1e6) for key, value in o.lr_scale.items()}
    limits |= {f"augment.{key}": (getattr(a, key), 0, 1) for key in COLOURS}
    limits |= {f"augment.scales[{i}]": (scale, 0.01, 1) for i, scale in enumerate(a.scales)}
    for name, (value, lowest, highest) in limits.items():
        if not lowest <= value <= highest:
            raise RecipeError(f"{name} = {value} is not between {lowest} and {highest}")
    _check_together(recipe)


def _check_together(recipe: Recipe) -> None:
    """Refuse values that contradict each other, and patterns that are none."""
    a, o, t = recipe.augment, recipe.optim, recipe.train
    spans = {"jitter": (a.jitter, 100), "area": (a.area, 1), "ratio": (a.ratio, 100)}
    for name, ((low, high), highest) in spans.items():
        if not 0 < low <= high <= highest:
            raise RecipeError(
                f"augment.{name} = [{low}, {high}] is not a range within (0, {highest}]",
                "write the lower value first",
            )
    if not a.scales:
        raise RecipeError("augment.scales is empty", "name one scale at least: [1.0]")
    if 1.0 in o.betas:
        raise RecipeError("optim.betas has a 1, which forgets nothing", "set [0.9, 0.999]")
    if o.name == "sgd" and o.nesterov and not o.momentum:
        raise RecipeError("optim.nesterov needs a momentum", "set optim.momentum=0.9")
    patterns = {"optim.lr_scale": tuple(o.lr_scale), "model.new": (recipe.model.new,)}
    for name, texts in patterns.items():
        for text in texts:
            try:
                re.compile(text)
            except re.error as error:
                raise RecipeError(
                    f"{name}: {text!r} is not a regular expression: {error}",
                    "it is matched against names of tensors, such as '^head'",
                ) from error
    if "num_classes" in recipe.model.args:
        raise RecipeError(
            "model.args.num_classes is set by the data, one for each of its classes",
            "leave it out; data.labels lists the classes, with those that have no video",
        )
    if t.multi_label and t.label_smoothing:
        raise RecipeError(
            "label smoothing is for one label per clip", "set train.label_smoothing=0"
        )
    if t.focal and t.label_smoothing:
        raise RecipeError(
            "label smoothing and the focal loss contradict each other",
            "set train.label_smoothing=0 or train.focal=0",
        )
    _check_balance(t)
    # (1 - p) ** gamma has no finite slope at p = 1 for such a gamma
    if 0 < t.focal < 1:
        raise RecipeError(
            f"train.focal = {t.focal:g} is between 0 and 1, where gradients are not finite",
            "set 0, or 1 and more",
        )


def _check_balance(t: TrainPart) -> None:
    """Refuse to make up for classes of unequal size twice, or where clips have several labels."""
    means = {
        "train.sampling=balanced": t.sampling == "balanced",
        "train.class_weights=balanced": t.class_weights == "balanced",
        f"train.logit_adjustment={t.logit_adjustment:g}": t.logit_adjustment > 0,
    }
    chosen = [name for name, used in means.items() if used]
    if len(chosen) > 1:
        raise RecipeError(
            f"{' and '.join(chosen)} would make up for classes of unequal size more than once",
            "keep one of them",
        )
    if t.multi_label and chosen and t.sampling != "balanced":
        raise RecipeError(
            f"{chosen[0]} is for one label per clip",
            "set train.sampling=balanced or train.focal=2 instead",
        )


def recipe_text(recipe: Recipe) -> str:
    """TOML of a recipe, complete: every setting with its value."""
    return dump({part.name: asdict(recipe)[part.name] for part in fields(recipe)})


def recipe_path(name: str | Path) -> Path:
    """Return the file of a recipe: a path, or the name of one that comes with the package.

    Raises
    ------
    RecipeError
        No file, and no recipe of that name; the hint gives near ones.
    """
    path, text = Path(name), str(name)
    if isinstance(name, Path) or path.suffix == ".toml" or "/" in text or "\\" in text:
        return path
    # a name is a name, even where a folder is called the same: ./tsm is the folder
    shipped = {file.stem: file for file in SHIPPED.glob("*.toml")}
    if text in shipped:
        return shipped[text]
    if path.exists():
        return path
    raise RecipeError(f"there is no recipe called {text!r}", did_you_mean(text, sorted(shipped)))
