"""PURE  The SQL that settles what every line is: duplicate, rejected, a stored vehicle, a new one.

The reader has decided what its files can show, line by line in the stream or in its last word;
what only the stored vehicles can show is decided here.  Nothing outside the temporary tables is
written.  ``field`` is set for what is rejected here, and for nothing else.

Reasons given here: ambiguous_stock_number, make_missing, model_missing, year_missing, and
``<field>_missing`` for what else the table requires; in ``foreign``: vin_of_other_dealership.
The one warning: vin_stored_twice.
"""

from ingestd.store.sql import BLANKS, IDENTITY, SAME_LINE, STATUS_BIT, Names, ident, literal
from ingestd.vehicle import PROVISIONAL

_IDENTITY_BITS = 31  # FIELDS begins with the five

_SURVEY = """
SELECT count(*) FILTER (WHERE outcome IS NULL) AS vehicles,
       count(*) FILTER (WHERE outcome IS NULL AND respell) AS respelt,
       count(*) FILTER (WHERE outcome IS NULL AND twice) AS twice,
       count(*) FILTER (WHERE outcome IS NULL AND replaced) AS replaced,
       count(*) FILTER (WHERE provisional) AS provisional,
       count(*) FILTER (WHERE outcome IS NULL AND vehicle_id IS NULL) AS unmatched,
       count(vin) FILTER (WHERE outcome IS NULL AND vehicle_id IS NULL) AS vins,
       count(DISTINCT vin COLLATE "C") FILTER (WHERE outcome IS NULL AND vehicle_id IS NULL)
         AS distinct_vins,
       pg_catalog.pg_relation_size({}) AS table_size
FROM pg_temp.ingestd_fate"""

#: Of two rows, one with a vehicle's VIN and one with the placeholder that it replaced, the former
#: counts, wherever they stand.
LEFTOVERS = """
UPDATE pg_temp.ingestd_fate f SET outcome = 'duplicate'
WHERE f.replaced AND f.outcome IS NULL AND EXISTS (
  SELECT FROM pg_temp.ingestd_fate w WHERE w.vin = f.vin AND w.outcome IS NULL
    AND (w.replaced IS NOT TRUE OR (w.file_no, w.line) > (f.file_no, f.line)))"""

#: A placeholder is one on whichever of a vehicle's rows it stands.
SPREAD = """
UPDATE pg_temp.ingestd_fate f SET provisional = true
FROM (SELECT DISTINCT vin FROM pg_temp.ingestd_fate WHERE provisional) p
WHERE f.vin = p.vin AND f.provisional IS NOT TRUE"""

#: Rows whose VIN two stored vehicles have: the first $1 of each file, and how many there are.
TWICE = """
SELECT file_no, line, vin, rows FROM (
  SELECT file_no, line, vin, row_number() OVER (PARTITION BY file_no ORDER BY line) AS place,
         count(*) OVER (PARTITION BY file_no) AS rows
  FROM pg_temp.ingestd_fate WHERE outcome IS NULL AND twice) t
WHERE place <= $1 ORDER BY file_no, line"""

NAME_COLUMNS = """
UPDATE pg_temp.ingestd_fate f SET column_name = h.header
FROM unnest($1::int[], $2::text[], $3::text[]) AS h(file_no, field, header)
WHERE f.file_no = h.file_no AND f.field = h.field"""

USELESS = """
SELECT EXISTS (SELECT FROM pg_temp.ingestd_fate GROUP BY file_no
               HAVING bool_and(outcome IS NOT DISTINCT FROM 'rejected'))"""

COUNT = """
SELECT f.file_no, count(*) AS staged,
       count(*) FILTER (WHERE f.outcome IS NULL AND f.vehicle_id IS NULL) AS added,
       count(*) FILTER (WHERE f.outcome IS NULL AND f.vehicle_id IS NOT NULL) AS matched,
       count(*) FILTER (WHERE f.outcome = 'duplicate') AS duplicate,
       count(*) FILTER (WHERE f.outcome = 'rejected') AS rejected,
       count(*) FILTER (WHERE f.outcome = 'rejected' AND f.field IS NULL) AS unread,
       coalesce(min(c.updated), 0) AS updated,
       coalesce(min(c.deactivated), 0) AS deactivated,
       coalesce(min(c.reactivated), 0) AS reactivated
FROM pg_temp.ingestd_fate f
LEFT JOIN (SELECT file_no, count(*) AS updated,
                  count(*) FILTER (WHERE was_on AND NOT now_on) AS deactivated,
                  count(*) FILTER (WHERE now_on AND NOT was_on) AS reactivated
           FROM pg_temp.ingestd_changed GROUP BY file_no) c ON c.file_no = f.file_no
GROUP BY f.file_no"""

FINDINGS = """
SELECT file_no, line, column_name, reason, value FROM (
  SELECT file_no, line, column_name, reason, value,
         row_number() OVER (PARTITION BY file_no ORDER BY line) AS place
  FROM pg_temp.ingestd_fate WHERE outcome = 'rejected') r
WHERE place <= $1 ORDER BY file_no, line"""


