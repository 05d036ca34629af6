"""PURE  The SQL that makes the table agree with the rows whose fate is decided.

Rules:
  * Nothing is written to a row of the table that would not change it, and no lock is taken.
  * Rows are locked in the order of their ids.
  * A column's first value is what the same row would leave in place the next time.

Status and is_active of a stored vehicle (a new one is active unless its row says otherwise):

    off, and so by a person          both stay: their word counts, also where they made sold
                                     what ingestd had switched off, or the other way round
    off, sold as the feed said       a word for on offer brings it back, and so does a file
                                     without any status; a cell that is blank or cannot be
                                     read says nothing, and both stay
    off otherwise (twin, missing)    its row brings it back, unless that says sold
    on                               the row's word; without one both stay
"""

from ingestd.store import history, overruled
from ingestd.store.history import Change
from ingestd.store.layout import Slot
from ingestd.store.sql import IDENTITY, SAME_LINE, Names, ident, literal
from ingestd.vehicle import FIELDS

KEEP_FINDINGS = """
INSERT INTO ingest.rejections (import_id, line, column_name, reason, value)
SELECT i.id, f.line, f.column_name, f.reason, coalesce(f.value, '')
FROM pg_temp.ingestd_fate f
JOIN unnest($1::int[], $2::bigint[]) AS i(file_no, id) ON i.file_no = f.file_no
WHERE f.outcome = 'rejected'"""

OFF = """
INSERT INTO ingest.deactivations AS d (vehicle_id, dealership_id, delivery_id, reason, at)
SELECT c.vehicle_id, $1, $2, 'sold', now() FROM pg_temp.ingestd_changed c
WHERE NOT c.now_on
ON CONFLICT (vehicle_id) DO UPDATE SET dealership_id = excluded.dealership_id,
  delivery_id = excluded.delivery_id, reason = excluded.reason, at = excluded.at"""

#: Placeholders that stand in the table from now on.
PROVISIONAL = """
INSERT INTO ingest.provisional_vins (dealership_id, vin, delivery_id, at)
SELECT DISTINCT $1::integer, f.vin, $2::bigint, now() FROM pg_temp.ingestd_fate f
WHERE f.provisional AND f.outcome IS NULL AND f.vin IS NOT NULL
ON CONFLICT DO NOTHING"""


