from dataclasses import replace

import pytest

from ingestd.store.layout import (
    CatalogueColumn,
    Facts,
    described,
    lay_out,
    misfits,
    without_length,
)
from ingestd.vehicle import FIELDS
from tests.unit.tables import catalogue, layout, profile


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
    assert misfits(profile(), columns) == ("has trim as point, which cannot hold trim",)


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


@pytest.mark.parametrize(
    ("column", "fault"),
    [
        (CatalogueColumn("year", "text", "text"), "has year as text, which cannot hold year"),
        (CatalogueColumn("price", "text", "text"), "has price as text, not numeric"),
        (CatalogueColumn("msrp", "text", "text"), "has msrp as text, which cannot hold msrp"),
        (CatalogueColumn("make", "int4", "integer"), "has make as integer, which cannot hold make"),
        (
            CatalogueColumn("images", "int4", "integer"),
            "has images as integer, which cannot hold images",
        ),
        (
            CatalogueColumn("vin", "varchar", "character varying(16)", max_length=16),
            "has vin as character varying(16), which cannot hold the 17 characters of a VIN",
        ),
        (
            CatalogueColumn("trim", "kind", "kind", enum=True, labels=("LX",)),
            "has trim as kind, which cannot hold every trim",
        ),
        (
            CatalogueColumn("id", "uuid", "uuid", default="gen_random_uuid()"),
            "has id as uuid, which is not a whole number: the books keep it",
        ),
        (
            CatalogueColumn("dealership_id", "text", "text"),
            "has dealership_id as text, which is not a whole number: the id of a dealership",
        ),
        (
            CatalogueColumn("is_active", "int4", "integer"),
            "has is_active as integer, which is not true or false",
        ),
        (
            CatalogueColumn("updated_at", "int8", "bigint"),
            "has updated_at as bigint, which is not a time",
        ),
        (
            CatalogueColumn("id", "int4", "integer", not_null=True),
            "gives no number to a new row (id has no default)",
        ),
        (
            CatalogueColumn("status", "varchar", "character varying(7)", max_length=7),
            'has status as character varying(7), too short for "it\'s sold"',
        ),
    ],
)
def test_a_column_that_cannot_do_what_it_is_for_does_not_fit(column, fault):
    assert fault in misfits(profile(), catalogue(column))


@pytest.mark.parametrize(
    "column",
    [
        CatalogueColumn("features", "_varchar", "character varying(9)[]", max_length=9),
        CatalogueColumn("images", "text", "text"),
        CatalogueColumn("msrp", "int8", "bigint"),
        CatalogueColumn("vin", "bpchar", "character(17)", max_length=17),
        CatalogueColumn("id", "int8", "bigint", identity=True, default="nextval('s')"),
        CatalogueColumn("updated_at", "date", "date"),
    ],
)
def test_a_column_that_can_do_it_fits(column):
    assert misfits(profile(), catalogue(column)) == ()


def test_an_enumeration_is_filled_as_text_where_it_has_every_word():
    words = ("active", "it's sold", "pending")
    enum = CatalogueColumn("status", "vehicle_status", "vehicle_status", enum=True, labels=words)
    assert misfits(profile(), catalogue(enum)) == ()
    slot = layout(enum).slot("status")
    assert slot is not None
    assert (slot.column.type, slot.sql_type, slot.enum) == ("text", "vehicle_status", True)
    lacking = replace(enum, labels=words[:2])
    assert misfits(profile(), catalogue(lacking)) == (
        "has no 'pending' among the values of status (active, it's sold)",
    )


def test_a_table_without_status_needs_no_words():
    bare = profile(leave_out=("status",))
    columns = tuple(column for column in catalogue() if column.name != "status")
    assert misfits(bare, columns) == ()


def test_a_column_that_only_the_types_name_must_exist_as_well():
    wanted = replace(profile(), types={"last_seen": "timestamp"})
    assert misfits(wanted, catalogue()) == ("has no column last_seen",)


def test_the_word_for_gone_is_of_use_only_without_is_active():
    gone = replace(profile(active=""), status={**profile().status, "gone": "unlisted"})
    assert lay_out(gone, "miles", catalogue(), Facts()).gone == "unlisted"
    assert lay_out(replace(gone, own=profile().own), "miles", catalogue(), Facts()).gone is None
    bare = replace(gone, columns=profile(leave_out=("status",)).columns)
    assert lay_out(bare, "miles", catalogue(), Facts()).gone is None
    assert layout(active="").gone is None


def test_a_number_has_the_range_of_its_column():
    found = layout(
        CatalogueColumn("year", "int2", "smallint"),
        CatalogueColumn("price", "numeric", "numeric(10,2)", precision=10, scale=2),
        CatalogueColumn("msrp", "numeric", "numeric(5,0)", precision=5, scale=0),
    )
    most = {column.field: column.most for column in found.target.columns}
    assert (most["year"], most["price"], most["msrp"]) == (3276700, 10**10 - 1, 9999900)
    assert most["mileage"] is None


def test_a_description_tells_what_there_is_to_know():
    assert described(layout(), with_settings=False) == (
        "public.vehicles is as the profile 'ours' has it: money in dollars with cents, mileage in"
        " miles, a VIN is there once"
    )
    busy = replace(layout(), secured=True, triggers=("touch", "upper"))
    assert described(busy, with_settings=True).endswith(
        "; triggers may change what is written: touch, upper"
    )
    assert "[target.settings] is empty" in described(busy, with_settings=False)


def test_a_type_without_its_length_cuts_nothing():
    assert without_length("character varying(9)[]") == "character varying[]"
    assert without_length("text") == "text"


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


def test_a_rows_status_is_staged_where_only_is_active_can_take_it():
    found = layout(leave_out=("status",))
    assert [column.field for column in found.target.columns] == list(FIELDS)
    assert found.slot("status") is None
    bare = layout(leave_out=("status",), active="")
    assert "status" not in [column.field for column in bare.target.columns]
