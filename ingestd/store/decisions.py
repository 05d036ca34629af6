"""DOOR  What an operator decides: to load what is held, or not; to do it again, or to drop it.

Rules:
  * A decision is written down here, and whoever has the bytes carries it out: the daemon, or
    the command itself for what a command imported.  Until then the import stays what it is.
  * One decision is about all files of one feed in a delivery: they are one state of the lot.
  * What was approved is loaded under its own place in the order and rewrites its report; the
    import keeps its number.  Once a newer delivery was applied there is nothing to approve.
  * Held deactivations are approved for the feed's latest import alone.
  * Who decided and when is written down; what it was held for stays in the message.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from ingestd.model import SEVERITY
from ingestd.store import account, claims
from ingestd.store.pool import Connection, Pool, Row


@dataclass(frozen=True, slots=True)
class Standing:
    """How a delivery stands that is to be loaded for a feed.

    ``closed``: it is done, or was dropped.  ``older_waits``: older ones of its feed wait, or what
    may be one.  ``approved``: an operator wants it loaded as it is.
    """

    closed: bool
    older_waits: bool
    approved: bool


async def standing(connection: Connection, delivery_id: int, feed: str) -> Standing:
    """Lock a delivery for its load, and tell how it stands."""
    row = await connection.fetchrow(claims.STANDING, delivery_id, feed)
    assert row is not None, f"delivery {delivery_id} is not in the ledger"
    return Standing(**dict(row))


@dataclass(frozen=True, slots=True)
class Decided:
    """What came of a decision: the delivery and the feed, or why it cannot be.

    ``by_command``: a command imported it, and a command is to carry the decision out.
    """

    delivery_id: int | None = None
    feed: str | None = None
    refusal: str | None = None
    by_command: bool = False


_IMPORT = """
SELECT i.id, i.feed, i.dealership_id, i.outcome, i.held_deactivations, i.decision,
  d.id AS delivery_id, d.state, d.kind, d.taken_by, d.refused, d.sha256, (
    SELECT max(f.latest_delivery_id) FROM ingest.feeds f
    WHERE f.feed = i.feed AND (f.dealership_id = i.dealership_id OR i.dealership_id IS NULL)
      AND (f.latest_first_seen, f.latest_delivery_id) > (d.first_seen, d.id)) AS newer,
  EXISTS (SELECT FROM ingest.feeds f
          WHERE f.feed = i.feed AND f.latest_delivery_id = d.id) AS latest
FROM ingest.imports i JOIN ingest.deliveries d ON d.id = i.delivery_id
WHERE i.id = $1 FOR UPDATE OF d"""

_APPROVE = """
UPDATE ingest.imports SET decision = 'approve', decided_by = $3, decided_at = clock_timestamp()
WHERE delivery_id = $1 AND feed = $2"""

_AGAIN = """
UPDATE ingest.deliveries SET state = 'received', turn = -1, outcome = NULL, reason = NULL,
  attempts = 0, lost = 0, owner = NULL, lease_until = NULL, finished_at = NULL, settled_at = NULL
WHERE id = $1"""

#: What could not be loaded (its file is gone, or the parser died of it) is held as it was.
_LAPSE = """
UPDATE ingest.imports SET decision = NULL, decided_by = NULL, decided_at = NULL
WHERE delivery_id = $1 AND decision = 'approve'"""

_DENY = """
UPDATE ingest.imports SET decision = 'denied', decided_by = $3, decided_at = clock_timestamp(),
  outcome = 'rejected', reason = 'denied', message = $4 || concat_ws(': ', reason, message),
  lines = NULL, header = NULL, blank = NULL, added = NULL, updated = NULL, unchanged = NULL,
  duplicate = NULL, rejected = NULL, dealerships = NULL
WHERE delivery_id = $1 AND feed = $2 AND outcome = 'held'"""

_FORGET_ROWS = """
DELETE FROM ingest.rejections WHERE import_id IN (
  SELECT id FROM ingest.imports WHERE delivery_id = $1 AND feed = $2)"""

#: Of files that are this feed's by now, as the configuration was changed meanwhile.
_FORGET_REFUSED = """
DELETE FROM ingest.imports WHERE delivery_id = $1 AND file_index = ANY ($2::int[])
  AND outcome = 'rejected' AND decision IS NULL"""

_SEVERITY = [str(outcome) for outcome in SEVERITY]
#: A delivery has the worst outcome of its imports', and its source is to be told.
_WORST = """
UPDATE ingest.deliveries d SET outcome = w.outcome, reason = w.reason,
  state = CASE w.outcome WHEN 'failed' THEN 'quarantined' ELSE 'done' END,
  settled_at = NULL, owner = NULL, lease_until = NULL, finished_at = clock_timestamp()
