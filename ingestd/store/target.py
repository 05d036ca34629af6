"""DOOR  The live vehicles table: the catalogue read, and the profile found that fits it."""

from collections.abc import Mapping, Sequence
from importlib import resources

from ingestd.config import TargetSettings
from ingestd.errors import Fault, Misconfigured
from ingestd.store.block import proposal
from ingestd.store.layout import CatalogueColumn, Facts, Layout, lay_out, misfits
from ingestd.store.pool import Connection, Pool
from ingestd.store.profile import TABLE, Profile, candidates, parse_profile
from ingestd.store.sql import qualified

_COLUMNS = """
SELECT a.attname AS name, t.typname AS type,
       pg_catalog.format_type(a.atttypid, a.atttypmod) AS sql_type,
       a.attnotnull AS not_null,
       CASE WHEN t.typname IN ('varchar', 'bpchar', '_varchar') AND a.atttypmod > 4
            THEN a.atttypmod - 4 END AS max_length,
       CASE WHEN a.attidentity <> ''
            THEN pg_catalog.format('nextval(%L::regclass)',
                   pg_catalog.pg_get_serial_sequence($1, a.attname))
            WHEN a.attgenerated = '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid)
       END AS default,
       a.attidentity <> '' AS identity, a.attgenerated <> '' AS generated,
       t.typtype = 'e' AS enum,
       ARRAY(SELECT e.enumlabel::text FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid
             ORDER BY e.enumsortorder) AS labels,
       CASE WHEN t.typname = 'numeric' AND a.atttypmod > 4
            THEN (a.atttypmod - 4) >> 16 & 65535 END AS precision,
       CASE WHEN t.typname = 'numeric' AND a.atttypmod > 4
            THEN ((a.atttypmod - 4) & 2047 # 1024) - 1024 END AS scale
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

#: Triggers: for each row (1), before it is written (2), on INSERT (4) or UPDATE (16).
_TABLE = """
SELECT c.relkind IN ('r', 'p') AS is_table, pg_catalog.row_security_active(c.oid) AS secured,
       ARRAY(SELECT g.tgname::text FROM pg_catalog.pg_trigger g
             WHERE g.tgrelid = c.oid AND NOT g.tgisinternal AND g.tgenabled <> 'D'
               AND g.tgtype & 3 = 3 AND g.tgtype & 20 <> 0 ORDER BY g.tgname) AS triggers
FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass($1)"""

#: What the role lacks, as GRANT has it: $2 the columns of an UPDATE, $3 those of an INSERT.
_LACKING = """
SELECT pg_catalog.array_to_string(ARRAY[
         CASE WHEN NOT pg_catalog.has_table_privilege(o, 'SELECT') THEN 'SELECT' END,
         'INSERT (' || (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(c), ', ')
                        FROM pg_catalog.unnest($3::text[]) AS c
                        WHERE NOT pg_catalog.has_column_privilege(o, c, 'INSERT')) || ')',
         'UPDATE (' || (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(c), ', ')
                        FROM pg_catalog.unnest($2::text[]) AS c
                        WHERE NOT pg_catalog.has_column_privilege(o, c, 'UPDATE')) || ')'
       ], ', ') AS rights,
       CASE WHEN NOT pg_catalog.has_sequence_privilege(q, 'USAGE') THEN q END AS sequence,
       pg_catalog.quote_ident(current_user) AS role
FROM (SELECT pg_catalog.to_regclass($1)::oid AS o,
             pg_catalog.pg_get_serial_sequence($1, $4) AS q) t"""

_LEDGER = "SELECT pg_catalog.to_regclass('ingest.deliveries') IS NOT NULL"


_ADVICE = "look this over and fill in what is empty here:\n"


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
        Misconfigured: no schema, no table, no profile that fits, several that do, or rights
            that the role lacks.
    """
    try:
        known = candidates(settings, profiles())
    except Misconfigured as error:
        raise await _incomplete(pool, settings, error) from None
    async with pool.transaction() as connection:
        if not await connection.fetchval(_LEDGER):
            raise Misconfigured(
                Fault("database", "schema ingest is missing; run `ingestd schema apply`")
            )
        tables = dict.fromkeys(profile.table for profile in known)
        seen = {table: await _columns(connection, table) for table in tables}
        fitting = [profile for profile in known if not _faults(profile, seen)]
        if len(fitting) != 1:
            raise _no_fit(known, seen, settings)
        (profile,) = fitting
        facts = await _facts(connection, profile.table)
        layout = lay_out(profile, settings.distance, seen[profile.table], facts)
        await _check_rights(connection, layout)
    return layout


