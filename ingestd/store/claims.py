"""PURE  Whose turn it is, as SQL: the statements by which deliveries are claimed and given back.

Rules:
  * A lane is a feed, worked on by one instance at a time.  A feed of changes goes strictly
    oldest first, and what is held, or was approved and is not loaded yet, keeps the later
    ones waiting.  A feed of whole lots goes newest first: what is older is superseded when
    it comes up.
  * ``turn`` breaks the order of a lane of whole lots: what was approved goes first; what may
    not be the last word (it would be held) goes after all that is older, once and for good.
  * The lane without a name holds what is of several feeds: it waits for all that is older of
    them, and all that is younger of them waits for it.
  * What was not opened yet may be anybody's: the newest (the oldest, where all feeds are of
    changes) is opened first and at once, whoever is at work, then routed into its lane.  Feeds
    of changes, and what goes after the older ones, wait until all that is older is opened;
    whole lots need not, since an older one that comes to light is superseded.
  * Among lanes the one that has waited longest is next: none starves, whichever end it is
    worked from.
  * In the way is only what somebody alive will do: what this instance has the bytes of, what is
    at work under a lease that holds, what waits with an instance that holds a source.

Parameters of a claim: $1 this instance, $2 the lease, $3 whether it is a command's, $4 the busy
lanes, $5 the lanes that go oldest first, $6 the numbers that are at work here or put off.
"""

from ingestd.model import UNROUTED

_STATES = "('received', 'working')"

#: Only who has the bytes can read them.  What an instance of the same name left behind is
#: its own again, but for a command's delivery, which another process of that name may be
#: at: only what a command left for longer than a lease is taken up, and nothing approved.
_CLAIMABLE = """d.taken_by = $1 AND ((d.state = 'received' AND (d.kind <> 'cli' OR $3
      OR (d.turn = 0 AND d.first_seen < clock_timestamp() - $2::interval)))
    OR (d.state = 'working' AND (d.lease_until < clock_timestamp()
      OR (d.owner = $1 AND (d.kind <> 'cli' OR $3)))))"""

_CLAIM = """
UPDATE ingest.deliveries SET state = 'working', attempts = attempts + 1, owner = $1,
  lost = lost + CASE WHEN state = 'working' THEN 1 ELSE 0 END,
  lease_until = clock_timestamp() + $2
WHERE id = ({which} FOR UPDATE OF d SKIP LOCKED)
RETURNING *"""

_OLDER = "(o.first_seen, o.id) < (d.first_seen, d.id)"
#: Whether ``o`` comes before ``d`` in a lane of whole lots.
_BEFORE = f"""(o.turn < d.turn OR (o.turn = d.turn
      AND CASE d.turn WHEN 0 THEN NOT {_OLDER} ELSE {_OLDER} END))"""


def _others(me: str, condition: str) -> str:
    """Select what waits, or is at work, beside ``d`` (who works on that is ``me``)."""
    return f"""EXISTS (SELECT FROM ingest.deliveries o
      WHERE o.id <> d.id AND o.kind <> 'cli' AND o.state IN {_STATES} AND {condition}
        AND (o.taken_by = {me} OR o.lease_until > clock_timestamp() OR EXISTS (
          SELECT FROM ingest.leases l
          WHERE l.owner = o.taken_by AND l.lease_until > clock_timestamp())))"""


#: Whether ``o`` and ``d`` have a feed in common; what is of several may be of any, if it is not
#: written down of which.
_SHARE = """CASE WHEN o.lane <> '' AND d.lane <> '' THEN o.lane = d.lane
      WHEN o.lane = '' AND d.lane = '' THEN coalesce(o.feeds && d.feeds, true)
      WHEN o.lane = '' THEN coalesce(d.lane = ANY (o.feeds), true)
      ELSE coalesce(o.lane = ANY (d.feeds), true) END"""


