"""Numbers and times in words."""

from datetime import UTC, datetime

import pytest

from ingestd.phrasing import counted, iso


@pytest.mark.parametrize(
    ("number", "told"), [(0, "0 warnings"), (1, "1 warning"), (2, "2 warnings")]
)
def test_one_is_one_and_all_others_are_several(number, told):
    assert counted(number, "warning") == told


def test_a_time_is_told_to_the_second_and_none_is_none():
    assert iso(datetime(2026, 11, 23, 6, 0, 0, 999_999, tzinfo=UTC)) == "2026-11-23T06:00:00Z"
    assert iso(None) is None
