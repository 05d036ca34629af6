"""PURE  When a mail says that it was written: its Date header (RFC 5322 §3.3), strictly.

Rules:
  * One form: ``Mon, 23 Nov 2026 05:10:00 +0100``; the day's name and the seconds may be away.
    The day's name is not compared with the day: programs have been wrong about it.
  * The zone is four digits, or GMT, UT, UTC or Z.  Other names mean several zones; what bears
    one, or a year of two digits, is not read.
  * Comments are taken out.  What is not read is ``None``, never a guess.
"""

import re
from datetime import UTC, datetime, timedelta, timezone

from ingestd.mail.phrase import text, uncommented

_LONGEST = 200
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATE = re.compile(
    r"\s*+(?:(?:mon|tue|wed|thu|fri|sat|sun)\s*+,)?\s*+([0-9]{1,2})\s++([a-z]{3})\s++([0-9]{4})"
    r"\s++([0-9]{2})\s*+:\s*+([0-9]{2})(?:\s*+:\s*+([0-9]{2}))?"
    r"\s*+(?:([+-])([0-9]{2})([0-9]{2})|gmt|utc?|z)\s*+\Z",
    re.IGNORECASE | re.ASCII,
)
_LEAP = 60


def moment(raw: bytes) -> datetime | None:
    """Give a raw Date value, unfolded, as a moment in UTC; ``None``: it cannot be read."""
    bare = uncommented(text(raw)) if len(raw) <= _LONGEST else None
    found = _DATE.match(bare) if bare else None
    if found is None or found[2].lower() not in _MONTHS:
        return None
    day, year, hour, minute, second = (int(found[place] or 0) for place in (1, 3, 4, 5, 6))
    month = _MONTHS.index(found[2].lower()) + 1
    second = min(second, 59) if second == _LEAP else second
    off = timedelta(hours=int(found[8] or 0), minutes=int(found[9] or 0))
    try:
        zone = timezone(-off if found[7] == "-" else off)
        return datetime(year, month, day, hour, minute, second, tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
