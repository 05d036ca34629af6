"""DOOR  Deliveries, leases and settlements: who works on what, and what is still owed.

Rules:
  * Time is the database's clock; this process keeps none.
  * Every method is one short transaction and may be called again after any failure.
  * An attempt is counted in the transaction that claims, before anything is tried.
  * Whose turn it is in a backlog is said in ``claims``.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from ingestd.config import Feed, did_you_mean
from ingestd.errors import Fault, Misconfigured, OutOfTurn
from ingestd.model import (
    UNROUTED,
    Arrival,
    Dealership,
    Delivery,
    File,
    Known,
    Letter,
    Outcome,
    State,
    worst,
)
from ingestd.report import Report, refusal
from ingestd.store import books, claims, copies, decisions, replies
from ingestd.store.account import presentable
from ingestd.store.pool import Connection, Pool, Row
from ingestd.store.sql import ident, qualified

#: A source's lease; the daemon renews it every 4 seconds.
SOURCE_LEASE = timedelta(seconds=15)
#: A delivery's lease, renewed like a source's.  A load locks the row besides, so that no
#: instance takes over what another is loading; our own are ours again at once.
DELIVERY_LEASE = timedelta(seconds=60)

_LEASE = """
INSERT INTO ingest.leases AS l (name, owner, lease_until)
VALUES ($1, $2, clock_timestamp() + $3)
ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, lease_until = excluded.lease_until
WHERE l.owner = excluded.owner OR l.lease_until < clock_timestamp()
RETURNING true"""

_TAKE = """
INSERT INTO ingest.deliveries AS d (source, kind, key, name, sha256, size, first_seen, hint, lane,
  refused, message, taken_by)
VALUES ($1, $2, $3, $4, $5, $6, least($7, clock_timestamp()), $8, $9, $10, $11, $12)
ON CONFLICT (source, key) DO UPDATE SET taken_by = excluded.taken_by,
  owner = CASE WHEN d.state IN ('done', 'quarantined') THEN excluded.taken_by ELSE d.owner END
RETURNING *"""

_LETTER = "UPDATE ingest.deliveries SET sender = $2, subject = $3, automatic = $4 WHERE id = $1"

#: What is being loaded is locked: nobody claims it meanwhile, and nobody waits for it here.
_RENEW = """
UPDATE ingest.deliveries SET lease_until = clock_timestamp() + $3
WHERE id IN (SELECT id FROM ingest.deliveries
             WHERE id = ANY ($1::bigint[]) AND state = 'working' AND owner = $2
             ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)"""

_FINISH = """
UPDATE ingest.deliveries SET state = $2, outcome = $3, reason = $4, owner = $5,
  lease_until = clock_timestamp() + $6, finished_at = clock_timestamp()
WHERE id = $1 RETURNING *"""

_UNSETTLED = f"""
SELECT d.*, {copies.COUNT} AS copies FROM ingest.deliveries d
WHERE state IN ('done', 'quarantined') AND settled_at IS NULL
  AND CASE WHEN kind = 'cli' OR only_feed IS NOT NULL THEN cardinality($2::text[]) = 0
      ELSE source = ANY ($2::text[]) END
  AND (owner = $1 OR owner IS NULL OR lease_until < clock_timestamp())
