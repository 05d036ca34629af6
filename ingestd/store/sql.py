"""PURE  Names and expressions that the statements of a load share, quoted for one layout.

Aliases, the same in every statement:
    s  the stage: one row for every record line, wide, insert only
    f  the fate of every line: narrow, decided in ``fate`` (``w`` where it is looked up)
    c  the vehicles found to differ, locked in the order of their ids
    v  the vehicles table          d  what ingestd itself deactivated

Rules:
  * Identifiers come from a profile and the catalogue and are quoted; values are bound.
  * The dealership is bound as $1, never read from the stage: a file cannot choose it.  What the
    stage has only says which of its rows are meant, where the file is a group's.
  * A line without ``outcome`` is a vehicle: new without ``vehicle_id``, else a match.
"""

from hashlib import blake2b

from ingestd.feed.vin import LENGTH, PLACEHOLDER_LETTERS, TOYOTA
from ingestd.store.layout import Layout, Slot, without_length
from ingestd.vehicle import FIELDS

#: Taken from the fate, where they are completed; all other fields from the stage.
IDENTITY = ("vin", "stock_number", "make", "model", "year")
BLANKS = r"E' \t\r\n'"
#: In ``f``, unlike in the stage: the whole file says nothing of status.
STATUS_BIT = 1 << FIELDS.index("status")
SAME_LINE = "s.file_no = f.file_no AND s.line = f.line"

#: Columns of the temporary table ``f``.  ``field``: the store's own rejection, by field name.
#: Of the VIN: ``respell``: it is stored in another spelling; ``twice``: two stored vehicles have
#: it; ``provisional``: it is a placeholder; ``replaced``: the row has the placeholder that was
#: there before it; ``succeeds``: it replaces one.  ``from_dealership``: the
#: vehicle comes over from that one.
FATE = """file_no integer, line integer, keep bigint, vin text, stock_number text, make text,
    model text, year integer, outcome text, reason text, column_name text, value text,
    field text, vehicle_id bigint, respell boolean, twice boolean, provisional boolean,
    replaced boolean, succeeds boolean, from_dealership bigint"""

#: Columns of the temporary table ``c``.  ``now_on``: what the row makes of it; NULL: it stays.
CHANGED = "file_no integer, line integer, vehicle_id bigint, was_on boolean, now_on boolean"


def ident(name: str) -> str:
    """Quote an identifier."""
    return '"' + name.replace('"', '""') + '"'


def qualified(name: str) -> str:
    """Quote ``schema.table``."""
    return ".".join(ident(part) for part in name.split("."))


def literal(text: str) -> str:
    """Quote a string that comes from a profile."""
    return "'" + text.replace("'", "''") + "'"