async def _incomplete(pool: Pool, settings: TargetSettings, error: Misconfigured) -> Misconfigured:
    """Add to what ``[target]`` lacks the block that the table itself suggests."""
    table = settings.table or TABLE
    async with pool.transaction() as connection:
        columns = await _columns(connection, table)
    if settings.profile is not None or not columns:
        return error
    block = f"for {table}, {_ADVICE}{proposal(table, columns, settings)}"
    return Misconfigured(*error.faults, Fault("target", block))


def check_absence(layout: Layout, feeds: Sequence[str]) -> None:
    """Refuse ``feeds`` with ``missing = "deactivate"`` where the table cannot say "gone".

    Raises:
        Misconfigured: it has no is_active, and no word of status was given for it.
    """
    if not feeds or layout.active or layout.gone:
        return
    if layout.slot("status") is None:
        message = f"{layout.table} has neither is_active nor status: nothing can say that a"
        message += (
            f' vehicle is gone, so these feeds must have missing = "keep": {", ".join(feeds)}'
        )
        raise Misconfigured(Fault("feed", message))
    message = f"{layout.table} has no is_active, so give the word of status for a vehicle that is"
    message += f' listed no more; missing = "deactivate" needs it ({", ".join(feeds)})'
    raise Misconfigured(Fault("target.gone_status", message))


async def _columns(connection: Connection, table: str) -> tuple[CatalogueColumn, ...]:
    rows = await connection.fetch(_COLUMNS, qualified(table))
    return tuple(CatalogueColumn(**{**row, "labels": tuple(row["labels"])}) for row in rows)


async def _facts(connection: Connection, table: str) -> Facts:
    row = await connection.fetchrow(_TABLE, qualified(table))
    if row is None or not row["is_table"]:
        raise Misconfigured(Fault("target.table", f"{table} is no table of its own (a view?)"))
    keys = await connection.fetch(_KEYS, qualified(table))
    return Facts(
        keys=tuple(frozenset(key["key"]) for key in keys if None not in key["key"]),
        secured=row["secured"],
        triggers=tuple(row["triggers"]),
    )


async def _check_rights(connection: Connection, layout: Layout) -> None:
    """Refuse a role that cannot do its work, with the statements that let it."""
    filled = {slot.column.name for slot in layout.slots}
    filled |= {layout.active} if layout.active else set()
    changed = filled | ({layout.updated[0]} if layout.updated else set())
    first = filled | {layout.id, layout.dealership, *dict(layout.stamps)}
    table = qualified(layout.table)
    row = await connection.fetchrow(_LACKING, table, sorted(changed), sorted(first), layout.id)
    assert row is not None
    statements = []
    if row["rights"]:
        statements.append(f"GRANT {row['rights']} ON {layout.table} TO {row['role']};")
    if row["sequence"]:
        statements.append(f"GRANT USAGE ON SEQUENCE {row['sequence']} TO {row['role']};")
    if statements:
        what = f"role {row['role']} may not fill {layout.table}; its owner must say:\n  "
        raise Misconfigured(Fault("database.user", what + "\n  ".join(statements)))


_Seen = Mapping[str, tuple[CatalogueColumn, ...]]


def _faults(profile: Profile, seen: _Seen) -> tuple[str, ...]:
    columns = seen[profile.table]
    return misfits(profile, columns) if columns else (f"there is no table {profile.table}",)


def _no_fit(known: Sequence[Profile], seen: _Seen, settings: TargetSettings) -> Misconfigured:
    there = [table for table, columns in seen.items() if columns]
    if not there:
        table = known[0].table
        advice = "name another" if settings.table else "run `ingestd schema apply`"
        path = "target.table" if settings.table else "database"
        return Misconfigured(Fault(path, f"there is no table {table}; {advice}"))
    lines = [
        f"  profile {profile.name}: the table {fault}"
        for profile in known
        for fault in _faults(profile, seen) or ("fits as well as another",)
    ]
    text = f"{there[0]} is not a table that is known:\n" + "\n".join(lines)
    block = _ADVICE + proposal(there[0], seen[there[0]], settings)
    return Misconfigured(
        Fault(
            "target", f"{text}\nName the profile that describes it ([target] profile), or {block}"
        )
    )
