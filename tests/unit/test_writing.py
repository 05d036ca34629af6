import pytest

from ingestd.feed.writing import DOES_NOT_FIT, fits_common, writer, writes_whole
from ingestd.vehicle import Column, Target


def write(column, value, **options):
    return writer(Target("test", (column,), **options), column)(value)


PRICE = Column("price", "price", "numeric")
WHOLE = Column("price", "price", "integer")


@pytest.mark.parametrize(
    ("column", "money", "text"),
    [
        (PRICE, "dollars", "24999.50"),
        (WHOLE, "dollars", "25000"),
        (PRICE, "whole_dollars", "25000"),
        (PRICE, "cents", "2499950"),
        (WHOLE, "cents", "2499950"),
    ],
)
def test_money_is_written_in_the_targets_unit(column, money, text):
    assert write(column, 2499950, money=money) == text
    target = Target("test", (column,), money=money)
    assert writes_whole(target, column) == ("." not in text)


def test_what_is_too_large_for_its_column_does_not_fit():
    assert write(WHOLE, 10**12) is DOES_NOT_FIT
    assert write(PRICE, 10**12) is DOES_NOT_FIT
    assert write(Column("mileage", "m", "integer"), 2**31) is DOES_NOT_FIT
    assert write(Column("mileage", "m", "integer"), 5) == "5"


def test_text_longer_than_its_column_does_not_fit():
    short = Column("trim", "trim", "text", max_length=3)
    assert write(short, "SEL") == "SEL"
    assert write(short, "SEL+") is DOES_NOT_FIT


def test_lists_are_written_as_json_or_as_arrays():
    assert write(Column("features", "f", "jsonb"), ("a", 'b"')) == '["a","b\\\\""]'
    assert write(Column("features", "f", "text[]"), ("a",)) == '{"a"}'


def test_a_status_is_written_in_the_targets_words():
    status = Column("status", "status", "text")
    assert write(status, "pending", status_pending="On Hold") == "On Hold"


def test_a_number_beyond_the_columns_own_range_does_not_fit():
    small = Column("mileage", "m", "integer", most=3276700)
    assert write(small, 32767) == "32767"
    assert write(small, 32768) is DOES_NOT_FIT
    narrow = Column("price", "p", "numeric", most=9999999)
    assert write(narrow, 9999999) == "99999.99"
    assert write(narrow, 10000000) is DOES_NOT_FIT
    assert write(narrow, 99999, money="cents") == "99999"
    assert write(narrow, 100000, money="cents") is DOES_NOT_FIT


def test_what_is_read_at_a_glance_fits_unless_the_column_is_narrow():
    assert fits_common(PRICE)
    assert fits_common(Column("price", "p", "numeric", most=10**8))
    assert not fits_common(Column("price", "p", "numeric", most=9999999))


def test_a_list_that_is_too_long_for_its_column_does_not_fit():
    text = Column("features", "f", "text", max_length=7)
    assert write(text, ("abc",)) == '["abc"]'
    assert write(text, ("abcd",)) is DOES_NOT_FIT
    array = Column("features", "f", "text[]", max_length=3)
    assert write(array, ("abc", "de")) == '{"abc","de"}'
    assert write(array, ("abc", "defg")) is DOES_NOT_FIT
