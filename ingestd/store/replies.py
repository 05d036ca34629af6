"""DOOR  The replies that dealers are owed: at most one for a delivery and feed.

Rules:
  * A reply comes to be owed in the transaction that closes its delivery, so that neither is
    without the other; it is sent later, by nobody that the delivery waits for.
  * Only mail is replied to (no replay of it), only where its sender was proven, and what a
    program or a mailing list sent is given up at once (RFC 3834 section 2; loops, backscatter).
  * No news is not told: ``superseded``, and ``unchanged`` without a row that was rejected (a
    footer is none).
  * An attempt is counted, and the next one put off, before it starts: what kills the process
    does not do it in a circle.  Whoever finds a reply put off leaves it alone, so that two
    instances do not send one reply.
"""

from collections.abc import Sequence
from datetime import timedelta

from ingestd.report import Reply
from ingestd.store import books
from ingestd.store.account import presentable
from ingestd.store.pool import Connection, Pool

#: What the instance that has the bytes did not send for so long after it was due is anybody's.
ABANDONED = timedelta(minutes=15)
_LONGEST_WORDS = 1000

#: A delivery that failed has no import of a feed: its lane says whose it is, and is a feed
#: only where the sender was proven.
_OWE = """
INSERT INTO ingest.replies (delivery_id, feed, given_up)
SELECT d.id, f.feed, CASE WHEN d.automatic THEN 'a program or a mailing list sent the mail' END
FROM ingest.deliveries d CROSS JOIN LATERAL (
  SELECT i.feed FROM ingest.imports i
  WHERE i.delivery_id = d.id AND i.feed = ANY ($2::text[])
  GROUP BY i.feed
  HAVING bool_and(i.reason IS DISTINCT FROM 'unproven_sender') AND bool_or(
    i.outcome NOT IN ('superseded', 'unchanged') OR (i.outcome = 'unchanged' AND i.rejected > 0
      AND EXISTS (SELECT FROM ingest.rejections r
                  WHERE r.import_id = i.id AND r.reason <> 'footer')))
  UNION
  SELECT d.lane WHERE d.outcome = 'failed' AND d.lane = ANY ($2::text[])) f
WHERE d.id = $1 AND d.kind = 'mail' AND d.only_feed IS NULL
ON CONFLICT (delivery_id, feed) DO NOTHING"""

_CLAIM = """
UPDATE ingest.replies SET attempts = attempts + 1,
  due_at = clock_timestamp() + ($3::interval[])[least(attempts + 1, cardinality($3::interval[]))]
WHERE (delivery_id, feed) = (
  SELECT r.delivery_id, r.feed
  FROM ingest.replies r JOIN ingest.deliveries d ON d.id = r.delivery_id
  WHERE r.sent_at IS NULL AND r.given_up IS NULL AND r.feed = ANY ($2::text[])
    AND r.due_at <= clock_timestamp()
      - CASE WHEN d.taken_by = $1 THEN interval '0' ELSE $4::interval END
  ORDER BY r.due_at LIMIT 1 FOR UPDATE OF r SKIP LOCKED)
RETURNING *, clock_timestamp() - queued_at AS age"""

_REPORTS = """i.delivery_id = $1
  AND (i.feed = $2 OR (i.feed IS NULL AND i.outcome = 'failed')) ORDER BY i.file_index"""

_SENT = """
UPDATE ingest.replies SET sent_at = clock_timestamp(), given_up = NULL
WHERE delivery_id = $1 AND feed = $2 AND sent_at IS NULL"""

_GIVE_UP = """
UPDATE ingest.replies SET given_up = $3
WHERE delivery_id = $1 AND feed = $2 AND sent_at IS NULL AND given_up IS NULL"""

#: Of every feed, whether it is still configured or not: else they were sent years later.
_EXPIRE = """
UPDATE ingest.replies SET given_up = $2
WHERE sent_at IS NULL AND given_up IS NULL AND queued_at < clock_timestamp() - $1::interval
  AND due_at < clock_timestamp() RETURNING true"""

_SENT_LATELY = """
SELECT count(*) FROM ingest.replies
WHERE feed = $1 AND sent_at > clock_timestamp() - interval '1 hour'"""


async def owe(connection: Connection, delivery_id: int, feeds: Sequence[str]) -> None:
    """Owe those of ``feeds`` a reply that have news of a delivery, which is being closed."""
    if feeds:
        await connection.execute(_OWE, delivery_id, list(feeds))


class Replies:
    """What one instance (``owner``) sends of what is owed."""

    def __init__(self, pool: Pool, owner: str) -> None:
        """Take the pool, and the name by which this instance takes deliveries."""
        self._pool = pool
        self._owner = owner

    async def claim(self, feeds: Sequence[str], waits: Sequence[timedelta]) -> Reply | None:
        """Begin an attempt at the reply that is due longest; None where none is due.

        It is put off by the first of ``waits`` at the first attempt, by the second at the
        second, and by the last from then on.
        """
        async with self._pool.transaction() as connection:
            row = await connection.fetchrow(
                _CLAIM, self._owner, list(feeds), list(waits), ABANDONED
            )
            if row is None:
                return None
            number, feed = row["delivery_id"], row["feed"]
            delivery = await connection.fetchrow(
                "SELECT * FROM ingest.deliveries WHERE id = $1", number
            )
            assert delivery is not None
            return Reply(
                delivery=books.delivery(delivery),
                feed=feed,
                reports=await books.reports(connection, _REPORTS, number, feed),
                queued_at=row["queued_at"],
                age=row["age"],
                attempts=row["attempts"],
            )

    async def sent(self, reply: Reply) -> None:
        """Tick a reply off."""
        async with self._pool.transaction() as connection:
            await connection.execute(_SENT, reply.delivery.id, reply.feed)

    async def give_up(self, reply: Reply, why: str) -> None:
        """Write down why a reply will not be sent."""
        words = presentable(why)[:_LONGEST_WORDS]
        async with self._pool.transaction() as connection:
            await connection.execute(_GIVE_UP, reply.delivery.id, reply.feed, words)

    async def expire(self, after: timedelta, why: str) -> int:
        """Give up what came to be owed so long ago; count it."""
        words = presentable(why)[:_LONGEST_WORDS]
        async with self._pool.transaction() as connection:
            return len(await connection.fetch(_EXPIRE, after, words))

    async def sent_lately(self, feed: str) -> int:
        """Count the replies that were sent for a feed within the last hour."""
        async with self._pool.connection() as connection:
            return int(await connection.fetchval(_SENT_LATELY, feed))
