"""A dealership's lot for the store's tests: rows in, the stage's COPY text out.

A row is a dict of fields.  A field that is left out keeps the stored value (its column is
absent or its cell unreadable); a field that is None is a blank cell, which clears it.  Beside
the fields, ``provisional`` is true of a row whose VIN the reader takes for a placeholder.
"""

import json
import zlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import asyncpg

from ingestd.config import Config, Feed
from ingestd.model import (
    Arrival,
    Delivery,
    Duplicate,
    Evidence,
    File,
    FileReading,
    Finding,
    Finished,
    Identity,
    ReadJob,
)
from ingestd.report import Report
from ingestd.store.postgres import PostgresStore
from ingestd.vehicle import FIELDS, PROVISIONAL, Target

IDENTITY = FIELDS[:5]
_VALUES = dict(
    zip(
        "0123456789ABCDEFGHJKLMNPRSTUVWXYZ",
        [*range(10), *range(1, 9), *range(1, 6), 7, 9, *range(2, 10)],
        strict=True,
    )
)
_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def vin(number: int) -> str:
    """Make up a VIN with a valid check digit."""
    bare = f"1TST0TST0L0{number:06d}"
    rest = sum(_VALUES[sign] * weight for sign, weight in zip(bare, _WEIGHTS, strict=True)) % 11
    return bare[:8] + ("X" if rest == 10 else str(rest)) + bare[9:]


def car(number: int, **fields: Any) -> dict[str, Any]:
    """A row that has all it needs."""
    row = {
        "vin": vin(number),
        "stock_number": f"S{number}",
        "make": "Kia",
        "model": "Rio",
        "year": 2024,
        "price": "19995.00",
        "mileage": 10,
        "features": ["ABS", "Radio"],
        "status": "active",
    }
    return {**row, **fields}


@dataclass(frozen=True)
class Rejected:
    """A row that the reader itself rejects."""

    reason: str = "no_identifier"
    column: str | None = "VIN"
    value: str = "TBD"
    vin: str | None = None
    stock_number: str | None = None


@dataclass(frozen=True)
class Sheet:
    """One file: its rows from line 2 on, and what the reader says of it.

    ``keep`` adds to the fields that no row has: those whose cells are blank in every row.
    """

    rows: Sequence[Mapping[str, Any] | Rejected] = ()
    name: str = "lot.tsv"
    keep: int = 0
    reason: str | None = None
    extras: Mapping[int, Mapping[str, str]] | None = None
    mapping: Mapping[str, tuple[str, ...]] | None = None
    readable: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    dealer_ids: tuple[str, ...] = ()
    cut_off: bool = False

    def encode(self, target: Target, number: int) -> bytes:
        lines = [
            _line(target, number, place + 2, row, (self.extras or {}).get(place + 2))
            for place, row in enumerate(self.rows)
        ]
        return "".join(lines).encode()

    def reading(self, number: int) -> FileReading:
        if self.reason:
            return FileReading(number, self.name, self.reason, "nothing to be read in it")
        rejected = sum(isinstance(row, Rejected) for row in self.rows)
        return FileReading(
            file=number,
            name=self.name,
            lines=len(self.rows) + 2,
            header=1,
            blank=1,
            rows=len(self.rows) - rejected,
            rejected=rejected,
            keep=self.keep | self._absent(),
            encoding="utf-8",
            delimiter="\t",
            quoting="none",
            mapping=self.mapping or {"vin": ("VIN",), "stock_number": ("Stock",)},
            cut_off=self.cut_off,
        )

    def evidence(self, number: int) -> Evidence:
        """What the reader saw: rows without identifier are told apart by what stands in them."""
        nameless = tuple(
            (place + 2, zlib.crc32(row.value.encode()))
            for place, row in enumerate(self.rows)
            if isinstance(row, Rejected) and row.vin is None and row.stock_number is None
        )
        return Evidence(number, self.readable, self.dealer_ids, nameless, len(nameless))

    def _absent(self) -> int:
        there = {field for row in self.rows if isinstance(row, Mapping) for field in row}
        return sum(1 << place for place, field in enumerate(FIELDS) if field not in there)


def _line(
    target: Target,
    file: int,
    line: int,
    row: Mapping[str, Any] | Rejected,
    extras: Mapping[str, str] | None,
) -> str:
    head: list[Any]
    if isinstance(row, Rejected):
        head = [file, line, None, 0, row.reason, row.column, row.value, None]
        fields: Mapping[str, Any] = {"vin": row.vin, "stock_number": row.stock_number}
    else:
        kept = (
            1 << place
            for place, field in enumerate(FIELDS)
            if field not in row or (field in IDENTITY and row[field] is None)
        )
        mark = PROVISIONAL if row.get("provisional") else 0
        head = [file, line, None, sum(kept) | mark, None, None, None, extras]
        fields = row
    values = [_cell(fields.get(column.field), column.type) for column in target.columns]
    return "\t".join([*map(_cell, head), *values]) + "\n"


