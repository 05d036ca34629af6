"""DOOR  Deliveries, leases and settlements: who works on what, and what is still owed.

Rules:
  * Time is the database's clock; this process keeps none.
  * Every method is one short transaction and may be called again after any failure.
  * An attempt is counted in the transaction that claims, before anything is tried.
  * A lane is worked from its oldest delivery on, by one instance at a time.  The lane
    without a name holds what is of several feeds: it waits for all that is older, and all
    that is younger waits for it.
  * What was not opened yet may be anybody's: it is opened at once, whoever is at work, and
    then routed into its lane; there it waits for its turn.  Feeds of whole lots need not wait
    until all that is older is opened, since an older lot that comes to light is superseded;
    feeds of changes do.
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
    worst,
)
from ingestd.report import Report, refusal
from ingestd.store import books, copies, replies
from ingestd.store.account import presentable
from ingestd.store.pool import Connection, Pool, Row

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

#: Only who has the bytes can read them.  What an instance of the same name left behind is
#: its own again, but for a command's delivery, which another process of that name may be
#: at: only what a command left for longer than a lease is taken up.
_CLAIMABLE = """d.taken_by = $1 AND ((d.state = 'received' AND (d.kind <> 'cli' OR $3
      OR d.first_seen < clock_timestamp() - $2::interval)) OR (d.state = 'working' AND
    (d.lease_until < clock_timestamp() OR (d.owner = $1 AND (d.kind <> 'cli' OR $3)))))"""

_CLAIM = f"""
UPDATE ingest.deliveries SET state = 'working', attempts = attempts + 1, owner = $1,
  lost = lost + CASE WHEN state = 'working' THEN 1 ELSE 0 END,
  lease_until = clock_timestamp() + $2
