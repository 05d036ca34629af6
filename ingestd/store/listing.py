"""DOOR  What one delivery means for the vehicles that its feed listed before, in its transaction.

the fate of every line -> what differs from the listings -> the guard's verdict
... the vehicles are changed ... -> listings, misses, deactivations
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ingestd.config import Feed
from ingestd.model import Delivery, Finished
from ingestd.rooftops import choices
from ingestd.store import guard
from ingestd.store.moving import rows
from ingestd.store.pool import Connection
from ingestd.store.statements import Statements

_PAST = """
SELECT latest_first_seen, latest_delivery_id, latest_import_id, hold_first_seen, hold_delivery_id,
       hold_counted_at, hold_confirmed, year_readable, price_readable, vin_readable, dealer_id,
       nameless
FROM ingest.feeds WHERE feed = $1 AND dealership_id = $2"""

_APPLIED = """
INSERT INTO ingest.feeds (feed, dealership_id, latest_first_seen, latest_delivery_id,
  latest_import_id, applied_at, hold_first_seen, hold_delivery_id, hold_counted_at, hold_confirmed,
  year_readable, price_readable, vin_readable, dealer_id, nameless)
VALUES ($1, $2, $3, $4, $5, now(), $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (feed, dealership_id) DO UPDATE SET latest_first_seen = excluded.latest_first_seen,
  latest_delivery_id = excluded.latest_delivery_id, latest_import_id = excluded.latest_import_id,
  applied_at = excluded.applied_at, hold_first_seen = excluded.hold_first_seen,
  hold_delivery_id = excluded.hold_delivery_id, hold_counted_at = excluded.hold_counted_at,
  hold_confirmed = excluded.hold_confirmed, year_readable = excluded.year_readable,
  price_readable = excluded.price_readable, vin_readable = excluded.vin_readable,
  dealer_id = excluded.dealer_id, nameless = excluded.nameless"""

_COUNTED = tuple(field.name for field in fields(guard.Counted))


@dataclass(frozen=True, slots=True)
class Whose:
    """Which delivery of which feed, for which dealership."""

    delivery: Delivery
    feed: Feed
    dealership: int


class Listing:
    """One load's listings."""

    def __init__(self, connection: Connection, statements: Statements, whose: Whose) -> None:
        """Take the transaction, its statements, and whose listings they are."""
        self._connection = connection
        self._sql = statements.absence
        self._whose = whose
        self._mine = (whose.dealership, whose.feed.name)
        self._counts: Mapping[str, Any] = {}
        self.past = guard.Past()

    async def remember(self) -> None:
        """Read what the feed's latest delivery left; under the dealership's lock."""
        row = await self._connection.fetchrow(_PAST, *reversed(self._mine))
        self.past = guard.Past() if row is None else _past(dict(row))

    async def facts(self, finished: Finished) -> guard.Facts:
        """Find what differs from the listings, and count it, in temporary tables alone."""
        connection, sql, feed = self._connection, self._sql, self._whose.feed
        latest = self.past.latest
        before = (None, None) if latest is None else (latest.first_seen, latest.delivery_id)
        absent = 0
        if latest is not None:
            absent = rows(await connection.execute(sql.absent, *self._mine, *before))
        if absent:
            await connection.execute(sql.sight, *self._mine)
            if choices(feed.rooftops):
                await connection.execute(sql.sight_nobodys, *self._mine)
        await connection.execute(sql.listed, *self._mine)
        counts = await connection.fetchrow(sql.facts, *self._mine, feed.guard.price_change)
        assert counts is not None
        self._counts = dict(counts)
        return guard.Facts(
            at=self._whose.delivery.arrival.first_seen,
            delivery_id=self._whose.delivery.id,
            full=feed.mode == "full",
            deactivates=feed.missing == "deactivate",
            past=self.past,
            counted=guard.Counted(**{name: counts[name] for name in _COUNTED}),
            evidence=finished.evidence,
            whole=not any(reading.reason for reading in finished.files),
            suspended=guard.suspension(finished, self.past.nameless) is not None,
        )

    async def settle(self, facts: guard.Facts, verdict: guard.Verdict, file: int) -> int:
        """Write what differs, and switch off what is gone; give the number of vehicles.

        ``file`` is the one whose import the history names.
        """
        connection, sql, counts = self._connection, self._sql, self._counts
        flags = (verdict.moves, verdict.begins, verdict.hold is not None)
        if counts["orphans"]:
            await connection.execute(sql.forget, *self._mine)
        if counts["missed_elsewhere"]:
            await connection.execute(sql.seen_elsewhere, *self._mine)
        if counts["changed"]:
            await connection.execute(sql.list, *self._mine, *flags)
        if counts["absent"]:
            await connection.execute(sql.leave, *self._mine, *flags, *self._leaving(facts, verdict))
        if (
            (verdict.moves and counts["fresh"])
            or verdict.begins
            or (counts["held"] and not flags[2])
        ):
            await connection.execute(sql.sweep, *self._mine, *flags)
        if counts["absent"] and (verdict.misses or verdict.drops):
            return await self._switch_off(verdict, file)
        return 0

    def _leaving(self, facts: guard.Facts, verdict: guard.Verdict) -> tuple[object, ...]:
        latest = self.past.latest
        assert latest is not None
        return (
            facts.whole or not facts.full,
            latest.first_seen,
            latest.delivery_id,
            verdict.misses,
            facts.at,
            self._whose.feed.missing_after,
            guard.APART,
        )

    async def _switch_off(self, verdict: guard.Verdict, file: int) -> int:
        connection, sql = self._connection, self._sql
        enough = self._whose.feed.missing_after
        gone = rows(await connection.execute(sql.gone, *self._mine, file, verdict.drops, enough))
        if gone:
            await connection.execute(sql.note)
            await connection.execute(sql.off, self._whose.dealership)
            await connection.execute(sql.noted, *self._mine, self._whose.delivery.id)
        return gone

    async def applied(
        self, facts: guard.Facts, verdict: guard.Verdict, finished: Finished, import_id: int
    ) -> None:
        """Keep this delivery as the feed's latest, and what the next is compared with."""
        hold, shares = verdict.hold, guard.shares(facts.evidence)
        await self._connection.execute(
            _APPLIED,
            *reversed(self._mine),
            facts.at,
            facts.delivery_id,
            import_id,
            *((hold.first_seen, hold.delivery_id) if hold else (None, None)),
            *((hold.counted_at, hold.confirmed) if hold else (None, None)),
            *(shares.get(name) for name in ("year", "price", "vin")),
            self._dealer_id(facts),
            self._nameless(facts, finished),
        )

    def _dealer_id(self, facts: guard.Facts) -> str | None:
        """Give the one value so far; one of several that were approved is not the only one."""
        found = guard.dealer_ids(facts.evidence)
        return found[0] if len(found) == 1 else self.past.dealer_id

    def _nameless(self, facts: guard.Facts, finished: Finished) -> list[int]:
        """Give the rows that are no news the next time; a refused file keeps its own."""
        found = {number for file in finished.evidence for _, number in file.nameless}
        return sorted(found if facts.whole else found | self.past.nameless)


def _past(row: Mapping[str, Any]) -> guard.Past:
    hold = None
    if row["hold_first_seen"] is not None:
        names = ("first_seen", "delivery_id", "counted_at", "confirmed")
        hold = guard.Hold(**{name: row[f"hold_{name}"] for name in names})
    shares = {name: row[f"{name}_readable"] for name in ("year", "price", "vin")}
    key = ("first_seen", "delivery_id", "import_id")
    return guard.Past(
        latest=guard.Applied(**{name: row[f"latest_{name}"] for name in key}),
        hold=hold,
        readable={name: share for name, share in shares.items() if share is not None},
        dealer_id=row["dealer_id"],
        nameless=frozenset(row["nameless"]),
    )
