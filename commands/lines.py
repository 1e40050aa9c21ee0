"""JSON Lines files: plain, compressed (.gz) or standard input and output (-)."""

import gzip
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

STANDARD = Path("-")


class Lines(NamedTuple):
    """The lines of a file without their ends, and how far into its bytes (of `total`, if known) reading has come."""

    lines: Iterator[bytes]
    at: Callable[[], int]
    total: int | None


@contextmanager
def reading(file: Path) -> Iterator[Lines]:
    """The file's lines. Raises OSError."""
    with ExitStack() as stack:
        if file == STANDARD:
            yield Lines(_bare(sys.stdin.buffer), lambda: 0, None)
            return
        raw = stack.enter_context(file.open("rb"))
        text = stack.enter_context(gzip.GzipFile(fileobj=raw)) if file.suffix == ".gz" else raw
        yield Lines(_bare(text), raw.tell, file.stat().st_size)


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


def _bare(lines: Iterable[bytes]) -> Iterator[bytes]:
    return (line.rstrip(b"\r\n") for line in lines)
