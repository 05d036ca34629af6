"""DOOR  What the ledger tells of the whole: what waits, for whom, and what each feed did last.

Rules:
  * What waits for a person is listed whatever came after it: a held import, and the deactivations
    that are held of a feed's latest.  Of an older import they have lapsed.
  * What waits for us is told with its reason, where it is not just its turn that is awaited.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ingestd.model import UNROUTED, State
from ingestd.report import Held
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

#: Of each feed, whichever dealership a file was for: a refused one was for none.
_FEEDS = """
SELECT DISTINCT ON (i.feed) i.feed, coalesce(i.dealership_id, f.dealership_id) AS dealership_id,
       i.id, i.outcome, i.reason, i.started_at, f.latest_delivery_id, f.applied_at
FROM ingest.imports i
LEFT JOIN LATERAL (
  SELECT max(l.latest_delivery_id) AS latest_delivery_id, max(l.applied_at) AS applied_at,
         CASE count(*) WHEN 1 THEN min(l.dealership_id) END AS dealership_id
  FROM ingest.feeds l WHERE l.feed = i.feed) f ON true
WHERE i.feed IS NOT NULL
ORDER BY i.feed, i.id DESC"""

#: The feed's standing at a dealership of the import ``i``.
_ITS_FEED = """f.feed = i.feed
      AND (f.dealership_id = i.dealership_id OR i.dealership_id IS NULL)"""
_LATEST = f"""EXISTS (SELECT FROM ingest.feeds f
      WHERE {_ITS_FEED} AND f.latest_delivery_id = i.delivery_id)"""
_UNDECIDED = f"(i.outcome = 'held' OR (i.held_deactivations > 0 AND {_LATEST}))"

_TO_DECIDE = f"""
SELECT i.id, i.delivery_id, i.feed, i.file, i.outcome, i.reason, i.held_deactivations, i.decision,
  coalesce(CASE i.outcome WHEN 'held' THEN NULL ELSE (SELECT min(f.hold_first_seen)
    FROM ingest.feeds f WHERE {_ITS_FEED} AND f.latest_delivery_id = i.delivery_id) END,
    i.started_at) AS since,
  coalesce((i.reading ->> 'cut_off')::boolean, false) AS cut_off,
  i.outcome = 'held' AND EXISTS (SELECT FROM ingest.feeds f WHERE {_ITS_FEED}
    AND (f.latest_first_seen, f.latest_delivery_id) > (d.first_seen, d.id)) AS too_late
FROM ingest.imports i JOIN ingest.deliveries d ON d.id = i.delivery_id
WHERE {_UNDECIDED}
ORDER BY i.id"""

_HELD = f"""
SELECT i.feed, count(*) FILTER (WHERE i.outcome = 'held') AS imports,
  coalesce(sum(i.held_deactivations) FILTER (WHERE i.outcome <> 'held'), 0)::int AS vehicles
FROM ingest.imports i WHERE i.feed IS NOT NULL AND {_UNDECIDED}
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


async def attended(connection: Connection, owner: str) -> bool:
    """Say whether a daemon that bears this name watches a source."""
    return bool(await connection.fetchval(_ATTENDED, owner))


async def status(connection: Connection, modes: Mapping[str, str]) -> dict[str, Any]:
    """Tell, as JSON has it, what waits, for whom, who watches, and what each feed did last.

    ``modes``: of the configured feeds, by name; one that never did anything is told so.
    """
    states = {row["state"]: row["deliveries"] for row in await connection.fetch(_STATES)}
    deltas = [name for name, mode in modes.items() if mode == "delta"]
    feeds = [_feed_status(row) for row in await connection.fetch(_FEEDS)]
    return {
        "deliveries": {str(state): states[state] for state in State if state in states},
        "leases": [_lease(row) for row in await connection.fetch(_LEASES)],
        "feeds": [*feeds, *_idle(modes, feeds)],
        "to_decide": [_to_decide(row) for row in await connection.fetch(_TO_DECIDE)],
        "waiting": [_waiting(row) for row in await connection.fetch(_WAITING, deltas)],
    }


def _lease(row: Row) -> dict[str, Any]:
    when = f"for {row['seconds']} s yet" if row["held"] else f"until {row['seconds']} s ago"
    return {"name": row["name"], "owner": row["owner"], "state": when, "held": row["held"]}


def _time(value: datetime | None) -> str | None:
    return None if value is None else f"{value:%Y-%m-%dT%H:%M:%SZ}"


def _feed_status(row: Row) -> dict[str, Any]:
    return {
        "feed": row["feed"],
        "dealership_id": row["dealership_id"],
        "import_id": row["id"],
        "outcome": row["outcome"],
        "reason": row["reason"],
        "at": _time(row["started_at"]),
        "applied_delivery_id": row["latest_delivery_id"],
        "applied_at": _time(row["applied_at"]),
    }


def _idle(modes: Mapping[str, str], told: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    names = ("dealership_id", "import_id", "outcome", "reason", "at", "applied_delivery_id")
    known = {feed["feed"] for feed in told}
    nothing = dict.fromkeys((*names, "applied_at"))
    return [{"feed": name, **nothing} for name in modes if name not in known]


def _to_decide(row: Row) -> dict[str, Any]:
    number = row["held_deactivations"]
    told = f"{number} deactivation{'s' * (number != 1)} held"
    return {
        "import_id": row["id"],
        "delivery_id": row["delivery_id"],
        "feed": row["feed"],
        "file": row["file"],
        "since": _time(row["since"]),
        "reason": row["reason"] if row["outcome"] == "held" else None,
        "held_deactivations": 0 if row["outcome"] == "held" else number,
        "why": row["reason"] if row["outcome"] == "held" else told,
        "next": _next(row),
    }


def _next(row: Row) -> str:
    """Say what to do: the commands, or what is awaited."""
    number = row["id"]
    if row["decision"] == "approve":
        return "approved: the daemon is to load it"
    if row["too_late"]:
        return f"a newer one was applied: ingestd imports deny {number}"
    advice = "have the file sent anew: it is cut off; or " if row["cut_off"] else ""
    deny = f", or deny {number}" if row["outcome"] == "held" else ", or wait for the next files"
    return f"{advice}ingestd imports approve {number}{deny}"


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
        "since": _time(row["since"]),
        "behind_import_id": row["behind"],
        "why": why,
    }
