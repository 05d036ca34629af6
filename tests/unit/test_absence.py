"""What these statements do is shown on real PostgreSQL; here, that they follow the layout."""

import re
from dataclasses import fields

from ingestd.store.absence import Absence, Texts, texts
from tests.unit.tables import layout


def test_every_statement_is_there_and_says_whose_listings_it_means():
    made = texts(layout())
    for name in (field.name for field in fields(Texts)):
        statement = getattr(made, name)
        assert statement.lstrip().split()[0] in ("INSERT", "UPDATE", "DELETE", "SELECT"), name
        assert "$1" in statement or name == "note"


def test_parameters_are_numbered_without_a_gap():
    made = texts(layout())
    for name in (field.name for field in fields(Texts)):
        numbers = {int(number) for number in re.findall(r"\$(\d+)", getattr(made, name))}
        assert numbers == set(range(1, len(numbers) + 1)), name


def test_no_statement_but_one_writes_a_vehicle_and_none_deletes_one():
    made = texts(layout())
    writing = [
        field.name for field in fields(Texts) if 'UPDATE "public"' in getattr(made, field.name)
    ]
    assert writing == ["off"]
    assert not any('DELETE FROM "public"' in getattr(made, field.name) for field in fields(Texts))


def test_a_price_that_the_row_does_not_give_stays_what_the_feed_applied():
    assert "CASE WHEN f.keep & 512 <> 0 THEN l.price ELSE" in Absence(layout()).listed()
    assert "NULL::numeric" in Absence(layout(leave_out=("price",))).listed()


def test_what_is_gone_is_switched_off_by_what_the_table_has():
    absence = Absence(layout())
    assert '"is_active" = false, "updated_at" = timezone' in absence.off()
    assert "'is_active'" in absence.note()
    by_word = Absence(layout(active="", updated=""))
    assert "SET \"status\" = 'it''s sold'" in by_word.off()
    assert "'status'" in by_word.note()


def test_a_table_that_cannot_say_so_has_no_statement_for_it():
    mute = Absence(layout(active="", leave_out=("status",)))
    assert (mute.off(), mute.note()) == ("", "")


def test_rows_are_locked_in_the_order_of_their_ids():
    assert Absence(layout()).gone().endswith('ORDER BY v."id" FOR NO KEY UPDATE OF v')
