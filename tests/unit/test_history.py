"""What these statements do is shown on real PostgreSQL; here, of what they are made."""

from ingestd.store.history import EXPIRE, FULL, LONGEST, Change, note, switch_off


def test_a_change_is_noted_where_its_condition_holds():
    text = note("c JOIN v", "'row'", [Change("'price'", "v.price", "s.price", "d")], alias="c")

    assert "INSERT INTO pg_temp.ingestd_history" in text
    assert "SELECT c.file_no, c.line, c.vehicle_id" in text
    assert "CASE WHEN d THEN ROW(('row')::text, 'price'::text," in text


def test_without_a_condition_the_texts_are_compared():
    text = note("t", "'twin'", [Change("'status'", "was", "'sold'")])

    assert "CASE WHEN (was)::text IS DISTINCT FROM ('sold')::text THEN" in text
    assert "SELECT file_no, line, vehicle_id" in text


def test_a_change_may_have_a_cause_of_its_own():
    text = note(
        "t", "'row'", [Change("'vin'", "a", "b", "d", "'vin_replaced'"), Change("'x'", "a", "b")]
    )

    assert "ROW(('vin_replaced')::text, 'vin'::text" in text
    assert "ROW(('row')::text, 'x'::text" in text


def test_a_long_text_is_cut_and_says_so():
    text = note("t", "'row'", [Change("'description'", "a", "b")])

    assert (
        f"CASE WHEN length((a)::text) > {LONGEST} THEN left((a)::text, {LONGEST - 1}) || '…'"
        in text
    )


def test_a_vehicle_that_several_lines_switch_off_is_noted_once():
    text = switch_off("is_active", "false", "twin")

    assert "SELECT DISTINCT ON (id) id AS vehicle_id, file_no, line, was" in text
    assert "FROM twin ORDER BY id, file_no, line" in text
    assert "ROW(('twin')::text, 'is_active'::text" in text


def test_a_name_with_a_quote_in_it_is_quoted():
    assert "'it''s off'::text" in switch_off("it's off", "true", "twin")


def test_what_is_forgotten_in_one_batch_is_bounded():
    assert f"LIMIT {FULL.removeprefix('DELETE ')} FOR UPDATE SKIP LOCKED" in EXPIRE
