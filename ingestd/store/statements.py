"""PURE  The SQL of a load, as text: built once for a layout, run by ``load``.

Aliases, the same in every statement:
    s  the stage: one row for every record line, wide, insert only
    f  the fate of every line: narrow, decided here (see FATE)
    c  the vehicles found to differ, locked in the order of their ids
    v  the vehicles table          d  what ingestd itself deactivated

Rules:
  * Identifiers come from a profile and the catalogue and are quoted; values are bound.
  * A line without ``outcome`` is a vehicle: new without ``vehicle_id``, else a match.
  * The five fields of identity are taken from ``f``, completed; all others from ``s``.
  * The dealership is bound, never read from the stage: a file cannot choose it.
  * Nothing is written to a row of ``v`` that would not change it, and no lock is taken.

Reasons given here: ambiguous_stock_number, vin_of_other_dealership, make_missing,
model_missing, year_missing, and ``<field>_missing`` for what else the table requires.
"""

from dataclasses import dataclass
from hashlib import blake2b

from ingestd.model import FIELDS
from ingestd.store.layout import Layout, Slot

IDENTITY = ("vin", "stock_number", "make", "model", "year")
_IDENTITY_BITS = 31  # FIELDS begins with the five
_BLANKS = r"E' \t\r\n'"

#: Columns of the temporary table ``f``.  ``field``: the store's own rejection, by field name.
FATE = """file_no integer, line integer, keep bigint, vin text, stock_number text, make text,
    model text, year integer, outcome text, reason text, column_name text, value text,
    field text, vehicle_id bigint, respell boolean"""

#: Columns of the temporary table ``c``.
CHANGED = "file_no integer, line integer, vehicle_id bigint, was_on boolean, now_on boolean"


@dataclass(frozen=True, slots=True)
class Statements:
    """Every statement of a load.  Parameters stand behind each; $1 is the dealership."""

    stage: str  # name of the stage, without schema
    stage_columns: tuple[str, ...]
    create: str
    analyze_stage: str
    analyze_fate: str
    decide: str  # + file numbers, keep masks; duplicates (2 arrays); identities (7 arrays)
    survey: str  # (no parameters)
    respell: str  # (no parameters)
    foreign_vins: tuple[str, ...]
    match_stock: str
    missing: tuple[str, ...]  # (no parameters)
    name_columns: str  # file numbers, fields, headers (no dealership)
    lock_changed: str
    update: str
    insert: str  # + delivery id
    twins: str  # + delivery id
    extras: str  # (no parameters)
    off: str  # + delivery id
    on_again: str
    junk: str
    count: str  # (no parameters)
    findings: str  # limit (no dealership)
    keep_findings: str  # file numbers, import ids (no dealership)


def build(layout: Layout, *, drop: bool = False) -> Statements:
    """Give the statements for a table.  ``drop``: temporary tables end with the transaction."""
    text = _Text(layout)
    return Statements(
        stage=text.stage,
        stage_columns=tuple(name for name, _ in layout.target.stage()),
        create=text.create("DROP" if drop else "DELETE ROWS"),
        analyze_stage=f"ANALYZE pg_temp.{text.stage} (file_no, line, vin)",
        analyze_fate="ANALYZE pg_temp.ingestd_fate",
        decide=text.decide(),
        survey=_SURVEY,
        respell=text.respell(),
        foreign_vins=text.foreign_vins(),
        match_stock=text.match_stock(),
        missing=text.missing(),
        name_columns=_NAME_COLUMNS,
        lock_changed=text.lock_changed(),
        update=text.update(),
        insert=text.insert(),
        twins=text.twins(),
        extras=text.extras(),
        off=_OFF,
        on_again=text.on_again(),
        junk=text.junk(),
        count=_COUNT,
        findings=_FINDINGS,
        keep_findings=_KEEP_FINDINGS,
    )


def ident(name: str) -> str:
    """Quote an identifier."""
    return '"' + name.replace('"', '""') + '"'


def qualified(name: str) -> str:
    """Quote ``schema.table``."""
    return ".".join(ident(part) for part in name.split("."))


def literal(text: str) -> str:
    """Quote a string that comes from a profile."""
    return "'" + text.replace("'", "''") + "'"