def _cell(value: Any, kind: str = "text") -> str:
    if value is None:
        return "\\N"
    if kind == "text[]":
        return ("{" + ",".join(map(json.dumps, value)) + "}").translate(_ESCAPES)
    if isinstance(value, list | Mapping):
        return json.dumps(value).translate(_ESCAPES)
    return str(value).translate(_ESCAPES)


async def blocks(*items: bytes | Finished) -> AsyncIterator[bytes | Finished]:
    for item in items:
        yield item


def _without(reading: FileReading, rejected: int) -> FileReading:
    """Count rows as rejected that were sent as vehicles."""
    return replace(reading, rows=reading.rows - rejected, rejected=reading.rejected + rejected)


class Lot:
    """A dealership with its feed, and the store that fills it."""

    def __init__(self, store: PostgresStore, admin: "asyncpg.Connection", number: int) -> None:
        self.store = store
        self.admin = admin
        self.number = number
        self.feed = Feed(name=f"feed-{number}", dealership=number, mode="full")
        self._keys = count(1)

    async def deliver(self, **fields: Any) -> Delivery:
        """Take one more delivery, each first seen after the one before."""
        key = f"{self.feed.name}/{next(self._keys)}"
        now = await self.store.now()
        arrival = Arrival("drop", "folder", key, "lot.tsv", "0" * 64, 1, now)
        return await self.store.take(replace(arrival, **fields))

    async def load(  # noqa: PLR0913  one for each word of the reader
        self,
        *rows: Mapping[str, Any] | Rejected,
        sheets: Sequence[Sheet] = (),
        delivery: Delivery | None = None,
        dry_run: bool = False,
        duplicates: Sequence[Duplicate] = (),
        identities: Sequence[Identity] = (),
        rejected: Sequence[tuple[int, Finding]] = (),
    ) -> Report:
        """Load rows (one file) or sheets, and give the first file's report."""
        sheets = sheets or (Sheet(rows),)
        delivery = delivery or await self.deliver()
        finished = Finished(
            tuple(
                _without(sheet.reading(number), sum(file == number for file, _ in rejected))
                for number, sheet in enumerate(sheets)
            ),
            tuple(duplicates),
            tuple(identities),
            tuple(rejected),
            tuple(sheet.evidence(number) for number, sheet in enumerate(sheets)),
        )
        reports = await self.load_all(
            delivery,
            sheets,
            lambda target: blocks(
                *(sheet.encode(target, number) for number, sheet in enumerate(sheets)), finished
            ),
            dry_run=dry_run,
        )
        self.reports = reports
        return reports[0]

    async def load_all(
        self,
        delivery: Delivery,
        sheets: Sequence[Sheet],
        play: Callable[[Target], AsyncIterator[bytes | Finished]],
        *,
        dry_run: bool = False,
    ) -> tuple[Report, ...]:
        target = await self.store.target()
        files = tuple(
            File(number, sheet.name, 1, self.feed.name) for number, sheet in enumerate(sheets)
        )
        job = ReadJob("0" * 64, "folder", "lot.tsv", files, self.number, "2026-11-24", target)
        return await self.store.load(delivery, self.feed, job, play(target), dry_run=dry_run)

    async def store_vehicle(self, **fields: Any) -> int:
        """Put a vehicle there as somebody else would."""
        row = {"dealership_id": self.number, "make": "Kia", "model": "Rio", "year": 2024, **fields}
        names = ", ".join(row)
        places = ", ".join(f"${place + 1}" for place in range(len(row)))
        number: int = await self.admin.fetchval(
            f"INSERT INTO vehicles ({names}) VALUES ({places}) RETURNING id", *row.values()
        )
        return number

    async def vehicles(self, columns: str = "*", where: str = "true") -> list[dict[str, Any]]:
        rows = await self.admin.fetch(
            f"SELECT {columns} FROM vehicles WHERE dealership_id = $1 AND {where} ORDER BY id",
            self.number,
        )
        return [dict(row) for row in rows]

    async def versions(self) -> dict[int, tuple[str, str]]:
        """Where each row lies and which transaction wrote it: equal means not written."""
        rows = await self.vehicles("id, xmin::text, ctid::text")
        return {row["id"]: (row["xmin"], row["ctid"]) for row in rows}

    async def sole(self, columns: str = "*") -> dict[str, Any]:
        (row,) = await self.vehicles(columns)
        return row


def counts(report: Report) -> dict[str, int]:
    """The counts that are not 0, but for header and blank."""
    assert report.counts is not None
    names = ("added", "updated", "unchanged", "duplicate", "rejected")
    found = {name: getattr(report.counts, name) for name in names}
    assert report.counts.total() == report.lines
    return {name: number for name, number in found.items() if number}


def reasons(report: Report) -> list[tuple[int, str | None, str, str]]:
    return [(f.line, f.column, f.reason, f.value) for f in report.rejections]


@asynccontextmanager
async def opened(
    url: str, *, owner: str = "here", config: Any = None
) -> AsyncIterator[PostgresStore]:
    async with PostgresStore.opened(Config.model_validate(config or {}), url, owner) as store:
        yield store


async def add_lot(store: PostgresStore, admin: "asyncpg.Connection", name: str) -> Lot:
    return Lot(store, admin, await store.add_dealership(name))