def _in_the_way(deltas: str, busy: str, ahead: str) -> str:
    """Say that ``d`` has to wait.

    ``busy``: somebody works on ``o``; ``ahead``: ``o`` comes before ``d``, both of whole lots.
    """
    in_order = f"(d.lane = '' OR d.lane = ANY ({deltas}::text[]))"
    mine = "o.lane = d.lane AND d.lane <> ''"
    return f"""({_others("$1", f"{mine} AND {busy}")}
    OR CASE WHEN {in_order} OR d.turn = 1 THEN {_others("$1", f"{mine} AND {_OLDER}")}
       ELSE {_others("$1", f"{mine} AND {ahead}")} END
    OR {_others("$1", f"o.lane = '' AND {_SHARE} AND ({busy} OR {_OLDER})")}
    OR (({in_order} OR d.turn = 1) AND {_others("$1", f"o.lane = '{UNROUTED}' AND {_OLDER}")})
    OR (d.lane = '' AND {_others("$1", f"{_SHARE} AND ({busy} OR {_OLDER})")})
    OR ({in_order} AND EXISTS (
      SELECT FROM ingest.imports i JOIN ingest.deliveries o ON o.id = i.delivery_id
      WHERE (i.feed = d.lane OR i.feed = ANY (d.feeds)) AND i.outcome = 'held' AND {_OLDER}
        AND i.feed = ANY ({deltas}::text[]))))"""


#: Nobody works on a lane twice: neither another instance nor another handler of ours.
_AT_WORK = """(o.state = 'working' AND (o.id = ANY ($6::bigint[])
      OR (o.owner <> $1 AND o.lease_until > clock_timestamp())))"""
#: What is put off keeps its place.
_PUT_OFF = f"(o.id = ANY ($6::bigint[]) AND {_BEFORE})"


def _end(condition: str, order: str) -> str:
    """Select the delivery at one end of the lane ``l``, of those that may be claimed."""
    return f"""(SELECT d.id, d.lane, d.turn, d.first_seen FROM ingest.deliveries d
          WHERE d.lane = l.lane AND d.state IN {_STATES} AND {condition}
            AND d.id <> ALL ($6::bigint[]) AND {_CLAIMABLE}
          ORDER BY {order} LIMIT 1)"""


_WHOLE = f"""NOT l.in_order AND (l.lane = '{UNROUTED}' OR b.id IS NULL
            OR (d.first_seen, d.id) < (b.first_seen, b.id))"""

#: Only of the first of each lane is asked what is in its way: of a long backlog it would take
#: seconds.  ``b`` is the oldest of several feeds, beyond which no lane is worked.
_FIRST_OF_EACH_LANE = f"""
      SELECT d.id FROM (
        SELECT lane, min(first_seen) AS oldest, lane = '' OR lane = ANY ($5::text[]) AS in_order
        FROM ingest.deliveries WHERE state IN {_STATES} GROUP BY lane) l
      LEFT JOIN LATERAL (SELECT o.first_seen, o.id FROM ingest.deliveries o
        WHERE o.lane = '' AND coalesce(l.lane = ANY (o.feeds), true)
          AND o.kind <> 'cli' AND o.state IN {_STATES}
          AND (o.taken_by = $1 OR o.lease_until > clock_timestamp())
        ORDER BY o.first_seen, o.id LIMIT 1) b ON true
      CROSS JOIN LATERAL (SELECT * FROM (
        {_end("l.in_order", "d.first_seen, d.id")} UNION ALL
        {_end(f"{_WHOLE} AND d.turn = -1", "d.first_seen, d.id")} UNION ALL
        {_end(f"{_WHOLE} AND d.turn = 0", "d.first_seen DESC, d.id DESC")} UNION ALL
        {_end(f"{_WHOLE} AND d.turn = 1", "d.first_seen, d.id")}) ends
        ORDER BY ends.turn, ends.first_seen LIMIT 1) first
      JOIN ingest.deliveries d ON d.id = first.id
      WHERE d.lane = '{UNROUTED}' OR (d.lane <> ALL ($4::text[])
        AND coalesce(NOT d.feeds && $4::text[], d.lane <> '' OR cardinality($4::text[]) = 0)
        AND NOT {_in_the_way("$5", _AT_WORK, _PUT_OFF)})
      ORDER BY l.oldest, d.id"""

