"""DOOR  One vehicle, as a person asks for it: what it is now, who lists it, how it came to be so.

Rules:
  * A VIN is found however it is spelt, here or there, and by the provisional one that it had.
  * Who asks without naming a dealership sees those of all; where a policy of the table hides them
    from each other, one dealership is asked after the other.
"""

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ingestd.phrasing import iso
from ingestd.store import history
from ingestd.store.layout import Layout
from ingestd.store.pool import Connection, Pool, Row
from ingestd.store.sql import Names, ident

#: In a value of ``[target.settings]``: the dealership whose vehicles are meant.
OWN = "{dealership}"
#: So many near ones are named, of so many that are compared letter by letter.
_NEAR, _COMPARED = 5, 500

_DEALERSHIPS = "SELECT id, name FROM public.dealerships ORDER BY id"

_LISTINGS = """
SELECT l.vehicle_id, l.feed, l.dealership_id, l.listed, l.misses,
       coalesce(l.left_first_seen, f.latest_first_seen) AS last_listed_at,
       coalesce(l.left_delivery_id, f.latest_delivery_id)
         AS last_listed_delivery_id
FROM ingest.listings l
LEFT JOIN ingest.feeds f ON f.feed = l.feed AND f.dealership_id = l.dealership_id
WHERE l.vehicle_id = ANY ($1::bigint[]) ORDER BY l.listed DESC, l.feed"""

_DEACTIVATIONS = """
SELECT vehicle_id, reason, delivery_id, at FROM ingest.deactivations
WHERE vehicle_id = ANY ($1::bigint[])"""


@dataclass(frozen=True, slots=True)
class Sought:
    """What is asked for: a VIN or else a stock number, at one dealership or any.

    ``field`` and ``limit``: of the changes only the latest, only of that column.
    """

    vin: str | None
    stock: str | None = None
    dealership: int | None = None
    field: str | None = None
    limit: int = 100


