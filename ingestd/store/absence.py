"""PURE  The SQL of absence: which vehicles a feed lists, how often it missed them, who goes.

Two temporary tables hold what differs from ``ingest.listings``, and nothing else is written:

    a  absent: the feed's listings whose vehicle no row of the delivery is
    n  listed: the vehicles of its rows whose listing is new, or has to change

Parameters of all: $1 the dealership, $2 the feed.

Rules:
  * A vehicle is last listed by the feed's latest delivery, or by the one in ``left_…``, also
    where it counts as listed because the deliveries since were not whole.
  * ``elsewhere``: another feed of the dealership listed the vehicle later; it alone may miss it.
  * ``sighted``: a rejected row names the vehicle.  That counts as seen, and as nothing else: it
    is listed and not missed, and yet was last listed by an earlier delivery.
  * ``stored`` false: the vehicle is deleted, or another dealership's now.  ``is_on``: it was on
    offer before this delivery.
"""

from dataclasses import dataclass

from ingestd.store.history import Change, note
from ingestd.store.layout import Layout
from ingestd.store.sql import SAME_LINE, Names, ident, literal
from ingestd.vehicle import FIELDS

ABSENT = """vehicle_id bigint, stored boolean, listed boolean, baseline boolean, held boolean,
    priced boolean, elsewhere boolean, sighted boolean, is_on boolean"""
LISTED = "vehicle_id bigint, price numeric, before numeric"
GONE = "file_no integer, line integer, vehicle_id bigint"

_REJECTED = "(SELECT * FROM pg_temp.ingestd_fate WHERE outcome = 'rejected')"
_MINE = "l.dealership_id = $1 AND l.feed = $2"

#: $3: by how much a price must change to count, as a share.
FACTS = """
SELECT f.rows, f.rejected, f.vehicles, f.vehicles + a.sighted AS seen,
       l.listed, l.listed - a.unlisted AS common,
       l.baseline - a.baseline_gone AS baseline, a.lost,
       l.held, l.held - a.held AS agreeing,
       l.priced - a.priced - n.unpriced AS priced, n.repriced,
       a.absent, a.orphans, n.changed, l.fresh, l.missed_elsewhere
FROM (SELECT count(*) AS rows,
             count(*) FILTER (WHERE outcome = 'rejected') AS rejected,
             count(*) FILTER (WHERE outcome IS NULL) AS vehicles
      FROM pg_temp.ingestd_fate) f,
     (SELECT count(*) FILTER (WHERE feed = $2 AND listed) AS listed,
             count(*) FILTER (WHERE feed = $2 AND baseline) AS baseline,
             count(*) FILTER (WHERE feed = $2 AND held) AS held,
             count(*) FILTER (WHERE feed = $2 AND price > 0) AS priced,
             count(*) FILTER (WHERE feed = $2 AND listed AND NOT baseline) AS fresh,
             count(*) FILTER (WHERE feed <> $2 AND misses > 0) AS missed_elsewhere
      FROM ingest.listings WHERE dealership_id = $1) l,
     (SELECT count(*) AS absent,
             count(*) FILTER (WHERE NOT stored) AS orphans,
             count(*) FILTER (WHERE stored AND sighted) AS sighted,
             count(*) FILTER (WHERE listed AND NOT (stored AND sighted)) AS unlisted,
             count(*) FILTER (WHERE baseline AND NOT stored) AS baseline_gone,
             count(*) FILTER (WHERE baseline AND stored AND NOT sighted) AS lost,
             count(*) FILTER (WHERE held AND NOT (stored AND sighted)) AS held,
             count(*) FILTER (WHERE priced) AS priced
      FROM pg_temp.ingestd_absent) a,
     (SELECT count(*) AS changed,
             count(*) FILTER (WHERE before > 0 AND coalesce(price, 0) = 0) AS unpriced,
             count(*) FILTER (WHERE before > 0 AND price > 0
                              AND abs(price - before) > $3::float8::numeric * before) AS repriced
      FROM pg_temp.ingestd_listed) n"""

