"""How long to wait before trying again."""

import pytest

from ingestd import patience
from ingestd.errors import Denied, Fault, Misconfigured, Throttled, TryAgain


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


def test_what_is_misconfigured_waits_as_long_as_a_refused_login():
    error = Misconfigured(Fault("x", "is wrong"))
    assert [patience.pause(error, n, least) for n in (1, 4)] == [60, 3600]


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_what_is_put_off_waits_until_its_time():
    clock = Clock()
    put_off = patience.PutOff(clock)
    put_off.put(7, 3)
    put_off.put(8, 9)
    assert put_off.waiting() == (7, 8)
    assert (put_off.soonest(5), put_off.soonest(1)) == (3, 1)
    clock.now += 3
    assert put_off.waiting() == (8,)
    assert (put_off.soonest(5), put_off.soonest(50)) == (5, 6)
    assert (put_off.times(7), put_off.times(9)) == (1, 0)


def test_what_is_put_off_again_and_again_waits_longer_but_not_for_ever():
    clock = Clock()
    put_off = patience.PutOff(clock)
    waits = []
    for _ in range(5):
        put_off.put_longer(7, 5)
        waits.append(put_off.soonest(1000))
    assert waits == [5, 10, 20, 30, 30]
    put_off.forget(7)
    assert put_off.waiting() == ()
    put_off.put_longer(7, 5)
    assert put_off.soonest(1000) == 5
    put_off.clear()
    assert put_off.times(7) == 0


def test_what_is_met_again_and_again_is_counted_until_something_else_is_met():
    met = patience.InARow()
    assert [met.count(7, "a"), met.count(7, "a"), met.count(8, "a"), met.count(7, "a")] == [
        1,
        2,
        1,
        3,
    ]
    assert [met.count(7, "b"), met.count(7, "a")] == [1, 1]
    met.forget(7)
    met.forget(9)
    assert [met.count(7, "a"), met.count(8, "a")] == [1, 2]


def test_of_what_was_met_in_a_row_only_so_much_is_remembered_too():
    met = patience.InARow()
    for number in range(patience.MOST_REMEMBERED):
        met.count(number)
    assert met.count(0) == 2
    met.count(5000)
    assert [met.count(0), met.count(1)] == [3, 1]


def test_only_so_many_are_remembered_and_the_eldest_is_forgotten():
    put_off = patience.PutOff(Clock())
    for number in range(patience.MOST_REMEMBERED):
        put_off.put(number, 9)
    put_off.put(0, 9)
    put_off.put(5000, 9)
    assert len(put_off.waiting()) == patience.MOST_REMEMBERED
    assert (put_off.times(0), put_off.times(1)) == (2, 0)


def test_a_bug_is_told_by_class_and_places_and_not_by_its_values():
    def buggy() -> None:
        raise TypeError("the customer's words")

    with pytest.raises(TypeError) as caught:
        buggy()
    told = patience.bug(caught.value)
    assert told["error"] == "TypeError"
    assert "buggy < test_patience.py:" in told["where"]
    assert "customer" not in str(told)
