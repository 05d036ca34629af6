"""Feeds in every dialect, for the tests of properties and for the fuzzer."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ingestd import reading
from ingestd.config import Feed, Limits
from ingestd.feed.encode import own_target
from ingestd.feed.vin import check_digit
from ingestd.model import File, FileReading, Finished, ReadJob

HEADERS = ("VIN", "Stock", "Alpha", "Beta", "Gamma")
_FEED = Feed(name="lot", dealership=1, mode="full")
_LIMITS = Limits(row_size=1 << 16)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a table is written; ``end``: whether the last line has a line end."""

    encoding: str
    delimiter: str
    newline: str
    quoted: bool
    end: bool = True


DIALECTS = tuple(
    Dialect(encoding, delimiter, newline, quoted, end)
    for encoding, delimiter, newline, quoted, end in itertools.product(
        ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"),
        ("\t", ",", ";", "|"),
        ("\n", "\r\n", "\r"),
        (True, False),
        (True, False),
    )
)


def _vin(number: int) -> str:
    body = f"1ZZEA11B0RZ{number:06}"
    return body[:8] + check_digit(body) + body[9:]


VINS = tuple(map(_vin, range(1, 9)))


def written(
    dialect: Dialect, rows: Sequence[Sequence[str]], headers: Sequence[str] = HEADERS
) -> bytes:
    """Write a table; what a dialect without quotes cannot hold is left out of the cells."""
    lines = [dialect.delimiter.join(_cells(dialect, row)) for row in (headers, *rows)]
    text = dialect.newline.join(lines) + (dialect.newline if dialect.end else "")
    return text.encode(dialect.encoding)


def _cells(dialect: Dialect, row: Sequence[str]) -> Iterator[str]:
    for cell in row:
        if dialect.quoted:
            yield '"' + cell.replace('"', '""') + '"'
        else:
            yield bare(dialect, cell)


def bare(dialect: Dialect, cell: str) -> str:
    """Leave out what a cell cannot hold in this dialect."""
    return cell if dialect.quoted else cell.replace(dialect.delimiter, "").replace('"', "")


def damaged(data: bytes, changes: Iterable[tuple[int, int, bytes]]) -> bytes:
    """Replace bytes: (where, how many, by what)."""
    for at, count, new in changes:
        data = data[:at] + new + data[at + count :]
    return data


def read(data: bytes) -> tuple[list[str], FileReading]:
    """Read a file; give its lines for the stage and its books."""
    job = ReadJob(
        *("", "folder", "lot.tsv", (File(0, "lot.tsv", len(data), "lot"),)),
        *(1, "2026-11-24", own_target()),
    )
    *sent, finished = reading.read(job, lambda: iter((data,)), _FEED, _LIMITS)
    assert isinstance(finished, Finished)
    text = b"".join(block for block in sent if isinstance(block, bytes)).decode()
    (books,) = finished.files
    return text.split("\n")[:-1], books
