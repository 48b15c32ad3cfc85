"""Plain tables (JSON, TOML) to frozen dataclasses: every name, type and choice is checked."""

import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass, replace
from functools import cache, partial
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from zoopraxis.errors import RecipeError, ZoopraxisError, did_you_mean

__all__ = ["build", "change", "convert"]

T = TypeVar("T")
Error = type[ZoopraxisError]

_hints: Callable[[Any], dict[str, Any]] = cache(get_type_hints)


def build(
    kind: type[T], table: Mapping[str, Any], *, where: str = "", error: Error = RecipeError
) -> T:
    """Make a dataclass of a table, and the dataclasses in it of the tables in it.

    Parameters
    ----------
    kind : type
        The dataclass.
    table : mapping
        Keys are names of its fields.
    where : str, default=""
        Dotted path of the table, for messages.
    error : type, default=RecipeError
        Type of the error.

    Raises
    ------
    ZoopraxisError
        A key that is not a field, with near names; a missing key; a value of another type, or
        one that the dataclass itself refuses.
    """
    values = _checked(kind, table, where=where, error=error)
    for f in fields(kind):  # type: ignore[arg-type]
        if f.name not in values and f.default is MISSING and f.default_factory is MISSING:
            raise error(f"{where or 'the recipe'} has no {f.name}", f"set {f.name}")
    return _made(kind, values, where=where, error=error)


def change(
    record: T,
    table: Mapping[str, Any],
    *,
    where: str = "",
    error: Error = RecipeError,
    also: Sequence[str] = (),
) -> T:
    """Return a copy of a dataclass with the values of a table; see `build`.

    Parameters
    ----------
    record : dataclass
        What to change.
    table, where, error
        As for `build`.
    also : sequence of str
        Further names to suggest where a key is unknown.
    """
    values = _checked(type(record), table, where=where, error=error, also=also)
    changed: Callable[..., T] = partial(replace, record)  # type: ignore[type-var]
    return _made(changed, values, where=where, error=error)


def _made(make: Callable[..., T], values: Mapping[str, Any], *, where: str, error: Error) -> T:
    """Make a record; what its own checks refuse is an error of the table."""
    try:
        return make(**values)
    except ZoopraxisError as refusal:
        if not where or isinstance(refusal, error):
            raise
        raise error(f"{where}: {refusal.problem}", refusal.hint) from refusal


def _checked(
    kind: type[Any],
    table: Mapping[str, Any],
    *,
    where: str,
    error: Error,
    also: Sequence[str] = (),
) -> dict[str, Any]:
    """Values of a table, converted to the types of a dataclass's fields."""
    hints = _hints(kind)
    names = [f.name for f in fields(kind)]
    values = {}
    for key, value in table.items():
        path = f"{where}.{key}" if where else str(key)
        if key not in names:
            raise error(f"there is no setting {path!r}", did_you_mean(str(key), [*also, *names]))
        values[key] = convert(value, hints[key], where=path, error=error)
    return values


def convert(value: Any, kind: Any, *, where: str, error: Error = RecipeError) -> Any:
    """Value as the annotated type, or an error that names both."""
    if is_dataclass(kind) and isinstance(kind, type):
        if isinstance(value, Mapping):
            return build(kind, value, where=where, error=error)
    elif get_origin(kind) in (Union, types.UnionType):
        return _one_of(value, get_args(kind), where, error)
    elif get_origin(kind) is Literal:
        if value in get_args(kind):
            return value
        if str(value) in get_args(kind):  # precision=32, where "32" is a name
            return str(value)
    elif get_origin(kind) is tuple:
        if isinstance(value, (list, tuple)):
            return _tuple(value, get_args(kind), where, error)
    elif get_origin(kind) is not None:  # Mapping[str, ...]
        if isinstance(value, Mapping):
            return {
                k: convert(v, get_args(kind)[1], where=f"{where}.{k}", error=error)
                for k, v in value.items()
            }
    elif _is_a(value, kind):
        return float(value) if kind is float else value
    raise error(f"{where} = {value!r} is not {_named(kind)}")


def _is_a(value: Any, kind: Any) -> bool:
    if kind is Any:
        return True
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))


def _one_of(value: Any, kinds: tuple[Any, ...], where: str, error: Error) -> Any:
    """Value as the first of several types that takes it."""
    if value is None and type(None) in kinds:
        return None
    kinds = tuple(k for k in kinds if k is not type(None))
    for kind in kinds[:-1]:
        try:
            return convert(value, kind, where=where, error=error)
        except error:
            continue
    return convert(value, kinds[-1], where=where, error=error)


def _tuple(
    value: Iterable[Any], kinds: tuple[Any, ...], where: str, error: Error
) -> tuple[Any, ...]:
    items = list(value)
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        kinds = (kinds[0],) * len(items)
    if len(kinds) != len(items):
        raise error(f"{where} = {items!r} has {len(items)} values instead of {len(kinds)}")
    return tuple(convert(v, k, where=where, error=error) for v, k in zip(items, kinds, strict=True))


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