#: $3 whether this is the new baseline, $4 whether it begins a hold, $5 whether one is open.
LIST = """
INSERT INTO ingest.listings AS l (dealership_id, vehicle_id, feed, listed, baseline, held, price)
SELECT DISTINCT ON (n.vehicle_id) $1::integer, n.vehicle_id, $2::text, true, $3::boolean,
       $4::boolean, n.price
FROM pg_temp.ingestd_listed n ORDER BY n.vehicle_id
ON CONFLICT (dealership_id, vehicle_id, feed) DO UPDATE SET listed = true,
  left_first_seen = NULL, left_delivery_id = NULL, misses = 0, price = excluded.price,
  baseline = l.baseline OR excluded.baseline, held = excluded.held OR (l.held AND $5::boolean)"""

#: As for ``LIST``: the listings that stay.  After ``LEAVE``.
SWEEP = f"""
UPDATE ingest.listings l
SET baseline = l.baseline OR $3::boolean, held = $4::boolean OR (l.held AND $5::boolean)
WHERE {_MINE} AND l.listed
  AND (l.baseline <> (l.baseline OR $3::boolean)
       OR l.held <> ($4::boolean OR (l.held AND $5::boolean)))"""

#: As for ``LIST``; $6 whether what is absent is not listed any more, $7 and $8 the order key of
#: the delivery before; $9 whether a miss is counted, $10 the time of this delivery, $11 the
#: most misses, $12 how far apart two of them are.
LEAVE = f"""
UPDATE ingest.listings l SET listed = x.listed,
  left_first_seen = CASE WHEN x.leaves THEN $7::timestamptz ELSE l.left_first_seen END,
  left_delivery_id = CASE WHEN x.leaves THEN $8::bigint ELSE l.left_delivery_id END,
  baseline = x.baseline, held = x.held,
  misses = CASE WHEN x.sighted THEN 0 WHEN x.missed THEN l.misses + 1 ELSE l.misses END,
  missed_at = CASE WHEN x.missed THEN $10::timestamptz ELSE l.missed_at END
FROM (SELECT a.vehicle_id, a.sighted,
             o.left_first_seen IS NULL AS leaves,
             a.sighted OR (o.listed AND NOT $6::boolean) AS listed,
             CASE WHEN $3::boolean THEN a.sighted ELSE o.baseline END AS baseline,
             CASE WHEN $4::boolean THEN a.sighted ELSE o.held AND $5::boolean END AS held,
             $9::boolean AND NOT a.sighted AND NOT a.elsewhere AND o.misses < $11::integer
               AND (o.missed_at IS NULL OR o.missed_at <= $10::timestamptz - $12::interval)
               AS missed
      FROM pg_temp.ingestd_absent a
      JOIN ingest.listings o ON o.dealership_id = $1 AND o.vehicle_id = a.vehicle_id
                            AND o.feed = $2
      WHERE a.stored) x
WHERE {_MINE} AND l.vehicle_id = x.vehicle_id
  AND (x.leaves OR l.listed <> x.listed OR l.baseline <> x.baseline OR l.held <> x.held OR x.missed
       OR (x.sighted AND l.misses > 0))"""

FORGET = f"""
DELETE FROM ingest.listings l USING pg_temp.ingestd_absent a
WHERE {_MINE} AND l.vehicle_id = a.vehicle_id AND NOT a.stored"""

#: $3: delivery id.
NOTED = """
INSERT INTO ingest.deactivations AS d (vehicle_id, dealership_id, delivery_id, reason, at)
SELECT g.vehicle_id, $1, $3, 'missing', now() FROM pg_temp.ingestd_gone g WHERE $2::text IS NOT NULL
ON CONFLICT (vehicle_id) DO UPDATE SET dealership_id = excluded.dealership_id,
  delivery_id = excluded.delivery_id, reason = excluded.reason, at = excluded.at"""


