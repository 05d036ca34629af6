"""What these statements do is shown on real PostgreSQL; here, that they follow the layout."""

from ingestd.store.fate import Fate
from ingestd.store.layout import CatalogueColumn
from tests.unit.tables import layout


def test_the_dealership_is_bound_and_never_read_from_the_stage():
    fate = Fate(layout())
    for statement in (fate.decide(), fate.match_stock(), *fate.foreign_vins()):
        assert "$1" in statement
        assert "s.dealership_id" not in statement


def test_other_dealerships_matter_only_where_a_vin_is_unique_for_all():
    assert len(Fate(layout()).foreign_vins()) == 2
    assert Fate(layout(keys=())).foreign_vins() == ()


def test_of_status_only_the_files_own_bit_is_kept():
    assert "(s.keep & ~524288::bigint) | k.keep" in Fate(layout()).decide()


def test_a_vin_collides_within_what_its_key_covers():
    within = 'o."dealership_id" = v."dealership_id"'
    key = frozenset({"dealership_id", "vin"})
    assert within in Fate(layout(keys=(key,))).respell()
    assert within not in Fate(layout()).respell()


def test_a_new_vehicle_needs_make_model_year_and_what_the_table_requires():
    needed = CatalogueColumn("mileage", "int4", "integer", not_null=True)
    vin = CatalogueColumn("vin", "text", "text", not_null=True)
    statements = Fate(layout(needed, vin, leave_out=("model",))).missing()
    reasons = [statement.partition("reason = '")[2].partition("'")[0] for statement in statements]
    assert reasons == ["make_missing", "year_missing", "vin_missing", "mileage_missing"]
    assert "s.mileage IS NULL" in statements[-1]