class Merge(Names):
    """The statements that change the table, for one layout."""

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

    def _differs(self, slot: Slot, value: str) -> str:
        if slot.column.type == "json":  # has no equality of its own
            return f"{self.stored(slot.column.field)}::jsonb IS DISTINCT FROM ({value})::jsonb"
        return f"{self.stored(slot.column.field)} IS DISTINCT FROM {value}"

    def _state(self) -> list[tuple[str, str, str]]:
        """Status and is_active, as the head of this module has it."""
        state = []
        slot = self.layout.slot("status")
        if slot is not None:
            stored = self.stored("status")
            active = self.cast(slot, literal(self.layout.target.status_active))
            value = (
                f"CASE WHEN {self.stays()} THEN {stored} "
                f"WHEN s.status IS NOT NULL THEN {self.cast(slot, 's.status')} "
                f"WHEN NOT {self.is_on()} THEN {active} ELSE {stored} END"
            )
            state.append((slot.column.name, value, f"{stored} IS DISTINCT FROM {value}"))
        if self.layout.active:
            stored = f"v.{ident(self.layout.active)}"
            value = f"CASE WHEN {self.stays()} THEN {stored} ELSE NOT {self.sold_now()} END"
            state.append((self.layout.active, value, f"{stored} IS DISTINCT FROM {value}"))
        return state

    def lock_changed(self) -> str:
        """Lock the matches that differ, and only those, and note them in ``c``."""
        differs = "\n    OR ".join(condition for _, _, condition in self.merged())
        return f"""
INSERT INTO pg_temp.ingestd_changed (file_no, line, vehicle_id, was_on, now_on)
SELECT f.file_no, f.line, {self.id}, {self.is_on()},
       CASE WHEN NOT {self.stays()} THEN NOT {self.sold_now()} END
FROM pg_temp.ingestd_fate f
JOIN pg_temp.{self.stage} s ON {SAME_LINE}
JOIN {self.vehicles} v ON {self.id} = f.vehicle_id
LEFT JOIN ingest.deactivations d ON d.vehicle_id = f.vehicle_id
WHERE f.outcome IS NULL AND {self.dealership} = $1
  AND (f.from_dealership IS NOT NULL OR (({differs}){self._spared()}))
ORDER BY {self.id} FOR NO KEY UPDATE OF v"""

    def _spared(self) -> str:
        """Leave out what a trigger of the table has made otherwise before."""
        if not self.layout.triggers:
            return ""
        merged = self.merged()
        stored = [f"v.{ident(name)}" for name, _, _ in merged]
        return f"\n  AND {overruled.not_overruled(self.id, stored, merged)}"

    def overruled(self) -> str:
        """Remember what a trigger of the table made otherwise just now; empty without triggers."""
        if not self.layout.triggers:
            return ""
        merged = self.merged()
        rows = f"{self._changed()}\nJOIN {self.vehicles} v ON {self.id} = c.vehicle_id"
        stored = [f"v.{ident(name)}" for name, _, _ in merged]
        return overruled.remember(rows, self.id, stored, merged)

    def update(self) -> str:
        """Bring what is in ``c`` to what the rows say."""
        columns = [f"{ident(name)} = {value}" for name, value, _ in self.merged()]
        if self.layout.updated:
            name, now = self.layout.updated
            columns.append(f"{ident(name)} = {now}")
        assignments = ",\n  ".join(columns)
        return f"""
UPDATE {self.vehicles} v SET
  {assignments}
FROM {self._changed()}
WHERE {self.id} = c.vehicle_id AND {self.dealership} = $1"""

    def _changed(self) -> str:
        return f"""pg_temp.ingestd_changed c
JOIN pg_temp.ingestd_fate f ON f.file_no = c.file_no AND f.line = c.line
JOIN pg_temp.{self.stage} s ON {SAME_LINE}
LEFT JOIN ingest.deactivations d ON d.vehicle_id = c.vehicle_id"""

    def note(self) -> str:
        """Note what the update is about to change of what is in ``c``."""
        changes = [
            Change(literal(name), f"v.{ident(name)}", value, differs, self._cause(name))
            for name, value, differs in self.merged()
        ]
        rows = f"{self._changed()}\nJOIN {self.vehicles} v ON {self.id} = c.vehicle_id"
        return history.note(rows, "'row'", changes, alias="c")

    def _cause(self, name: str) -> str | None:
        """Give, as SQL, what made a row's word for a column more than a value."""
        slots = {field: self.layout.slot(field) for field in ("vin", "status")}
        named = {field: slot.column.name for field, slot in slots.items() if slot}
        if name == named.get("vin"):
            return f"CASE WHEN {self.stored_vin()} <> f.vin THEN 'vin_replaced' ELSE 'row' END"
        if name in (named.get("status"), self.layout.active):
            return (
                "CASE WHEN c.was_on AND NOT c.now_on THEN 'sold'"
                " WHEN c.now_on AND NOT c.was_on THEN 'returned' ELSE 'row' END"
            )
        return None

    def remember(self) -> str:
        """Remember the placeholders that are about to be replaced, and by what."""
        return f"""
INSERT INTO ingest.provisional_vins (dealership_id, vin, vehicle_id, replaced_by, delivery_id, at)
SELECT $1::integer, {self.stored_vin()}, f.vehicle_id, f.vin, $2::bigint, now()
FROM pg_temp.ingestd_fate f JOIN {self.vehicles} v ON {self.id} = f.vehicle_id
WHERE f.succeeds AND f.outcome IS NULL AND {self.dealership} = $1
ON CONFLICT (dealership_id, vin) DO UPDATE SET vehicle_id = excluded.vehicle_id,
  replaced_by = excluded.replaced_by, delivery_id = excluded.delivery_id, at = excluded.at"""

    def insert(self) -> str:
        """Ids are drawn in the order of the lines; the rest follows the stage, unsorted.

        $2 is the delivery, $3 the feed that lists them, $4 whether as its baseline, $5 whether as
        the first of a hold.  A row that a policy would hide from us is refused by RETURNING: it
        would be added every day.
        """
        values = {self.layout.id: "n.id", self.layout.dealership: "$1"}
        values |= {slot.column.name: self._first(slot) for slot in self.layout.slots}
        if self.layout.active:
            values[self.layout.active] = f"NOT {self.sold_now()}"
        values |= dict(self.layout.stamps)
        names = ", ".join(ident(name) for name in values)
        override = " OVERRIDING SYSTEM VALUE" if self.layout.id_is_identity else ""
        slot = self.layout.slot("price")
        price = ident(slot.column.name) if slot else "NULL"
        return f"""
WITH new AS MATERIALIZED (
  SELECT {self.layout.next_id} AS id, o.* FROM (
    SELECT file_no, line, keep, vin, stock_number, make, model, year FROM pg_temp.ingestd_fate
    WHERE outcome IS NULL AND vehicle_id IS NULL ORDER BY file_no, line OFFSET 0) o
), added AS (
  INSERT INTO {self.vehicles} ({names}){override}
  SELECT {", ".join(values.values())}
  FROM pg_temp.{self.stage} s JOIN new n ON s.file_no = n.file_no AND s.line = n.line
  RETURNING {ident(self.layout.id)} AS id, {price}::numeric AS price
), listings AS (
  INSERT INTO ingest.listings (dealership_id, vehicle_id, feed, listed, baseline, held, price)
  SELECT $1::integer, id, $3::text, true, $4::boolean, $5::boolean, price FROM added
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
        """Switch off a vehicle without VIN whose stock number a vehicle with VIN now bears.

        Once: what a person switched on since stays.  Empty where the table cannot say so.
        """
        off = self.switched_off()
        if off is None:
            return ""  # such a table cannot say that a vehicle is off
        column, value = off
        was, told = f"v.{ident(column)}", history.switch_off(column, value, "twin")
        assignments = [f"{ident(column)} = {value}"]
        if self.layout.updated:
            assignments.append(f"{ident(self.layout.updated[0])} = {self.layout.updated[1]}")
        return f"""
