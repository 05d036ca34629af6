"""PURE  The SQL that writes down what is changed of a stored vehicle: which column, from, to, why.

What is about to be changed is noted in ``h``, a temporary table, before it is changed, and kept
in ``ingest.vehicle_changes`` when the imports have their numbers: in the same transaction, so
that there is no change without its history and no history of what was taken back.

Rules:
  * One row for each column that differs; old and new as the table has them, as text.
  * A new vehicle has no history: nothing of it changed.
  * Whatever changes a stored vehicle besides its own row's values notes it by ``note``.

Causes: row, sold, returned, vin_replaced (a row of the vehicle said so); twin, missing,
transfer (see ``ingest.vehicle_changes.cause``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ingestd.store.sql import literal

#: A longer text is cut to this many characters, the last of them "…".
LONGEST = 1000

#: Columns of the temporary table ``h``.
NOTED = """file_no integer, line integer, vehicle_id bigint, cause text, field text,
    old text, new text"""

KEEP = """
INSERT INTO ingest.vehicle_changes (vehicle_id, import_id, line, at, cause, field, old, new)
SELECT h.vehicle_id, i.id, h.line, now(), h.cause, h.field, h.old, h.new
FROM pg_temp.ingestd_history h
JOIN unnest($1::int[], $2::bigint[]) AS i(file_no, id) ON i.file_no = h.file_no
ORDER BY h.vehicle_id"""

_BATCH = 10_000

#: A batch of what is older than $1, an interval; FULL is the command's tag where there may be more.
FULL = f"DELETE {_BATCH}"
EXPIRE = f"""
DELETE FROM ingest.vehicle_changes WHERE ctid = ANY (ARRAY(
  SELECT ctid FROM ingest.vehicle_changes WHERE at < now() - $1::interval
  ORDER BY at LIMIT {_BATCH} FOR UPDATE SKIP LOCKED))"""

#: The changes of $1, vehicle ids: newest first, each with the import and the mail that it was.
#: $2: only of this column; $3: how many of each vehicle.
CHANGES = """
SELECT c.vehicle_id, c.at, c.field, c.old, c.new, c.cause, c.import_id, i.file, c.line,
       i.feed, i.delivery_id, d.source, d.sender, d.subject
FROM unnest($1::bigint[]) AS w(vehicle_id)
CROSS JOIN LATERAL (
  SELECT * FROM ingest.vehicle_changes x
  WHERE x.vehicle_id = w.vehicle_id AND ($2::text IS NULL OR x.field = $2)
  ORDER BY x.at DESC, x.import_id DESC, x.line, x.field LIMIT $3) c
LEFT JOIN ingest.imports i ON i.id = c.import_id
LEFT JOIN ingest.deliveries d ON d.id = i.delivery_id
ORDER BY c.vehicle_id, c.at DESC, c.import_id DESC, c.line, c.field"""

#: Which delivery added each of $1, vehicle ids; $2: an import of that delivery, or null.
ADDED = """
SELECT w.vehicle_id, i.started_at AS at, i.feed, i.delivery_id, d.source, d.name, d.sender,
       d.subject
FROM unnest($1::bigint[], $2::bigint[]) AS w(vehicle_id, import_id)
JOIN ingest.imports i ON i.id = w.import_id
JOIN ingest.deliveries d ON d.id = i.delivery_id"""


@dataclass(frozen=True, slots=True)
class Change:
    """A column and its two values, as SQL.

    Without ``differs``, a condition, the two are compared as text.
    """

    field: str  # a string literal
    old: str
    new: str
    differs: str | None = None
    cause: str | None = None


def note(rows: str, cause: str, changes: Sequence[Change], *, alias: str = "") -> str:
    """Give the INSERT that notes ``changes`` of each of ``rows``.

    ``rows`` is what follows FROM: it, or its part ``alias``, has file_no, line and vehicle_id,
    and all that the changes speak of.  ``cause`` is SQL too, of those changes that have none.
    """
    prefix = f"{alias}." if alias else ""
    records = ",\n  ".join(_record(change, cause) for change in changes)
    return f"""
INSERT INTO pg_temp.ingestd_history (file_no, line, vehicle_id, cause, field, old, new)
SELECT {prefix}file_no, {prefix}line, {prefix}vehicle_id, x.cause, x.field, x.old, x.new
FROM {rows}
CROSS JOIN LATERAL unnest(ARRAY[
  {records}]) AS x(cause text, field text, old text, new text)
WHERE x.field IS NOT NULL"""


def switch_off(column: str, value: str, cause: str) -> str:
    """Give the INSERT that notes that vehicles are switched off: ``column`` is to be ``value``.

    They are those of a CTE that is named for the ``cause``.  It has id, file_no, line, and the
    column as ``was``; where it has a vehicle more than once, the first line is the cause.
    """
    rows = f"""(SELECT DISTINCT ON (id) id AS vehicle_id, file_no, line, was
      FROM {cause} ORDER BY id, file_no, line) o"""
    return note(rows, literal(cause), [Change(literal(column), "o.was", value)], alias="o")


def _record(change: Change, cause: str) -> str:
    old, new = f"({change.old})::text", f"({change.new})::text"
    differs = change.differs or f"{old} IS DISTINCT FROM {new}"
    record = ", ".join((f"({change.cause or cause})::text", f"{change.field}::text"))
    return f"CASE WHEN {differs} THEN ROW({record}, {_cut(old)}, {_cut(new)}) END"


def _cut(text: str) -> str:
    short = f"left({text}, {LONGEST - 1}) || '…'"
    return f"CASE WHEN length({text}) > {LONGEST} THEN {short} ELSE {text} END"
