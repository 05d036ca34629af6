from dataclasses import replace

from ingestd.store.layout import CatalogueColumn
from ingestd.store.sql import Names, ident, literal, qualified
from tests.unit.tables import layout


def test_identifiers_and_words_are_quoted():
    assert ident('a"b') == '"a""b"'
    assert qualified("public.Vehicles") == '"public"."Vehicles"'
    assert literal("it's") == "'it''s'"


def test_the_stage_is_named_after_its_columns():
    ours = layout()
    assert Names(ours).stage == Names(layout()).stage
    shorter = replace(ours, target=replace(ours.target, columns=ours.target.columns[:5]))
    assert Names(shorter).stage != Names(ours).stage


def test_a_field_without_column_is_a_typed_null():
    names = Names(layout(leave_out=("year", "stock_number")))
    assert names.stored("year") == names.staged("year") == "NULL::integer"
    assert names.stored("stock_number") == names.staged("stock_number") == "NULL::text"
    assert (names.stored("make", "o"), names.staged("make")) == ('o."make"', 's."make"')


def test_the_stored_vin_is_compared_in_normal_form():
    assert Names(layout()).stored_vin().startswith('nullif(upper(btrim(v."vin",')


def test_stock_numbers_are_compared_without_blanks_and_case():
    assert Names(layout()).stored_stock().startswith('lower(btrim(v."stock_number",')
    assert Names.fold("x").startswith("lower(btrim(x,")


def test_the_same_car_agrees_in_make_and_nearly_in_year():
    assert 'abs(w.year - v."year") <= 1' in Names(layout()).same_car()


def test_a_make_that_is_blank_is_not_known():
    assert 'nullif(lower(btrim(v."make",' in Names(layout()).same_car()


def test_a_placeholder_is_told_by_maker_and_letters():
    told = Names.placeholder("x")
    assert "length(x) = 17" in told
    assert "x ~ '^(JT|" in told


def test_a_final_vin_succeeds_a_placeholder_of_the_same_make_model_and_year():
    succeeds = Names(layout()).succeeds()
    assert "w.provisional IS NOT TRUE AND NOT (length(w.vin) = 17" in succeeds
    assert 'AND w.year = v."year"' in succeeds
    assert "lower(w.model) = nullif(" in succeeds


def test_a_vehicle_is_on_offer_if_it_is_active_and_not_sold():
    both = Names(layout()).is_on()
    assert "IS DISTINCT FROM 'it''s sold'" in both
    assert 'v."is_active" IS NOT FALSE' in both
    assert "is_active" not in Names(layout(active="")).is_on()


def test_off_and_not_by_ingestd_is_by_a_person():
    assert "d.vehicle_id IS NULL" in Names(layout()).by_a_person()


def test_who_made_sold_what_ingestd_did_not_is_a_person_where_the_table_has_another_mark_for_it():
    told = "(d.reason = 'sold') <> (v.\"status\"::text IS NOT DISTINCT FROM 'it''s sold')"
    assert told in Names(layout()).by_a_person()
    assert "d.reason" not in Names(layout(active="")).by_a_person()
    assert "d.reason" not in Names(layout(leave_out=("status",))).by_a_person()


def test_both_a_person_and_a_silent_row_leave_the_state_as_stored():
    names = Names(layout())
    assert names.by_a_person() in names.stays()
    assert names.still_sold() in names.stays()


def test_a_row_that_says_sold_is_told_by_the_profiles_word():
    assert Names(layout()).sold_now() == "(coalesce(s.\"status\", '') = 'it''s sold')"


def test_numbers_take_the_columns_scale_and_text_is_never_cut():
    names = Names(layout(CatalogueColumn("trim", "varchar", "character varying(5)")))
    slots = {slot.column.field: slot for slot in names.layout.slots}
    assert names.cast(slots["price"], "x") == "x::numeric(12,2)"
    assert names.cast(slots["trim"], "x") == "x"
    assert names.cast(slots["make"], "x") == "x"


def test_an_enumeration_is_cast_whatever_it_is_called_and_an_array_without_its_length():
    names = Names(
        layout(
            CatalogueColumn("status", "charge", "charge", enum=True, labels=("active",)),
            CatalogueColumn("features", "_varchar", "character varying(9)[]", max_length=9),
            CatalogueColumn("images", "text", "text"),
        )
    )
    slots = {slot.column.field: slot for slot in names.layout.slots}
    assert names.cast(slots["status"], "x") == "x::charge"
    assert names.cast(slots["features"], "x") == "x::character varying[]"
    assert names.cast(slots["images"], "x") == "x"


def test_a_vehicle_is_taken_off_by_what_the_table_has():
    assert Names(layout()).switched_off() == ("is_active", "false")
    sold = Names(layout(active=""))
    assert sold.switched_off() == ("status", "'it''s sold'")
    gone = Names(replace(sold.layout, gone="unlisted"))
    assert gone.switched_off() == ("status", "'unlisted'")
    assert "IS DISTINCT FROM 'unlisted'" in gone.is_on()
    assert Names(layout(active="", leave_out=("status",))).switched_off() is None