class Fate(Names):
    """The statements that decide, for one layout."""

    def decide(self, *, of_group: bool = False) -> str:
        """Fill ``f``: the reader's own decisions, and every VIN looked up at the dealership.

        A row that the reader's last word rejects bears no VIN: had it one that is to be
        believed, it would have been told apart.  Of status, only the file's own bit is kept.
        A row that was given another's VIN is no placeholder for having had one itself.
        A placeholder that was replaced here means the vehicle that bore it, unless the row is
        of another model or year: then it was given again.  Of two vehicles with one VIN the
        active, then the newest is meant.  ``of_group``: the rows of one
        dealership alone.
        """
        mine = "\n  WHERE s.dealership_id = $1" if of_group else ""
        final = ", ".join(
            f"CASE WHEN i.line IS NULL THEN {self.staged(field)} ELSE i.{field} END AS {field}"
            for field in ("make", "model", "year")
        )
        normal = "nullif(upper(btrim(CASE WHEN i.line IS NULL THEN {} ELSE i.{} END, {})), '')"
        vin = normal.format(self.staged("vin"), "vin", BLANKS)
        stock = normal.format(self.staged("stock_number"), "stock_number", BLANKS)
        stock = stock.replace("upper(btrim(", "(btrim(")
        same = " AND ".join(
            f"coalesce(lower(r.{field}) = p.{field}, true)" for field in ("make", "model")
        )
        same += " AND coalesce(r.year = p.year, true)"
        return f"""
INSERT INTO pg_temp.ingestd_fate (file_no, line, keep, vin, stock_number, make, model, year,
  outcome, reason, column_name, value, vehicle_id, respell, twice, provisional, replaced)
SELECT r.file_no, r.line, r.keep, coalesce(p.replaced_by, r.vin), r.stock_number, r.make,
       r.model, r.year, r.outcome, r.reason, r.column_name, r.value, m.id,
       m.spelt <> coalesce(p.replaced_by, r.vin), m.twice,
       r.provisional AND p.vin IS NULL, p.vin IS NOT NULL
FROM (
  SELECT s.file_no, s.line, s.keep & {PROVISIONAL}::bigint <> 0
           AND (i.line IS NULL OR i.vin IS NOT DISTINCT FROM {self.staged("vin")}) AS provisional,
         ((s.keep & ~{STATUS_BIT}::bigint) | k.keep) & ~{_IDENTITY_BITS}::bigint AS keep,
         CASE WHEN x.line IS NULL THEN {vin} END AS vin, {stock} AS stock_number, {final},
         CASE WHEN coalesce(s.reason, x.reason) IS NOT NULL THEN 'rejected'
              WHEN t.line IS NOT NULL THEN 'duplicate' END AS outcome,
         coalesce(s.reason, x.reason) AS reason,
         CASE WHEN s.reason IS NULL THEN x.column_name ELSE s.column_name END AS column_name,
         CASE WHEN s.reason IS NULL THEN x.value ELSE s.value END AS value
  FROM pg_temp.{self.stage} s
  LEFT JOIN unnest($2::int[], $3::bigint[]) AS k(file_no, keep) ON k.file_no = s.file_no
  LEFT JOIN unnest($4::int[], $5::int[]) AS t(file_no, line)
         ON t.file_no = s.file_no AND t.line = s.line
  LEFT JOIN unnest($6::int[], $7::int[], $8::text[], $9::text[], $10::text[], $11::text[],
                   $12::int[]) AS i(file_no, line, vin, stock_number, make, model, year)
         ON i.file_no = s.file_no AND i.line = s.line
  LEFT JOIN unnest($13::int[], $14::int[], $15::text[], $16::text[], $17::text[])
         AS x(file_no, line, reason, column_name, value)
         ON x.file_no = s.file_no AND x.line = s.line{mine}
) r
LEFT JOIN (
  SELECT p.vin, p.replaced_by, {self._known("make")} AS make, {self._known("model")} AS model,
         {self.stored("year")} AS year
  FROM ingest.provisional_vins p JOIN {self.vehicles} v ON {self.id} = p.vehicle_id
  WHERE p.dealership_id = $1 AND {self.dealership} = $1 AND p.replaced_by = {self.stored_vin()}
) p ON p.vin = r.vin AND {same}
LEFT JOIN (
  SELECT vin, spelt, id, twice FROM (
    SELECT vin, spelt, id, row_number() OVER named AS place,
           lead(id) OVER named IS NOT NULL AS twice
    FROM (SELECT {self.stored_vin()} AS vin, {self.stored("vin")} AS spelt, {self.id} AS id,
                 {self.is_on()} AS is_on
          FROM {self.vehicles} v WHERE {self.dealership} = $1) x
    WHERE vin IS NOT NULL
    WINDOW named AS (PARTITION BY vin COLLATE "C" ORDER BY is_on DESC, id DESC)) y
  WHERE place = 1
) m ON m.vin = coalesce(p.replaced_by, r.vin)"""

    def survey(self) -> str:
        """Count what is decided so far, and tell the size of the table in bytes."""
        return _SURVEY.format(literal(self.vehicles))

    def respell(self) -> str:
        """A stored VIN takes the normal form unless a key keeps it for another row.

        Empty where VINs have no key: there nothing is in the way.
        """
        if self.layout.target.vin_key == "none":
            return ""
        within = ""
        if self.layout.target.vin_key == "dealership_vin":
            name = ident(self.layout.dealership)
            within = f" AND o.{name} = v.{name}"
        return f"""
UPDATE pg_temp.ingestd_fate f SET keep = f.keep | 1
FROM {self.vehicles} v
WHERE f.respell AND f.outcome IS NULL AND {self.id} = f.vehicle_id
  AND EXISTS (SELECT FROM {self.vehicles} o WHERE {self.stored("vin", "o")} = f.vin
              AND o.{ident(self.layout.id)} <> {self.id}{within})"""

    def match_stock(self) -> str:
        """By stock number: the one candidate, where the row or the vehicle has no proper VIN.

        Two candidates for a row are ambiguous.  Two rows for one vehicle: those with a
        VIN are cars of their own, those without are ambiguous.
        """
        return f"""
WITH found AS (
  SELECT w.file_no, w.line, {self.id} AS id, {self.is_on()} AS is_on,
         w.vin IS NOT NULL AND {self.stored_vin()} IS NOT NULL AS succeeds
  FROM pg_temp.ingestd_fate w
  JOIN {self.vehicles} v ON {self.stored_stock()} = {self.fold("w.stock_number")}
  LEFT JOIN ingest.deactivations d ON d.vehicle_id = {self.id}
  WHERE {self.dealership} = $1 AND w.outcome IS NULL AND w.vehicle_id IS NULL
    AND w.stock_number IS NOT NULL
    AND (w.vin IS NULL OR {self.stored_vin()} IS NULL OR {self.succeeds()})
    AND {self.same_car()}
    AND ({self.is_on()} OR d.at > now() - interval '30 days')
    AND NOT EXISTS (SELECT FROM pg_temp.ingestd_fate t
                    WHERE t.vehicle_id = {self.id} AND t.outcome IS NULL)
), best AS (
  SELECT found.*, bool_or(is_on) OVER (PARTITION BY file_no, line) AS any_on FROM found
), picked AS (
  SELECT best.*, count(*) OVER (PARTITION BY file_no, line) AS candidates
  FROM best WHERE is_on = any_on
), judged AS (
  SELECT file_no, line, min(id) AS id, min(candidates) > 1 AS torn, max(claims) > 1 AS shared,
         bool_and(succeeds) AS succeeds
  FROM (SELECT picked.*, count(*) OVER (PARTITION BY id) AS claims FROM picked) p
  GROUP BY file_no, line
)
UPDATE pg_temp.ingestd_fate f SET
  vehicle_id = CASE WHEN NOT j.torn AND NOT j.shared THEN j.id END,
  succeeds = NOT j.torn AND NOT j.shared AND j.succeeds,
  outcome = CASE WHEN j.torn OR (j.shared AND f.vin IS NULL) THEN 'rejected' END,
  reason = CASE WHEN j.torn OR (j.shared AND f.vin IS NULL) THEN 'ambiguous_stock_number' END,
  field = CASE WHEN j.torn OR (j.shared AND f.vin IS NULL) THEN 'stock_number' END,
  value = CASE WHEN j.torn OR (j.shared AND f.vin IS NULL) THEN f.stock_number END
FROM judged j WHERE j.file_no = f.file_no AND j.line = f.line"""

    def missing(self) -> tuple[str, ...]:
        """A vehicle to be inserted needs make, model, year and all that the table requires."""
        required = [slot.column.field for slot in self.layout.slots if slot.column.required]
        fields = dict.fromkeys(("make", "model", "year", *required))
        return tuple(self._missing(field) for field in fields if self.layout.slot(field))

    def _missing(self, field: str) -> str:
        # Where the cell was unreadable the encoder left it in the stage, to be shown.
        unreadable = f"""
SELECT s.value FROM pg_temp.{self.stage} s WHERE {SAME_LINE} AND s.column_name = '{field}'"""
        head = f"""
UPDATE pg_temp.ingestd_fate f
SET outcome = 'rejected', reason = '{field}_missing', field = '{field}',
  value = coalesce(({unreadable}), '')"""
        new = "f.outcome IS NULL AND f.vehicle_id IS NULL"
        if field in IDENTITY:
            return f"{head} WHERE {new} AND f.{field} IS NULL"
        return (
            f"{head} FROM pg_temp.{self.stage} s WHERE {SAME_LINE} AND {new} AND s.{field} IS NULL"
        )
