"""TOML tables <-> frozen dataclasses: unknown keys, wrong types and wrong values are errors."""

import difflib
import json
import tomllib
import types
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from zoopraxis.errors import RecipeError

__all__ = ["build", "convert", "dump", "override", "parse"]

T = TypeVar("T")


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


def build(kind: type[T], table: Mapping[str, Any], *, where: str = "") -> T:
    """Make a dataclass of a table, and the dataclasses in it of the tables in it.

    Parameters
    ----------
    kind : type
        The dataclass.
    table : mapping
        Keys are names of its fields.
    where : str, default=""
        Dotted path of the table, for messages.

    Raises
    ------
    RecipeError
        A key that is not a field, with near names; a missing key; a value of another type.
    """
    hints = get_type_hints(kind)
    names = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    values = {}
    for key, value in table.items():
        path = f"{where}.{key}" if where else key
        if key not in names:
            raise RecipeError(f"there is no setting {path!r}", _near(key, names))
        values[key] = convert(value, hints[key], where=path)
    for f in fields(kind):  # type: ignore[arg-type]
        if f.name not in values and f.default is MISSING and f.default_factory is MISSING:
            raise RecipeError(f"{where or 'the recipe'} has no {f.name}", "set it in the recipe")
    return kind(**values)


def _near(key: str, names: list[str]) -> str:
    near = difflib.get_close_matches(key, names, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(names)}"


def convert(value: Any, kind: Any, *, where: str) -> Any:
    """Value as the annotated type, or an error that names both."""
    if is_dataclass(kind) and isinstance(kind, type):
        if isinstance(value, Mapping):
            return build(kind, value, where=where)
    elif get_origin(kind) in (Union, types.UnionType):
        return _one_of(value, get_args(kind), where)
    elif get_origin(kind) is Literal:
        if value in get_args(kind):
            return value
        if str(value) in get_args(kind):  # precision=32, where "32" is a name
            return str(value)
    elif get_origin(kind) is tuple:
        if isinstance(value, (list, tuple)):
            return _tuple(value, get_args(kind), where)
    elif get_origin(kind) is not None:  # Mapping[str, ...]
        if isinstance(value, Mapping):
            return {
                k: convert(v, get_args(kind)[1], where=f"{where}.{k}") for k, v in value.items()
            }
    elif _is_a(value, kind):
        return float(value) if kind is float else value
    raise RecipeError(f"{where} = {value!r} is not {_named(kind)}")


def _is_a(value: Any, kind: Any) -> bool:
    if kind is Any:
        return True
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))


def _one_of(value: Any, kinds: tuple[Any, ...], where: str) -> Any:
    """Value as the first of several types that takes it; None is never written in TOML."""
    kinds = tuple(k for k in kinds if k is not type(None))
    for kind in kinds[:-1]:
        try:
            return convert(value, kind, where=where)
        except RecipeError:
            continue
    return convert(value, kinds[-1], where=where)


def _tuple(value: Iterable[Any], kinds: tuple[Any, ...], where: str) -> tuple[Any, ...]:
    items = list(value)
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        kinds = (kinds[0],) * len(items)
    if len(kinds) != len(items):
        raise RecipeError(f"{where} = {items!r} has {len(items)} values instead of {len(kinds)}")
    return tuple(convert(v, k, where=where) for v, k in zip(items, kinds, strict=True))


def _named(kind: Any) -> str:
    """How a message calls a type."""
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(str(v) for v in get_args(kind))
    if get_origin(kind) is tuple:
        return "a list"
    if is_dataclass(kind) or get_origin(kind) is not None:
        return "a table"
    names = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
    return names.get(kind, str(kind))


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