class Names:
    """A layout's names and the expressions made of them."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.vehicles = qualified(layout.table)
        self.staged_fields = {column.field for column in layout.target.columns}
        self.id = f"v.{ident(layout.id)}"
        self.dealership = f"v.{ident(layout.dealership)}"
        stage = ", ".join(f"{ident(name)} {kind}" for name, kind in layout.target.stage())
        self.stage_table = stage
        self.stage = "ingestd_stage_" + blake2b(stage.encode(), digest_size=6).hexdigest()

    def stored(self, field: str, alias: str = "v") -> str:
        """A field of the stored vehicle; a typed NULL where the table has no such column."""
        slot = self.layout.slot(field)
        if slot is None:
            return "NULL::integer" if field == "year" else "NULL::text"
        return f"{alias}.{ident(slot.column.name)}"

    def staged(self, field: str) -> str:
        """A field of the row; a typed NULL where the stage has no such column."""
        if field not in self.staged_fields:
            return "NULL::integer" if field == "year" else "NULL::text"
        return f"s.{ident(field)}"

    def stored_vin(self, alias: str = "v") -> str:
        """The stored VIN in normal form; '' is none."""
        return f"nullif(upper(btrim({self.stored('vin', alias)}, {BLANKS})), '')"

    def stored_stock(self) -> str:
        """The stored stock number as stock numbers are compared."""
        return self.fold(self.stored("stock_number"))

    @staticmethod
    def fold(stock: str) -> str:
        """A stock number without blanks around it and without regard to case."""
        return f"lower(btrim({stock}, {BLANKS}))"

    def same_car(self) -> str:
        """Whether row ``w`` and the stored vehicle agree in make, and in year but for one."""
        make, year = self._known("make"), self.stored("year")
        return (
            f"(w.make IS NULL OR {make} IS NULL OR lower(w.make) = {make})"
            f" AND (w.year IS NULL OR {year} IS NULL OR abs(w.year - {year}) <= 1)"
        )

    @staticmethod
    def placeholder(vin: str) -> str:
        """Whether a VIN in normal form is one that Toyota gives a car before it is built."""
        return (
            f"(length({vin}) = {LENGTH} AND {vin} ~ '^({TOYOTA})'"
            f" AND {vin} ~ '{PLACEHOLDER_LETTERS}')"
        )

    def succeeds(self) -> str:
        """Whether row ``w`` has the final VIN of a stored vehicle whose VIN is provisional."""
        vin = self.stored_vin()
        recorded = f"""EXISTS (SELECT FROM ingest.provisional_vins p
                WHERE p.dealership_id = $1 AND p.vin = {vin} AND p.replaced_by IS NULL)"""
        same = " AND ".join(
            f"lower(w.{field}) = {self._known(field)}" for field in ("make", "model")
        )
        return (
            f"(w.provisional IS NOT TRUE AND NOT {self.placeholder('w.vin')}"
            f" AND {same} AND w.year = {self.stored('year')}"
            f" AND ({self.placeholder(vin)} OR {recorded}))"
        )

    def _known(self, field: str) -> str:
        """A stored text in small letters, without blanks around it; NULL where there is none."""
        return f"nullif(lower(btrim({self.stored(field)}, {BLANKS})), '')"

    def is_on(self) -> str:
        """Whether the stored vehicle is on offer: active, not sold and not gone."""
        sold = literal(self.layout.target.status_sold)
        on = f"{self.stored('status')}::text IS DISTINCT FROM {sold}"
        if self.layout.gone:
            on += f" AND {self.stored('status')}::text IS DISTINCT FROM {literal(self.layout.gone)}"
        if self.layout.active:
            on += f" AND v.{ident(self.layout.active)} IS NOT FALSE"
        return f"({on})"

    def switched_off(self) -> tuple[str, str] | None:
        """Column and value that take a vehicle off the lot; None where the table cannot say so."""
        if self.layout.active:
            return self.layout.active, "false"
        slot = self.layout.slot("status")
        if slot is None:
            return None
        word = literal(self.layout.gone or self.layout.target.status_sold)
        return slot.column.name, self.cast(slot, word)

    def by_a_person(self) -> str:
        """Whether the stored vehicle is off, and a person left it so.

        ingestd did not switch it off, or left it sold where it is not, or the other way round.
        """
        theirs = "d.vehicle_id IS NULL"
        if self._tells_sold():
            sold = literal(self.layout.target.status_sold)
            is_sold = f"({self.stored('status')}::text IS NOT DISTINCT FROM {sold})"
            theirs = f"({theirs} OR (d.reason = 'sold') <> {is_sold})"
        return f"(NOT {self.is_on()} AND {theirs})"

    def _tells_sold(self) -> bool:
        """Say whether the table has one mark for what is sold and another for what is gone."""
        other = self.layout.active or self.layout.gone
        return bool(other) and self.layout.slot("status") is not None

    def still_sold(self) -> str:
        """Whether ingestd left the vehicle sold, and the row has nothing to say against it.

        A cell that is blank or cannot be read says nothing.  A file without any status does:
        what it lists is on offer.
        """
        silent = f"{self.staged('status')} IS NULL AND f.keep & {STATUS_BIT} = 0"
        return f"(NOT {self.is_on()} AND d.reason IS NOT DISTINCT FROM 'sold' AND {silent})"

    def stays(self) -> str:
        """Whether status and is_active stay as stored."""
        return f"({self.by_a_person()} OR {self.still_sold()})"

    def sold_now(self) -> str:
        """Whether the row says that it is sold."""
        sold = literal(self.layout.target.status_sold)
        return f"(coalesce({self.staged('status')}, '') = {sold})"

    @staticmethod
    def cast(slot: Slot, value: str) -> str:
        """Bring a staged value to the column's type, where the stage's is another.

        Numbers take the column's scale, else they would differ from what was stored for
        ever.  Text is never cast to a length: that would cut it without a word.
        """
        if slot.column.type == "text" and not slot.enum:
            return value
        is_list = slot.column.type == "text[]"
        return f"{value}::{without_length(slot.sql_type) if is_list else slot.sql_type}"
