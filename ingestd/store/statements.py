"""PURE  Every statement of a load, as text: built once for a layout, run by ``load``."""

from dataclasses import dataclass

from ingestd.store import absence, fate, foreign, history, merge
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
    decide_of_group: str  # the same, of one dealership's rows in a group file
    leftovers: str  # (no parameters)
    spread: str  # (no parameters)
    survey: str  # (no parameters)
    twice: str  # limit (no dealership)
    respell: str  # (no parameters)
    foreign_by_key: str  # + may any move, time of the delivery, deltas; so the next two
    foreign_by_scan: str
    foreign_lock: str
    foreign_undo: str  # (no parameters)
    foreign_dealerships: str  # (no parameters)
    foreign_note: str
    foreign_move: str
    match_stock: str
    missing: tuple[str, ...]  # (no parameters)
    name_columns: str  # file numbers, fields, headers (no dealership)
    lock_changed: str
    note: str  # (no parameters)
    remember: str  # + delivery id
    update: str
    insert: str  # + delivery id, feed, whether it is the baseline, whether it begins a hold
    twins: str  # + delivery id
    extras: str  # (no parameters)
    off: str  # + delivery id
    on_again: str
    overruled: str  # (no parameters); empty where no trigger changes what is written
    junk: str
    provisional: str  # + delivery id
    useless: str  # (no parameters)
    count: str  # (no parameters)
    findings: str  # limit (no dealership)
    keep_findings: str  # file numbers, import ids (no dealership)
    keep_history: str  # file numbers, import ids (no dealership)
    absence: absence.Texts


def build(layout: Layout, *, drop: bool = False) -> Statements:
    """Give the statements for a table.  ``drop``: temporary tables end with the transaction."""
    names, deciding, merging = Names(layout), fate.Fate(layout), merge.Merge(layout)
    coming = foreign.Foreign(layout)
    return Statements(
        stage=names.stage,
        stage_columns=tuple(name for name, _ in layout.target.stage()),
        create=_create(names, "DROP" if drop else "DELETE ROWS"),
        analyze_stage=f"ANALYZE pg_temp.{names.stage} (file_no, line, vin)",
        analyze_fate="ANALYZE pg_temp.ingestd_fate",
        decide=deciding.decide(),
        decide_of_group=deciding.decide(of_group=True),
        leftovers=fate.LEFTOVERS,
        spread=fate.SPREAD,
        survey=deciding.survey(),
        twice=fate.TWICE,
        respell=deciding.respell(),
        foreign_by_key=coming.by_key(),
        foreign_by_scan=coming.by_scan(),
        foreign_lock=coming.lock(),
        foreign_undo=foreign.UNDO,
        foreign_dealerships=foreign.DEALERSHIPS,
        foreign_note=coming.note(),
        foreign_move=coming.move(),
        match_stock=deciding.match_stock(),
        missing=deciding.missing(),
        name_columns=fate.NAME_COLUMNS,
        lock_changed=merging.lock_changed(),
        note=merging.note(),
        remember=merging.remember(),
        update=merging.update(),
        insert=merging.insert(),
        twins=merging.twins(),
        extras=merging.extras(),
        off=merge.OFF,
        on_again=merging.on_again(),
        overruled=merging.overruled(),
        junk=merging.junk(),
        provisional=merge.PROVISIONAL,
        useless=fate.USELESS,
        count=fate.COUNT,
        findings=fate.FINDINGS,
        keep_findings=merge.KEEP_FINDINGS,
        keep_history=history.KEEP,
        absence=absence.texts(layout),
    )


def _create(names: Names, end: str) -> str:
    tables = (
        (names.stage, names.stage_table),
        ("ingestd_fate", FATE),
        ("ingestd_changed", CHANGED),
        ("ingestd_history", history.NOTED),
        ("ingestd_absent", absence.ABSENT),
        ("ingestd_listed", absence.LISTED),
        ("ingestd_gone", absence.GONE),
    )
    return ";\n".join(
        f"CREATE TEMPORARY TABLE IF NOT EXISTS {name} ({columns}) ON COMMIT {end}"
        for name, columns in tables
    )