_SURVEY = """
SELECT count(*) FILTER (WHERE outcome IS NULL) AS vehicles,
       count(*) FILTER (WHERE outcome IS NULL AND respell) AS respelt,
       count(*) FILTER (WHERE outcome IS NULL AND vehicle_id IS NULL) AS unmatched,
       count(vin) FILTER (WHERE outcome IS NULL AND vehicle_id IS NULL) AS vins,
       count(DISTINCT vin COLLATE "C") FILTER (WHERE outcome IS NULL AND vehicle_id IS NULL)
         AS distinct_vins
FROM pg_temp.ingestd_fate"""

_NAME_COLUMNS = """
UPDATE pg_temp.ingestd_fate f SET column_name = h.header
FROM unnest($1::int[], $2::text[], $3::text[]) AS h(file_no, field, header)
WHERE f.file_no = h.file_no AND f.field = h.field"""

_COUNT = """
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

_FINDINGS = """
SELECT file_no, line, column_name, reason, value FROM (
  SELECT file_no, line, column_name, reason, value,
         row_number() OVER (PARTITION BY file_no ORDER BY line) AS place
  FROM pg_temp.ingestd_fate WHERE outcome = 'rejected') r
WHERE place <= $1 ORDER BY file_no, line"""

_KEEP_FINDINGS = """
INSERT INTO ingest.rejections (import_id, line, column_name, reason, value)
SELECT i.id, f.line, f.column_name, f.reason, coalesce(f.value, '')
FROM pg_temp.ingestd_fate f
JOIN unnest($1::int[], $2::bigint[]) AS i(file_no, id) ON i.file_no = f.file_no
WHERE f.outcome = 'rejected'"""

_OFF = """
INSERT INTO ingest.deactivations AS d (vehicle_id, dealership_id, delivery_id, reason, at)
SELECT c.vehicle_id, $1, $2, 'sold', now() FROM pg_temp.ingestd_changed c
WHERE c.was_on AND NOT c.now_on
ON CONFLICT (vehicle_id) DO UPDATE SET dealership_id = excluded.dealership_id,
  delivery_id = excluded.delivery_id, reason = excluded.reason, at = excluded.at"""

_SAME_LINE = "s.file_no = f.file_no AND s.line = f.line"
_SAME_CAR = (
    "(w.make IS NULL OR {make} IS NULL OR {make} = '' OR lower(w.make) = lower({make}))"
    " AND (w.year IS NULL OR {year} IS NULL OR abs(w.year - {year}) <= 1)"
)


class _Text:
    """The layout's names, quoted, and the statements made of them."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.vehicles = qualified(layout.table)
        self.id = f"v.{ident(layout.id)}"
        self.dealership = f"v.{ident(layout.dealership)}"
        stage = ", ".join(f"{ident(name)} {kind}" for name, kind in layout.target.stage())
        self.stage_table = stage
        self.stage = "ingestd_stage_" + blake2b(stage.encode(), digest_size=6).hexdigest()

    # Names and expressions.

    def stored(self, field: str, alias: str = "v") -> str:
        """A field of the stored vehicle; a typed NULL where the table has no such column."""
        slot = self.layout.slot(field)
        if slot is None:
            return "NULL::integer" if field == "year" else "NULL::text"
        return f"{alias}.{ident(slot.column.name)}"

    def staged(self, field: str) -> str:
        if self.layout.slot(field) is None:
            return "NULL::integer" if field == "year" else "NULL::text"
        return f"s.{ident(field)}"

    def stored_vin(self, alias: str = "v") -> str:
        """The stored VIN in normal form; '' is none."""
        return f"nullif(upper(btrim({self.stored('vin', alias)}, {_BLANKS})), '')"

    def is_on(self) -> str:
        """Whether the stored vehicle is on offer: active, and not sold."""
        sold = literal(self.layout.target.status_sold)
        on = f"{self.stored('status')}::text IS DISTINCT FROM {sold}"
        if self.layout.active:
            on += f" AND v.{ident(self.layout.active)} IS NOT FALSE"
        return f"({on})"

    def by_a_person(self) -> str:
        return f"(NOT {self.is_on()} AND d.vehicle_id IS NULL)"

    def sold_now(self) -> str:
        sold = literal(self.layout.target.status_sold)
        return f"(coalesce({self.staged('status')}, '') = {sold})"

    # Statements.

    def create(self, end: str) -> str:
        tables = (
            (self.stage, self.stage_table),
            ("ingestd_fate", FATE),
            ("ingestd_changed", CHANGED),
        )
        return ";\n".join(
            f"CREATE TEMPORARY TABLE IF NOT EXISTS {name} ({columns}) ON COMMIT {end}"
            for name, columns in tables
        )

    def decide(self) -> str:
        final = ", ".join(
            f"CASE WHEN i.line IS NULL THEN {self.staged(field)} ELSE i.{field} END AS {field}"
            for field in ("make", "model", "year")
        )
        normal = (
            "nullif(upper(btrim(CASE WHEN i.line IS NULL THEN {} ELSE i.{} END, {})), '') AS {}"
        )
        vin = normal.format(self.staged("vin"), "vin", _BLANKS, "vin")
        stock = normal.format(self.staged("stock_number"), "stock_number", _BLANKS, "stock_number")
        stock = stock.replace("upper(btrim(", "(btrim(")
        return f"""
INSERT INTO pg_temp.ingestd_fate (file_no, line, keep, vin, stock_number, make, model, year,
  outcome, reason, column_name, value, vehicle_id, respell)
SELECT r.file_no, r.line, r.keep, r.vin, r.stock_number, r.make, r.model, r.year,
       r.outcome, r.reason, r.column_name, r.value, m.id, m.spelt <> r.vin
FROM (
  SELECT s.file_no, s.line, (s.keep | k.keep) & ~{_IDENTITY_BITS}::bigint AS keep,
         {vin}, {stock}, {final},
         CASE WHEN s.reason IS NOT NULL THEN 'rejected'
              WHEN t.line IS NOT NULL THEN 'duplicate' END AS outcome,
         s.reason, s.column_name, s.value
  FROM pg_temp.{self.stage} s
  LEFT JOIN unnest($2::int[], $3::bigint[]) AS k(file_no, keep) ON k.file_no = s.file_no
  LEFT JOIN unnest($4::int[], $5::int[]) AS t(file_no, line)
         ON t.file_no = s.file_no AND t.line = s.line
  LEFT JOIN unnest($6::int[], $7::int[], $8::text[], $9::text[], $10::text[], $11::text[],
                   $12::int[]) AS i(file_no, line, vin, stock_number, make, model, year)
         ON i.file_no = s.file_no AND i.line = s.line
) r
LEFT JOIN (
  SELECT DISTINCT ON (vin COLLATE "C") vin, spelt, id
  FROM (SELECT {self.stored_vin()} AS vin, {self.stored("vin")} AS spelt, {self.id} AS id,
               {self.is_on()} AS is_on
        FROM {self.vehicles} v WHERE {self.dealership} = $1) x
  WHERE vin IS NOT NULL ORDER BY vin COLLATE "C", is_on DESC, id DESC
) m ON m.vin = r.vin"""

    def respell(self) -> str:
        """A stored VIN takes the normal form unless another row has that already."""
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

    def foreign_vins(self) -> tuple[str, ...]:
        """Where VINs are unique for all: both spellings in use are looked up by the key."""
        if self.layout.target.vin_key != "vin":
            return ()
        text = """
UPDATE pg_temp.ingestd_fate f
SET outcome = 'rejected', reason = 'vin_of_other_dealership', field = 'vin', value = f.vin
FROM {} v WHERE f.outcome IS NULL AND f.vehicle_id IS NULL AND f.vin IS NOT NULL
  AND {} = {} AND {} <> $1"""
        vin = self.stored("vin")
        return tuple(
            text.format(self.vehicles, vin, spelling, self.dealership)
            for spelling in ("f.vin", "lower(f.vin)")
        )

    def match_stock(self) -> str:
        """By stock number: the one candidate, where the row or the vehicle has no VIN.

        Two candidates for a row are ambiguous.  Two rows for one vehicle: those with a
        VIN are cars of their own, those without are ambiguous.
        """
        stock = f"btrim({self.stored('stock_number')}, {_BLANKS})"
        same_car = _SAME_CAR.format(make=self.stored("make"), year=self.stored("year"))
        return f"""
WITH found AS (
  SELECT w.file_no, w.line, w.vin, {self.id} AS id, {self.is_on()} AS is_on
  FROM pg_temp.ingestd_fate w
  JOIN {self.vehicles} v ON {stock} = w.stock_number
  LEFT JOIN ingest.deactivations d ON d.vehicle_id = {self.id}
  WHERE {self.dealership} = $1 AND w.outcome IS NULL AND w.vehicle_id IS NULL
    AND w.stock_number IS NOT NULL
    AND (w.vin IS NULL OR {self.stored_vin()} IS NULL)
    AND {same_car}
    AND ({self.is_on()} OR d.at > now() - interval '30 days')
    AND NOT EXISTS (SELECT FROM pg_temp.ingestd_fate t
                    WHERE t.vehicle_id = {self.id} AND t.outcome IS NULL)
), best AS (
  SELECT found.*, bool_or(is_on) OVER (PARTITION BY file_no, line) AS any_on FROM found
), picked AS (
  SELECT best.*, count(*) OVER (PARTITION BY file_no, line) AS candidates
  FROM best WHERE is_on = any_on
), judged AS (
  SELECT file_no, line, min(id) AS id, min(candidates) > 1 AS torn, max(claims) > 1 AS shared
  FROM (SELECT picked.*, count(*) OVER (PARTITION BY id) AS claims FROM picked) p
  GROUP BY file_no, line
)
UPDATE pg_temp.ingestd_fate f SET
  vehicle_id = CASE WHEN NOT j.torn AND NOT j.shared THEN j.id END,
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
        head = f"""