FROM (SELECT outcome, reason FROM ingest.imports WHERE delivery_id = $1
      ORDER BY array_position($2::text[], outcome) DESC, file_index LIMIT 1) w
WHERE d.id = $1"""

_UNDER_WAY = "is being done again; look at it when it is done"
_DENIED = "an operator looked at it and denied it; nothing was changed; it was held: "


async def approve(pool: Pool, owner: str, import_id: int, by: str | None = None) -> Decided:
    """Have a held import loaded, or the deactivations that it holds done."""
    async with pool.transaction() as connection:
        row = await connection.fetchrow(_IMPORT, import_id)
        if row is None:
            return _no_import(import_id)
        decided = _decided(row, _not_approvable(row, owner))
        if decided.refusal is None and row["state"] in ("done", "quarantined"):
            await connection.execute(_APPROVE, row["delivery_id"], row["feed"], _signed(by))
            await connection.execute(_AGAIN, row["delivery_id"])
        return decided


async def deny(pool: Pool, import_id: int, by: str | None = None) -> Decided:
    """Refuse a held import for good; its source is told.

    Its rejected rows stay in the ledger: they are what the sender is to be told.
    """
    async with pool.transaction() as connection:
        row = await connection.fetchrow(_IMPORT, import_id)
        if row is None:
            return _no_import(import_id)
        decided = _decided(row, _not_deniable(row))
        if decided.refusal is None:
            whose = (row["delivery_id"], row["feed"])
            await connection.execute(_DENY, *whose, _signed(by), _DENIED)
            await connection.execute(_WORST, row["delivery_id"], _SEVERITY)
        return decided


def _signed(by: str | None) -> str | None:
    return None if by is None else account.presentable(by)


def _no_import(import_id: int) -> Decided:
    why = f"there is no import {import_id}; `ingestd imports list` shows the latest"
    return Decided(refusal=why)


def _decided(row: Row, refusal: str | None) -> Decided:
    why = None if refusal is None else f"import {row['id']} {refusal}"
    return Decided(row["delivery_id"], row["feed"], why, row["kind"] == "cli")


def _not_approvable(row: Row, owner: str) -> str | None:
    if row["state"] in ("received", "working"):
        # What is approved twice is yet to be loaded.
        return None if row["decision"] == "approve" else _UNDER_WAY
    why = _held_too_late(row) if row["outcome"] == "held" else _nothing_held(row)
    return why or _elsewhere(row, owner)


def _held_too_late(row: Row) -> str | None:
    if row["newer"] is None:
        return None
    return (
        f"is older than delivery {row['newer']}, which was applied since, and an older one never"
        f" lands on a newer: `ingestd imports deny {row['id']}`"
    )


def _nothing_held(row: Row) -> str | None:
    if not row["held_deactivations"]:
        return f"is {row['outcome']}; only what is held can be approved"
    if not row["latest"]:
        return "is not its feed's latest; only the latest import's deactivations can be approved"
    return None


def _not_deniable(row: Row) -> str | None:
    if row["state"] in ("received", "working"):
        return _UNDER_WAY
    if row["outcome"] == "held":
        return None
    if row["held_deactivations"]:
        return "was loaded; its deactivations stay held, and lapse, unless they are approved"
    return f"is {row['outcome']}; only what is held can be denied"


def _elsewhere(row: Row, owner: str) -> str | None:
    if row["taken_by"] != owner:
        return f"is with {row['taken_by']}; do it there, with its configuration"
    return None


async def lapse(connection: Connection, delivery_id: int) -> None:
    """Forget an approval that could not be carried out: the delivery is being closed."""
    await connection.execute(_LAPSE, delivery_id)


async def forget_rows(connection: Connection, delivery_id: int, feed: str) -> None:
    """Forget the rejected rows of imports whose reports are about to be written anew."""
    await connection.execute(_FORGET_ROWS, delivery_id, feed)


async def forget_refused(connection: Connection, delivery_id: int, indexes: Sequence[int]) -> None:
    """Forget the reports of files that were refused when the others were held, and no more are."""
    await connection.execute(_FORGET_REFUSED, delivery_id, list(indexes))


# Once more, as the newest.

_REPLAY = """
INSERT INTO ingest.deliveries (source, kind, key, name, sha256, size, first_seen, hint, lane,
  taken_by, only_feed, came, sender, subject, automatic)
