"""Write a list of videos that `zoopraxis.data.samples.read_samples` reads."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoopraxis.data.places import path_from
from zoopraxis.data.samples import Sample, SampleList
from zoopraxis.data.table_parquet import is_parquet, write_parquet
from zoopraxis.errors import DataError
from zoopraxis.files import write_atomically

__all__ = ["write_list", "write_samples"]

_BESIDE = ("flow", "skeleton", "boxes", "trajectories")


def write_samples(table: Path, samples: SampleList) -> None:
    """Write samples as a list: labels, groups, files, times and boxes.

    Parameters
    ----------
    table : Path
        The file, as for `write_list`; paths in it are relative to its folder, addresses stay.
    samples : SampleList
        What to write.

    Raises
    ------
    DataError
        As for `write_list`.
    """
    columns: dict[str, Sequence[Any]] = {
        "path": [path_from(table.parent, sample.path) for sample in samples],
        "label": [tuple(samples.labels[k] for k in _indices(sample)) for sample in samples],
        "group": [sample.group for sample in samples],
    }
    for kind in _BESIDE:
        if any(getattr(s, kind) for s in samples):
            columns[kind] = [
                path_from(table.parent, file) if file else ""
                for file in (getattr(s, kind) for s in samples)
            ]
    for edge in ("start", "end"):
        if any(getattr(s, edge) is not None for s in samples):
            columns[edge] = [getattr(s, edge) for s in samples]
    if any(s.box for s in samples):
        for k, corner in enumerate(("x1", "y1", "x2", "y2")):
            columns[corner] = [s.box[k] if s.box else None for s in samples]
    write_list(table, columns)


def write_list(table: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    """Write columns as a list, atomically.

    Parameters
    ----------
    table : Path
        The file, by the ending of its name: ``.parquet``; ``.jsonl`` or ``.json``, an object on
        each line; or comma-separated text.
    columns : mapping of str to sequence
        Cells of each column by its name, None where a cell is empty. The ``label`` is a tuple of
        names: text has semicolons between several, the other forms have lists.

    Raises
    ------
    DataError
        A video of a list of text has several labels, and the name of one has a semicolon in it; or
        pyarrow is not installed.
    """
    labels: Sequence[tuple[str, ...]] = columns["label"]
    several = any(len(names) != 1 for names in labels)
    divided = next((name for names in labels for name in names if ";" in name), None)
    if is_parquet(table) or table.suffix.lower() in {".json", ".jsonl"}:
        lists = several or divided is not None
        write = write_parquet if is_parquet(table) else _write_lines
        write(table, {**columns, "label": labels if lists else [name for (name,) in labels]})
        return
    if several and divided is not None:
        raise DataError(
            f"{table}: videos have several labels each, with semicolons in their names: "
            f"{divided!r}",
            "rename these classes, since semicolons separate labels; or write it as .jsonl",
        )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    cells = {**columns, "label": [";".join(names) for names in labels]}
    writer.writerows(zip(*cells.values(), strict=True))
    write_atomically(table, text.getvalue().encode())


def _write_lines(table: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    rows = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    write_atomically(table, "".join(lines).encode())


def _indices(sample: Sample) -> tuple[int, ...]:
    return sample.label if isinstance(sample.label, tuple) else (sample.label,)
