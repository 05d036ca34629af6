"""PURE  Cells with a number: money, mileage, year, doors.

The grammar is explicit: digits are ASCII digits, thousands are groups of three, a cell that
holds anything else is unreadable.  Money is in cents from here on, so no amount passes
through a binary fraction.
"""

import re
from typing import Final, Literal, TypeAlias

from ingestd.feed.values import BLANK, WORDS, Flaw, Noted, is_blank, text

Unit: TypeAlias = Literal["miles", "kilometers"]

UNREADABLE: Final = Flaw("unreadable_number")
UNREADABLE_YEAR: Final = Flaw("unreadable_year")
IMPLAUSIBLE: Final = Flaw("implausible_price")

FIRST_YEAR = 1900
_CENTURY = 100
_LEAST_FILLED_IN = 999_999_00
_LONGEST = 80
_KILOMETERS_PER_MILE = 1.609344
_MOST_DOORS = 9

#: 61551 · 61,551 · 61,551.00 · 61 551 · 12.345,00
_NUMBER = (
    r"(?:(?P<whole>[0-9]{1,15}|[0-9]{1,3}(?:,[0-9]{3}){1,4}|[0-9]{1,3}(?: [0-9]{3}){1,4})"
    r"(?:\.(?P<part>[0-9]{0,10}))?"
    r"|(?P<points>[0-9]{1,3}(?:\.[0-9]{3}){1,4}),(?P<comma>[0-9]{2}))"
)
_SIGN = (
    r"US\$|USD|CA\$|C\$|AU\$|A\$|NZ\$|R\$|CAD|AUD|NZD|MXN|MX\$|EUR|GBP|SEK|NOK|DKK|CHF|JPY|AED"
    r"|BRL|ZAR|INR|PLN|kr|R|Rs\.?|[$\u20ac\u00a3\u00a5\u20b9]"
)
#: What is asked besides, and is no part of the price: ``$24,995 + tax``, ``$24,995 OBO``.
_BESIDES = r"(?: ?(?:\+|plus|or best|obo\b|firm\b|neg\b)[a-z+&,./ ]{0,40})?"
_MONEY = re.compile(
    rf"(?P<before>{_SIGN})? ?(?P<minus>-)?{_NUMBER} ?(?P<after>{_SIGN})?{_BESIDES}\*{{0,3}}\Z",
    re.IGNORECASE,
)
_OUR_CURRENCY = frozenset({"$", "us$", "usd"})
#: Where these are money, a point parts thousands: ``18.500 \u20ac`` is not eighteen and a half.
_POINTS = frozenset({"\u20ac", "eur", "kr", "sek", "nok", "dkk", "r$", "brl", "pln"})
_FAST_MONEY = re.compile(r"\$?([0-9]{1,9}|[0-9]{1,3},[0-9]{3})(?:\.([0-9]{2}))?\Z")
_WORDS = re.compile(
    r"\b(?:call|contact|ask|inquir[ey]|enquir[ey]|request|e-?mail|quote|poa|tba|tbd|market|premium"
    r"|negotiable|unavailable|dealer|unpriced|auction|text us|coming soon|no price|sold|offer"
    r"|click|log ?in|sign in|unlock|visit|phone|pending|arriving|in transit|not priced)\b"
)
_DISTANCE = re.compile(
    rf"{_NUMBER} ?(?P<unit>mi|mile|miles|mls|km|kms|kilometers?|kilometres?)?\.?\Z", re.IGNORECASE
)
#: 12.345 may be twelve thousand or twelve: nobody can tell.
_THOUSANDS_OR_PART = re.compile(r"[0-9]{1,3}\.[0-9]{3}(?![0-9])")
#: What stands where nobody knows: 999999, $9,999,999.00, 12345678.
_FILLED_IN = re.compile(r"9{6,}\Z|1234567(?:89?0?)?\Z")
#: A number and its unit, as nested data are written in one cell.
_NESTED = re.compile(
    r"\{\W{0,3}value\W{1,5}(?P<value>[0-9]{1,9}(?:[.,][0-9]{1,9}){0,3})\W{1,5}unit\W{1,5}(?P<unit>[a-z]{2,10})\W{0,3}\}\Z",
    re.IGNORECASE,
)
_UNIT_ALONE = re.compile(r"(?:mi|miles?|kms?|kilometers?|kilometres?)\.?\Z", re.IGNORECASE)
_YEAR = re.compile(r"(?:MY ?)?([0-9]),?([0-9]{3})(?:\.0{1,6})?(?: ?MY)?\Z", re.IGNORECASE)
_SHORT_YEAR = re.compile(r"(?:'|\u2019|MY ?)?([0-9]{2})\Z", re.IGNORECASE)
#: 2019-01-01, with a time or without; 2019/01/31; 01/31/2019.
_DATE = re.compile(
    r"(?:([0-9]{4})-[01]?[0-9]-[0-3]?[0-9](?:[ T][0-9:.]{4,15}Z?)?"
    r"|([0-9]{4})/[01]?[0-9]/[0-3]?[0-9]|[0-3]?[0-9]/[0-3]?[0-9]/([0-9]{4}))\Z"
)
_NO_YEAR = frozenset({"0", "00", "0000", "0.0"})
_DOORS = re.compile(r"([0-9]{1,3})(?:\.0{1,6})?(?: ?-?(?:d|dr|drs|doors?))?\.?\Z", re.IGNORECASE)


