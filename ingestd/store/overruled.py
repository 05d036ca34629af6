"""PURE  The SQL for tables whose triggers change what is written to them.

Such a table has the last word: a value that it does not keep would differ at every import, and
be written, noted and counted for ever.  So what a row wanted and what became of it are kept as
fingerprints (``ingest.overruled``); a vehicle is left alone while both are the same.  Another
value in the file, or somebody's edit, makes a difference again, and is tried once.
"""

from collections.abc import Iterable, Sequence

#: (column, its new value for a match, the condition that this differs), as ``Merge.merged``.
Merged = Sequence[tuple[str, str, str]]


def fingerprint(values: Iterable[str]) -> str:
    """Give an expression that is the same for the same values, and for others another."""
    return f"md5(ROW({', '.join(values)})::text)"


def not_overruled(vehicle: str, stored: Iterable[str], merged: Merged) -> str:
    """Give the condition that nothing is known of a vehicle's wish and its fate."""
    return f"""NOT EXISTS (SELECT FROM ingest.overruled o WHERE o.vehicle_id = {vehicle}
    AND o.wanted = {fingerprint(value for _, value, _ in merged)}
    AND o.became = {fingerprint(stored)})"""


def remember(rows: str, vehicle: str, stored: Iterable[str], merged: Merged) -> str:
    """Remember the vehicles of ``rows``, just written, that still differ from their rows."""
    differs = " OR ".join(condition for _, _, condition in merged)
    return f"""
INSERT INTO ingest.overruled (vehicle_id, wanted, became)
SELECT {vehicle}, {fingerprint(value for _, value, _ in merged)}, {fingerprint(stored)}
FROM {rows} WHERE {differs}
ON CONFLICT (vehicle_id) DO UPDATE SET wanted = excluded.wanted, became = excluded.became"""