ORDER BY first_seen, id LIMIT 1000"""

#: What was decided anew while it was being told is to be told again.
_SETTLED = """
UPDATE ingest.deliveries SET settled_at = clock_timestamp()
WHERE id = $1 AND settled_at IS NULL AND state IN ('done', 'quarantined')
  AND ($2::text IS NULL OR outcome = $2)"""

_WAITING = "SELECT count(*) FROM ingest.deliveries WHERE state IN ('received', 'working')"

#: What is held, or holds deactivations as its feed's latest, is read again when it is approved.
_OWED = """
SELECT sha256 FROM ingest.deliveries
WHERE state IN ('received', 'working') OR settled_at IS NULL
UNION
SELECT d.sha256 FROM ingest.imports i JOIN ingest.deliveries d ON d.id = i.delivery_id
WHERE i.outcome = 'held'
UNION
SELECT d.sha256 FROM ingest.feeds f JOIN ingest.deliveries d ON d.id = f.latest_delivery_id
WHERE EXISTS (SELECT FROM ingest.imports i WHERE i.delivery_id = d.id
              AND i.feed = f.feed AND i.held_deactivations > 0)"""

_DEALERSHIPS = """
SELECT d.id, d.name, (SELECT count(*) FROM {} v WHERE v.{} = d.id) AS vehicles
FROM public.dealerships d ORDER BY d.id"""

_THEIRS = """
SELECT count(*) FROM pg_catalog.pg_attribute
WHERE attrelid = 'public.dealerships'::regclass AND attname = ANY ($1) AND NOT attisdropped"""

_ADD_THERE = (
    "has other columns than this command knows: add the dealership in the platform itself;"
    " `ingestd dealerships list` shows its id then"
)

_OF_DELIVERY = "i.delivery_id = $1 ORDER BY i.file_index"


class Ledger:
    """The books of deliveries, as one instance (``owner``) keeps them."""

    def __init__(
        self, pool: Pool, owner: str, deltas: Sequence[str] = (), replied: Sequence[str] = ()
    ) -> None:
        """Take the pool, the name by which this instance signs, and feeds by name.

        ``deltas`` are the lanes that go oldest first: the feeds of changes, and what was not
        opened yet where there are no others.  ``replied`` are the feeds whose dealers get a reply.
        """
        self._pool = pool
        self._owner = owner
        self._deltas = list(deltas)
        self._replied = list(replied)

    async def now(self) -> datetime:
        """Give the database's time."""
        async with self._pool.connection() as connection:
            now: datetime = await connection.fetchval("SELECT clock_timestamp()")
            return now

    # Sources.

    async def lease(self, name: str) -> bool:
        """Take or renew the lease on a source; False while another instance holds it."""
        async with self._pool.transaction() as connection:
            return bool(await connection.fetchval(_LEASE, name, self._owner, SOURCE_LEASE))

    async def unlease(self, name: str) -> None:
        """Give a lease up, so that whoever stands by need not wait for it to run out."""
        async with self._pool.transaction() as connection:
            await connection.execute(
                "DELETE FROM ingest.leases WHERE name = $1 AND owner = $2", name, self._owner
            )

    # Deliveries.

    async def take(self, arrival: Arrival) -> Delivery:
        """Write an arrival down; the same (source, key) gives the delivery it already is."""
        async with self._pool.transaction() as connection:
            row = await connection.fetchrow(
                _TAKE,
                arrival.source,
                arrival.kind,
                arrival.key,
                presentable(arrival.name),
                arrival.sha256,
                arrival.size,
                arrival.first_seen,
                arrival.hint,
                arrival.lane,
                arrival.refused,
                presentable(arrival.message),
                self._owner,
            )
            assert row is not None
            if arrival.place is not None:
                await copies.remember(connection, arrival, row["id"])
            return books.delivery(row)

    async def route(
        self, delivery: Delivery, lane: str, letter: Letter | None, feeds: Sequence[str] = ()
    ) -> None:
        """Put an opened delivery into its lane; who is not in turn there is given back.

        ``feeds`` are named where the lane is that of several.

        Raises:
            OutOfTurn: others come first; the attempt is not counted.
        """
        async with self._pool.transaction() as connection:
            if letter is not None:
                said = (presentable(letter.sender), presentable(letter.subject), letter.automatic)
                await connection.execute(_LETTER, delivery.id, *said)
            if lane == UNROUTED:
                return
            rest = (lane, self._deltas, None if lane else list(feeds) or None)
            waits = await connection.fetchval(claims.ROUTE, self._owner, delivery.id, *rest)
            if waits:
                await connection.execute(claims.RELEASE, delivery.id, self._owner, False)  # noqa: FBT003
        if waits:
            raise OutOfTurn(f"delivery {delivery.id} waits for others of the lane {lane!r}")

    async def claim(
        self, delivery_id: int | None, busy: Sequence[str], at_work: Sequence[int] = ()
    ) -> Delivery | None:
        """Claim the delivery whose turn it is outside the ``busy`` lanes, or just that one.

        None of ``at_work``: at work here, or put off; what comes after it in a lane waits.
        """
        single = delivery_id is not None
        values = (self._owner, DELIVERY_LEASE, single)
        async with self._pool.transaction() as connection:
            if single:
                row = await connection.fetchrow(claims.CLAIM_ONE, *values, delivery_id)
            else:
                rest = (list(busy), self._deltas, list(at_work))
                row = await connection.fetchrow(claims.CLAIM_NEXT, *values, *rest)
        return None if row is None else books.delivery(row)

    async def renew(self, deliveries: Sequence[Delivery]) -> None:
        """Renew the claims on deliveries that take long."""
        numbers = [delivery.id for delivery in deliveries]
        async with self._pool.transaction() as connection:
            await connection.execute(_RENEW, numbers, self._owner, DELIVERY_LEASE)

    async def release(self, delivery: Delivery, *, counted: bool) -> None:
        """Give a claimed delivery back to those that wait."""
        async with self._pool.transaction() as connection:
            await connection.execute(claims.RELEASE, delivery.id, self._owner, counted)

    async def let_older_go_first(self, delivery: Delivery) -> None:
        """Give a claimed delivery back, uncounted, to come after the older ones of its lane."""
        async with self._pool.transaction() as connection:
            await connection.execute(claims.GO_AFTER, delivery.id, self._owner)

    async def finish(
        self, delivery: Delivery, refused: Sequence[File], quarantine: str | None
    ) -> tuple[Delivery, tuple[Report, ...]]:
        """Close a delivery: report what was refused, set the worst outcome, owe a settlement.

        Of ``refused``, what has no reason has failed.  ``quarantine`` is the sentence that says
        why the delivery is set aside, for those of its feeds that have no report: what has one
        was done, only the process did not live to say so.  What is closed already stays as it is.

        Raises:
            OutOfTurn: it was claimed, and is another's by now: what it does there is not undone.
        """
        async with self._pool.transaction() as connection:
            row = await connection.fetchrow(
                "SELECT *, now() AS now FROM ingest.deliveries WHERE id = $1 FOR NO KEY UPDATE",
                delivery.id,
            )
            assert row is not None, f"delivery {delivery.id} is not in the ledger"
            if row["outcome"] is None:
                self._check_claim(delivery, row)
                await self._report_refused(connection, delivery, refused, row["now"])
                if quarantine is not None:
                    await self._report_failure(connection, delivery, quarantine, row["now"])
                row = await self._close(connection, delivery)
                await replies.owe(connection, delivery.id, self._replied)
            reports = await books.reports(connection, _OF_DELIVERY, delivery.id)
            return books.delivery(row), reports

    def _check_claim(self, delivery: Delivery, row: Row) -> None:
        """Make sure that a claim still holds: who stalls loses it when its lease runs out."""
        was_claimed = delivery.state is State.WORKING
        if row["owner"] not in (None, self._owner) or (was_claimed and row["state"] != "working"):
            raise OutOfTurn(
                f"delivery {delivery.id} is not with this instance any more: it took longer than"
                " its lease, and was taken over; `ingestd deliveries list` shows what became of it"
            )

    async def _report_refused(
        self, connection: Connection, delivery: Delivery, refused: Sequence[File], now: datetime
    ) -> None:
        known = await connection.fetch(
            "SELECT file_index FROM ingest.imports WHERE delivery_id = $1", delivery.id
        )
        indexes = {row["file_index"] for row in known}
        for file in refused:
            if file.index not in indexes:
                outcome = Outcome.REJECTED if file.reason else Outcome.FAILED
                await books.write_report(connection, refusal(delivery.id, file, now, outcome))

    async def _report_failure(
        self, connection: Connection, delivery: Delivery, message: str, now: datetime
    ) -> None:
        """Every feed of a delivery has a report, and where they are not known, the whole has."""
        arrival = delivery.arrival
        for index, feed in await books.untold(connection, delivery.id):
            file = File(index, arrival.name, arrival.size, feed, None, message)
            await books.write_report(connection, refusal(delivery.id, file, now, Outcome.FAILED))

    async def _close(self, connection: Connection, delivery: Delivery) -> Row:
        rows = await connection.fetch(
            "SELECT outcome, reason FROM ingest.imports WHERE delivery_id = $1 ORDER BY file_index",
            delivery.id,
        )
        await decisions.lapse(connection, delivery.id)
        outcome, reason = worst(tuple(Outcome(row["outcome"]) for row in rows)), "no_table"
        if rows:
            reason = next(row["reason"] for row in rows if row["outcome"] == outcome)
        state = "quarantined" if outcome is Outcome.FAILED else "done"
        row = await connection.fetchrow(
            _FINISH, delivery.id, state, str(outcome), reason, self._owner, DELIVERY_LEASE
        )
        assert row is not None
        return row

    async def unsettled(
        self, sources: Sequence[str]
    ) -> tuple[tuple[Delivery, tuple[Report, ...]], ...]:
        """List the oldest 1000 that we, or who is gone, owe to ``sources``; to commands if none."""
        async with self._pool.transaction() as connection:
            rows = await connection.fetch(_UNSETTLED, self._owner, list(sources))
            numbers = [row["id"] for row in rows]
            condition = "i.delivery_id = ANY ($1::bigint[]) ORDER BY i.delivery_id, i.file_index"
            found: dict[int | None, list[Report]] = {}
            for report in await books.reports(connection, condition, numbers) if rows else ():
                found.setdefault(report.delivery_id, []).append(report)
        return tuple((books.delivery(row), tuple(found.get(row["id"], ()))) for row in rows)

    async def settled(self, delivery: Delivery) -> None:
        """Tick a settlement off, unless another copy came meanwhile."""
        async with self._pool.transaction() as connection:
            if await copies.all_told(connection, delivery):
                outcome = None if delivery.outcome is None else str(delivery.outcome)
                await connection.execute(_SETTLED, delivery.id, outcome)

    async def owed(self) -> frozenset[str]:
        """Give the SHA-256 of every content that may still be read."""
        async with self._pool.connection() as connection:
            rows = await connection.fetch(_OWED)
        return frozenset(row["sha256"] for row in rows)

    async def waiting(self) -> int:
        """Count the deliveries that are not done."""
        async with self._pool.connection() as connection:
            return int(await connection.fetchval(_WAITING))

    # Dealerships.

    async def known(self, dealership_id: int, feed: str, rooftops: Sequence[int] = ()) -> Known:
        """Give what earlier files showed of a dealership, or of each of a group's, and a feed."""
        numbers = list(rooftops) or [dealership_id]
        async with self._pool.connection() as connection:
            each = await books.junk_vins(connection, numbers)
            before = await books.headings(connection, feed, numbers)
        everywhere = frozenset.intersection(*each.values())
        return Known(everywhere, before, each if rooftops else {})

    async def dealerships(self, table: str, column: str) -> tuple[Dealership, ...]:
        """List the dealerships with the number of their vehicles in ``table``."""
        query = _DEALERSHIPS.format(qualified(table), ident(column))
        async with self._pool.connection() as connection:
            rows = await connection.fetch(query)
        return tuple(Dealership(row["id"], row["name"], row["vehicles"]) for row in rows)

    async def add_dealership(self, name: str, columns: dict[str, str]) -> int:
        """Add a dealership with the ``columns`` given, and give its id.

        Raises:
            Misconfigured: the table is the platform's, and has other columns.
        """
        names = ", ".join(("name", *columns))
        places = ", ".join(f"${place + 1}" for place in range(len(columns) + 1))
        async with self._pool.transaction() as connection:
            if await connection.fetchval(_THEIRS, ["name", *columns]) <= len(columns):
                raise Misconfigured(Fault("public.dealerships", _ADD_THERE))
            number = await connection.fetchval(
                f"INSERT INTO public.dealerships ({names}) VALUES ({places}) RETURNING id",
                name,
                *columns.values(),
            )
            return int(number)

    async def dealership(self, feed: Feed) -> int:
        """Give the id of a feed's dealership, which must exist and bear the name alone.

        Raises:
            Misconfigured: there is none, or several of that name.
        """
        wanted = feed.dealership
        async with self._pool.connection() as connection:
            rows = await connection.fetch("SELECT id, name FROM public.dealerships ORDER BY id")
        if isinstance(wanted, int):
            found = [row["id"] for row in rows if row["id"] == wanted]
        else:
            found = [row["id"] for row in rows if row["name"] == wanted.name]
        if len(found) == 1:
            return int(found[0])
        path = f"feed[{feed.name}].dealership"
        raise Misconfigured(Fault(path, _not_one(feed, found, [row["name"] for row in rows])))


def _not_one(feed: Feed, found: Sequence[int], names: Sequence[str]) -> str:
    if isinstance(feed.dealership, int):
        return (
            f"there is no dealership {feed.dealership}; `ingestd dealerships list` shows them,"
            ' `ingestd dealerships add "NAME"` adds one'
        )
    name = feed.dealership.name
    if found:
        ids = ", ".join(map(str, found))
        return f"{len(found)} dealerships are named {name!r} (ids {ids}); give the id instead"
    near = did_you_mean(name, names)
    return f"no dealership is named {name!r}{near}; `ingestd dealerships add {name!r}` adds it"
