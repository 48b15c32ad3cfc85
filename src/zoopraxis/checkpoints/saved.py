"""Networks on disk and ready to use: our files, and published checkpoints.

A file of ours is a safetensors file whose header holds the network's `ModelConfig`, with the same
as readable JSON beside it (``best.safetensors``, ``best.json``). The JSON may be edited: labels
and clip are taken from it as long as its hash is that of the weights.
"""

import hashlib
import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_parameter_registration_hook,
)

from zoopraxis.checkpoints.config import ModelConfig, hash_weights
from zoopraxis.checkpoints.convert import convert_checkpoint, count_classes
from zoopraxis.checkpoints.create import create_model, load_published
from zoopraxis.checkpoints.download import Progress
from zoopraxis.checkpoints.hub import file_of
from zoopraxis.checkpoints.layout import without_values
from zoopraxis.checkpoints.read import read_safetensors, read_state_dict
from zoopraxis.data.labels import label_names
from zoopraxis.errors import (
    CheckpointError,
    ConversionError,
    ModelNotFoundError,
    ShapeError,
    ZoopraxisError,
)
from zoopraxis.files import write_atomically
from zoopraxis.inputs import ClipSpec, change_clip
from zoopraxis.inputs.base import map_inputs
from zoopraxis.models.base import VideoClassifier
from zoopraxis.models.registry import model_spec
from zoopraxis.spec import Weights
from zoopraxis.weights.registry import build_network, find_weights, weights_of

__all__ = ["OpenModel", "convert_file", "is_file", "open_model", "save_model"]

HEADER = "zoopraxis"  # key of the configuration in a safetensors header
LARGEST_JSON = 32 << 20  # bytes; 20,000 labels are one megabyte
ROOM = 4  # times the tensors and bytes of a file that building its network may register
CHOICES = ("best.safetensors", "final.safetensors")  # of a run's folder, the first that is there


@dataclass(frozen=True)
class OpenModel:
    """A network ready to use, and its identity.

    Parameters
    ----------
    model : nn.Module
        In evaluation mode, on the CPU.
    config : ModelConfig
        Which network it is, exactly.
    title : str, default=""
        How reports call it: the name or the file that it was opened by.
    trained : bool, default=True
        False where the weights are random, as of a bare name of the zoo: what such a network
        answers means nothing, and whoever shows it says so. A file is taken to be trained. It
        is no part of `config`, which a training run that starts here hands on.
    engine : str, default=""
        What computes it, where that is not the network as it is written: "torch" in fast forms,
        "openvino", "onnx". Outputs differ by rounding, and kept ones are not mixed.
    windows : str, default=""
        Through what it sees a crop, where that is not the crop as a whole: the size in pixels and
        how windows are averaged (`zoopraxis.prediction.fully_convolutional`).
    """

    model: nn.Module
    config: ModelConfig
    title: str = ""
    trained: bool = True
    engine: str = ""
    windows: str = ""

    @property
    def name(self) -> str:
        """How reports call it."""
        return self.title or self.config.name

    @property
    def clip(self) -> ClipSpec:
        """The clip it expects."""
        return self.config.clip

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of its K classes."""
        return self.config.labels

    @property
    def identity(self) -> dict[str, str]:
        """All that decides its outputs, for keys of what is kept: what is empty is left out."""
        facts = {"model": self.config.key, "engine": self.engine, "windows": self.windows}
        return {name: value for name, value in facts.items() if value}

    def with_clip(self, **changes: Any) -> "OpenModel":
        """Return the same network, to be given other clips: of larger crops, for example.

        Parameters
        ----------
        **changes
            Fields of the clip's sampling and input: ``size=256``, ``convention="pyslowfast"``.

        Raises
        ------
        RecipeError
            A clip has no such field, or not such a value.
        ShapeError
            The network does not take clips of that shape.

        # net.with_clip(size=256, resize=256)
        """
        clip = change_clip(self.clip, changes)
        changed = replace(self, config=replace(self.config, clip=clip))
        if clip.shapes != self.clip.shapes:
            changed._check_clip(was=self.clip)
        return changed

    def _check_clip(self, *, was: ClipSpec) -> None:
        """Compute one clip: what a network cannot is refused before any video is read."""
        came, fits = (" x ".join(map(str, clip.shape)) for clip in (self.clip, was))
        if self.engine not in ("", "torch"):
            raise ShapeError(
                f"{self.name} was converted for clips of {fits}, not {came}",
                "leave the sizes as they are, or convert the network that it was made of again",
            )
        device = next(iter(self.model.parameters()), torch.empty(0)).device
        try:
            with torch.no_grad():
                self.model(*map_inputs(self.clip.example(), device, torch.contiguous_format))
        except RuntimeError as error:
            raise ShapeError(
                f"{self.name} does not take clips of {came}: its layers after the convolutions "
                f"have weights for the positions of {fits}, or too little is left for them "
                f"({str(error).splitlines()[0]})",
                f"leave the sizes as they are: clips of {fits}",
            ) from error


def open_model(
    ref: str | Path, *, accept_licence: bool = False, progress: Progress | None = None
) -> OpenModel:
    """Open a network by name, ``name.tag``, file of ours, or folder of a run.

    Parameters
    ----------
    ref : str or Path
        A name from `zoopraxis.list_models` (random weights, for tests and timing: the result's
        ``trained`` is False), or with the
        tag of a published checkpoint; a ``.safetensors`` file; the folder of a training run, whose
        best weights are opened. A name of the zoo is a name even where a file or folder is called
        the same: write ``./r3d_18`` for the folder.
    accept_licence : bool, default=False
        Download weights under a licence for other than commercial use.
    progress : callable, optional
        Called with the bytes downloaded, and of how many.

    Raises
    ------
    ModelNotFoundError, CheckpointError, DownloadError
        No such model; a file that is not ours; a checkpoint that cannot be had.
    """
    if is_file(ref):
        return _open_file(_file_in(Path(ref)))
    name, _, tag = str(ref).partition(".")
    spec = model_spec(name)
    if not tag:
        model = create_model(name)
        labels = _numbers(model.num_classes)
        config = ModelConfig(name=name, clip=spec.clip, labels=labels)
    else:
        weights = find_weights(name, tag)
        model = load_published(weights, accept_licence=accept_licence, progress=progress)
        config = ModelConfig(
            name=name,
            source=weights.source,
            clip=weights.clip or spec.clip,
            labels=labels_of(weights),
            origin=_origin(weights),
        )
    config = config.of_weights(model.state_dict())
    return OpenModel(model.eval(), config, str(ref), trained=bool(tag))


def is_file(ref: str | Path) -> bool:
    """Whether a reference is a file or folder: a path, or text that is no name of the zoo."""
    text = str(ref)
    if isinstance(ref, Path) or text.endswith(".safetensors") or "/" in text or "\\" in text:
        return True
    try:
        model_spec(text.partition(".")[0])
    except ModelNotFoundError:
        return Path(ref).exists()
    return False


def _file_in(path: Path) -> Path:
    """Return the file of ours at a path, or the best of a run's folder."""
    if path.is_dir():
        found = [path / choice for choice in CHOICES if (path / choice).is_file()]
        if not found:
            raise CheckpointError(
                f"{path} holds no {' and no '.join(CHOICES)}",
                "name the folder of a training run, or a .safetensors file",
            )
        return found[0]
    if not path.is_file():
        raise CheckpointError(f"no file {path}", "name a model of `zoopraxis models`, or a file")
    return path


