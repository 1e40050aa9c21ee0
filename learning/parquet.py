"""Parquet files as lines of JSON: a column for each field of a transaction, reversal_of as a struct."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pyarrow
import pyarrow.parquet

_ROWS = 10_000


class ParquetError(ValueError):
    """The file isn't Parquet that can be read."""


def lines(file: Path) -> Iterator[bytes]:
    """Each row as JSON; times without a zone are UTC, nulls are left out. Raises ParquetError, OSError."""
    try:
        with pyarrow.parquet.ParquetFile(file) as rows:
            for batch in rows.iter_batches(_ROWS):
                for row in batch.to_pylist():
                    known = {name: value for name, value in row.items() if value is not None}
                    yield orjson.dumps(known, option=orjson.OPT_NAIVE_UTC)
    except (pyarrow.ArrowException, TypeError) as error:
        raise ParquetError(f"{file}: {error}") from error


def rows_in(file: Path) -> int:
    """How many there are. Raises ParquetError, OSError."""
    try:
        return int(pyarrow.parquet.read_metadata(file).num_rows)
    except pyarrow.ArrowException as error:
        raise ParquetError(f"{file}: {error}") from error