UPDATE pg_temp.ingestd_fate f
SET outcome = 'rejected', reason = '{field}_missing', field = '{field}', value = ''"""
        new = "f.outcome IS NULL AND f.vehicle_id IS NULL"
        if field in IDENTITY:
            return f"{head} WHERE {new} AND f.{field} IS NULL"
        return (
            f"{head} FROM pg_temp.{self.stage} s WHERE {_SAME_LINE} AND {new} AND s.{field} IS NULL"
        )

    def merged(self) -> list[tuple[str, str, str]]:
        """Column, its new value for a match, and the condition that this differs."""
        merged = []
        for slot in self.layout.slots:
            if slot.column.field != "status":
                value = self._merged(slot)
                merged.append((slot.column.name, value, self._differs(slot, value)))
        return merged + self._state()

    def _merged(self, slot: Slot) -> str:
        field, stored = slot.column.field, self.stored(slot.column.field)
        if field == "vin":
            return f"CASE WHEN f.keep & 1 <> 0 THEN {stored} ELSE coalesce(f.vin, {stored}) END"
        if field in IDENTITY:
            return f"coalesce(f.{field}, {stored})"
        staged = self.cast(slot, self.staged(field))
        if slot.not_null:
            return f"coalesce({staged}, {stored})"
        bit = 1 << FIELDS.index(field)
        return f"CASE WHEN f.keep & {bit} <> 0 THEN {stored} ELSE {staged} END"

    @staticmethod
    def cast(slot: Slot, value: str) -> str:
        """Bring a staged value to the column's type, where the stage's is another.

        Numbers take the column's scale, else they would differ from what was stored for
        ever.  Text is never cast: that would cut it without a word.
        """
        if slot.sql_type == "text" or "char" in slot.sql_type:
            return value
        return f"{value}::{slot.sql_type}"

    def _differs(self, slot: Slot, value: str) -> str:
        if slot.column.type == "json":  # has no equality of its own
            return f"{self.stored(slot.column.field)}::jsonb IS DISTINCT FROM ({value})::jsonb"
        return f"{self.stored(slot.column.field)} IS DISTINCT FROM {value}"

    def _state(self) -> list[tuple[str, str, str]]:
        """Status and is_active.  What a person switched off keeps both.

        What ingestd switched off comes back with the row, unless that says sold; a row
        without status leaves that of a vehicle on offer as it is.
        """
        state = []
        slot = self.layout.slot("status")
        if slot is not None:
            stored = self.stored("status")
            active = self.cast(slot, literal(self.layout.target.status_active))
            value = (
                f"CASE WHEN {self.by_a_person()} THEN {stored} "
                f"WHEN s.status IS NOT NULL THEN {self.cast(slot, 's.status')} "
                f"WHEN NOT {self.is_on()} THEN {active} ELSE {stored} END"
            )
            state.append((slot.column.name, value, f"{stored} IS DISTINCT FROM {value}"))
        if self.layout.active:
            stored = f"v.{ident(self.layout.active)}"
            value = f"CASE WHEN {self.by_a_person()} THEN {stored} ELSE NOT {self.sold_now()} END"
            state.append((self.layout.active, value, f"{stored} IS DISTINCT FROM {value}"))
        return state

    def lock_changed(self) -> str:
        differs = "\n    OR ".join(condition for _, _, condition in self.merged())
        return f"""
