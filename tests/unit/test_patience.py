"""How long to wait before trying again."""

import pytest

from ingestd import patience
from ingestd.errors import Denied, Throttled, TryAgain


def least() -> float:
    return 0.0


def most() -> float:
    return 1.0


def test_what_may_pass_is_tried_soon_then_later_but_within_a_minute():
    waits = [patience.pause(TryAgain("x"), n, most) for n in (1, 2, 3, 6, 7, 5000)]
    assert waits == [2, 4, 8, 60, 60, 60]


def test_a_hundred_clients_do_not_come_back_in_one_moment():
    assert patience.pause(TryAgain("x"), 3, least) == pytest.approx(1.6)
    assert 1.6 <= patience.pause(TryAgain("x"), 3) <= 8


def test_a_refused_login_is_tried_four_times_in_the_first_hour_and_then_once_an_hour():
    waits = [patience.pause(Denied("x"), n, least) for n in (1, 2, 3, 4, 5, 99)]
    assert waits == [60, 300, 900, 3600, 3600, 3600]
    assert patience.pause(Denied("x"), 1, most) == pytest.approx(66)


def test_who_asks_to_be_left_alone_is_left_alone_longer_each_time():
    waits = [patience.pause(Throttled("x", 600), n, least) for n in (1, 2, 3, 4, 9)]
    assert waits == [600, 1200, 2400, 4800, 4800]
