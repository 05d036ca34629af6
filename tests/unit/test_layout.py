from dataclasses import replace

from ingestd.model import FIELDS
from ingestd.store.layout import CatalogueColumn, misfits, parse_profile
from tests.unit.tables import catalogue, layout, profile


def test_a_profile_is_read_from_toml():
    text = """
name = "x"
table = "public.vehicles"
money = "cents"
types = { price = "int4" }
status = { active = "Available", pending = "Pending", sold = "Sold" }
own = { id = "id", dealership = "dealership_id" }
columns = { vin = "vin" }
"""
    read = parse_profile(text)
    assert (read.name, read.money, read.status["active"]) == ("x", "cents", "Available")


def test_our_own_table_fits_its_profile():
    assert misfits(profile(), catalogue()) == ()


def test_a_table_without_a_named_column_does_not_fit():
    columns = tuple(column for column in catalogue() if column.name not in ("trim", "is_active"))
    assert misfits(profile(), columns) == ("has no column trim", "has no column is_active")


def test_a_column_of_another_type_does_not_fit():
    columns = catalogue(CatalogueColumn("price", "int4", "integer"))
    assert misfits(profile(), columns) == ("has price as int4, not numeric",)


def test_a_type_that_cannot_be_filled_does_not_fit():
    columns = catalogue(CatalogueColumn("trim", "point", "point"))
    assert misfits(profile(), columns) == ("has trim as point, which cannot be filled",)


def test_a_generated_column_does_not_fit():
    columns = catalogue(CatalogueColumn("trim", "text", "text", generated=True))
    assert misfits(profile(), columns) == (
        "has trim as a generated column, which cannot be filled",
    )


def test_a_required_column_that_nobody_fills_does_not_fit():
    lot = CatalogueColumn("lot", "text", "text", not_null=True)
    assert misfits(profile(), catalogue(lot)) == (
        "requires lot (NOT NULL, no default), which no field fills",
    )
    for given in ({"default": "''"}, {"identity": True}, {"generated": True}, {"not_null": False}):
        assert misfits(profile(), catalogue(replace(lot, **given))) == ()


def test_an_enumeration_is_filled_as_text():
    enum = CatalogueColumn("status", "vehicle_status", "vehicle_status", enum=True)
    assert misfits(profile(), catalogue(enum)) == ()
    slot = layout(enum).slot("status")
    assert slot is not None
    assert (slot.column.type, slot.sql_type) == ("text", "vehicle_status")


def test_columns_come_in_the_order_of_the_fields():
    target = layout().target
    assert [column.field for column in target.columns] == list(FIELDS)
    assert target.status_sold == "it's sold"


def test_required_is_not_null_without_a_default():
    given = CatalogueColumn("trim", "text", "text", not_null=True, default="''")
    needed = CatalogueColumn(
        "engine", "varchar", "character varying(9)", not_null=True, max_length=9
    )
    columns = {column.field: column for column in layout(given, needed).target.columns}
    assert not columns["trim"].required
    assert (columns["engine"].required, columns["engine"].max_length) == (True, 9)


def test_the_stricter_key_counts():
    both = (frozenset({"dealership_id", "vin"}), frozenset({"vin"}))
    assert layout(keys=both).target.vin_key == "vin"
    assert layout(keys=both[:1]).target.vin_key == "dealership_vin"
    assert layout(keys=(frozenset({"vin", "make"}),)).target.vin_key == "none"


def test_the_clock_follows_the_columns_type():
    assert layout().updated == ("updated_at", "timezone('UTC', now())")
    zoned = CatalogueColumn("updated_at", "timestamptz", "timestamp with time zone", not_null=True)
    found = layout(zoned)
    assert found.updated == ("updated_at", "now()")
    assert found.stamps == (("updated_at", "now()"),)
    assert layout().stamps == ()


def test_columns_of_its_own_may_be_missing():
    found = layout(active="", updated="", created="")
    assert (found.active, found.updated, found.stamps) == (None, None, ())


def test_a_field_without_column_has_no_slot():
    assert layout(leave_out=("stock_number",)).slot("stock_number") is None
