"""DOOR  What the ledger tells of the whole: what waits, for whom, and what each feed did last.

Rules:
  * What waits for a person is listed whatever came after it: a held import, and the deactivations
    that are held of a feed's latest.  Of an older import they have lapsed.
  * What waits for us is told with its reason, where it is not just its turn that is awaited.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ingestd.model import UNROUTED, State
from ingestd.phrasing import counted, iso
from ingestd.report import Held, advice
from ingestd.store.pool import Connection, Row

_STATES = "SELECT state, count(*) AS deliveries FROM ingest.deliveries GROUP BY state"

_LEASES = """
SELECT name, owner, lease_until > clock_timestamp() AS held,
       ceil(extract(epoch FROM abs_age))::int AS seconds
FROM (SELECT *, greatest(lease_until - clock_timestamp(),
                         clock_timestamp() - lease_until) AS abs_age FROM ingest.leases) l
ORDER BY name"""

_ATTENDED = """
SELECT EXISTS (SELECT FROM ingest.leases WHERE owner = $1 AND lease_until > clock_timestamp())"""

#: Of each feed, whichever dealership a file was for: a refused one was for none.  From one feed
#: to the next by the index, since there is no end of imports.
_FEEDS = """
WITH RECURSIVE named AS (
  SELECT min(feed) AS feed FROM ingest.imports
  UNION ALL
  SELECT (SELECT min(i.feed) FROM ingest.imports i WHERE i.feed > n.feed)
  FROM named n WHERE n.feed IS NOT NULL)
SELECT n.feed, coalesce(i.dealership_id, f.dealership_id) AS dealership_id,
       i.id, i.outcome, i.reason, i.started_at, f.latest_delivery_id, f.applied_at
FROM named n
CROSS JOIN LATERAL (
  SELECT * FROM ingest.imports l WHERE l.feed = n.feed ORDER BY l.id DESC LIMIT 1) i
CROSS JOIN LATERAL (
  SELECT max(l.latest_delivery_id) AS latest_delivery_id, max(l.applied_at) AS applied_at,
         CASE count(*) WHEN 1 THEN min(l.dealership_id) END AS dealership_id
  FROM ingest.feeds l WHERE l.feed = n.feed) f
ORDER BY n.feed"""

#: What may wait for a decision: the index imports_undecided has the same condition.  ``f`` is the
#: feed's standing at the import's dealerships; of older imports, held deactivations have lapsed.
_UNDECIDED = """
FROM ingest.imports i JOIN ingest.deliveries d ON d.id = i.delivery_id
CROSS JOIN LATERAL (
  SELECT bool_or(f.latest_delivery_id = d.id) AS latest,
    bool_or((f.latest_first_seen, f.latest_delivery_id) > (d.first_seen, d.id)) AS newer,
    min(f.hold_first_seen) FILTER (WHERE f.latest_delivery_id = d.id) AS hold_first_seen
  FROM ingest.feeds f WHERE f.feed = i.feed
    AND (f.dealership_id = i.dealership_id OR i.dealership_id IS NULL)) f
WHERE (i.outcome = 'held' OR i.held_deactivations > 0) AND (i.outcome = 'held' OR f.latest)"""

#: $1: numbers of imports; null: all.
_TO_DECIDE = f"""
SELECT i.id, i.delivery_id, i.feed, i.file, i.outcome, i.reason, i.held_deactivations, i.decision,
  coalesce(CASE WHEN i.outcome <> 'held' THEN f.hold_first_seen END, i.started_at) AS since,
  coalesce((i.reading ->> 'cut_off')::boolean, false) AS cut_off,
  i.outcome = 'held' AND coalesce(f.newer, false) AS too_late
{_UNDECIDED} AND ($1::bigint[] IS NULL OR i.id = ANY ($1))
ORDER BY i.id"""

_HELD = f"""
SELECT i.feed, count(*) FILTER (WHERE i.outcome = 'held') AS imports,
  coalesce(sum(i.held_deactivations) FILTER (WHERE i.outcome <> 'held'), 0)::int AS vehicles
{_UNDECIDED} AND i.feed IS NOT NULL
GROUP BY i.feed"""

#: $1: the feeds of changes, whose deliveries wait behind what is held.
_WAITING = """
SELECT w.lane, w.feeds, count(*) AS deliveries, min(w.first_seen) AS since, w.behind,
  w.taken_by, w.attended
FROM (
  SELECT d.lane, d.feeds, d.first_seen, d.taken_by,
    d.lease_until > clock_timestamp() OR EXISTS (SELECT FROM ingest.leases l
      WHERE l.owner = d.taken_by AND l.lease_until > clock_timestamp()) AS attended,
    (SELECT i.id FROM ingest.imports i JOIN ingest.deliveries o ON o.id = i.delivery_id
     WHERE (i.feed = d.lane OR i.feed = ANY (d.feeds)) AND i.feed = ANY ($1::text[])
       AND i.outcome = 'held' AND (o.first_seen, o.id) < (d.first_seen, d.id)
     ORDER BY o.first_seen, o.id, i.id LIMIT 1) AS behind
  FROM ingest.deliveries d WHERE d.state IN ('received', 'working')) w
