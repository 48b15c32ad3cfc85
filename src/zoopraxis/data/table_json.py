"""Lists as JSON: a list of objects, or an object on each line."""

import io
import json
from pathlib import Path
from typing import Any

from zoopraxis.data.table import COLUMNS, Table, checked_names, chosen, column_name
from zoopraxis.data.text import few, short
from zoopraxis.errors import DataError

__all__ = ["json_table"]


def json_table(path: Path, text: str) -> Table | None:
    """Objects of a JSON list, or of lines of JSON."""
    unit, numbers = "entry", list[int]()
    try:
        entries = json.loads(text)
    except json.JSONDecodeError as error:
        by_line = _json_lines(path, text, error)
        unit, numbers, entries = "line", [*by_line], [*by_line.values()]
    expected = 'expected [{"path": "a.mp4", "label": "run"}, ...]'
    if isinstance(entries, dict) and unit == "entry" and path.suffix.lower() == ".jsonl":
        entries = [entries]
    if not isinstance(entries, list):
        keys = few([*entries]) if isinstance(entries, dict) else type(entries).__name__
        raise DataError(f"{path} is not a JSON list of videos: it holds {short(keys)}", expected)
    numbers = numbers or list(range(1, len(entries) + 1))
    for number, entry in zip(numbers, entries, strict=True):
        if not isinstance(entry, dict):
            raise DataError(f"{path}, {unit} {number}: {short(str(entry))}", expected)
    if not entries:
        return None
    names = list(dict.fromkeys(column_name(key) for entry in entries for key in entry))
    where = f"{path}, {unit} {numbers[0]}"
    checked_names(names, where=where)
    plain = [{column_name(key): value for key, value in entry.items()} for entry in entries]
    columns = {name: [entry.get(name, "") for entry in plain] for name in names}
    table = Table(path=path, columns=columns, numbers=numbers, unit=unit)
    label, meant = chosen(table, "label"), {chosen(table, kind) for kind in COLUMNS}
    for name in names:
        known = _json_cell if name in meant else _json_other
        convert = _json_label if name == label else known
        columns[name] = [convert(v, table.where(i), name) for i, v in enumerate(columns[name])]
    return table


def _json_lines(path: Path, text: str, error: json.JSONDecodeError) -> dict[int, Any]:
    """Values of lines of JSON by their number; ``error`` is that of the text as a whole."""
    found: dict[int, Any] = {}
    for number, line in enumerate(io.StringIO(text, newline=None), start=1):
        try:
            found |= {number: json.loads(line)} if line.strip() else {}
        except json.JSONDecodeError:
            where = number if number > 1 else error.lineno
            raise DataError(
                f"{path}, line {where}: not JSON: {error.msg}",
                "check it with `python -m json.tool`",
            ) from error
    return found


def _json_label(value: Any, where: str, name: str) -> str | tuple[str, ...]:
    """Labels of one entry: a list names each; a string is one name, whatever is in it."""
    values = value if isinstance(value, list) else [value]
    for item in values:
        if isinstance(item, bool) or not isinstance(item, str | int) or item == "":
            raise DataError(
                f"{where}: {name} is {value!r}", "expected a name, an index, or a list of them"
            )
    return tuple(str(item).strip() for item in values)


def _json_cell(value: Any, where: str, name: str) -> str:
    if value is None:
        return ""
    if isinstance(value, str | int | float):
        return str(value).strip()
    raise DataError(f"{where}: {name} is {short(str(value))}", "expected text or a number")


def _json_other(value: Any, *_: str) -> str:
    """A key of somebody else's, of which only text and numbers are kept."""
    return str(value).strip() if isinstance(value, str | int | float) else ""