WHERE id = (SELECT d.id FROM ingest.deliveries d
            WHERE {_CLAIMABLE} AND {{which}}
            ORDER BY d.first_seen, d.id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING *"""

#: What may be in the way of a delivery ``d``: what is at work, or waits with somebody alive.
_OTHERS = """SELECT FROM ingest.deliveries o
              WHERE o.id <> d.id AND o.kind <> 'cli' AND o.state IN ('received', 'working')
                AND (o.taken_by = $1 OR o.lease_until > clock_timestamp())"""
_SHARE_A_LANE = "(o.lane = d.lane OR o.lane = '' OR d.lane = '')"
_MAY_SHARE_ONE = f"(o.lane = '{UNROUTED}' AND d.lane = ANY ({{deltas}}::text[]))"
_IS_OLDER = "(o.first_seen, o.id) < (d.first_seen, d.id)"

#: Only of a lane's oldest is asked what is in its way: of a long backlog it would take seconds.
_CLAIM_OLDEST = _CLAIM.format(
    which=f"""d.id = ANY (ARRAY(
              SELECT d.id FROM (SELECT DISTINCT lane FROM ingest.deliveries
                                WHERE state IN ('received', 'working')) l
              CROSS JOIN LATERAL (SELECT d.id, d.lane, d.first_seen FROM ingest.deliveries d
                WHERE d.lane = l.lane AND d.id <> ALL ($6::bigint[]) AND {_CLAIMABLE}
                ORDER BY d.first_seen, d.id LIMIT 1) d
              WHERE d.lane = '{UNROUTED}' OR (d.lane <> ALL ($4::text[]) AND '' <> ALL ($4::text[])
                AND (d.lane <> '' OR cardinality($4::text[]) = 0) AND NOT EXISTS ({_OTHERS}
                AND ({_SHARE_A_LANE} OR {_MAY_SHARE_ONE.format(deltas="$5")}) AND {_IS_OLDER}))))"""
)
_CLAIM_ONE = _CLAIM.format(which="d.id = $4")

_ROUTE = f"""
UPDATE ingest.deliveries d SET lane = $3 WHERE d.id = $2 AND d.state = 'working' AND d.owner = $1
RETURNING EXISTS ({_OTHERS} AND ({_SHARE_A_LANE} AND ({_IS_OLDER} OR o.state = 'working')
    OR {_MAY_SHARE_ONE.format(deltas="$4")} AND {_IS_OLDER}))"""

_LETTER = "UPDATE ingest.deliveries SET sender = $2, subject = $3, automatic = $4 WHERE id = $1"

#: What is being loaded is locked: nobody claims it meanwhile, and nobody waits for it here.
_RENEW = """
UPDATE ingest.deliveries SET lease_until = clock_timestamp() + $3
WHERE id IN (SELECT id FROM ingest.deliveries
             WHERE id = ANY ($1::bigint[]) AND state = 'working' AND owner = $2
             ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)"""

_RELEASE = """
UPDATE ingest.deliveries SET state = 'received', owner = NULL, lease_until = NULL,
  attempts = attempts - CASE WHEN $3 OR attempts = 0 THEN 0 ELSE 1 END
WHERE id = $1 AND state = 'working' AND owner = $2"""

_FINISH = """
UPDATE ingest.deliveries SET state = $2, outcome = $3, reason = $4, owner = $5,
  lease_until = clock_timestamp() + $6, finished_at = clock_timestamp()
WHERE id = $1 RETURNING *"""

_UNSETTLED = f"""
SELECT d.*, {copies.COUNT} AS copies FROM ingest.deliveries d
WHERE state IN ('done', 'quarantined') AND settled_at IS NULL
  AND CASE kind WHEN 'cli' THEN cardinality($2::text[]) = 0 ELSE source = ANY ($2::text[]) END
  AND (owner = $1 OR owner IS NULL OR lease_until < clock_timestamp())
ORDER BY first_seen, id LIMIT 1000"""

_SETTLED = """
UPDATE ingest.deliveries SET settled_at = clock_timestamp()
WHERE id = $1 AND settled_at IS NULL"""

_WAITING = "SELECT count(*) FROM ingest.deliveries WHERE state IN ('received', 'working')"

_OWED = """
SELECT DISTINCT sha256 FROM ingest.deliveries
WHERE state IN ('received', 'working') OR settled_at IS NULL OR outcome = 'held'"""

_DEALERSHIPS = """
SELECT d.id, d.name, (SELECT count(*) FROM public.vehicles v WHERE v.dealership_id = d.id)
  AS vehicles FROM public.dealerships d ORDER BY d.id"""

_OF_DELIVERY = "i.delivery_id = $1 ORDER BY i.file_index"


class Ledger:
    """The books of deliveries, as one instance (``owner``) keeps them."""

    def __init__(
        self, pool: Pool, owner: str, deltas: Sequence[str] = (), replied: Sequence[str] = ()
    ) -> None:
        """Take the pool, the name by which this instance signs, and feeds by name.

        ``deltas`` are the feeds of changes, ``replied`` those whose dealers get a reply.
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

    async def route(self, delivery: Delivery, lane: str, letter: Letter | None) -> None:
        """Put an opened delivery into its lane; who is not in turn there is given back.

        Raises:
            OutOfTurn: others come first; the attempt is not counted.
        """
        async with self._pool.transaction() as connection:
            if letter is not None:
                said = (presentable(letter.sender), presentable(letter.subject), letter.automatic)
                await connection.execute(_LETTER, delivery.id, *said)
            if lane == UNROUTED:
                return
            waits = await connection.fetchval(_ROUTE, self._owner, delivery.id, lane, self._deltas)
            if waits:
                await connection.execute(_RELEASE, delivery.id, self._owner, False)  # noqa: FBT003
        if waits:
            raise OutOfTurn(f"delivery {delivery.id} waits for others of the lane {lane!r}")

    async def claim(
        self, delivery_id: int | None, busy: Sequence[str], at_work: Sequence[int] = ()
    ) -> Delivery | None:
        """Claim the oldest delivery that may be worked on outside ``busy``, or just that one.

        None of ``at_work``: at work here, or put off; what is younger in a lane waits for it.
        """
        single = delivery_id is not None
        values = (self._owner, DELIVERY_LEASE, single)
        async with self._pool.transaction() as connection:
            if single:
                row = await connection.fetchrow(_CLAIM_ONE, *values, delivery_id)
            else:
                rest = (list(busy), self._deltas, list(at_work))
                row = await connection.fetchrow(_CLAIM_OLDEST, *values, *rest)
        return None if row is None else books.delivery(row)

    async def renew(self, deliveries: Sequence[Delivery]) -> None:
        """Renew the claims on deliveries that take long."""
        numbers = [delivery.id for delivery in deliveries]
        async with self._pool.transaction() as connection:
            await connection.execute(_RENEW, numbers, self._owner, DELIVERY_LEASE)

    async def release(self, delivery: Delivery, *, counted: bool) -> None:
        """Give a claimed delivery back to those that wait."""
        async with self._pool.transaction() as connection:
            await connection.execute(_RELEASE, delivery.id, self._owner, counted)

    async def finish(
        self, delivery: Delivery, refused: Sequence[File], quarantine: str | None
    ) -> tuple[Delivery, tuple[Report, ...]]:
        """Close a delivery: report what was refused, set the worst outcome, owe a settlement.

        ``quarantine`` is the sentence that says why it is set aside.  A delivery that is
        closed already stays as it is.
        """
        async with self._pool.transaction() as connection:
            row = await connection.fetchrow(
                "SELECT *, now() AS now FROM ingest.deliveries WHERE id = $1 FOR NO KEY UPDATE",
                delivery.id,
            )
            assert row is not None, f"delivery {delivery.id} is not in the ledger"
            if row["outcome"] is None:
                await self._report_refused(connection, delivery, refused, row["now"])
                row = await self._close(connection, delivery, quarantine)
                await replies.owe(connection, delivery.id, self._replied)
            reports = await books.reports(connection, _OF_DELIVERY, delivery.id)
            return books.delivery(row), reports

    async def _report_refused(
        self, connection: Connection, delivery: Delivery, refused: Sequence[File], now: datetime
    ) -> None:
        known = await connection.fetch(
            "SELECT file_index FROM ingest.imports WHERE delivery_id = $1", delivery.id
        )
        indexes = {row["file_index"] for row in known}
        for file in refused:
            if file.index not in indexes:
                await books.write_report(connection, refusal(delivery.id, file, now))

    async def _close(
        self, connection: Connection, delivery: Delivery, quarantine: str | None
    ) -> Row:
        rows = await connection.fetch(
            "SELECT outcome, reason FROM ingest.imports WHERE delivery_id = $1 ORDER BY file_index",
            delivery.id,
        )
        outcome, reason = worst(tuple(Outcome(row["outcome"]) for row in rows)), "no_table"
        if rows:
            reason = next(row["reason"] for row in rows if row["outcome"] == outcome)
        elif quarantine is not None:
            outcome, reason = Outcome.FAILED, "internal_error"
            await self._report_failure(connection, delivery, quarantine)
        # What was reported was done: only the process did not live to say so.
        state = "quarantined" if outcome is Outcome.FAILED else "done"
        row = await connection.fetchrow(
            _FINISH, delivery.id, state, str(outcome), reason, self._owner, DELIVERY_LEASE
        )
        assert row is not None
        return row

    async def _report_failure(
        self, connection: Connection, delivery: Delivery, message: str
    ) -> None:
        """Every delivery has a report, even one that nobody could read."""
        now = await connection.fetchval("SELECT now()")
        file = File(0, delivery.arrival.name, delivery.arrival.size, None, None, message)
        await books.write_report(connection, refusal(delivery.id, file, now, Outcome.FAILED))

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
                await connection.execute(_SETTLED, delivery.id)

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

    async def known(self, dealership_id: int, feed: str) -> Known:
        """Give what earlier files showed of a dealership and a feed."""
        async with self._pool.connection() as connection:
            rows = await connection.fetch(
                "SELECT vin FROM ingest.junk_vins WHERE dealership_id = $1", dealership_id
            )
            before = await books.headings(connection, feed, dealership_id)
        return Known(junk_vins=frozenset(row["vin"] for row in rows), before=before)

    async def dealerships(self) -> tuple[Dealership, ...]:
        """List the dealerships with the number of their vehicles."""
        async with self._pool.connection() as connection:
            rows = await connection.fetch(_DEALERSHIPS)
        return tuple(Dealership(row["id"], row["name"], row["vehicles"]) for row in rows)

    async def add_dealership(self, name: str, columns: dict[str, str]) -> int:
        """Add a dealership with the ``columns`` given, and give its id."""
        names = ", ".join(("name", *columns))
        places = ", ".join(f"${place + 1}" for place in range(len(columns) + 1))
        async with self._pool.transaction() as connection:
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
