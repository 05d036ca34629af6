import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.feed.identity import Resolution, Rows
from ingestd.model import Duplicate, Finding, Identity


def resolve(*rows):
    """Give what becomes of rows written as (vin, stock, make, model, year[, file])."""
    given_rows = Rows()
    for line, row in enumerate(rows, start=2):
        file = row[5] if len(row) > 5 else 0
        given_rows.add(file, line, row[:4], row[4])
    return given_rows.resolve()


KIA = ("Kia", "Rio", 2020)
HONDA = ("Honda", "Civic", 2020)


def test_rows_with_nothing_in_common_are_left_alone():
    assert resolve(("A", "S1", *KIA), ("B", "S2", *KIA), (None, "S3", *KIA)) == Resolution()


def test_a_row_without_vin_after_the_row_with_it_is_the_same_vehicle():
    got = resolve(("A", "S1", *KIA), (None, "S1", *KIA))
    assert got.duplicates == (Duplicate(0, 2, 0, 3),)
    assert got.identities == (Identity(0, 3, "A", "S1", *KIA),)
    assert not got.rejected


def test_a_row_with_vin_after_the_row_without_it_is_the_same_vehicle():
    got = resolve((None, "S1", *KIA), ("A", "s1", *KIA))
    assert got.duplicates == (Duplicate(0, 2, 0, 3),)
    assert got.identities == (Identity(0, 3, "A", "s1", *KIA),)


def test_one_dummy_vin_on_thirty_different_cars_is_nobodys_vin():
    got = resolve(*(("D", f"S{n}", f"Make{n}", "M", 2020) for n in range(30)))
    assert not got.duplicates
    assert not got.rejected
    assert got.identities == tuple(
        Identity(0, n + 2, None, f"S{n}", f"Make{n}", "M", 2020) for n in range(30)
    )
    assert got.repeated == (("D", tuple((0, n + 2) for n in range(30))),)


def test_of_many_rows_of_one_vin_two_that_differ_in_both_are_enough():
    rows = [("D", f"S{n}", *KIA) for n in range(500)]
    assert len(resolve(*rows).identities) == 1, "one car under many stock numbers"
    assert len(resolve(*rows, ("D", "S500", *HONDA)).identities) == 501
    assert len(resolve(*rows[:1] * 500, ("D", "S0", *HONDA)).identities) == 1, "one stock number"


def test_what_is_not_known_differs_from_nothing():
    assert len(resolve(("A", "S1", *KIA), ("A", "S2", None, None, None)).duplicates) == 1
    assert len(resolve(("A", "S1", *KIA), ("A", None, *HONDA)).duplicates) == 1
    apart = resolve(("A", "S1", "Kia", None, None), ("A", "S2", None, "Rio", None))
    assert len(apart.duplicates) == 1


@pytest.mark.parametrize("other", [("Kia", "Rio", 2021), ("Kia", "Soul", 2020), HONDA])
def test_a_vin_is_a_dummy_if_make_model_or_year_differs_with_the_stock_number(other):
    assert resolve(("D", "S1", *KIA), ("D", "S2", *other)).repeated == (("D", ((0, 2), (0, 3))),)


def test_a_row_without_vin_joins_the_vin_that_had_its_stock_number_on_an_earlier_row():
    got = resolve(("A", "S1", *KIA), (None, "S1", *KIA), ("A", "S2", *KIA))
    assert set(got.duplicates) == {Duplicate(0, 2, 0, 4), Duplicate(0, 3, 0, 4)}
    assert got.identities == (Identity(0, 4, "A", "S2", *KIA),)


def test_a_stock_number_that_a_vin_gave_up_is_not_its_own_again_through_a_row_without_vin():
    got = resolve(("A", "S1", *KIA), ("A", "S2", *KIA), (None, "S2", *KIA), (None, "S1", *KIA))
    assert {d.line for d in got.duplicates} == {2, 3, 4}
    assert got.identities == (Identity(0, 5, "A", "S2", *KIA),)


def test_a_stock_number_that_another_vin_took_over_in_the_file_is_neithers():
    got = resolve(("A", "S1", *KIA), ("A", "S2", *KIA), ("B", "S1", *KIA), (None, "S1", *KIA))
    assert [finding.line for _, finding in got.rejected] == [5]


@pytest.mark.parametrize(("years", "together"), [((2020, 2021), True), ((2020, 2021, 2022), False)])
def test_years_of_rows_without_vin_may_lie_one_apart_and_not_more_in_a_chain(years, together):
    got = resolve(*((None, "S1", "Kia", "Rio", year) for year in years))
    assert bool(got.duplicates) is together
    assert bool(got.rejected) is not together


def test_a_dummy_vin_leaves_a_row_without_stock_number_without_identity():
    got = resolve(("D", "S1", *KIA), ("D", "S2", *HONDA), ("D", None, *HONDA))
    assert got.rejected == ((0, Finding(4, None, "vin_repeated", "D")),)
    assert [identity.line for identity in got.identities] == [2, 3]


def test_rows_of_a_dummy_vin_fall_back_on_their_stock_numbers():
    got = resolve(("D", "S1", *KIA), ("D", "S2", *HONDA), (None, "S1", *KIA))
    assert got.duplicates == (Duplicate(0, 2, 0, 4),)
    assert Identity(0, 4, None, "S1", *KIA) in got.identities


