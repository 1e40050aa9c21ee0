"""Files of records: JSON Lines, plain or compressed, or Parquet, by what they hold; standard input and output is -."""

import gzip
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from commands.console import Failure
from learning import parquet

STANDARD = Path("-")

_PARQUET, _GZIP, _BYTE_ORDER_MARK = b"PAR1", b"\x1f\x8b", b"\xef\xbb\xbf"


class Lines(NamedTuple):
    """The lines of a file without their ends, and how far into its bytes (of `total`, if known) reading has come.

    A blank line comes too, empty, so that whoever counts lines counts as an editor does. It is no record.
    """

    lines: Iterator[bytes]
    at: Callable[[], int]
    total: int | None


@contextmanager
def reading(file: Path) -> Iterator[Lines]:
    """The records in a file, a line each. Raises OSError, and Failure for a file that holds no lines of records."""
    with ExitStack() as stack:
        raw = sys.stdin.buffer if file == STANDARD else stack.enter_context(file.open("rb"))
        total = None if file == STANDARD else file.stat().st_size
        start = cast(BufferedReader, raw).peek(4)
        if start.startswith(_PARQUET) or file.suffix == ".parquet":
            yield Lines(_rows(file), lambda: 0, None)
            return
        text = cast(BufferedReader, raw)
        if start.startswith(_GZIP):  # whatever the file is called
            text = cast(BufferedReader, stack.enter_context(gzip.GzipFile(fileobj=raw)))
        lines = _bare(file, text)
        first = next(lines, None)
        yield Lines(iter(()) if first is None else _checked(file, first, lines), _at(raw, file), total)


@contextmanager
def writing(file: Path) -> Iterator[BinaryIO]:
    """The file to write lines to, emptied first. Raises OSError."""
    with ExitStack() as stack:
        if file == STANDARD:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
            return
        raw = stack.enter_context(file.open("wb"))
        if file.suffix == ".gz":  # without name and time: the same lines make the same file
            yield cast(BinaryIO, stack.enter_context(gzip.GzipFile("", "wb", 6, raw, mtime=0)))
        else:
            yield raw


def _at(raw: BinaryIO, file: Path) -> Callable[[], int]:
    return (lambda: 0) if file == STANDARD else raw.tell


def _bare(file: Path, text: Iterable[bytes]) -> Iterator[bytes]:
    count = 0
    try:
        for line in text:
            count += 1
            yield line.rstrip()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Failure(
            f"{file}: the compressed data breaks off or is damaged after line {count:,}; copy the file again"
        ) from error


def _checked(file: Path, first: bytes, others: Iterator[bytes]) -> Iterator[bytes]:
    """All lines, the first without a byte order mark. Raises Failure where it shows what else the file is."""
    first = first.removeprefix(_BYTE_ORDER_MARK)
    if first.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in first[:4]:
        raise Failure(f"{file}: is UTF-16; write it as UTF-8: iconv -f UTF-16 -t UTF-8")
    if first.lstrip().startswith(b"["):
        raise Failure(f"{file}: is a JSON array; write each record on a line of its own: jq -c '.[]'")
    yield first
    yield from others


def _rows(file: Path) -> Iterator[bytes]:
    if file == STANDARD:
        raise Failure("Parquet is read from its end on: give the file's name instead of -")
    try:
        yield from parquet.lines(file)
    except parquet.ParquetError as error:
        raise Failure(str(error)) from error