#: Claim the delivery whose turn it is.
CLAIM_NEXT = _CLAIM.format(
    which=f"""SELECT d.id FROM unnest(ARRAY({_FIRST_OF_EACH_LANE}))
      WITH ORDINALITY AS turn (id, place) JOIN ingest.deliveries d ON d.id = turn.id
    WHERE {_CLAIMABLE} ORDER BY turn.place LIMIT 1"""
)

#: Claim the delivery $4, whose turn it need not be.
CLAIM_ONE = _CLAIM.format(
    which=f"SELECT d.id FROM ingest.deliveries d WHERE {_CLAIMABLE} AND d.id = $4"
)

#: Of whole lots, what is newer goes first, unless something older of several feeds is between.
_NEWER = f"""({_BEFORE} AND NOT EXISTS (SELECT FROM ingest.deliveries b
        WHERE b.lane = '' AND coalesce(d.lane = ANY (b.feeds), true)
          AND b.kind <> 'cli' AND b.state IN {_STATES} AND b.taken_by = $1
          AND (b.first_seen, b.id) < (o.first_seen, o.id)))"""

#: Put the delivery $2 into the lane $3, its feeds being $5 where they are several ($4 the feeds
#: of changes); say whether it has to wait.
ROUTE = f"""
UPDATE ingest.deliveries d SET lane = $3, feeds = $5::text[]
WHERE d.id = $2 AND d.state = 'working' AND d.owner = $1
RETURNING {_in_the_way("$4", "o.state = 'working'", _NEWER)}"""

#: Give the delivery $1 back that $2 works on; $3: the attempt stays counted.
RELEASE = """
UPDATE ingest.deliveries SET state = 'received', owner = NULL, lease_until = NULL,
  attempts = attempts - CASE WHEN $3 OR attempts = 0 THEN 0 ELSE 1 END
WHERE id = $1 AND state = 'working' AND owner = $2"""

#: Give it back, uncounted, for the older ones of its lane to go first.
GO_AFTER = """
UPDATE ingest.deliveries SET state = 'received', owner = NULL, lease_until = NULL, turn = 1,
  attempts = greatest(attempts - 1, 0)
WHERE id = $1 AND state = 'working' AND owner = $2"""

#: Lock the delivery $1, which is to be loaded for the feed $2: no other instance claims it
#: meanwhile, however long it takes.  What went after the older ones once does not wait again.
STANDING = f"""
SELECT d.outcome IS NOT NULL AS closed,
  d.turn = 0 AND d.kind <> 'cli' AND {
    _others(
        "d.taken_by",
        f'''o.lane IN (d.lane, '', '{UNROUTED}') AND {_OLDER}
        AND NOT EXISTS (SELECT FROM ingest.imports i WHERE i.delivery_id = o.id AND i.feed = $2)''',
    )
} AS older_waits,
  EXISTS (SELECT FROM ingest.imports i WHERE i.delivery_id = d.id AND i.feed = $2
          AND i.decision = 'approve') AS approved
FROM ingest.deliveries d WHERE d.id = $1 FOR NO KEY UPDATE OF d"""

#: What an import of the feed $1 by hand, by the instance $2, has to wait for, if it is of changes:
#: the delivery that waits first, and the import that is held first.
BEFORE_THE_NEWEST = f"""
SELECT (SELECT o.id FROM ingest.deliveries o
        WHERE o.state IN {_STATES} AND o.kind <> 'cli' AND (o.lane IN ($1, '{UNROUTED}')
          OR (o.lane = '' AND coalesce($1 = ANY (o.feeds), true)))
          AND (o.taken_by = $2 OR o.lease_until > clock_timestamp())
        ORDER BY o.first_seen, o.id LIMIT 1) AS waits,
  (SELECT i.id FROM ingest.imports i WHERE i.feed = $1 AND i.outcome = 'held'
   ORDER BY i.delivery_id LIMIT 1) AS held"""
