"""Features of all videos of a list, in files: extracted once, and read by every probe.

A folder of features holds ``manifest.json`` (which network, which layers, which clips), shards
``features-00000.safetensors`` of some hundred videos each, and, once all is done, ``index.json``.
The work on a video ends with its own small file in ``parts``; full sets of these become shards.
So a run that is killed loses the video that it was at, and computes none again.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from zoopraxis.checkpoints.saved import OpenModel
from zoopraxis.data.samples import Sample, SampleList
from zoopraxis.errors import DataError, VideoError, ZoopraxisError
from zoopraxis.evaluation.identity import sample_identity
from zoopraxis.evaluation.views import load_views
from zoopraxis.files import write_atomically
from zoopraxis.prediction.features import POOLED, PROB, LayerDescriptors, stages
from zoopraxis.prediction.pipeline import Precision, run

__all__ = ["ALL", "FeatureSet", "FeatureSettings", "extract_list", "open_features"]

ALL = "all"
MANIFEST, INDEX, PARTS = "manifest.json", "index.json", "parts"
_HEADER = "zoopraxis.features"  # key of the names in a shard's header
_REMOVE = "remove the folder, and extract again"


@dataclass(frozen=True, kw_only=True)
class FeatureSettings:
    """What is extracted of every video.

    Parameters
    ----------
    layers : tuple of str, default=("pooled",)
        Names of modules, "pooled", "prob"; or "all" for these two and every stage of the network
        (`zoopraxis.prediction.features.stages`).
    clips : int, default=20
        Clips over each video. P3D averages 20 (Qiu, Yao and Mei, ICCV 2017, section 5).
    crops : {1, 3, 5, 10}, default=1
        Crops of each; one is the centre.
    keep : {"video", "clips", "maps"}, default="video"
        The mean over clips and crops, (C,); a vector of each, (V, C); or their maps,
        (V, C, T', H', W'), which attentive probes need.
    dtype : {"float16", "float32"}, default="float16"
        Of the numbers in the files.
    precision : {"float32", "bfloat16", "float16"}, default="float32"
        Of the arithmetic.

    Raises
    ------
    DataError
        A value is out of its range.
    """

    layers: tuple[str, ...] = (POOLED,)
    clips: int = 20
    crops: int = 1
    keep: Literal["video", "clips", "maps"] = "video"
    dtype: Literal["float16", "float32"] = "float16"
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        if self.clips < 1:
            raise DataError(f"clips is {self.clips}", "give 1 or more")
        if not self.layers:
            raise DataError("there are no layers", "name one, such as 'pooled'")

    def of_network(self, net: OpenModel) -> tuple[str, ...]:
        """Names of the layers, "all" replaced by what it stands for."""
        if ALL not in self.layers:
            return self.layers
        return (*stages(net.model, net.clip), POOLED, PROB)


@dataclass(frozen=True, kw_only=True)
class FeatureSet:
    """Features of the videos of a list, read layer by layer.

    Parameters
    ----------
    folder : Path
        Where they are.
    model : str
        Name of the network.
    trained : bool
        False where its weights are random.
    layers : mapping of str to tuple of int
        Names, and the shape of one video's features.
    labels : tuple of str
        Names of the K classes of the list.
    names, paths, groups : tuple of str
        N videos: names in the list, files, and groups.
    truth : tuple
        Their classes: an index each, or a tuple of indices.
    unread : mapping of str to str
        Videos of the list that could not be read, and why. They have no features.
    identity : str
        Hash of the network, the settings and the videos.
    places : tuple of (str, int)
        Shard and row of each video.
    """

    folder: Path
    model: str
    trained: bool
    layers: Mapping[str, tuple[int, ...]]
    labels: tuple[str, ...]
    names: tuple[str, ...]
    paths: tuple[str, ...]
    groups: tuple[str, ...]
    truth: tuple[Any, ...]
    unread: Mapping[str, str]
    identity: str
    places: tuple[tuple[str, int], ...]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def classes(self) -> NDArray[np.int64]:
        """True classes (N,).

        Raises
        ------
        DataError
            The videos have several labels each.
        """
        if any(isinstance(label, tuple) for label in self.truth):
            raise DataError(
                f"the videos of {self.folder} have several labels each",
                "give a list with one label a video",
            )
        return np.asarray(self.truth, dtype=np.int64)

    def samples(self) -> SampleList:
        """List the videos that have features, for splits by group."""
        columns = zip(self.paths, self.truth, self.groups, self.names, strict=True)
        return SampleList(
            samples=tuple(
                Sample(path=path, label=label, group=group, name=name)
                for path, label, group, name in columns
            ),
            labels=self.labels,
            root=str(self.folder),
        )

    def read(self, layer: str = POOLED) -> NDArray[np.float32]:
        """Read the features of one layer, (N, C) or (N, V, C) or (N, V, C, T', H', W').

        Raises
        ------
        DataError
            There is no such layer, or a file is damaged.
        """
        if layer not in self.layers:
            raise DataError(
                f"{self.folder} has no features of {layer!r}",
                f"it has {', '.join(self.layers)}; extract others into another folder",
            )
        out = np.empty((len(self), *self.layers[layer]), np.float32)
        rows: dict[str, list[tuple[int, int]]] = {}
        for number, (shard, row) in enumerate(self.places):
            rows.setdefault(shard, []).append((number, row))
        for shard, pairs in rows.items():
            try:
                with safe_open(self.folder / shard, framework="pt") as file:
                    part = file.get_tensor(layer)
                numbers, wanted = map(list, zip(*pairs, strict=True))
                out[numbers] = part[wanted].float().numpy()
            except Exception as error:  # the library answers damage with errors of all types
                raise DataError(f"{self.folder / shard} is damaged: {error}", _REMOVE) from error
        return out


def extract_list(
    net: OpenModel,
    samples: SampleList,
    out: Path,
    *,
    settings: FeatureSettings = FeatureSettings(),
    device: str | torch.device = "cpu",
    batch_size: int = 8,
    workers: int = 0,
    shard: int = 256,
    progress: Callable[[int, int], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> FeatureSet:
    """Extract the features of all videos of a list, or resume it.

    The memory it takes does not grow with the number of videos, but for their names.

    Parameters
    ----------
    net : OpenModel
        Of `zoopraxis.checkpoints.saved.open_model`.
    samples : SampleList
        The videos; their labels need not be the network's.
    out : Path
        Folder of the features.
    settings : FeatureSettings
        What is extracted.
    device, batch_size
        As for `zoopraxis.prediction.pipeline.run`.
    workers : int, default=0
        Processes that decode while the network runs.
    shard : int, default=256
        Videos in one file.
    progress : callable, optional
        Called with the number of videos done, and of all.
    say : callable, optional
        Called with a line when the work is resumed.

    Returns
    -------
    FeatureSet

    Raises
    ------
    DataError
        The folder holds features of another network or other settings; or no video can be read.
    ZoopraxisError
        The network has no such layer, or its output is not finite.
    """
    if len(samples) == 0:
        raise DataError(f"{samples.root} lists no videos", "choose another list")
    layers = settings.of_network(net)
    manifest = {
        "network": net.config.to_dict(),
        **({"windows": net.windows} if net.windows else {}),
        "title": net.name,
        "trained": net.trained,
        "settings": {**vars(settings), "layers": list(layers)},
    }
    (out / PARTS).mkdir(parents=True, exist_ok=True)
    _hold(out / MANIFEST, manifest)
    keys = [_key(sample) for sample in samples]
    done = _finished(out)
    left = [number for number, key in enumerate(keys) if key not in done]
    if done and left and say:
        say(f"resuming in {out}: {len(samples) - len(left)} of {len(samples)} videos are done")
    network = LayerDescriptors(net.model, layers, keep="map" if settings.keep == "maps" else "mean")
    unread: dict[str, str] = {}
    loader = load_views(
        samples, net.clip, left, views=settings.clips, crops=settings.crops, workers=workers
    )
    for number, item in enumerate(loader, start=1):
        sample = samples[item.sample]
        try:
            if item.problem:
                raise VideoError(item.problem)
            found = run(
                network,
                item.inputs,
                device=device,
                precision=settings.precision,
                batch_size=batch_size,
                video=sample.name,
            )
            kept = {
                layer: _stored(part, settings, sample.name)
                for layer, part in network.split(found).items()
            }
            part = out / PARTS / f"{keys[item.sample]}.safetensors"
            write_atomically(part, save(kept))
        except VideoError as error:
            unread[sample.name] = error.problem
        if number % shard == 0:
            _merge(out, shard=shard)
        if progress:
            progress(len(samples) - len(left) + number, len(samples))
    _merge(out, shard=shard, rest=True)
    places = _finished(out)
    if not any(key in places for key in keys):
        name, problem = next(iter(unread.items()))
        raise DataError(
            f"none of the {len(samples)} videos of {samples.root} can be read; the first, {name}: "
            f"{problem}",
            "check the paths in the list, and that these are videos",
        )
    rows = [
        [s.name, s.path, s.label, s.group, *places[key]]
        for s, key in zip(samples, keys, strict=True)
        if key in places
    ]
    index = {"labels": samples.labels, "unread": unread, "videos": rows}
    write_atomically(out / INDEX, json.dumps(index).encode())
    return open_features(out)


def open_features(folder: str | Path) -> FeatureSet:
    """Open a folder of `extract_list`, or of ``zoopraxis features``.

    Raises
    ------
    DataError
        It is none, or the extraction is not finished.
    """
    folder = Path(folder)
    if not (folder / MANIFEST).is_file():
        raise DataError(f"{folder} holds no features", "`zoopraxis features` extracts them")
    if not (folder / INDEX).is_file():
        raise DataError(
            f"the extraction of {folder} is not finished", "run `zoopraxis features` again"
        )
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        text = (folder / INDEX).read_text()
        index = json.loads(text)
        names, paths, truth, groups, files, rows = zip(*index["videos"], strict=True)
        with safe_open(folder / files[0], framework="pt") as file:
            layers = {
                layer: tuple(file.get_slice(layer).get_shape()[1:])
                for layer in manifest["settings"]["layers"]
            }
        identity = hashlib.sha256((json.dumps(manifest) + text).encode()).hexdigest()
        return FeatureSet(
            folder=folder,
            model=manifest["title"],
            trained=manifest["trained"],
            layers=layers,
            labels=tuple(index["labels"]),
            names=names,
            paths=paths,
            groups=groups,
            truth=tuple(tuple(t) if isinstance(t, list) else t for t in truth),
            unread=index["unread"],
            identity=identity,
            places=tuple(zip(files, rows, strict=True)),
        )
    except Exception as error:  # damaged files are answered with errors of all types
        raise DataError(f"{folder} holds no features: {error}", _REMOVE) from error


def _key(sample: Sample) -> str:
    """Hash of the video: of its name, segment and files, with their sizes and times."""
    name, _, *rest = sample_identity(sample)  # a label decides no feature
    text = json.dumps([name, *rest, sample.box])
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _stored(part: Tensor, settings: FeatureSettings, video: str) -> Tensor:
    """Features as they go into the file, from those of every clip and crop (V * crops, ...)."""
    kept = (part.mean(dim=0) if settings.keep == "video" else part).to(
        getattr(torch, settings.dtype)
    )
    if not torch.isfinite(kept).all():
        raise ZoopraxisError(
            f"{video}: a feature of {float(part.abs().max()):.4g} does not fit float16",
            "extract with --dtype float32",
        )
    return kept.contiguous()


def _hold(path: Path, manifest: dict[str, Any]) -> None:
    """Write the identity of a folder, or refuse one that holds another."""
    text = json.dumps(manifest, indent=1)
    if not path.exists():
        write_atomically(path, text.encode())
        return
    try:
        found = json.loads(path.read_text())
        old, new = {**found["settings"]}, {**manifest["settings"]}
        network = found["network"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is damaged: {error}", _REMOVE) from error
    differing = [
        f"{key} {old.get(key)!r}, not {new[key]!r}" for key in new if old.get(key) != new[key]
    ]
    if {**network, "origin": 0} != {**manifest["network"], "origin": 0}:
        differing.insert(0, f"the network {found['title']}, or of other weights or clips")
    if differing:
        raise DataError(
            f"{path.parent} holds features of {'; '.join(differing)}",
            "choose another OUT, or extract with the same settings",
        )


def _finished(out: Path) -> dict[str, tuple[str, int]]:
    """Shard and row, or part and 0, of each video that is done, by its key."""
    found: dict[str, tuple[str, int]] = {}
    for path in sorted((out / PARTS).glob("*.safetensors")):
        found[path.stem] = (f"{PARTS}/{path.name}", 0)
    for path in sorted(out.glob("features-*.safetensors")):
        found |= {key: (path.name, row) for row, key in enumerate(_keys_of(path))}
    return found


def _keys_of(shard: Path) -> list[str]:
    """Keys of the videos in a shard, in its header."""
    try:
        with safe_open(shard, framework="pt") as file:
            return list(json.loads(file.metadata()[_HEADER]))
    except Exception as error:  # the library answers damage with errors of all types
        raise DataError(f"{shard} is damaged: {error}", "remove it, and extract again") from error


def _merge(out: Path, *, shard: int, rest: bool = False) -> None:
    """Make shards of the parts; those fewer than a shard wait for others, or are the last.

    A shard is complete before its parts are removed: where the process is killed in between,
    they are found in both, and removed by the next.
    """
    merged: set[str] = set()
    shards = sorted(out.glob("features-*.safetensors"))
    for path in shards:
        merged.update(_keys_of(path))
    parts = sorted((out / PARTS).glob("*.safetensors"))
    for path in parts:
        if path.stem in merged:
            path.unlink()
    parts = [path for path in parts if path.stem not in merged]
    number = 1 + max((int(path.stem.split("-")[1]) for path in shards), default=-1)
    while len(parts) >= shard or (rest and parts):
        these, parts = parts[:shard], parts[shard:]
        _write_shard(out / f"features-{number:05d}.safetensors", these)
        number += 1
        for path in these:
            path.unlink()


def _write_shard(path: Path, parts: Sequence[Path]) -> None:
    """Stack the features of some videos into one file."""
    loaded = []
    for part in parts:
        try:
            loaded.append(load_file(part))
        except Exception as error:  # the library answers damage with errors of all types
            raise DataError(
                f"{part} is damaged: {error}", "remove it, and extract again"
            ) from error
    stacked = {layer: torch.stack([one[layer] for one in loaded]) for layer in loaded[0]}
    header = {_HEADER: json.dumps([part.stem for part in parts])}
    write_atomically(path, save(stacked, metadata=header))