SELECT source, CASE kind WHEN 'cli' THEN 'folder' ELSE kind END, $2, name, sha256, size,
  clock_timestamp(), hint, $3, taken_by, $3, coalesce(came, first_seen), sender, subject, automatic
FROM ingest.deliveries WHERE id = $1 RETURNING id"""


async def replay(pool: Pool, owner: str, import_id: int) -> Decided:
    """Have an import's files done again as their feed's newest, a new delivery of the bytes."""
    async with pool.transaction() as connection:
        row = await connection.fetchrow(_IMPORT, import_id)
        if row is None:
            return _no_import(import_id)
        decided = _decided(row, _not_replayable(row, owner))
        if decided.refusal is not None:
            return decided
        key = f"replay/{uuid.uuid4().hex}"
        number = await connection.fetchval(_REPLAY, row["delivery_id"], key, row["feed"])
        return Decided(number, row["feed"])


def _not_replayable(row: Row, owner: str) -> str | None:
    if row["feed"] is None:
        return "is of no feed; `ingestd deliveries retry` does its delivery again"
    if row["state"] in ("received", "working"):
        return _UNDER_WAY
    if row["outcome"] == "held":
        return f"is held: `ingestd imports approve {row['id']}` or deny"
    if row["refused"] is not None:
        return "left no bytes here; have it sent, or import it, anew"
    return _elsewhere(row, owner)


async def in_the_way_of(pool: Pool, owner: str, feed: str) -> str | None:
    """Say what the newest changes of a feed have to wait for; None if they need not."""
    async with pool.connection() as connection:
        row = await connection.fetchrow(claims.BEFORE_THE_NEWEST, feed, owner)
    assert row is not None, "a SELECT of two values gives a row"
    if row["held"] is not None:
        return (
            f"import {row['held']} of the feed {feed} is held (`ingestd imports approve` or deny)"
        )
    return None if row["waits"] is None else f"delivery {row['waits']} waits"


# Given up.

_DELIVERY = """
SELECT d.state, d.name, d.kind, d.outcome, d.lease_until > clock_timestamp() AS at_work,
  EXISTS (SELECT FROM ingest.imports i WHERE i.delivery_id = d.id AND i.decision = 'approve'
          AND i.outcome = 'held') AS approved
FROM ingest.deliveries d WHERE d.id = $1 FOR UPDATE"""

_DROPPED = "an operator gave it up; nothing was changed"

_DROP_FAILED = """
UPDATE ingest.imports SET outcome = 'rejected', reason = 'dropped',
  message = $2 || CASE message WHEN '' THEN '' ELSE '; it had failed: ' || message END
WHERE delivery_id = $1 AND outcome = 'failed'"""

_DROP_WAITING = """
INSERT INTO ingest.imports (delivery_id, file_index, file, feed, outcome, reason, message,
  started_at)
SELECT d.id, coalesce((SELECT max(file_index) + 1 FROM ingest.imports WHERE delivery_id = d.id), 0),
  d.name, CASE WHEN d.lane NOT IN ('', '?') AND d.kind <> 'cli' THEN d.lane ELSE d.hint END,
  'rejected', 'dropped', $2, clock_timestamp()
FROM ingest.deliveries d WHERE d.id = $1"""


async def drop(pool: Pool, delivery_id: int) -> str | None:
    """Give a waiting or quarantined delivery up; say why it cannot be, None if it was."""
    async with pool.transaction() as connection:
        row = await connection.fetchrow(_DELIVERY, delivery_id)
        if row is None:
            return f"there is no delivery {delivery_id}; `ingestd deliveries list` shows the latest"
        refusal = _not_droppable(row)
        if refusal is not None:
            return f"delivery {delivery_id} {refusal}"
        statement = _DROP_FAILED if row["state"] == "quarantined" else _DROP_WAITING
        await connection.execute(statement, delivery_id, _DROPPED)
        await connection.execute(_WORST, delivery_id, _SEVERITY)
    return None


def _not_droppable(row: Row) -> str | None:
    if row["state"] == "working" and row["at_work"]:
        return "is being worked on; see what becomes of it"
    if row["approved"]:
        return "was held and is approved; it is about to be loaded"
    if row["outcome"] == "held":
        return "is held; `ingestd imports deny` refuses what it brought"
    if row["state"] == "done":
        return f"is {row['outcome']}: only what waits or is set aside can be dropped"
    return None