def test_the_last_row_of_a_vin_wins_and_keeps_what_only_the_earlier_told():
    got = resolve(("A", "S1", "Kia", "Rio", 2020), ("A", "S1", None, None, None))
    assert got.duplicates == (Duplicate(0, 2, 0, 3),)
    assert got.identities == (Identity(0, 3, "A", "S1", "Kia", "Rio", 2020),)


def test_what_the_last_row_lacks_comes_from_the_latest_that_has_it():
    got = resolve(
        ("A", "S1", "KIA", "Rio", 2020), ("A", "S1", "Kia", None, 2021), ("A",) + (None,) * 4
    )
    assert got.identities == (Identity(0, 4, "A", "S1", "Kia", "Rio", 2021),)
    assert set(got.duplicates) == {Duplicate(0, 2, 0, 4), Duplicate(0, 3, 0, 4)}


def test_a_vin_with_two_stock_numbers_on_one_car_is_one_vehicle():
    got = resolve(("A", "S1", *KIA), ("A", "S2", "KIA", "rio", 2020))
    assert got.identities == (Identity(0, 3, "A", "S2", "KIA", "rio", 2020),)


def test_a_vin_with_one_stock_number_is_one_vehicle_however_it_is_described():
    got = resolve(("A", "S1", *KIA), ("A", "S1", *HONDA))
    assert got.identities == (Identity(0, 3, "A", "S1", *HONDA),)


def test_a_row_without_vin_under_the_stock_number_of_several_vins_is_rejected():
    got = resolve(("A", "S1", *KIA), ("B", "S1", *KIA), (None, "S1", *KIA))
    assert got == Resolution(rejected=((0, Finding(4, None, "ambiguous_stock_number", "S1")),))


def test_a_row_without_vin_that_describes_another_car_than_its_vin_is_rejected():
    got = resolve(("A", "S1", *KIA), (None, "S1", *HONDA))
    assert got == Resolution(rejected=((0, Finding(3, None, "ambiguous_stock_number", "S1")),))


def test_rows_that_agree_with_the_vin_but_not_with_each_other_are_rejected():
    got = resolve(
        ("A", "S1", "Kia", "Rio", None),
        (None, "S1", "Kia", "Rio", 2020),
        (None, "S1", "Kia", "Rio", 2024),
    )
    assert [finding.line for _, finding in got.rejected] == [3, 4]
    assert not got.duplicates


def test_rows_without_vin_that_agree_are_one_vehicle():
    got = resolve((None, "S1", "Kia", "Rio", 2020), (None, "S1", "kia", None, 2021))
    assert got.duplicates == (Duplicate(0, 2, 0, 3),)
    assert got.identities == (Identity(0, 3, None, "S1", "kia", "Rio", 2021),)


def test_rows_without_vin_that_disagree_are_all_rejected():
    got = resolve((None, "S1", *KIA), (None, "S1", *HONDA))
    assert [finding.line for _, finding in got.rejected] == [2, 3]
    assert not got.identities


def test_a_vin_row_replaced_twice_points_to_the_row_that_stands():
    got = resolve(("A", "S1", *KIA), ("A", "S1", *KIA), (None, "S1", *KIA))
    assert set(got.duplicates) == {Duplicate(0, 2, 0, 4), Duplicate(0, 3, 0, 4)}
    assert got.identities == (Identity(0, 4, "A", "S1", *KIA),)


def test_the_files_of_a_delivery_are_one_state_of_the_lot():
    got = resolve(("A", "S1", *KIA, 0), ("A", "S1", *KIA, 1))
    assert got.duplicates == (Duplicate(0, 2, 1, 3),)


keys = st.tuples(
    st.sampled_from([None, "A", "B", "C"]),
    st.sampled_from([None, "S1", "s1", "S2", "S3"]),
    st.sampled_from([None, "Kia", "Honda"]),
    st.sampled_from([None, "Rio", "Civic"]),
    st.sampled_from([None, 2020, 2021, 2024]),
).filter(lambda row: row[0] or row[1])


@given(st.lists(keys, max_size=12))
def test_every_row_stands_is_replaced_or_is_rejected_and_no_two_that_stand_share_an_identity(rows):
    got = resolve(*rows)
    gone = {d.line for d in got.duplicates}
    refused = {finding.line for _, finding in got.rejected}
    assert not gone & refused
    lines = set(range(2, len(rows) + 2))
    standing = lines - gone - refused
    assert {d.by_line for d in got.duplicates} <= standing
    final = {i.line: i for i in got.identities}
    assert set(final) <= standing
    vins = [final[n].vin if n in final else rows[n - 2][0] for n in standing]
    known = [vin for vin in vins if vin]
    assert len(known) == len(set(known))
    for line in standing:
        vin = final[line].vin if line in final else rows[line - 2][0]
        stock = final[line].stock_number if line in final else rows[line - 2][1]
        assert vin or stock


def test_two_hundred_thousand_rows_fit_in_sixty_megabytes():
    tracemalloc.start()
    try:
        rows = Rows()
        for n in range(200_000):
            rows.add(0, n + 2, (f"KM8K2CAB0RU{n:06}", f"ST{n:06}", "Hyundai", "Ioniq 5"), 2024)
        assert len(rows) == 200_000
        assert rows.resolve() == Resolution()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 60_000_000
