import time
from datetime import UTC, datetime

import pytest

from ingestd.mail.dates import moment

WHEN = datetime(2026, 11, 23, 4, 10, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    "raw",
    [
        b"Mon, 23 Nov 2026 05:10:07 +0100",
        b"mon ,  23 NOV 2026\t05 : 10 : 07 +0100 (CET (or so))",
        b"Tue, 23 Nov 2026 04:10:07 GMT",
        b"23 Nov 2026 04:10:07 UT",
        b"23 Nov 2026 04:10:07 UTC",
        b"23 Nov 2026 04:10:07Z",
        b"23 Nov 2026 04:10:07 -0000",
        b"22 Nov 2026 21:40:07 -0630",
    ],
)
def test_a_date_is_read_in_each_of_its_forms(raw):
    assert moment(raw) == WHEN


def test_a_date_without_seconds_and_one_with_a_leap_second_are_read():
    assert moment(b"1 Jan 2026 00:00 +0000") == datetime(2026, 1, 1, tzinfo=UTC)
    leap = datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert moment(b"Sat, 31 Dec 2016 23:59:60 +0000") == leap


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"(",
        b"now",
        b"23 Nov 26 04:10:07 +0000",
        b"23 Nov 2026 04:10:07",
        b"23 Nov 2026 04:10:07 EST",
        b"23 Nov 2026 04:10:07 +00",
        b"23 Nov 2026 04:10:07 +0000 x",
        b"23 Nov 2026 4:10:07 +0000",
        b"2026-11-23T04:10:07Z",
        b"31 Nov 2026 04:10:07 +0000",
        b"23 Nox 2026 04:10:07 +0000",
        b"23 Nov 2026 24:10:07 +0000",
        b"23 Nov 2026 04:10:61 +0000",
        b"23 Nov 2026 04:10:07 +2400",
        b"1 Jan 0001 00:00:00 +1200",
        b"31 Dec 9999 23:00:00 -1200",
        b"1 Jan 0000 00:00:00 +0000",
        "\u0662\u0663 Nov 2026 04:10:07 +0000".encode(),
        b"\xff",
        b"23 Nov 2026 04:10:07 +0000" + b" " * 200,
    ],
)
def test_whatever_else_stands_there_is_no_date(raw):
    assert moment(raw) is None


def test_a_date_full_of_traps_takes_little_time():
    began = time.process_time()
    for unit in (b" ", b"(", b"()", b"1", b"mon,"):
        assert moment(unit * 16_000) is None
    assert time.process_time() - began < 1
