"""DOOR  The live vehicles table: the catalogue read, and the profile found that fits it."""

from collections.abc import Sequence
from importlib import resources

from ingestd.config import TargetSettings, did_you_mean
from ingestd.errors import Fault, Misconfigured
from ingestd.store.layout import (
    CatalogueColumn,
    Layout,
    Profile,
    lay_out,
    misfits,
    parse_profile,
)
from ingestd.store.pool import Connection, Pool
from ingestd.store.sql import qualified

_COLUMNS = """
SELECT a.attname AS name, t.typname AS type,
       pg_catalog.format_type(a.atttypid, a.atttypmod) AS sql_type,
       a.attnotnull AS not_null,
       CASE WHEN t.typname IN ('varchar', 'bpchar') AND a.atttypmod > 4
            THEN a.atttypmod - 4 END AS max_length,
       CASE WHEN a.attidentity <> ''
            THEN pg_catalog.format('nextval(%L::regclass)',
                   pg_catalog.pg_get_serial_sequence($1, a.attname))
            WHEN a.attgenerated = '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid)
       END AS default,
       a.attidentity <> '' AS identity, a.attgenerated <> '' AS generated,
       t.typtype = 'e' AS enum
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = pg_catalog.to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum"""

#: Column sets of unique indexes.  A partial one counts only where it leaves out no VIN.
_KEYS = """
SELECT pg_catalog.array_agg(a.attname::text) AS key
FROM pg_catalog.pg_index i
CROSS JOIN LATERAL pg_catalog.unnest(i.indkey[0:i.indnkeyatts - 1]) AS k(attnum)
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
WHERE i.indrelid = pg_catalog.to_regclass($1) AND i.indisunique AND i.indisvalid
  AND (i.indpred IS NULL
       OR pg_catalog.pg_get_expr(i.indpred, i.indrelid) ~* '^\\(\\w+ IS NOT NULL\\)$')
GROUP BY i.indexrelid"""

_LEDGER = "SELECT pg_catalog.to_regclass('ingest.deliveries') IS NOT NULL"


def profiles() -> tuple[Profile, ...]:
    """Read the profiles that come with the program."""
    folder = resources.files("ingestd.store").joinpath("profiles")
    files = sorted((entry for entry in folder.iterdir()), key=lambda entry: entry.name)
    return tuple(
        parse_profile(entry.read_text(encoding="utf-8"))
        for entry in files
        if entry.name.endswith(".toml")
    )


async def read_layout(pool: Pool, settings: TargetSettings) -> Layout:
    """Describe the live table by the profile that fits it, or by the one configured.

    Raises:
        Misconfigured: no schema, no table, no profile that fits, or several that do.
    """
    known = profiles()
    if settings.profile is not None:
        known = _named(known, settings.profile)
    async with pool.transaction() as connection:
        if not await connection.fetchval(_LEDGER):
            raise Misconfigured(
                Fault("database", "schema ingest is missing; run `ingestd schema apply`")
            )
        seen = {profile.name: await _columns(connection, profile) for profile in known}
        fitting = [profile for profile in known if not _faults(profile, seen)]
        if len(fitting) != 1:
            raise _no_fit(known, seen, settings)
        (profile,) = fitting
        keys = [
            frozenset(row["key"])
            for row in await connection.fetch(_KEYS, qualified(profile.table))
            if None not in row["key"]
        ]
    return lay_out(profile, settings.distance, seen[profile.name], keys)


async def _columns(connection: Connection, profile: Profile) -> tuple[CatalogueColumn, ...]:
    rows = await connection.fetch(_COLUMNS, qualified(profile.table))
    return tuple(CatalogueColumn(**dict(row)) for row in rows)


def _named(known: Sequence[Profile], name: str) -> tuple[Profile, ...]:
    found = tuple(profile for profile in known if profile.name == name)
    if not found:
        names = [profile.name for profile in known]
        hint = did_you_mean(name, names) or f"; known are: {', '.join(names)}"
        raise Misconfigured(Fault("target.profile", f"there is no profile {name!r}{hint}"))
    return found


def _faults(profile: Profile, seen: dict[str, tuple[CatalogueColumn, ...]]) -> tuple[str, ...]:
    columns = seen[profile.name]
    return misfits(profile, columns) if columns else (f"there is no table {profile.table}",)


def _no_fit(
    known: Sequence[Profile],
    seen: dict[str, tuple[CatalogueColumn, ...]],
    settings: TargetSettings,
) -> Misconfigured:
    if not any(seen.values()):
        table = known[0].table
        return Misconfigured(
            Fault("database", f"there is no table {table}; run `ingestd schema apply`")
        )
    lines = [
        f"  profile {profile.name}: the table {fault}"
        for profile in known
        for fault in _faults(profile, seen) or ("fits as well as another",)
    ]
    names = " or ".join(f'"{profile.name}"' for profile in known)
    block = f'[target]\nprofile = {names}\ndistance = "{settings.distance}"   # or "kilometers"'
    text = "the vehicles table is not one that is known:\n" + "\n".join(lines)
    return Misconfigured(
        Fault(
            "target", f"{text}\nName the profile that describes it, or change the table:\n{block}"
        )
    )