INSERT INTO pg_temp.ingestd_changed (file_no, line, vehicle_id, was_on, now_on)
SELECT f.file_no, f.line, {self.id}, {self.is_on()},
       NOT {self.by_a_person()} AND NOT {self.sold_now()}
FROM pg_temp.ingestd_fate f
JOIN pg_temp.{self.stage} s ON {_SAME_LINE}
JOIN {self.vehicles} v ON {self.id} = f.vehicle_id
LEFT JOIN ingest.deactivations d ON d.vehicle_id = f.vehicle_id
WHERE f.outcome IS NULL AND {self.dealership} = $1 AND ({differs})
ORDER BY {self.id} FOR NO KEY UPDATE OF v"""

    def update(self) -> str:
        columns = [f"{ident(name)} = {value}" for name, value, _ in self.merged()]
        if self.layout.updated:
            name, now = self.layout.updated
            columns.append(f"{ident(name)} = {now}")
        assignments = ",\n  ".join(columns)
        return f"""
UPDATE {self.vehicles} v SET
  {assignments}
FROM pg_temp.ingestd_changed c
JOIN pg_temp.ingestd_fate f ON f.file_no = c.file_no AND f.line = c.line
JOIN pg_temp.{self.stage} s ON {_SAME_LINE}
LEFT JOIN ingest.deactivations d ON d.vehicle_id = c.vehicle_id
WHERE {self.id} = c.vehicle_id AND {self.dealership} = $1"""

    def insert(self) -> str:
        """Ids are drawn in the order of the lines; the rest follows the stage, unsorted."""
        values = {self.layout.id: "n.id", self.layout.dealership: "$1"}
        values |= {slot.column.name: self._first(slot) for slot in self.layout.slots}
        if self.layout.active:
            values[self.layout.active] = f"NOT {self.sold_now()}"
        values |= dict(self.layout.stamps)
        names = ", ".join(ident(name) for name in values)
        override = " OVERRIDING SYSTEM VALUE" if self.layout.id_is_identity else ""
        return f"""
