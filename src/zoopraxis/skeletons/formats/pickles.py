"""Pickled sets of skeletons, read without executing them (`zoopraxis.pickled`).

pyskl and mmaction2 keep a data set in one file: ``split``, lists of names, and ``annotations``,
each with ``frame_dir`` (its name), ``label``, ``keypoint`` (M, T, V, C) of M people and, in 2D,
``keypoint_score`` (M, T, V) and ``img_shape``. DD-Net keeps each part of JHMDB in a file: ``pose``,
arrays (T, 15, 2), and ``label``, their classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoopraxis.errors import DataError
from zoopraxis.pickled import unpickle_arrays
from zoopraxis.skeletons.recording import Recording

__all__ = ["Annotation", "read_ddnet", "read_pyskl"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Annotation:
    """One recording of a pickled set.

    Parameters
    ----------
    name : str
        Of the recording; DD-Net's have none.
    label : int or str
        Class, as the file has it.
    recording : Recording
        Its skeletons.
    """

    name: str
    label: int | str
    recording: Recording


def read_pyskl(file: Path) -> tuple[list[Annotation], dict[str, list[str]]]:
    """Read the annotations of a set, and the names of the recordings in each part of its splits.

    In 2D, x and y become [-0.5, 0.5] of the frame, and the scores their third channel.

    Raises
    ------
    DataError
        The file is not of pyskl, or asks to run code.
    """
    content = _decoded(file, "pyskl")
    try:
        annotations = [_annotation(entry) for entry in content["annotations"]]
        split = {
            str(part): [str(name) for name in names] for part, names in content["split"].items()
        }
    except Exception as error:
        raise _refusal(file, "pyskl", error) from error
    return annotations, split


def _annotation(entry: Mapping[str, Any]) -> Annotation:
    if "keypoint" not in entry:
        raise ValueError(
            f"{entry['frame_dir']} has no keypoint: in Kinetics they are in other files, which "
            "are not read"
        )
    joints = entry["keypoint"].array().astype(np.float32)  # (M, T, V, C)
    if joints.ndim != 4 or joints.shape[3] not in (2, 3):
        raise ValueError(f"{entry['frame_dir']} has a keypoint of shape {joints.shape}")
    if joints.shape[3] == 2:
        height, width = (int(side) for side in entry["img_shape"])
        joints = joints / np.array([width, height], np.float32) - 0.5
        if "keypoint_score" in entry:
            scores = entry["keypoint_score"].array().astype(np.float32)  # (M, T, V)
            joints = np.concatenate([joints, scores[..., None]], axis=-1)
    return Annotation(
        name=str(entry["frame_dir"]), label=int(entry["label"]), recording=Recording(joints=joints)
    )


def read_ddnet(file: Path) -> list[Annotation]:
    """Read a part of JHMDB as DD-Net packs it; x and y as the data set normalises them.

    Raises
    ------
    DataError
        The file is not of DD-Net, or asks to run code.
    """
    content = _decoded(file, "DD-Net")
    try:
        poses = [pose.array() for pose in content["pose"]]  # each (T, 15, 2)
        return [
            Annotation(name="", label=str(label), recording=Recording(joints=pose[None]))
            for pose, label in zip(poses, content["label"], strict=True)
        ]
    except Exception as error:
        raise _refusal(file, "DD-Net", error) from error


def _decoded(file: Path, origin: str) -> Mapping[str, Any]:
    try:
        content = unpickle_arrays(file.read_bytes())
        if not isinstance(content, dict):
            raise TypeError(f"it holds a {type(content).__name__}, not a dict")
        return content
    except Exception as error:  # a pickle is a program: a damaged one raises anything
        raise _refusal(file, origin, error) from error


def _refusal(file: Path, origin: str, error: Exception) -> DataError:
    reason = " ".join(str(error).split())
    return DataError(
        f"{file} is no set of {origin}: {type(error).__name__}: {reason:.200}",
        "only pickles of arrays, dicts, lists, strings and numbers are read; nothing in the file "
        "was executed",
    )