def _open_file(path: Path) -> OpenModel:
    """Open a file of ours; the configuration is held to the weights' hash."""
    try:
        state, texts = read_safetensors(path)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    config = _config_of(path, state, texts.get(HEADER))
    _check_fit(config, state, path)
    model = _build(config, path)
    model.load_state_dict(state)
    return OpenModel(model.eval(), config, str(path))


def _check_fit(config: ModelConfig, state: Mapping[str, Tensor], path: Path) -> None:
    """Refuse a configuration of a network that the file does not hold, before it is built.

    On the meta device a network of any size costs no memory, and while one is laid out its tensors
    are counted: a depth of a million is stopped once it is larger than the file.
    """
    with without_values(), _bounded(state, path, config):
        network = _build(config, path)
    wanted = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    held = {key: tuple(tensor.shape) for key, tensor in state.items()}
    wrong = [key for key in {**wanted, **held} if wanted.get(key) != held.get(key)]
    if wrong:
        key = wrong[0]
        raise CheckpointError(
            f"{path} does not hold a {config.name} of {len(config.labels)} classes: {len(wrong)} "
            f"tensors differ, the first {key!r}: {held.get(key)}, expected {wanted.get(key)}",
            f"the configuration is of another network: source {config.source!r}, arguments "
            f"{dict(config.args)!r:.200}",
        )


@contextmanager
def _bounded(state: Mapping[str, Tensor], path: Path, config: ModelConfig) -> Iterator[None]:
    """Stop a network that registers more tensors, or larger ones, than a file holds.

    Builders register some that they then replace (a classifier, a stem), hence the room.
    """
    left = {
        "tensors": ROOM * (len(state) + 100),
        "bytes": ROOM * (sum(map(_nbytes, state.values())) + (1 << 20)),
    }
    thread = threading.get_ident()

    def count(_module: nn.Module, _name: str, tensor: Tensor | None) -> None:
        if tensor is None or threading.get_ident() != thread:  # others may build theirs
            return
        left["tensors"] -= 1
        left["bytes"] -= _nbytes(tensor)
        short = [what for what, rest in left.items() if rest < 0]
        if short:
            raise CheckpointError(
                f"{path} does not hold a {config.name}: the network that its configuration "
                f"describes has far more {short[0]} than the file",
                f"its arguments are {dict(config.args)!r:.200}, its classes {len(config.labels)}",
            )

    hooks = (
        register_module_parameter_registration_hook(count),
        register_module_buffer_registration_hook(count),
    )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _nbytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _config_of(path: Path, state: dict[str, Tensor], header: str | None) -> ModelConfig:
    """Configuration of some weights: the JSON beside them, else the header of their file."""
    found = []
    beside = path.with_suffix(".json")
    if beside.is_file():
        found.append((str(beside), _read_text(beside)))
    if header is not None:
        found.append((f"the header of {path}", header))
    if not found:
        raise CheckpointError(
            f"{path} has no sidecar {beside.name} that says which network it holds",
            "`zoopraxis convert` makes both from a foreign checkpoint",
        )
    found_hash = hash_weights(state)
    for where, text in found:
        config = ModelConfig.from_json(text, where=where)
        if config.sha256 == found_hash:
            return config
    raise CheckpointError(
        f"{found[-1][0]} describes other weights than {path} holds",
        f"its hash begins with {config.sha256[:12] or 'nothing'}, theirs with {found_hash[:12]}; "
        "copy both files of one run, or convert the checkpoint again",
    )


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST_JSON:
            raise CheckpointError(
                f"{path} of {path.stat().st_size} bytes is no description of a network",
                "delete it if the weights say themselves what they are",
            )
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path} cannot be read as text: {error}") from error