WITH new AS MATERIALIZED (
  SELECT {self.layout.next_id} AS id, o.* FROM (
    SELECT file_no, line, keep, vin, stock_number, make, model, year FROM pg_temp.ingestd_fate
    WHERE outcome IS NULL AND vehicle_id IS NULL ORDER BY file_no, line OFFSET 0) o
), added AS (
  INSERT INTO {self.vehicles} ({names}){override}
  SELECT {", ".join(values.values())}
  FROM pg_temp.{self.stage} s JOIN new n ON s.file_no = n.file_no AND s.line = n.line
), extras AS (
  INSERT INTO ingest.vehicle_extras AS e (vehicle_id, extras)
  SELECT n.id, s.extras FROM pg_temp.{self.stage} s
  JOIN new n ON s.file_no = n.file_no AND s.line = n.line WHERE s.extras IS NOT NULL
  ON CONFLICT (vehicle_id) DO UPDATE SET extras = excluded.extras
)
INSERT INTO ingest.deactivations (vehicle_id, dealership_id, delivery_id, reason, at)
SELECT n.id, $1, $2::bigint, 'sold', now() FROM pg_temp.{self.stage} s
JOIN new n ON s.file_no = n.file_no AND s.line = n.line WHERE {self.sold_now()}
ON CONFLICT (vehicle_id) DO NOTHING"""

    def _first(self, slot: Slot) -> str:
        """A column's first value.  It must equal what the same row would leave in place."""
        field = slot.column.field
        if field in IDENTITY:
            return f"n.{field}"
        staged = self.cast(slot, self.staged(field))
        if field == "status":
            active = self.cast(slot, literal(self.layout.target.status_active))
            return f"coalesce({staged}, {active})"
        if slot.default is None:
            return staged
        if slot.not_null:
            return f"coalesce({staged}, {slot.default})"
        bit = 1 << FIELDS.index(field)
        return f"CASE WHEN n.keep & {bit} <> 0 THEN {slot.default} ELSE {staged} END"

    def twins(self) -> str:
        """Switch off a vehicle without VIN whose stock number a vehicle with VIN now bears."""
        assignments = []
        if self.layout.active:
            assignments.append(f"{ident(self.layout.active)} = false")
        elif slot := self.layout.slot("status"):
            sold = self.cast(slot, literal(self.layout.target.status_sold))
            assignments.append(f"{ident(slot.column.name)} = {sold}")
        if self.layout.updated:
            assignments.append(f"{ident(self.layout.updated[0])} = {self.layout.updated[1]}")
        stock = f"btrim({self.stored('stock_number')}, {_BLANKS})"
        same_car = _SAME_CAR.format(make=self.stored("make"), year=self.stored("year"))
        return f"""
WITH twin AS MATERIALIZED (
  SELECT {self.id} AS id, w.file_no FROM pg_temp.ingestd_fate w
  JOIN {self.vehicles} v ON {stock} = w.stock_number
  WHERE {self.dealership} = $1 AND {self.stored_vin()} IS NULL AND {self.is_on()}
    AND w.outcome IS NULL AND w.vehicle_id IS NOT NULL AND w.vehicle_id <> {self.id}
    AND w.vin IS NOT NULL AND {same_car}
    AND NOT EXISTS (SELECT FROM pg_temp.ingestd_fate t
                    WHERE t.vehicle_id = {self.id} AND t.outcome IS NULL)
  ORDER BY {self.id} FOR NO KEY UPDATE OF v
), gone AS (
  UPDATE {self.vehicles} v SET {", ".join(assignments)}
  WHERE {self.id} IN (SELECT id FROM twin)
), noted AS (
  INSERT INTO ingest.deactivations (vehicle_id, dealership_id, delivery_id, reason, at)
  SELECT DISTINCT id::bigint, $1::integer, $2::bigint, 'twin', now() FROM twin
  ON CONFLICT (vehicle_id) DO UPDATE SET delivery_id = excluded.delivery_id,
    reason = excluded.reason, at = excluded.at
)
SELECT file_no, count(DISTINCT id) AS twins FROM twin GROUP BY file_no"""

    def extras(self) -> str:
        return f"""
WITH fresh AS MATERIALIZED (
  SELECT f.file_no, f.vehicle_id, s.extras FROM pg_temp.ingestd_fate f
  JOIN pg_temp.{self.stage} s ON {_SAME_LINE}
  LEFT JOIN ingest.vehicle_extras x ON x.vehicle_id = f.vehicle_id
  WHERE f.outcome IS NULL AND f.vehicle_id IS NOT NULL AND s.extras IS NOT NULL
    AND x.extras IS DISTINCT FROM s.extras
), kept AS (
  INSERT INTO ingest.vehicle_extras AS e (vehicle_id, extras)
  SELECT vehicle_id, extras FROM fresh ORDER BY vehicle_id
  ON CONFLICT (vehicle_id) DO UPDATE SET extras = excluded.extras
)
SELECT file_no, count(*) AS extras FROM fresh GROUP BY file_no"""

    def on_again(self) -> str:
        """What is on offer was switched off by nobody: forget that ingestd once did."""
        return f"""
DELETE FROM ingest.deactivations d USING pg_temp.ingestd_fate f, {self.vehicles} v
WHERE d.dealership_id = $1 AND f.vehicle_id = d.vehicle_id AND f.outcome IS NULL
  AND {self.id} = d.vehicle_id AND {self.is_on()}"""

    def junk(self) -> str:
        """A VIN that the reader took away from a row identifies nothing at this dealership."""
        return f"""
INSERT INTO ingest.junk_vins (dealership_id, vin)
SELECT DISTINCT $1::integer, {self.staged("vin")} FROM pg_temp.ingestd_fate f
JOIN pg_temp.{self.stage} s ON {_SAME_LINE}
WHERE f.outcome IS NULL AND f.vin IS NULL AND {self.staged("vin")} IS NOT NULL
ON CONFLICT DO NOTHING"""
