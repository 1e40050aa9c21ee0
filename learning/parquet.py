"""Parquet files as lines of JSON: a column for each field of a record, reversal_of as a struct.

A column is read as data frames and warehouses write it where that can only mean one thing: money as decimals or floats
without a fraction, times of any resolution with a zone. What may mean two things is refused, with the column's name.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pyarrow
import pyarrow.compute
import pyarrow.parquet

from handlers.intake.inputs import INPUTS

_ROWS = 10_000
_FIELDS = {
    "record",
    *(field.name for topic in INPUTS for field in msgspec.structs.fields(topic.schema)),
}
"""Columns that are read; others are ignored, as fields of a record are."""


class ParquetError(ValueError):
    """The file, or a column of it, can't be read; the text says which and why."""


def lines(file: Path) -> Iterator[bytes]:
    """Each row as JSON; nulls are left out. Raises ParquetError, OSError."""
    try:
        with pyarrow.parquet.ParquetFile(file) as rows:
            columns = [name for name in rows.schema_arrow.names if name in _FIELDS]
            first = 1
            for batch in rows.iter_batches(_ROWS, columns=columns):
                names = batch.schema.names
                read = [_readable(name, column, first) for name, column in zip(names, batch.columns, strict=True)]
                for row in pyarrow.RecordBatch.from_arrays(read, names).to_pylist():
                    yield orjson.dumps({name: value for name, value in row.items() if value is not None})
                first += batch.num_rows
    except ParquetError as error:
        raise ParquetError(f"{file}: {error}") from error
    except (pyarrow.ArrowException, TypeError) as error:
        raise ParquetError(f"{file}: is not a Parquet file of records: {error}") from error


def _readable(name: str, column: Any, first: int) -> Any:
    """The column as JSON's types; `first` is the number of its first row. Raises ParquetError."""
    kind = column.type
    if pyarrow.types.is_dictionary(kind):
        return _readable(name, column.dictionary_decode(), first)
    if pyarrow.types.is_struct(kind):
        parts = [_readable(f"{name}.{kind.field(n).name}", part, first) for n, part in enumerate(column.flatten())]
        names = [kind.field(n).name for n in range(kind.num_fields)]
        return pyarrow.StructArray.from_arrays(parts, names, mask=column.is_null())
    if pyarrow.types.is_timestamp(kind):
        return _epoch_ms(name, column)
    if pyarrow.types.is_date(kind) or pyarrow.types.is_time(kind):
        raise ParquetError(f"column {name}: holds {kind}; write timestamps with a time zone")
    if pyarrow.types.is_floating(kind) or pyarrow.types.is_decimal(kind):
        return _whole(name, column, first)
    return column


def _epoch_ms(name: str, column: Any) -> Any:
    """Fractions of a millisecond are cut off (towards the past)."""
    if column.type.tz is None:
        raise ParquetError(
            f"column {name}: holds times without a zone; give it the zone that they are in"
            f" (pandas: frame['{name}'].dt.tz_localize('Europe/Prague'))"
        )
    moments = column.cast(pyarrow.timestamp(column.type.unit))
    cut = pyarrow.compute.floor_temporal(moments, unit="millisecond")
    return cut.cast(pyarrow.timestamp("ms")).cast(pyarrow.int64())


def _whole(name: str, column: Any, first: int) -> Any:
    """Every number of a record is whole. NaN is how data frames write null."""
    if pyarrow.types.is_floating(column.type):
        column = pyarrow.compute.if_else(pyarrow.compute.is_nan(column), None, column)
    else:  # rounding may need a digit more than the column's type has
        column = column.cast(pyarrow.decimal256(76, column.type.scale))
    parts = pyarrow.compute.not_equal(pyarrow.compute.round(column), column)
    row = pyarrow.compute.index(parts, True).as_py()
    if row >= 0:
        raise ParquetError(f"column {name}, row {first + row:,}: must be whole minor units, without a fraction")
    try:
        return column.cast(pyarrow.int64())
    except pyarrow.ArrowInvalid as error:
        raise ParquetError(f"column {name}: must be whole numbers of at most 64 bit") from error