GROUP BY w.lane, w.feeds, w.behind, w.taken_by, w.attended
ORDER BY min(w.first_seen), w.lane"""


async def last_successes(connection: Connection) -> dict[str, float]:
    """Give, for each feed, when it was last applied, as Unix time."""
    rows = await connection.fetch(
        "SELECT feed, extract(epoch FROM max(applied_at))::float8 AS at"
        " FROM ingest.feeds GROUP BY feed"
    )
    return {row["feed"]: row["at"] for row in rows}


async def held(connection: Connection) -> dict[str, Held]:
    """Count, for each feed, what waits for a decision."""
    rows = await connection.fetch(_HELD)
    return {row["feed"]: Held(row["imports"], row["vehicles"]) for row in rows}


async def steps(connection: Connection, numbers: Sequence[int]) -> dict[int, str]:
    """Give, for each of these imports that waits for a decision, what is to be done now."""
    return {row["id"]: _next(row) for row in await connection.fetch(_TO_DECIDE, numbers)}


async def attended(connection: Connection, owner: str) -> bool:
    """Say whether a daemon that bears this name watches a source."""
    return bool(await connection.fetchval(_ATTENDED, owner))


async def status(
    connection: Connection, names: Sequence[str], deltas: Sequence[str]
) -> dict[str, Any]:
    """Tell, as JSON has it, what waits, for whom, who watches, and what each feed did last.

    ``names``: the configured feeds; one that never did anything is told so.  ``deltas``: those of
    changes.
    """
    states = {row["state"]: row["deliveries"] for row in await connection.fetch(_STATES)}
    feeds = [_feed_status(row) for row in await connection.fetch(_FEEDS)]
    return {
        "deliveries": {str(state): states[state] for state in State if state in states},
        "leases": [_lease(row) for row in await connection.fetch(_LEASES)],
        "feeds": [*feeds, *_idle(names, feeds)],
        "to_decide": [_to_decide(row) for row in await connection.fetch(_TO_DECIDE, None)],
        "waiting": [_waiting(row) for row in await connection.fetch(_WAITING, deltas)],
    }


def _lease(row: Row) -> dict[str, Any]:
    when = f"for {row['seconds']} s yet" if row["held"] else f"until {row['seconds']} s ago"
    return {"name": row["name"], "owner": row["owner"], "state": when, "held": row["held"]}


def _feed_status(row: Row) -> dict[str, Any]:
    return {
        "feed": row["feed"],
        "dealership_id": row["dealership_id"],
        "import_id": row["id"],
        "outcome": row["outcome"],
        "reason": row["reason"],
        "at": iso(row["started_at"]),
        "applied_delivery_id": row["latest_delivery_id"],
        "applied_at": iso(row["applied_at"]),
    }


def _idle(names: Sequence[str], told: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    keys = ("dealership_id", "import_id", "outcome", "reason", "at", "applied_delivery_id")
    known = {feed["feed"] for feed in told}
    nothing = dict.fromkeys((*keys, "applied_at"))
    return [{"feed": name, **nothing} for name in names if name not in known]


def _to_decide(row: Row) -> dict[str, Any]:
    whole, number = row["outcome"] == "held", row["held_deactivations"]
    return {
        "import_id": row["id"],
        "delivery_id": row["delivery_id"],
        "feed": row["feed"],
        "file": row["file"],
        "since": iso(row["since"]),
        "reason": row["reason"] if whole else None,
        "held_deactivations": 0 if whole else number,
        "why": row["reason"] if whole else f"{counted(number, 'deactivation')} held",
        "next": _next(row),
    }


def _next(row: Row) -> str:
    """Say what to do, or what is awaited."""
    number, whole = row["id"], row["outcome"] == "held"
    if row["decision"] == "approve":
        return "approved: the daemon is to load it"
    if row["too_late"]:
        return f"a newer one was applied: `ingestd imports deny {number}`"
    told = advice(number, whole=whole, cut_off=row["cut_off"])
    return told if whole else f"{told}; or wait for the next files"


def _waiting(row: Row) -> dict[str, Any]:
    feeds = row["feeds"] or ([] if row["lane"] in ("", UNROUTED) else [row["lane"]])
    why = None
    if row["behind"] is not None:
        why = f"behind held import {row['behind']}"
    elif not row["attended"]:
        why = f"for the daemon of {row['taken_by']}, which does not seem to run"
    return {
        "feed": ", ".join(feeds) or None,
        "deliveries": row["deliveries"],
        "since": iso(row["since"]),
        "behind_import_id": row["behind"],
        "why": why,
    }
