"""Files as dealers send them: one directory below tests/cases, one claim.

<name>/lot.tsv          the file, whatever its name and dialect
<name>/before.tsv       a file that the dealership sent before, if any
<name>/expected.json    the claim, and what must come of the file:
    feed                options of the feed, if any
    stored              vehicles that somebody else put there first
    outcome, reason, counts (those that are not 0; null: none), reactivated, encoding_found
    rejections, warnings            all of them, as [line, column, reason]
    vehicles                        all of them in order; the columns that matter, and extras
    junk_vins                       what is remembered of the dealership
"""

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from ingestd import reading
from ingestd.config import Feed, Limits
from ingestd.model import Arrival, Finding, Reading, ReadJob
from ingestd.report import Counts, Report
from tests.integration.lot import Lot, add_lot, opened

CASES = Path(__file__).parent.parent / "cases"
NAMES = sorted(path.name for path in CASES.iterdir() if path.is_dir())
_APART = ("before.tsv", "expected.json")


@pytest.fixture
async def lot(database) -> AsyncIterator[Lot]:
    admin = await asyncpg.connect(database.url)
    async with opened(database.ingestd_url) as store:
        yield await add_lot(store, admin, "Invented Motors")
    await admin.close()


async def load(lot: Lot, path: Path) -> Report:
    """Take a file all the way, without processes, as the options of its case say."""
    options = json.loads((path.parent / "expected.json").read_text(encoding="utf-8"))
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    delivery = await lot.deliver(name=path.name, sha256=sha256, size=len(content))
    arrival: Arrival = delivery.arrival
    given = {**lot.feed.model_dump(by_alias=True), **options.get("feed", {})}
    feed = Feed.model_validate({**given, "folder": ("drop",)})
    (file,) = reading.open_delivery(arrival, lambda: iter((content,)), (feed,), Limits()).files
    target, known = await lot.store.target(), await lot.store.known(lot.number, lot.feed.name)
    job = ReadJob(
        sha256, "folder", path.name, (file,), lot.number, "2026-11-24", target, known=known
    )

    async def items() -> Reading:
        for item in reading.read(job, lambda: iter((content,)), feed, Limits()):
            yield item

    (report,) = await lot.store.load(delivery, feed, job, items())
    return report


def accounted(report: Report) -> dict[str, int] | None:
    """Give the counts that are not 0; every line must be in one of them."""
    if report.counts is None:
        return None
    assert report.counts.total() == report.lines
    names = Counts.__slots__
    return {name: getattr(report.counts, name) for name in names if getattr(report.counts, name)}


def brief(findings: tuple[Finding, ...]) -> list[list[Any]]:
    return [[found.line, found.column, found.reason] for found in findings]


async def vehicles(lot: Lot) -> list[dict[str, Any]]:
    rows = await lot.admin.fetch(
        "SELECT to_jsonb(v)::text AS vehicle, e.extras::text AS extras FROM vehicles v"
        " LEFT JOIN ingest.vehicle_extras e ON e.vehicle_id = v.id ORDER BY v.id"
    )
    return [
        {**json.loads(row["vehicle"]), "extras": json.loads(row["extras"] or "null")}
        for row in rows
    ]


@pytest.mark.parametrize("name", NAMES)
async def test_a_file_comes_out_as_its_case_says(lot, name):
    expected = json.loads((CASES / name / "expected.json").read_text(encoding="utf-8"))
    (file,) = (path for path in (CASES / name).iterdir() if path.name not in _APART)
    for fields in expected.get("stored", ()):
        await lot.store_vehicle(**fields)
    before = CASES / name / "before.tsv"
    if before.exists():
        accounted(await load(lot, before))

    report = await load(lot, file)

    assert report.reading is not None
    got = {
        "outcome": str(report.outcome),
        "reason": report.reason,
        "counts": accounted(report),
        "rejections": brief(report.rejections),
        "warnings": brief(report.reading.warnings_list),
        "reactivated": report.reactivated,
        "encoding_found": report.reading.encoding,
        "junk_vins": sorted((await lot.store.known(lot.number, lot.feed.name)).junk_vins),
    }
    assert got == {
        **got,
        "reason": None,
        "reactivated": 0,
        "junk_vins": [],
        **{key: value for key, value in expected.items() if key in got},
    }
    stored = await vehicles(lot)
    wanted = expected["vehicles"]
    picked = zip(stored, wanted, strict=True)
    assert [{key: row[key] for key in want} for row, want in picked] == wanted


@pytest.mark.parametrize("name", NAMES)
async def test_the_same_file_again_changes_nothing(lot, name):
    (file,) = (path for path in (CASES / name).iterdir() if path.name not in _APART)
    first = accounted(await load(lot, file))
    versions = await lot.versions()

    again = accounted(await load(lot, file))

    assert await lot.versions() == versions
    assert (again is None) == (first is None)
    assert not {"added", "updated"} & set(again or ())
