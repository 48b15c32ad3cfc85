"""Named lists of labels: the classes of public data sets, in the order of their indices.

The lists are text files in ``label_lists/``, one name a line. Code bases agree on most orders;
where they do not, the plain name is the order of the data set's own files:

============================= ====================================================================
``kinetics400``, ``...600``,  Alphabetical, as in torchvision, DeepMind's kinetics-i3d, mmaction2,
``...700``                    PySlowFast, PyTorchVideo, video-nonlocal-net, VMZ, TSM and MFNet.
                              3D-ResNets-PyTorch has it for Kinetics-400 only: its networks of 2020
                              number Kinetics-700 and Moments in Time in an order of their own.
``ssv1``                      The data set's label file; mmaction2 and ECO's Caffe release.
``ssv1_sorted``               Alphabetical; TRN, and TSM, GSM and GST, whose lists are made like
                              TRN's. The two versions have the same names, so this is ``ssv2``.
``ssv2``                      The data set's label file, which is alphabetical; all code bases.
``jester``                    The data set's label file; mmaction2.
``jester_sorted``             Alphabetical; TRN and TSM.
``ucf101``                    ``classInd.txt``; TSN, mmaction2, ECO and the two-stream ports. A
                              listing of the folders has Hammering after HammerThrow and JumpingJack
                              after JumpRope.
``hmdb51``                    Alphabetical; mmaction2.
``hmdb51_tsn``                ``class_list.txt`` of TSN's Caffe release: kick_ball before kick and
                              sword_exercise before sword.
``hmdb51_coviar``             The lists of CoViAR's and DMC-Net's code: smile, clap, climb, ...
``mit``                       Moments in Time, ``moments_categories.txt`` of 2018 (339 classes).
``diving48``                  The data set's vocabulary, its four attributes joined by ``+``.
``activitynet``               As in mmaction2, for version 1.3.
``ntu60``, ``ntu120``         A1, A2, ... of NTU RGB+D.
``msr_action3d``              a01, a02, ... of MSR Action3D.
``utd_mhad``                  a1, a2, ... of UTD-MHAD.
``gym99``                     FineGym, which calls two classes "(BB) salto backward tucked"; the
                              second is told apart as the dismount.
``ava``                       The 60 classes that are evaluated, by ascending id; not the 80 ids.
``epic55_verbs``, ``_nouns``  Class keys of EPIC-KITCHENS-55 and, with 97 verbs and 300 nouns, -100,
``epic100_verbs``, ``_nouns`` whose annotations are published under CC BY-NC 4.0.
``imagenet1k``                ILSVRC 2012 by WordNet id, named as in torchvision.
============================= ====================================================================
"""

import io
import json
import os
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from zoopraxis.data.text import read_text
from zoopraxis.errors import DataError, did_you_mean

__all__ = ["label_names"]

_LISTS = resources.files("zoopraxis.data") / "label_lists"
_NUMBERED = re.compile(r"^(\d+)(?:\s+|\s*[,;]\s*)(?=[^\s,;])", re.ASCII)


def label_names(name: str | Path) -> tuple[str, ...]:
    """Names of the labels of a data set, by index.

    Parameters
    ----------
    name : str or Path
        Name of a list that comes with the package (``"kinetics400"``; see the module), or a text
        file with one label a line. If every line begins with its number and a space, tab, comma or
        semicolon, counted from 0 or from 1 as in UCF101's ``classInd.txt``, the numbers are left
        out, and the quotes around what stands after a comma.

    Returns
    -------
    tuple of str

    Raises
    ------
    DataError
        No list and no file of that name; a file that is not text, is empty or names a label twice;
        or one that numbers only some of its lines, or does not count.
    """
    known = sorted(file.name.removesuffix(".txt") for file in _LISTS.iterdir())
    if str(name) in known:
        return tuple((_LISTS / f"{name}.txt").read_text(encoding="utf-8").splitlines())
    path = Path(os.path.expanduser(name))  # noqa: PTH111 - what is no user's name stays
    if path.is_file():
        return _labels_in(path)
    listed = f"known: {', '.join(known)}; or give a text file with one label a line"
    raise DataError(
        f"there is no label list called {str(name)!r}",
        did_you_mean(str(name), known, otherwise=listed),
    )


def _labels_in(path: Path) -> tuple[str, ...]:
    text = read_text(path, expected="write one label a line")
    if _is_json(text):
        raise DataError(f"{path} is JSON, not a list of labels", "write one label a line, in order")
    read = enumerate(io.StringIO(text, newline=None), start=1)
    lines = {number: line.strip() for number, line in read if line.strip()}
    labels = _without_numbers(path, lines)
    twice = next((label for i, label in enumerate(labels) if label in labels[:i]), None)
    if twice is not None:
        raise DataError(f"{path} has the label {twice!r} twice", "each line is one class")
    if not labels:
        raise DataError(f"{path} is empty", "write one label a line")
    return labels


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | list)
    except json.JSONDecodeError:
        return False


def _without_numbers(path: Path, lines: Mapping[int, str]) -> tuple[str, ...]:
    """Labels of numbered lines: ``1 Archery, 2 Biking`` are Archery and Biking."""
    matches = {n: _NUMBERED.match(line) for n, line in lines.items()}
    numbers = {n: int(match[1]) for n, match in matches.items() if match}
    if not numbers:
        return tuple(lines.values())
    start = 0 if 0 in numbers.values() else 1
    for expected, (n, line) in enumerate(lines.items(), start):
        if numbers.get(n) != expected:
            raise DataError(
                f"{path}, line {n}: expected the number {expected} before the label, got {line!r} "
                f"(line {next(iter(numbers))} is numbered)",
                "number all lines, in order from 0 or from 1, or none; a label that begins with a "
                "number needs another before it",
            )
    return tuple(_unquoted(_NUMBERED.sub("", line)) for line in lines.values())


def _unquoted(label: str) -> str:
    """Label without the quotes that CSV needs around a comma."""
    quoted = len(label) > 2 and label[0] == label[-1] == '"'
    return label[1:-1].replace('""', '"') if quoted else label