class Lookup(Names):
    """Questions about the vehicles of one table."""

    def __init__(self, pool: Pool, layout: Layout, settings: Mapping[str, str]) -> None:
        """Take the table, and what is set locally in every transaction that reads it."""
        super().__init__(layout)
        self._pool = pool
        self._settings = settings

    def columns(self) -> tuple[str, ...]:
        """Give the columns that can have a history."""
        own = (self.layout.active, self.layout.dealership)
        return (*(slot.column.name for slot in self.layout.slots), *filter(None, own))

    async def find(self, sought: Sought) -> tuple[dict[str, Any], ...]:
        """Give the vehicles that ``sought`` means, as JSON has them; those on offer first."""
        rows = await self._each(self._found(sought), sought.vin or sought.stock, sought)
        rows.sort(key=lambda row: (not row["is_on"], row["dealership_id"], -row["vehicle_id"]))
        numbers = [row["vehicle_id"] for row in rows]
        added = [row["added"] for row in rows]
        async with self._pool.connection() as connection:
            names = {row["id"]: row["name"] for row in await connection.fetch(_DEALERSHIPS)}
            found = {
                "listed_by": await _by_vehicle(connection, _LISTINGS, numbers),
                "deactivated": await _by_vehicle(connection, _DEACTIVATIONS, numbers),
                "added": await _by_vehicle(connection, history.ADDED, numbers, added),
                "changes": await _by_vehicle(
                    connection, history.CHANGES, numbers, sought.field, sought.limit
                ),
            }
        return tuple(_vehicle(row, names, found) for row in rows)

    async def near(self, sought: Sought) -> tuple[str, ...]:
        """Give VINs, or stock numbers, that are like the one that was not found, nearest first."""
        wanted = sought.vin or sought.stock or ""
        rows = await self._each(self._like(sought), wanted, sought)
        known = list(dict.fromkeys(row["word"] for row in rows))
        parts = [word for word in known if wanted.upper() in word.upper()]
        near = difflib.get_close_matches(wanted.upper(), known, n=_NEAR, cutoff=0.6)
        return tuple(dict.fromkeys((*near, *parts)))[:_NEAR]

    async def _each(self, sql: str, word: str | None, sought: Sought) -> list[Row]:
        """Ask for all dealerships at once, unless the settings are those of one of them."""
        numbers: list[int | None] = [sought.dealership]
        if sought.dealership is None and any(OWN in value for value in self._settings.values()):
            async with self._pool.connection() as connection:
                numbers = [row["id"] for row in await connection.fetch(_DEALERSHIPS)]
        rows: list[Row] = []
        for number in numbers:
            local = {key: text.replace(OWN, f"{number}") for key, text in self._settings.items()}
            async with self._pool.transaction(local) as connection:
                rows += await connection.fetch(sql, word, number)
        return rows

    def _found(self, sought: Sought) -> str:
        created = "NULL::bigint"
        if self.layout.created:
            name, now = self.layout.created
            started = now.replace("now()", "i.started_at")
            created = f"""(SELECT min(i.id) FROM ingest.imports i
         WHERE i.added > 0 AND {started} = v.{ident(name)})"""
        return f"""
SELECT {self.id}::bigint AS vehicle_id, {self.dealership} AS dealership_id, {self.is_on()} AS is_on,
       to_jsonb(v)::text AS stored, {created} AS added
FROM {self.vehicles} v
WHERE ({self._is(sought)}) AND ($2::integer IS NULL OR {self.dealership} = $2)"""

    def _is(self, sought: Sought) -> str:
        if sought.vin is None:
            return f"{self.stored_stock()} = {self.fold('$1::text')}"
        return f"""{self.stored_vin()} = upper(btrim($1::text))
  OR {self.id} IN (SELECT p.vehicle_id FROM ingest.provisional_vins p
                   WHERE p.vin = upper(btrim($1::text)))"""

    def _like(self, sought: Sought) -> str:
        """A slip of the pen leaves either the beginning or the end of a word whole."""
        word = self.stored_vin() if sought.vin else f"btrim({self.stored('stock_number')})"
        begin, end = (11, 6) if sought.vin else (3, 3)
        return f"""
SELECT word FROM (SELECT {word} AS word, {self.dealership} AS dealership
                  FROM {self.vehicles} v) o, upper(btrim($1::text)) AS w(sought)
WHERE ($2::integer IS NULL OR dealership = $2) AND length(sought) > 2
  AND (strpos(upper(word), sought) > 0 OR left(upper(word), {begin}) = left(sought, {begin})
       OR right(upper(word), {end}) = right(sought, {end}))
ORDER BY strpos(upper(word), sought) = 0, word LIMIT {_COMPARED}"""


async def forget_changes(pool: Pool, keep_for: float) -> None:
    """Forget what was changed more than ``keep_for`` seconds ago, in short transactions."""
    tag = history.FULL
    while tag == history.FULL:
        async with pool.transaction() as connection:
            tag = await connection.execute(history.EXPIRE, timedelta(seconds=keep_for))


async def _by_vehicle(
    connection: Connection, sql: str, numbers: Sequence[int], *values: object
) -> dict[int, list[dict[str, Any]]]:
    """Give the rows of each vehicle, as JSON has them."""
    found: dict[int, list[dict[str, Any]]] = {}
    for row in await connection.fetch(sql, numbers, *values):
        told = {name: _told(value) for name, value in row.items() if name != "vehicle_id"}
        found.setdefault(row["vehicle_id"], []).append(told)
    return found


def _told(value: Any) -> Any:
    return iso(value) if isinstance(value, datetime) else value


def _vehicle(
    row: Row, names: Mapping[int, str], found: Mapping[str, Mapping[int, list[dict[str, Any]]]]
) -> dict[str, Any]:
    number = row["vehicle_id"]
    many = {name: rows.get(number, []) for name, rows in found.items()}
    return {
        "vehicle_id": number,
        "dealership_id": row["dealership_id"],
        "dealership": names.get(row["dealership_id"]),
        "vehicle": json.loads(row["stored"]),
        "listed_by": many["listed_by"],
        "deactivated": next(iter(many["deactivated"]), None),
        "added": next(iter(many["added"]), None),
        "changes": many["changes"],
    }
