"""What these statements do is shown on real PostgreSQL; here, that they follow the layout."""

from ingestd.store.fate import Fate
from ingestd.store.layout import CatalogueColumn
from tests.unit.tables import layout


def test_the_dealership_is_bound_and_never_read_from_the_stage():
    fate = Fate(layout())
    for statement in (fate.decide(), fate.match_stock()):
        assert "$1" in statement
        assert "s.dealership_id" not in statement
    assert "WHERE s.dealership_id = $1\n" in fate.decide(of_group=True)


def test_the_size_of_the_table_is_told_with_the_counts():
    assert 'pg_relation_size(\'"public"."vehicles"\')' in Fate(layout()).survey()


def test_a_row_with_a_placeholder_that_was_replaced_means_the_vehicle_that_bore_it():
    assert ") m ON m.vin = coalesce(p.replaced_by, r.vin)" in Fate(layout()).decide()


def test_of_status_only_the_files_own_bit_is_kept():
    assert "(s.keep & ~524288::bigint) | k.keep" in Fate(layout()).decide()


def test_a_vin_collides_within_what_its_key_covers():
    within = 'o."dealership_id" = v."dealership_id"'
    key = frozenset({"dealership_id", "vin"})
    assert within in Fate(layout(keys=(key,))).respell()
    assert within not in Fate(layout()).respell()
    assert Fate(layout(keys=())).respell() == "", "nothing is in the way"


def test_a_new_vehicle_needs_make_model_year_and_what_the_table_requires():
    needed = CatalogueColumn("mileage", "int4", "integer", not_null=True)
    vin = CatalogueColumn("vin", "text", "text", not_null=True)
    statements = Fate(layout(needed, vin, leave_out=("model",))).missing()
    reasons = [statement.partition("reason = '")[2].partition("'")[0] for statement in statements]
    assert reasons == ["make_missing", "year_missing", "vin_missing", "mileage_missing"]
    assert "s.mileage IS NULL" in statements[-1]
