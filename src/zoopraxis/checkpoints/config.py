"""Which network this is, exactly: name, source, arguments, clip, labels, and its weights' hash."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from zoopraxis.errors import CheckpointError, ZoopraxisError
from zoopraxis.inputs import ClipSpec, clip_from_dict, clip_to_dict
from zoopraxis.models.base import VideoClassifier
from zoopraxis.models.registry import model_spec
from zoopraxis.weights.registry import build_network, find_source

__all__ = ["ModelConfig", "hash_weights"]

MOST = 1_000_000  # of a number among a network's arguments


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The identity of a network: with its weights, it says everything that a prediction needs.

    Parameters
    ----------
    name : str
        Entry of the zoo.
    source : str, default=""
        Whose build of the network it is; empty is the paper's own.
    args : mapping
        Arguments of its constructor in place of the entry's and the source's; plain JSON.
    clip : ClipSpec
        The clip it expects.
    labels : tuple of str
        Names of its K classes.
    sha256 : str, default=""
        Hash of its weights (`hash_weights`).
    origin : mapping
        Where the weights come from: file, hash, url, licence. It says nothing about the network.
    """

    name: str
    source: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)
    clip: ClipSpec
    labels: tuple[str, ...]
    sha256: str = ""
    origin: Mapping[str, str] = field(default_factory=dict)

    def build(self) -> VideoClassifier:
        """Build the network, with random weights."""
        return build_network(
            self.name, source=self.source, **{"num_classes": len(self.labels), **self.args}
        )

    def of_weights(self, state: Mapping[str, Tensor]) -> "ModelConfig":
        """Return the identity of the same network with these weights.

        Of its arguments ``pretrained`` is left out: it names the weights from which the network
        started, and who opens these should not download those.
        """
        args = {key: value for key, value in self.args.items() if key != "pretrained"}
        return replace(self, args=args, sha256=hash_weights(state))

    @property
    def key(self) -> str:
        """Hash of all that decides what the network computes, and of its labels."""
        values = {key: value for key, value in self.to_dict().items() if key != "origin"}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON.

        Raises
        ------
        CheckpointError
            An argument is not plain JSON, so that a file could not say which network this is.
        """
        values = {
            "name": self.name,
            "source": self.source,
            "args": dict(self.args),
            "clip": clip_to_dict(self.clip),
            "labels": list(self.labels),
            "sha256": self.sha256,
            "origin": dict(self.origin),
        }
        try:
            return dict(json.loads(json.dumps(values, allow_nan=False)))
        except (TypeError, ValueError) as error:
            raise CheckpointError(
                f"the arguments of {self.name} are not plain JSON: {error}",
                "save networks that are built from numbers, texts and lists; for another "
                "constructor add an entry to the zoo",
            ) from error

    @classmethod
    def from_dict(cls, values: Any, *, where: str) -> "ModelConfig":
        """Make a configuration of its JSON form, checking every value.

        Parameters
        ----------
        values : Any
            Parsed JSON.
        where : str
            File that it comes from, for messages.

        Raises
        ------
        CheckpointError
            It is not a configuration, or of a network that the zoo does not have.
        """
        expected = {"name": str, "args": Mapping, "clip": Mapping, "labels": list, "sha256": str}
        for key, kind in expected.items():
            if not isinstance(values, Mapping) or not isinstance(values.get(key), kind):
                raise CheckpointError(
                    f"{where} does not describe a network: no {key}",
                    "`zoopraxis convert` and `zoopraxis train` write such files",
                )
        labels = values["labels"]
        if not labels or not all(isinstance(label, str) for label in labels):
            raise CheckpointError(f"{where}: labels are not a list of names", "list K names")
        source, origin = values.get("source", ""), values.get("origin", {})
        _check_source(values["name"], source, where=where)
        _check_args(values["args"], len(labels), where=where)
        if not isinstance(origin, Mapping):
            raise CheckpointError(
                f"{where}: origin {origin!r:.80} is not a table", "leave it out, or {} for none"
            )
        return cls(
            name=values["name"],
            source=source,
            args=values["args"],
            clip=clip_from_dict(values["clip"], where=f"{where}: clip", error=CheckpointError),
            labels=tuple(labels),
            sha256=values["sha256"],
            origin=origin,
        )

    @classmethod
    def from_json(cls, text: str, *, where: str) -> "ModelConfig":
        """Make a configuration of JSON text; see `from_dict`.

        Raises
        ------
        CheckpointError
            It is not JSON, or not a configuration.
        """
        try:
            values = json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:  # also a number of 5000 digits
            raise CheckpointError(
                f"{where} is not JSON: {error}",
                "delete it if the weights say themselves what they are, or convert them again",
            ) from error
        return cls.from_dict(values, where=where)


def _refuse_constant(name: str) -> None:
    """Python's JSON has NaN and Infinity, which no setting of a network can be."""
    raise ValueError(f"{name} is not a number of JSON")


def _check_source(name: str, source: Any, *, where: str) -> None:
    """Refuse a network that the zoo does not have."""
    if not isinstance(source, str):
        raise CheckpointError(f"{where}: source {source!r:.80} is not a text", "expected a name")
    try:
        model_spec(name)
        if source:
            find_source(name, source)
    except ZoopraxisError as error:
        raise CheckpointError(f"{where}: {error.problem}", error.hint) from error


def _check_args(args: Mapping[str, Any], num_labels: int, *, where: str) -> None:
    """Refuse arguments that cannot be a network's of so many labels."""
    if args.get("num_classes", num_labels) != num_labels:
        raise CheckpointError(
            f"{where}: args.num_classes is {args['num_classes']!r:.40}, of {num_labels} labels",
            "leave num_classes out: it is the number of the labels",
        )
    for number in _numbers_in(args):
        if not abs(number) <= MOST:  # NaN neither
            raise CheckpointError(
                f"{where}: args have the number {number!r:.40}",
                f"a network's arguments lie between -{MOST} and {MOST}",
            )


def _numbers_in(value: Any) -> Iterator[float]:
    """Yield the numbers in plain JSON."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from _numbers_in(item)
    elif isinstance(value, int | float):
        yield value


def hash_weights(state: Mapping[str, Tensor]) -> str:
    """SHA-256 of a state dict: of its keys, types, shapes and values, whatever file holds it."""
    digest = hashlib.sha256()
    for key in sorted(state):
        tensor = state[key].detach().cpu().contiguous()
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        if tensor.numel():
            digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
