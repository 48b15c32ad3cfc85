"""TOML text to tables and back, and overrides from the command line."""

import json
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from zoopraxis.errors import RecipeError

__all__ = ["dump", "override", "parse"]


def parse(text: str, *, where: str) -> dict[str, Any]:
    """Tables of a TOML text.

    Raises
    ------
    RecipeError
        The text is not TOML; the message has the line.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{where} is not valid TOML: {error}") from error


def override(tables: dict[str, Any], assignments: Iterable[str]) -> None:
    """Apply ``section.key=value`` to nested tables, in place; values are read as TOML.

    A value that is not TOML is a string: ``model.name=r2plus1d_18`` needs no quotes.
    """
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if not equals or not path.strip():
            raise RecipeError(f"{assignment!r} is not an override", "write section.key=value")
        *sections, key = path.strip().split(".")
        table = tables
        for section in sections:
            table = table.setdefault(section, {})
            if not isinstance(table, dict):
                raise RecipeError(f"{assignment!r}: {section} is a value, not a section")
        table[key] = _value(text.strip())


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def dump(tables: Mapping[str, Any]) -> str:
    """TOML text of a table of tables; None, which TOML lacks, is left out."""
    parts = []
    for name, table in tables.items():
        lines = [f"{_key(k)} = {_literal(v)}" for k, v in table.items() if v is not None]
        parts.append("\n".join([f"[{name}]", *lines]))
    return "\n\n".join(parts) + "\n"


def _literal(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(k)} = {_literal(v)}" for k, v in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_literal(v) for v in value) + "]"
    if isinstance(value, (bool, str)):
        return json.dumps(value, ensure_ascii=False)  # TOML's basic strings are JSON's
    return repr(value)


def _key(key: str) -> str:
    bare = key.replace("_", "").replace("-", "")
    return key if bare.isascii() and bare.isalnum() else json.dumps(key, ensure_ascii=False)
