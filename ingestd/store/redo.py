"""DOOR  A delivery done once more, from its bytes in the spool, as if it had just been taken.

Only what changed nothing may be done again: its reports are forgotten, its place in the order
is kept, so what is older than the latest applied is superseded as ever.  A feed of which nothing
was loaded is done again though another's files of the same delivery were: those keep their reports.
"""

from ingestd.model import UNROUTED
from ingestd.store.pool import Pool, Row

#: Whether the report ``i`` stays: something was loaded for its feed, or, where it has none, for
#: any, whose file it may be by now.
_STAYS = """EXISTS (SELECT FROM ingest.imports o WHERE o.delivery_id = i.delivery_id
  AND o.outcome NOT IN ('rejected', 'failed') AND (o.feed = i.feed OR i.feed IS NULL))"""

_ROW = f"""
SELECT d.taken_by, d.outcome, d.refused, d.kind, (
  SELECT bool_and({_STAYS}) FROM ingest.imports i WHERE i.delivery_id = d.id) AS all_stay
FROM ingest.deliveries d WHERE d.id = $1 FOR UPDATE"""

_FORGET = f"DELETE FROM ingest.imports i WHERE i.delivery_id = $1 AND NOT {_STAYS}"
_FORGET_REPLIES = "DELETE FROM ingest.replies WHERE delivery_id = $1 AND sent_at IS NULL"

_AGAIN = """
UPDATE ingest.deliveries SET state = 'received', outcome = NULL, reason = NULL, attempts = 0,
  lost = 0, owner = NULL, lease_until = NULL, finished_at = NULL, settled_at = NULL,
  turn = 0, feeds = NULL, lane = coalesce(only_feed, hint, $2)
WHERE id = $1"""


async def redo(pool: Pool, owner: str, number: int) -> str | None:
    """Have a rejected or failed delivery done again; say why it cannot be, None if it will."""
    async with pool.transaction() as connection:
        row = await connection.fetchrow(_ROW, number)
        if row is None:
            return f"there is no delivery {number}; `ingestd deliveries list` shows the latest"
        refusal = _refusal(row, owner)
        if refusal is not None:
            return f"delivery {number} {refusal}"
        await connection.execute(_FORGET, number)
        await connection.execute(_FORGET_REPLIES, number)
        await connection.execute(_AGAIN, number, UNROUTED)
    return None


def _refusal(row: Row, owner: str) -> str | None:
    if row["outcome"] not in ("rejected", "failed"):
        state = row["outcome"] or "not done yet"
        return f"is {state}; only what was rejected or failed is done again"
    if row["all_stay"]:
        return "brought one file that was loaded; have the others sent alone"
    if row["refused"] is not None or row["kind"] == "cli":
        return "left no bytes here; have it sent, or import it, anew"
    if row["taken_by"] != owner:
        return f"is with {row['taken_by']}; do it there, with its configuration"
    return None