def _build(config: ModelConfig, path: Path) -> VideoClassifier:
    """Build the network of a file; the arguments may be anything."""
    try:
        return config.build()
    except CheckpointError:
        raise
    except Exception as error:  # of foreign arguments a constructor raises anything
        reason = error.problem if isinstance(error, ZoopraxisError) else error
        raise CheckpointError(
            f"{path}: {config.name} cannot be built with {dict(config.args)!r:.200}: {reason}",
            "convert or train the network again, or mend the arguments in its JSON",
        ) from error


def save_model(path: str | Path, model: nn.Module, config: ModelConfig) -> Path:
    """Write a network's weights with its configuration, each file whole or not at all.

    Parameters
    ----------
    path : path
        Ends in ``.safetensors``; the JSON gets the same name with ``.json``.
    model : nn.Module
        The network.
    config : ModelConfig
        Its identity; the hash of the weights is filled in.

    Returns
    -------
    Path
        The safetensors file.
    """
    path = Path(path)
    state = {key: tensor.detach().cpu().contiguous() for key, tensor in model.state_dict().items()}
    values = config.of_weights(state).to_dict()
    path.parent.mkdir(parents=True, exist_ok=True)
    # The header first: killed between the two, the file still says what it holds.
    write_atomically(path, save(state, metadata={HEADER: json.dumps(values)}))
    write_atomically(path.with_suffix(".json"), json.dumps(values, indent=1).encode())
    return path


def _numbers(classes: int) -> tuple[str, ...]:
    return tuple(str(k) for k in range(classes))


def labels_of(weights: Weights) -> tuple[str, ...]:
    """Names of a checkpoint's classes; their numbers where the order is not published."""
    return label_names(weights.labels) if weights.labels else _numbers(weights.num_classes)


def _origin(weights: Weights) -> dict[str, str]:
    """Where published weights come from."""
    return {
        "weights": weights.name,
        "url": next(iter(weights.urls), weights.page),
        "licence": weights.licence,
    }


def convert_file(
    path: Path, *, model: str, source: str, out: Path, say: Callable[[str], None] | None = None
) -> Path:
    """Convert a foreign checkpoint into a file of ours.

    Its origin keeps the file's name and hash and, where a published checkpoint of that name is
    known, its address and licence; clip and labels are then that checkpoint's.

    Parameters
    ----------
    path : Path
        The checkpoint.
    model, source : str
        As for `zoopraxis.checkpoints.convert.convert_state_dict`.
    out : Path
        The file to write, ``.safetensors``.
    say : callable, optional
        Called with a line on what was taken off the keys, such as ``module.``; by default it is
        printed to stderr.

    Returns
    -------
    Path
        The safetensors file.
    """
    spec = model_spec(model)
    try:
        state, taken_off = convert_checkpoint(model, read_state_dict(path), source=source)
    except ConversionError as error:
        raise ConversionError(f"{path}: {error.problem}", error.hint) from error
    if taken_off:
        prefixes = " and ".join(repr(prefix) for prefix in taken_off)
        (say or _print)(f"took {prefixes} off the keys of {path.name}")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    classes = count_classes(model, state, source=source)
    known = _find_by_file(model, path, source=source, num_classes=classes or 0)
    network = build_network(model, source=source, num_classes=classes)
    network.load_state_dict(state)
    config = ModelConfig(
        name=model,
        source=source,
        clip=(known.clip if known else None) or spec.clip,
        labels=labels_of(known) if known else _numbers(network.num_classes),
    )
    origin = {"file": path.name, "sha256": digest, **(_origin(known) if known else {})}
    return save_model(out, network, replace(config, origin=origin))


def _print(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _find_by_file(name: str, path: Path, *, source: str, num_classes: int) -> Weights | None:
    """Return the only one of a model's checkpoints that a file can be, by its name; else None."""
    ours = path.absolute().parts
    found = [
        weights
        for weights in weights_of(name)
        for parts in [file_of(weights).parts]
        if ours[-len(parts) :] == parts
        and (weights.source, weights.num_classes) == (source, num_classes)
    ]
    return found[0] if len(found) == 1 else None