WITH twin AS MATERIALIZED (
  SELECT {self.id} AS id, w.file_no, w.line, {was} AS was FROM pg_temp.ingestd_fate w
  JOIN {self.vehicles} v ON {self.stored_stock()} = {self.fold("w.stock_number")}
  WHERE {self.dealership} = $1 AND {self.stored_vin()} IS NULL AND {self.is_on()}
    AND w.outcome IS NULL AND w.vehicle_id IS NOT NULL AND w.vehicle_id <> {self.id}
    AND w.vin IS NOT NULL AND {self.same_car()}
    AND NOT EXISTS (SELECT FROM pg_temp.ingestd_fate t
                    WHERE t.vehicle_id = {self.id} AND t.outcome IS NULL)
    AND NOT EXISTS (SELECT FROM ingest.deactivations t
                    WHERE t.vehicle_id = {self.id} AND t.reason = 'twin')
  ORDER BY {self.id} FOR NO KEY UPDATE OF v
), gone AS (
  UPDATE {self.vehicles} v SET {", ".join(assignments)}
  WHERE {self.id} IN (SELECT id FROM twin)
), noted AS (
  INSERT INTO ingest.deactivations (vehicle_id, dealership_id, delivery_id, reason, at)
  SELECT DISTINCT id::bigint, $1::integer, $2::bigint, 'twin', now() FROM twin
  ON CONFLICT (vehicle_id) DO UPDATE SET delivery_id = excluded.delivery_id,
    reason = excluded.reason, at = excluded.at
), told AS ({told}
)
SELECT file_no, count(*) AS twins FROM (
  SELECT DISTINCT ON (id) id, file_no FROM twin ORDER BY id, file_no, line) t
GROUP BY file_no"""

    def extras(self) -> str:
        """Keep the extra cells of matches where they are other than before."""
        return f"""
WITH fresh AS MATERIALIZED (
  SELECT f.file_no, f.vehicle_id, s.extras FROM pg_temp.ingestd_fate f
  JOIN pg_temp.{self.stage} s ON {SAME_LINE}
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
        """What is on offer was switched off by nobody: forget that ingestd once did.

        Who switched it on has seen it: it was not missed.  Only a twin that no row means is
        remembered, which is how a person's word on it is known.
        """
        # Whether an absent vehicle is on was looked up before: only the rest is looked up here.
        return f"""
WITH again AS (
  DELETE FROM ingest.deactivations d USING (
    SELECT vehicle_id, true AS meant FROM pg_temp.ingestd_fate
    WHERE outcome IS NULL AND vehicle_id IS NOT NULL
    UNION ALL SELECT vehicle_id, false FROM pg_temp.ingestd_absent WHERE stored AND is_on
    UNION ALL SELECT vehicle_id, false FROM ingest.deactivations e
    WHERE e.dealership_id = $1
      AND NOT EXISTS (SELECT FROM pg_temp.ingestd_absent a WHERE a.vehicle_id = e.vehicle_id)
      AND NOT EXISTS (SELECT FROM pg_temp.ingestd_fate f
                      WHERE f.vehicle_id = e.vehicle_id AND f.outcome IS NULL)) c
  WHERE d.dealership_id = $1 AND d.vehicle_id = c.vehicle_id AND (c.meant OR d.reason <> 'twin')
    AND (SELECT {self.is_on()} FROM {self.vehicles} v WHERE {self.id} = d.vehicle_id)
  RETURNING d.vehicle_id
)
UPDATE ingest.listings l SET misses = 0 FROM again
WHERE l.dealership_id = $1 AND l.vehicle_id = again.vehicle_id AND l.misses > 0"""

    def junk(self) -> str:
        """A VIN that the reader took away from its rows identifies nothing at this dealership.

        It is one that stands in the stream and that no row bears: not those that were
        rejected for want of another identity, nor what replaced the others.
        """
        vin = self.staged("vin")
        return f"""
INSERT INTO ingest.junk_vins (dealership_id, vin)
SELECT DISTINCT $1::integer, {vin} FROM pg_temp.ingestd_fate f
JOIN pg_temp.{self.stage} s ON {SAME_LINE}
WHERE {vin} IS NOT NULL AND s.reason IS NULL
  AND (f.vin IS DISTINCT FROM {vin} OR f.outcome = 'duplicate')
  AND NOT EXISTS (SELECT FROM pg_temp.ingestd_fate w
                  WHERE w.vin = {vin} AND (w.outcome IS NULL OR w.field IS NOT NULL))
  AND NOT EXISTS (SELECT FROM ingest.provisional_vins p
                  WHERE p.dealership_id = $1 AND p.vin = {vin} AND p.replaced_by IS NOT NULL)
ON CONFLICT DO NOTHING"""
