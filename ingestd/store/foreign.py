"""PURE  The SQL for vehicles of other dealerships whose VINs rows bear, where a VIN is unique.

Such a vehicle moves only if it is sold, or if the feed that last listed it is a full one, no
longer lists it and last did so a week ago or more; that is told by ``ingest.listings``, so that
what no feed ever listed moves only if it is sold.  Times are order keys.  Else the row is rejected
(``vin_of_other_dealership``).  There it starts afresh: on offer, missed by nobody, without the
extra cells of before; its values follow its row.

Rules:
  * Whose vehicle moves is locked as a whole (see ``moving``) before it is decided for good.
  * A vehicle is locked and looked at again before it moves.
"""

from ingestd.store.history import Change, note
from ingestd.store.sql import Names, ident, literal

#: A vehicle that its own feed no longer lists may move so long after it last did.
_WAIT = "interval '7 days'"

#: Whose vehicles would move.
DEALERSHIPS = """
SELECT DISTINCT from_dealership AS number FROM pg_temp.ingestd_fate
WHERE from_dealership IS NOT NULL ORDER BY 1"""

#: Decide again: nothing moves yet.
UNDO = """
UPDATE pg_temp.ingestd_fate SET vehicle_id = NULL, from_dealership = NULL
WHERE from_dealership IS NOT NULL"""


class Foreign(Names):
    """The statements by which vehicles come over, for one layout; all empty without such a key."""

    def there(self) -> bool:
        """Whether a VIN is unique for all dealerships together."""
        return self.layout.target.vin_key == "vin"

    def by_key(self) -> str:
        """Decide, VIN by VIN: the spellings in use are looked up by the key."""
        spellings = ", ".join(
            f"{before}{vin}{after}"
            for vin in ("f.vin", "lower(f.vin)")
            for before, after in (("", ""), ("", " || ' '"), ("' ' || ", ""), ("'  ' || ", ""))
        )
        return self._decide(f"{self.stored('vin')} = ANY (ARRAY[{spellings}])")

    def by_scan(self) -> str:
        """Decide in one pass over the table, however VINs are spelt there."""
        return self._decide(f"{self.stored_vin()} = f.vin")

    def _decide(self, same_vin: str) -> str:
        """$2: whether any may move; $3: first part of the order key; $4: feeds that are not full.

        Of two spellings the normal one is meant, then the newest; where one of them may not
        move, none does.
        """
        if not self.there():
            return ""
        name, column = ident(self.layout.dealership), literal(self.layout.dealership)
        may = f"""($2::boolean AND {self._departed()}
          AND has_column_privilege({literal(self.vehicles)}, {column}, 'UPDATE'))"""
        return f"""
WITH found AS (
  SELECT f.file_no, f.line, {self.id} AS id, v.{name} AS dealership,
         {self.stored("vin")} = f.vin AS exact, {may} AS may
  FROM pg_temp.ingestd_fate f
  JOIN {self.vehicles} v ON {same_vin}
  WHERE f.outcome IS NULL AND f.vehicle_id IS NULL AND f.vin IS NOT NULL
    AND {self.dealership} <> $1
), picked AS (
  SELECT DISTINCT ON (file_no, line) file_no, line, id, dealership,
         bool_and(may) OVER (PARTITION BY file_no, line) AS may
  FROM found ORDER BY file_no, line, exact DESC, id DESC
)
UPDATE pg_temp.ingestd_fate f SET
  vehicle_id = CASE WHEN p.may THEN p.id END,
  from_dealership = CASE WHEN p.may THEN p.dealership END,
  outcome = CASE WHEN NOT p.may THEN 'rejected' END,
  reason = CASE WHEN NOT p.may THEN 'vin_of_other_dealership' END,
  field = CASE WHEN NOT p.may THEN 'vin' END,
  value = CASE WHEN NOT p.may THEN f.vin ELSE f.value END
FROM picked p WHERE p.file_no = f.file_no AND p.line = f.line"""

    def _departed(self) -> str:
        """Whether the stored vehicle is sold, or has left the lot of the feed that listed it.

        A delivery that is older than its last listing knows nothing of either.
        """
        sold = f"{self.stored('status')}::text IS NOT DISTINCT FROM "
        sold += literal(self.layout.target.status_sold)
        return f"""coalesce((
            SELECT CASE WHEN {sold} THEN last.at <= $3::timestamptz
                   ELSE NOT last.listed AND last.feed <> ALL ($4::text[])
                     AND last.at <= $3::timestamptz - {_WAIT} END
            FROM (
              SELECT l.feed, l.listed, coalesce(l.left_first_seen, n.latest_first_seen) AS at
              FROM ingest.listings l
              LEFT JOIN ingest.feeds n ON n.feed = l.feed AND n.dealership_id = l.dealership_id
              WHERE l.vehicle_id = {self.id} AND l.dealership_id = {self.dealership}
              ORDER BY at DESC NULLS LAST,
                coalesce(l.left_delivery_id, n.latest_delivery_id) DESC NULLS LAST
              LIMIT 1) last), {sold})"""

    def lock(self) -> str:
        """Lock what is about to move, where it still may."""
        return f"""
SELECT {self.id} FROM pg_temp.ingestd_fate f
JOIN {self.vehicles} v ON {self.id} = f.vehicle_id
WHERE f.from_dealership IS NOT NULL AND f.outcome IS NULL
  AND {self.dealership} = f.from_dealership AND {self._departed()}
  AND $1::integer IS NOT NULL AND $2::boolean
ORDER BY {self.id} FOR NO KEY UPDATE OF v"""

    def note(self) -> str:
        """Note what the move is about to change."""
        rows = f"""pg_temp.ingestd_fate f
JOIN {self.vehicles} v ON f.from_dealership IS NOT NULL AND {self.id} = f.vehicle_id"""
        changes = [
            Change(literal(name), f"v.{ident(name)}", value) for name, value in self._afresh()
        ]
        return note(rows, "'transfer'", changes, alias="f")

    def _afresh(self) -> list[tuple[str, str]]:
        """Columns, and their values at the new dealership."""
        values = [(self.layout.dealership, "$1::integer")]
        slot = self.layout.slot("status")
        if slot is not None:
            active = self.cast(slot, literal(self.layout.target.status_active))
            values.append((slot.column.name, active))
        if self.layout.active:
            values.append((self.layout.active, "true"))
        return values

    def move(self) -> str:
        """Hand over what is locked, and forget what the books have on it besides its history."""
        values = self._afresh()
        if self.layout.updated:
            values.append(self.layout.updated)
        assignments = ", ".join(f"{ident(name)} = {value}" for name, value in values)
        return f"""
WITH moved AS MATERIALIZED (
  SELECT vehicle_id AS id FROM pg_temp.ingestd_fate WHERE from_dealership IS NOT NULL
), off AS (
  DELETE FROM ingest.deactivations WHERE vehicle_id IN (SELECT id FROM moved)
), extras AS (
  DELETE FROM ingest.vehicle_extras WHERE vehicle_id IN (SELECT id FROM moved)
), listings AS (
  DELETE FROM ingest.listings
  WHERE vehicle_id IN (SELECT id FROM moved) AND dealership_id <> $1
)
UPDATE {self.vehicles} v SET {assignments}
WHERE {self.id} IN (SELECT id FROM moved)"""
