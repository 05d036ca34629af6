"""When a file may be taken for whole."""

import pytest

from ingestd.sources.stillness import Signature, Tracker, Writer

ONE = Signature(size=10, mtime_ns=1, inode=7)


def tracker(seen=None, now=0.0, stable_for=5.0):
    new: Tracker[str] = Tracker(stable_for)
    new.look({"lot": ONE} if seen is None else seen, now)
    return new


@pytest.mark.parametrize(
    ("writer", "now", "ripe"),
    [
        (Writer.NOBODY, 0.4, False),
        (Writer.NOBODY, 0.5, True),
        (Writer.SOMEBODY, 999.0, False),
        (Writer.UNKNOWN, 4.9, False),
        (Writer.UNKNOWN, 5.0, True),
    ],
)
def test_half_a_second_is_enough_where_nobody_writes_and_stable_for_where_none_can_tell(
    writer, now, ripe
):
    assert tracker().ripe("lot", now, ONE, writer) is ripe


@pytest.mark.parametrize(
    "changed",
    [ONE._replace(size=11), ONE._replace(mtime_ns=2), ONE._replace(inode=8)],
)
def test_a_changed_file_starts_again(changed):
    files = tracker()
    files.look({"lot": changed}, 0.4)
    assert not files.ripe("lot", 0.8, changed, Writer.NOBODY)
    assert files.ripe("lot", 0.9, changed, Writer.NOBODY)


def test_a_file_that_changed_since_the_last_look_is_not_ripe():
    assert not tracker().ripe("lot", 9.0, ONE._replace(size=11), Writer.NOBODY)


def test_an_unchanged_file_goes_on():
    files = tracker()
    files.look({"lot": ONE}, 0.4)
    assert files.ripe("lot", 0.5, ONE, Writer.NOBODY)


def test_the_files_own_time_counts_for_nothing():
    future = ONE._replace(mtime_ns=10**20)
    files = tracker({"lot": future})
    assert files.ripe("lot", 0.5, future, Writer.NOBODY)


def test_an_empty_file_waits_longer_for_its_bytes_may_still_come():
    empty = ONE._replace(size=0)
    files = tracker({"lot": empty})
    assert not files.ripe("lot", 4.9, empty, Writer.NOBODY)
    assert files.ripe("lot", 5.0, empty, Writer.NOBODY)


def test_a_short_stable_for_holds_for_all():
    assert tracker(stable_for=0.1).ripe("lot", 0.1, ONE, Writer.NOBODY)


def test_nobody_is_asked_before_the_file_could_be_ripe():
    files = tracker()
    assert not files.worth_asking("lot", 0.4, exact=True)
    assert files.worth_asking("lot", 0.5, exact=True)
    assert not files.worth_asking("lot", 0.5, exact=False)


def test_a_claimed_file_stays_as_still_as_it_was():
    files = tracker()
    files.carry("lot", "claim")
    assert files.ripe("claim", 0.5, ONE, Writer.NOBODY)
    assert files.youngest(1.0) == 1.0


def test_the_youngest_file_sets_the_pace():
    files = tracker()
    files.look({"lot": ONE, "new": ONE}, 3.0)
    assert files.youngest(5.0) == 2.0
    files.forget("new")
    files.forget("unheard of")
    assert files.youngest(5.0) == 5.0


def test_a_vanished_file_is_forgotten():
    files = tracker()
    files.look({}, 1.0)
    assert files.youngest(1.0) is None