@dataclass(frozen=True, slots=True)
class Texts:
    """The statements, in the order in which they are run."""

    absent: str  # + order key of the delivery before (2)
    sight: str
    sight_nobodys: str
    listed: str
    facts: str  # + share
    forget: str
    seen_elsewhere: str
    list: str
    leave: str
    sweep: str
    gone: str  # + file number, whether all lost ones go, misses that are enough
    note: str  # (no parameters); "" where the table cannot say that a vehicle is off
    off: str  # (the dealership alone)
    noted: str  # + delivery id


def texts(layout: Layout) -> Texts:
    """Give the statements for a table."""
    names = Absence(layout)
    return Texts(
        absent=names.absent(),
        sight=names.sight(),
        sight_nobodys=names.sight_nobodys(),
        listed=names.listed(),
        facts=FACTS,
        forget=FORGET,
        seen_elsewhere=names.seen_elsewhere(),
        list=LIST,
        leave=LEAVE,
        sweep=SWEEP,
        gone=names.gone(),
        note=names.note(),
        off=names.off(),
        noted=NOTED,
    )


class Absence(Names):
    """The statements that depend on the vehicles table."""

    def absent(self) -> str:
        """Fill ``a``; $3 and $4 are the order key of the feed's delivery before this one."""
        # As a scalar subquery: a join would have all vehicles read for the few that are absent.
        return f"""
INSERT INTO pg_temp.ingestd_absent (vehicle_id, stored, is_on, listed, baseline, held, priced,
  elsewhere, sighted)
SELECT l.vehicle_id, l.is_on IS NOT NULL, coalesce(l.is_on, false), l.listed, l.baseline,
       l.held, coalesce(l.price > 0, false),
       EXISTS (SELECT FROM ingest.listings o
               LEFT JOIN ingest.feeds g ON g.feed = o.feed AND g.dealership_id = o.dealership_id
               WHERE o.dealership_id = $1 AND o.vehicle_id = l.vehicle_id AND o.feed <> $2
                 AND (coalesce(o.left_first_seen, g.latest_first_seen),
                      coalesce(o.left_delivery_id, g.latest_delivery_id))
                   > (coalesce(l.left_first_seen, $3::timestamptz),
                      coalesce(l.left_delivery_id, $4::bigint))),
       false
FROM (
  SELECT l.*, (SELECT {self.is_on()} FROM {self.vehicles} v
               WHERE {self.id} = l.vehicle_id AND {self.dealership} = $1) AS is_on
  FROM ingest.listings l
  WHERE {_MINE}
    AND NOT EXISTS (SELECT FROM pg_temp.ingestd_fate f
                    WHERE f.vehicle_id = l.vehicle_id AND f.outcome IS NULL)
  OFFSET 0) l"""

    def sight(self) -> str:
        """Mark in ``a`` what rejected rows name."""
        return self._sight(_REJECTED)

    def sight_nobodys(self) -> str:
        """Mark in ``a`` what those rows of a group's file name that may be any dealership's."""
        return self._sight(f"""(
    SELECT NULL::bigint AS vehicle_id, {self.staged("vin")} AS vin,
           {self.staged("stock_number")} AS stock_number
    FROM pg_temp.{self.stage} s WHERE s.dealership_id = 0 AND s.reason IS NOT NULL)""")

    def _sight(self, rows: str) -> str:
        return f"""
UPDATE pg_temp.ingestd_absent a SET sighted = true FROM {self.vehicles} v
WHERE {self.id} = a.vehicle_id AND {self.dealership} = $1 AND $2::text IS NOT NULL
  AND {self._is_named(rows)}"""

    def _is_named(self, rows: str) -> str:
        """Whether a rejected row names ``v``: by VIN, or where one of the two has none by stock.

        Of a duplicate, the row that counts names it; its own VIN may be a dummy.
        """
        fold = self.fold("w.stock_number")
        no_row = f"SELECT {{}} FROM {rows} w WHERE {{}}"
        known = no_row.format("w.vehicle_id", "w.vehicle_id IS NOT NULL")
        vins = no_row.format("w.vin", "w.vin IS NOT NULL")
        stocks = no_row.format(fold, "w.stock_number IS NOT NULL")
        return f"""({self.id} IN ({known}) OR {self.stored_vin()} IN ({vins})
       OR {self.stored_stock()} IN ({stocks} AND w.vin IS NULL)
       OR ({self.stored_vin()} IS NULL AND {self.stored_stock()} IN ({stocks})))"""

    def listed(self) -> str:
        """Fill ``n``: of the rows that are stored vehicles, those whose listing is other."""
        return f"""
INSERT INTO pg_temp.ingestd_listed (vehicle_id, price, before)
SELECT f.vehicle_id, p.price, l.price
FROM pg_temp.ingestd_fate f
JOIN pg_temp.{self.stage} s ON {SAME_LINE}
LEFT JOIN ingest.listings l ON l.vehicle_id = f.vehicle_id AND {_MINE}
CROSS JOIN LATERAL (SELECT {self._price()} AS price) p
WHERE f.outcome IS NULL AND f.vehicle_id IS NOT NULL
  AND (l.listed IS NOT TRUE OR l.left_first_seen IS NOT NULL
       OR l.price IS DISTINCT FROM p.price)"""

    def _price(self) -> str:
        """The price that the feed has applied once this row is."""
        slot = self.layout.slot("price")
        if slot is None:
            return "NULL::numeric"
        bit = 1 << FIELDS.index("price")
        staged = f"({self.cast(slot, self.staged('price'))})::numeric"
        return f"CASE WHEN f.keep & {bit} <> 0 THEN l.price ELSE {staged} END"

    def seen_elsewhere(self) -> str:
        """A vehicle that this delivery shows is not missed by any other feed either."""
        return f"""
UPDATE ingest.listings l SET misses = 0 FROM {self.vehicles} v
WHERE l.dealership_id = $1 AND l.feed <> $2 AND l.misses > 0 AND {self.id} = l.vehicle_id
  AND {self.dealership} = $1
  AND (l.vehicle_id IN (SELECT w.vehicle_id FROM pg_temp.ingestd_fate w
                        WHERE w.outcome IS NULL AND w.vehicle_id IS NOT NULL)
       OR {self._is_named(_REJECTED)})"""

    def gone(self) -> str:
        """Lock what is to be switched off: all that the baseline lost, or was missed enough."""
        return f"""
INSERT INTO pg_temp.ingestd_gone (file_no, vehicle_id)
SELECT $3::integer, {self.id}
FROM pg_temp.ingestd_absent a
JOIN ingest.listings l ON l.vehicle_id = a.vehicle_id AND {_MINE}
JOIN {self.vehicles} v ON {self.id} = a.vehicle_id
WHERE {self.dealership} = $1 AND NOT a.sighted AND NOT a.elsewhere AND {self.is_on()}
  AND CASE WHEN $4::boolean THEN a.baseline ELSE l.misses >= $5::integer END
ORDER BY {self.id} FOR NO KEY UPDATE OF v"""

    def note(self) -> str:
        """Note in the history what ``off`` is about to change."""
        off = self.switched_off()
        if off is None:
            return ""
        column, value = off
        rows = f"pg_temp.ingestd_gone g JOIN {self.vehicles} v ON {self.id} = g.vehicle_id"
        change = Change(literal(column), f"v.{ident(column)}", value)
        return note(rows, "'missing'", [change], alias="g")

    def off(self) -> str:
        """Switch off what is gone."""
        off = self.switched_off()
        if off is None:
            return ""
        column, value = off
        assignments = [f"{ident(column)} = {value}"]
        if self.layout.updated:
            assignments.append(f"{ident(self.layout.updated[0])} = {self.layout.updated[1]}")
        return f"""
UPDATE {self.vehicles} v SET {", ".join(assignments)}
FROM pg_temp.ingestd_gone g WHERE {self.id} = g.vehicle_id AND {self.dealership} = $1"""
