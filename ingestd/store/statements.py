"""PURE  Every statement of a load, as text: built once for a layout, run by ``load``."""

from dataclasses import dataclass

from ingestd.store import fate, merge
from ingestd.store.layout import Layout
from ingestd.store.sql import CHANGED, FATE, Names


@dataclass(frozen=True, slots=True)
class Statements:
    """Every statement of a load.  Parameters stand behind each; $1 is the dealership."""

    stage: str  # name of the stage, without schema
    stage_columns: tuple[str, ...]
    create: str
    analyze_stage: str
    analyze_fate: str
    decide: str  # + files (2 arrays), duplicates (2), identities (7), rejections (5)
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
    names, deciding, merging = Names(layout), fate.Fate(layout), merge.Merge(layout)
    return Statements(
        stage=names.stage,
        stage_columns=tuple(name for name, _ in layout.target.stage()),
        create=_create(names, "DROP" if drop else "DELETE ROWS"),
        analyze_stage=f"ANALYZE pg_temp.{names.stage} (file_no, line, vin)",
        analyze_fate="ANALYZE pg_temp.ingestd_fate",
        decide=deciding.decide(),
        survey=fate.SURVEY,
        respell=deciding.respell(),
        foreign_vins=deciding.foreign_vins(),
        match_stock=deciding.match_stock(),
        missing=deciding.missing(),
        name_columns=fate.NAME_COLUMNS,
        lock_changed=merging.lock_changed(),
        update=merging.update(),
        insert=merging.insert(),
        twins=merging.twins(),
        extras=merging.extras(),
        off=merge.OFF,
        on_again=merging.on_again(),
        junk=merging.junk(),
        count=fate.COUNT,
        findings=fate.FINDINGS,
        keep_findings=merge.KEEP_FINDINGS,
    )


def _create(names: Names, end: str) -> str:
    tables = (
        (names.stage, names.stage_table),
        ("ingestd_fate", FATE),
        ("ingestd_changed", CHANGED),
    )
    return ";\n".join(
        f"CREATE TEMPORARY TABLE IF NOT EXISTS {name} ({columns}) ON COMMIT {end}"
        for name, columns in tables
    )