def money(cell: str, least: int) -> int | Noted[int] | Flaw:
    """Give an amount in cents; below ``least`` cents it is implausible (a monthly payment).

    Zero is blank.  Words (``Please call``) are ``WORDS``.  Another currency than the dollar
    is noted, the number stays.
    """
    fast = _FAST_MONEY.match(cell)
    if fast is None:
        return _money(cell, least)
    whole, part = fast.groups()
    return _plausible(int(whole.replace(",", "")) * 100 + int(part or 0), least)


def _plausible(cents: int, least: int) -> int | Flaw:
    if not cents:
        return BLANK
    made_up = cents >= _LEAST_FILLED_IN and _FILLED_IN.match(str(cents // 100))
    return IMPLAUSIBLE if cents < least or made_up else cents


def _money(cell: str, least: int) -> int | Noted[int] | Flaw:
    plain = text(cell)
    if isinstance(plain, Flaw):
        return plain
    match = _MONEY.match(plain) if len(plain) <= _LONGEST else None
    if match is None:
        wordy = _WORDS.search(plain[:_LONGEST].lower().replace("_", " "))
        return WORDS if wordy else UNREADABLE
    stated = {sign.lower() for sign in (match["before"], match["after"]) if sign}
    points = _THOUSANDS_OR_PART.match(plain[match.start("whole") :])
    grouped = points is not None and not stated.isdisjoint(_POINTS)
    cents = _hundredths(match) * (1000 if grouped else 1)
    if match["minus"] and cents:
        return UNREADABLE
    amount = _plausible(cents, least)
    if isinstance(amount, Flaw) or stated <= _OUR_CURRENCY:
        return amount
    return Noted(amount, "currency")


def money_in_cents(cell: str, least: int) -> int | Noted[int] | Flaw:
    """Give an amount in cents that the cell states in cents: ``1599500`` is $15,995.00."""
    amount = money(cell, least * 100)
    if isinstance(amount, Noted):
        return Noted((amount.value + 50) // 100, amount.reason)
    return amount if isinstance(amount, Flaw) else (amount + 50) // 100


def _hundredths(match: re.Match[str]) -> int:
    """Give a matched number times 100, rounded half up at the third decimal."""
    whole = match["whole"] or match["points"].replace(".", "")
    part = match["part"] or match["comma"] or ""
    thousandths = int(whole.replace(",", "").replace(" ", "")) * 1000 + int(part[:3].ljust(3, "0"))
    return (thousandths + 5) // 10


def mileage(cell: str, stated: Unit | None, wanted: Unit) -> int | Flaw:
    """Give an odometer reading in the ``wanted`` unit.

    ``stated`` is the unit that the column states; a unit in the cell outranks it; a number
    without any is taken as it stands.
    """
    if cell.isdecimal() and cell.isascii() and len(cell) < 6 and stated in (None, wanted):  # noqa: PLR2004  nearly always
        return int(cell)
    plain = text(cell)
    if isinstance(plain, Flaw):
        return plain
    nested = _NESTED.match(plain) if plain.startswith("{") else None
    if nested is not None:
        plain = f"{nested['value']} {nested['unit']}"
    match = _DISTANCE.match(plain) if len(plain) <= _LONGEST else None
    if match is None:
        return BLANK if _UNIT_ALONE.match(plain[:_LONGEST]) else UNREADABLE
    reading = _hundredths(match)
    if _THOUSANDS_OR_PART.match(plain) or _FILLED_IN.match(str(reading // 100)):
        return UNREADABLE
    own = unit(match["unit"] or "") or stated or wanted
    return _convert(reading, own, wanted)


def _convert(hundredths: int, given: Unit, wanted: Unit) -> int:
    if given == wanted:
        return (hundredths + 50) // 100
    factor = 1 / _KILOMETERS_PER_MILE if wanted == "miles" else _KILOMETERS_PER_MILE
    return round(hundredths * factor / 100)


def unit(cell: str) -> Unit | None:
    """Give the unit of distance that a word names."""
    word = cell.strip()[:2].lower()
    return {"mi": "miles", "ml": "miles", "km": "kilometers", "ki": "kilometers"}.get(word)  # type: ignore[return-value]


def year(cell: str, last: int) -> int | Flaw:
    """Give a model year from 1900 to ``last``.

    Two digits are the latest such year that is not after ``last``; of a date it is the year's.
    Zero is blank.
    """
    plain = cell.strip()
    value = _year(plain, last)
    if value is None:
        return BLANK if is_blank(plain) or plain in _NO_YEAR else UNREADABLE_YEAR
    return value if FIRST_YEAR <= value <= last else UNREADABLE_YEAR


def _year(plain: str, last: int) -> int | None:
    if plain in _NO_YEAR:
        return None
    match = _YEAR.match(plain)
    if match is not None:
        return int(match[1] + match[2])
    match = _SHORT_YEAR.match(plain)
    if match is not None:
        return last - (last - int(match[1])) % _CENTURY
    match = _DATE.match(plain)
    return int(match[1] or match[2] or match[3]) if match is not None else None


def doors(cell: str) -> int | Flaw:
    """Give a number of doors (``4``, ``4.0``, ``4 doors``); zero is blank."""
    plain = text(cell)
    if isinstance(plain, Flaw):
        return plain
    match = _DOORS.match(plain)
    if match is None or int(match[1]) > _MOST_DOORS:
        return UNREADABLE
    return int(match[1]) or BLANK
