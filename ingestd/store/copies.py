"""DOOR  Where the copies of a mail lie: no message is fetched twice, and all copies are settled.

A place is (UIDVALIDITY, UID) in the watched folder of a mailbox.  The same bytes at another
place are the same delivery: a second copy is settled like the first, without effect.
"""

from collections.abc import Sequence

from ingestd.model import Arrival, Delivery
from ingestd.store.pool import Connection, Pool

_REMEMBER = """
INSERT INTO ingest.messages (source, uidvalidity, uid, delivery_id) VALUES ($1, $2, $3, $4)
ON CONFLICT (source, uidvalidity, uid) DO UPDATE SET delivery_id = excluded.delivery_id
WHERE messages.delivery_id <> excluded.delivery_id
RETURNING true"""

_OWE_AGAIN = """
UPDATE ingest.deliveries SET settled_at = NULL WHERE id = $1 AND settled_at IS NOT NULL"""

#: How many copies of a delivery ``d`` there were.
COUNT = "(SELECT count(*) FROM ingest.messages m WHERE m.delivery_id = d.id)"
_LOCK = "SELECT FROM ingest.deliveries WHERE id = $1 FOR NO KEY UPDATE"
_COUNT = "SELECT count(*) FROM ingest.messages WHERE delivery_id = $1"

#: What another instance took and did not finish we have to fetch ourselves.
_KNOWN = """
SELECT m.uid, CASE WHEN d.state IN ('received', 'working') THEN d.sha256 END AS needed
FROM ingest.messages m JOIN ingest.deliveries d ON d.id = m.delivery_id
WHERE m.source = $1 AND m.uidvalidity = $2 AND m.uid = ANY ($3::bigint[])
  AND (d.state IN ('done', 'quarantined') OR d.taken_by = $4)"""

_PLACES = """
SELECT uid FROM ingest.messages WHERE delivery_id = $1 AND source = $2 AND uidvalidity = $3
ORDER BY uid"""


async def remember(connection: Connection, arrival: Arrival, delivery_id: int) -> None:
    """Write down where a mail lies; a new copy of a settled one is to be settled too."""
    assert arrival.place is not None
    new = await connection.fetchval(_REMEMBER, arrival.source, *arrival.place, delivery_id)
    if new:
        await connection.execute(_OWE_AGAIN, delivery_id)


async def all_told(connection: Connection, delivery: Delivery) -> bool:
    """Say whether a settlement told of every copy: one may have come while it was under way.

    Under the row's lock, which ``remember`` comes under too: whoever is second sees the other.
    """
    if not delivery.copies:
        return True
    await connection.execute(_LOCK, delivery.id)
    return bool(await connection.fetchval(_COUNT, delivery.id) == delivery.copies)


async def known(
    pool: Pool, owner: str, source: str, uidvalidity: int, uids: Sequence[int]
) -> dict[int, str | None]:
    """Give those of ``uids`` that need not be fetched.

    Each with the SHA-256 of its bytes while they are still to be read, else None.
    """
    async with pool.connection() as connection:
        rows = await connection.fetch(_KNOWN, source, uidvalidity, list(uids), owner)
    return {row["uid"]: row["needed"] for row in rows}


async def places(pool: Pool, source: str, uidvalidity: int, delivery_id: int) -> tuple[int, ...]:
    """Give the UIDs at which a delivery was seen."""
    async with pool.connection() as connection:
        rows = await connection.fetch(_PLACES, delivery_id, source, uidvalidity)
    return tuple(row["uid"] for row in rows)
