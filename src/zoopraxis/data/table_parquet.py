"""Lists and indices as Parquet, which pandas, polars and DuckDB write.

It is read with pyarrow, of the extra ``parquet``, and in whole columns: to ask Arrow for one cell
after the other takes far longer.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

from zoopraxis.data.table import COLUMNS, Table, checked_names, chosen, column_name
from zoopraxis.errors import DataError
from zoopraxis.files import write_atomically

__all__ = [
    "is_parquet",
    "parquet_columns",
    "parquet_kinds",
    "parquet_names",
    "parquet_table",
    "write_parquet",
]


def is_parquet(path: Path) -> bool:
    """Whether a file is Parquet, by its name."""
    return path.suffix.lower() == ".parquet"


def parquet_table(path: Path, *, group: str) -> Table | None:
    """Read a list; None where it is empty. ``group`` is the column that holds the groups.

    A label is text, which may hold several as in CSV, a whole number, or a list of either. What a
    column of somebody else's holds that is neither text nor numbers, such as images, is not read.

    Raises
    ------
    DataError
        It is no Parquet, pyarrow is not installed, a column is missing or has a type that it cannot
        have, or an item of a list of labels is empty; the row is named.
    """
    file = _opened(path)
    names = checked_names(file.schema_arrow.names, where=str(path))
    numbers = range(1, file.metadata.num_rows + 1)
    if not numbers:
        return None
    columns: dict[str, Sequence[Any]] = dict.fromkeys(names, ())
    table = Table(path=path, columns=columns, numbers=numbers, unit="row")
    label, meant = chosen(table, "label"), {chosen(table, kind) for kind in COLUMNS}
    for field, name in zip(file.schema_arrow, names, strict=True):
        cells = (_label_reader if name == label else _reader)(field.type)
        if name and cells is not None:  # several may have no name
            columns[name] = cells(_column(path, file, field.name), table)
        elif name and name in {*meant, column_name(group)}:
            raise DataError(
                f"{path}: the column {field.name!r} has the type {field.type}",
                "write text, whole numbers, or lists of them"
                if name == label
                else "write text or numbers",
            )
        else:
            columns[name] = [""] * len(numbers)
    return table


def parquet_names(path: Path) -> tuple[str, ...]:
    """Names of the columns.

    Raises
    ------
    DataError
        It is no Parquet, or pyarrow is not installed.
    """
    return tuple(_opened(path).schema_arrow.names)


def parquet_kinds(path: Path) -> dict[str, str]:
    """What each column holds, in words, by its name as we compare it; "" where all are empty.

    Raises
    ------
    DataError
        It is no Parquet, or pyarrow is not installed.
    """
    schema = _opened(path).schema_arrow
    return {column_name(field.name): _kind(field.type) for field in schema}


def _kind(kind: Any) -> str:
    types = _pyarrow().types
    if types.is_dictionary(kind):
        return _kind(kind.value_type)
    if types.is_list(kind) or types.is_large_list(kind):
        return f"lists of {_kind(kind.value_type)}"
    words = {
        "": (types.is_null,),
        "text": (types.is_string, types.is_large_string, types.is_string_view),
        "whole numbers": (types.is_integer,),
        "fractions": (types.is_floating, types.is_decimal),
    }
    is_one = (word for word, tests in words.items() if any(is_kind(kind) for is_kind in tests))
    return next(is_one, str(kind))


def parquet_columns(path: Path) -> dict[str, list[Any]]:
    """Values of all columns, by name.

    Raises
    ------
    DataError
        It is no Parquet, or pyarrow is not installed.
    """
    file = _opened(path)
    return {name: _column(path, file, name).to_pylist() for name in file.schema_arrow.names}


def write_parquet(path: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    """Write columns of text, of numbers, or of lists of them; None is an empty cell.

    Raises
    ------
    DataError
        pyarrow is not installed.
    """
    arrow, data = _pyarrow(), io.BytesIO()
    arrow.parquet.write_table(
        arrow.table({name: [*cells] for name, cells in columns.items()}), data
    )
    write_atomically(path, data.getvalue())


def _pyarrow() -> Any:
    """Import pyarrow, its functions and its Parquet."""
    try:
        import_module("pyarrow.compute")
        import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        raise DataError(
            "Parquet is read and written with pyarrow, which is not installed",
            "pip install 'zoopraxis[parquet]', or use CSV",
        ) from error
    return import_module("pyarrow")


def _opened(path: Path) -> Any:
    """Open a file and read its schema."""
    parquet = _pyarrow().parquet
    try:
        return parquet.ParquetFile(path)
    except (OSError, ValueError, _pyarrow().ArrowException) as error:
        raise _unreadable(path, error) from error


def _column(path: Path, file: Any, name: str) -> Any:
    """Read one column as one array, and trust nothing in a damaged one."""
    try:
        array = file.read(columns=[name])[name].combine_chunks()
        array.validate(full=True)
    except (OSError, ValueError, _pyarrow().ArrowException) as error:
        raise _unreadable(path, error) from error
    if len(array) != file.metadata.num_rows:
        problem = f"{len(array)} of {file.metadata.num_rows} rows are in the column {name!r}"
        raise _unreadable(path, problem)
    return array


def _unreadable(path: Path, problem: object) -> DataError:
    return DataError(f"{path} cannot be read as Parquet: {problem}", "is it whole? write it again")


Cells = Callable[[Any, Table], Sequence[Any]]  # of an array, for messages of a table


def _reader(kind: Any) -> Cells | None:
    """What turns an array of a type into cells; None where it holds neither text nor numbers."""
    types = _pyarrow().types
    if types.is_dictionary(kind):
        return _reader(kind.value_type)
    known = (types.is_boolean, types.is_floating, types.is_decimal, _is_label)
    return _texts if any(is_kind(kind) for is_kind in known) else None


def _label_reader(kind: Any) -> Cells | None:
    """What turns an array of labels of a type into cells; None where it is no type of labels."""
    types = _pyarrow().types
    if types.is_list(kind) or types.is_large_list(kind):
        return _lists if _is_label(kind.value_type) else None
    if types.is_dictionary(kind):
        return _label_reader(kind.value_type)
    return _texts if _is_label(kind) else None


def _is_label(kind: Any) -> bool:
    """Whether a type is of names or whole numbers; a column of nothing has the type null."""
    types = _pyarrow().types
    known = (types.is_string, types.is_large_string, types.is_string_view, types.is_integer)
    return any(is_kind(kind) for is_kind in (*known, types.is_null))


def _texts(array: Any, _: Table) -> list[str]:
    """Text and numbers as text without spaces around it; nothing is ""."""
    arrow = _pyarrow()
    text = arrow.compute.utf8_trim_whitespace(array.cast(arrow.large_string()))
    cells: list[str] = text.fill_null("").to_pylist()
    return cells


def _lists(array: Any, table: Table) -> list[tuple[str, ...]]:
    """Lists of labels, each item as text."""
    functions = _pyarrow().compute
    items = _texts(functions.list_flatten(array), table)
    lengths = functions.list_value_length(array).fill_null(0)
    ends = [0, *functions.cumulative_sum(lengths).to_pylist()]
    rows = [tuple(items[start:end]) for start, end in pairwise(ends)]
    if "" in items:
        wrong = next(n for n, row in enumerate(rows) if "" in row)
        raise DataError(
            f"{table.where(wrong)}: the labels are {rows[wrong]}", "leave out what is empty"
        )
    return rows
