"""What these statements do is shown on real PostgreSQL; here, that they follow the layout."""

from ingestd.store.foreign import DEALERSHIPS, UNDO, Foreign
from tests.unit.tables import layout

BOTH = (frozenset({"dealership_id", "vin"}),)


def test_other_dealerships_matter_only_where_a_vin_is_unique_for_all():
    for statement in (Foreign(layout()).by_key(), Foreign(layout()).by_scan()):
        assert "'vin_of_other_dealership'" in statement
        assert 'v."dealership_id" <> $1' in statement
    for keys in (BOTH, ()):
        assert Foreign(layout(keys=keys)).by_key() == Foreign(layout(keys=keys)).by_scan() == ""


def test_by_the_key_the_spellings_in_use_are_looked_up_and_by_a_scan_all_of_them():
    assert "ARRAY[f.vin, f.vin || ' ', ' ' || f.vin," in Foreign(layout()).by_key()
    assert 'nullif(upper(btrim(v."vin",' in Foreign(layout()).by_scan()


def test_a_vehicle_moves_if_it_is_sold_by_the_profiles_word_or_left_a_full_feed_a_week_ago():
    for statement in (Foreign(layout()).by_scan(), Foreign(layout()).lock()):
        assert "v.\"status\"::text IS NOT DISTINCT FROM 'it''s sold'" in statement
        assert "last.feed <> ALL ($4::text[])" in statement
        assert "last.at <= $3::timestamptz - interval '7 days'" in statement


def test_nothing_moves_where_it_is_forbidden_or_the_role_lacks_the_right():
    decide = Foreign(layout()).by_scan()
    assert "$2::boolean" in decide
    assert "has_column_privilege('\"public\".\"vehicles\"', 'dealership_id', 'UPDATE')" in decide


def test_what_moves_is_locked_in_the_order_of_the_ids():
    assert Foreign(layout()).lock().endswith('ORDER BY v."id" FOR NO KEY UPDATE OF v')


def test_it_starts_afresh_by_what_the_table_has():
    move = Foreign(layout()).move()
    assert '"status" = \'active\', "is_active" = true, "updated_at" = timezone' in move
    bare = Foreign(layout(leave_out=("status",), active="", updated="")).move()
    assert 'SET "dealership_id" = $1::integer\n' in bare


def test_what_the_move_changes_is_noted_as_a_transfer():
    note = Foreign(layout()).note()
    assert "'transfer'" in note
    assert "'dealership_id'" in note


def test_what_is_undone_is_what_would_move():
    assert "from_dealership IS NOT NULL" in UNDO
    assert "from_dealership IS NOT NULL" in DEALERSHIPS
