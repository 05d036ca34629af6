"""PURE  The ladder by which a VIN cell becomes a key, or does not.

    A  17 characters, alphabet and check digit right          key
    B  the same, check digit wrong                            key, warning ``check_digit``
    C  17 characters, factory placeholder (I, O or Q, or      key, provisional, warning
       letters in the serial of a Toyota or Lexus)            ``provisional_vin``
    D  11 to 16 characters and a model year before 1981       key, warning ``short_vin``
    E  all else: placeholders, counters, short, look-alikes   no key: ``bad_vin``

Blanks, dashes, quotes and the like are taken off, so is a ``VIN:`` before it.  Of a longer cell
(``LOT4-1ZZ…``) the one word that is a VIN with the right check digit is taken.

The check digit and the model year are warnings, never rejections: real cars are sold with
wrong ones.  A letter that only looks like a Latin one is refused, never translated: two
different strings must not become one car.  Sources: 49 CFR 565 and 42,703 VINs in real feeds.
"""

import re
from functools import lru_cache
from operator import mul
from typing import NamedTuple

LENGTH = 17
SHORTEST = 11
STANDARD_SINCE = 1981

#: Why a cell gives no key.  ``BLANK``: nothing in it, or a word for nothing; ``JUNK``: a
#: placeholder that many cars share; ``BAD``: no VIN at all.
BLANK, JUNK, BAD = "blank", "junk_vin", "bad_vin"

_NOT_SHOWN = re.compile(r"[\s\-\u00ad\u200b-\u200f\u2010-\u2015\u2060\ufeff]+")
_AROUND = "='\"*\u2018\u2019`.,;:#"
_PREFIX = re.compile(r"V\.?I\.?N\.?(?:NUMBER|NO\.?)?[:#=.]+")
_NOT_A_WORD = re.compile(r"[^A-Z0-9]+")
_LONGEST_CELL = 200
_ALPHABET = re.compile(r"[A-HJ-NPR-Z0-9]{17}\Z")
_WIDE_ALPHABET = re.compile(r"[A-Z0-9]{17}\Z")
_SHORT = re.compile(r"[A-Z0-9]{11,16}\Z")
_LETTER_IN_SERIAL = re.compile(r"[A-Z]")
_NOTHING_WORD = re.compile(
    r"(NA|NONE|NULL|NIL|TB[DA]|UNKNOWN|PENDING|(NO)?VIN|NOTPROVIDED|(NOT|UN)AVAILABLE|PREMIUM"
    r"|CALL)?\Z"
)
_MARKS = re.compile(r"[^A-Z0-9]+")
_JUNK_START = re.compile(r"0?1234567|9876543|ABCDEFG|TEST|DEMO|SAMPLE|UNKNOWN|NOTPROV|VIN0|XXXX")
_FEWEST_CHARACTERS = 4

#: Dummies that pass the check digit and were seen on many listings.
KNOWN_DUMMIES = frozenset({"2GNFLFEK1F6224271"})

#: World manufacturer identifiers of Toyota and Lexus, which list cars before they are built.
TOYOTA = "JT|1NX|2T[1-3]|3MY|3T[MY]|4T[1-4]|5T[BDEF]|5YF|58A|7MU|7SV|SB1|VNK|NMT"
#: What only a placeholder of theirs has: letters that no VIN has, or one in the serial number.
PLACEHOLDER_LETTERS = "[IOQ]|[A-Z][A-Z0-9]{0,4}$"
_TOYOTA = re.compile(TOYOTA)

_VALUES = bytes.maketrans(
    b"ABCDEFGHJKLMNPRSTUVWXYZ0123456789",
    bytes([1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 7, 9, 2, 3, 4, 5, 6, 7, 8, 9, *range(10)]),
)
_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_YEAR_CODES = {code: 1980 + at for at, code in enumerate("ABCDEFGHJKLMNPRSTVWXY123456789")}
_YEAR_CYCLE = 30
#: Where the serial number begins.
_SERIAL = 11
#: Its last three: digits, as a rule, so that the pieces of serial numbers are few.
_LAST = 14


class Verdict(NamedTuple):
    """What a VIN cell is worth: a key (``vin``), or the ``problem`` why not."""

    vin: str | None
    problem: str | None = None
    warnings: tuple[str, ...] = ()
    provisional: bool = False


_NOTHING = Verdict(None, BLANK)
_IS_JUNK = Verdict(None, JUNK)
_IS_BAD = Verdict(None, BAD)


def judge(cell: str, year: int | None = None, *, in_transit: bool = False) -> Verdict:
    """Place a cell on the ladder; ``year`` is the row's model year, where it has one."""
    vin = cell if cell.isalnum() else _NOT_SHOWN.sub("", cell).strip(_AROUND)
    if not vin.isascii():  # before upper(), which makes plain letters of some look-alikes
        return _IS_BAD
    vin = vin.upper()
    if len(vin) > LENGTH:
        vin = _within(vin, cell)
    if len(vin) == LENGTH and _ALPHABET.match(vin):
        return _full(vin, year)
    if _NOTHING_WORD.match(_MARKS.sub("", vin[:40])):
        return _NOTHING
    return _odd(vin, year, in_transit=in_transit)


def _within(vin: str, cell: str) -> str:
    """Give the VIN of a longer cell: what follows ``VIN:``, or its one word that proves to be."""
    bare = _PREFIX.sub("", vin, count=1)
    if len(bare) <= LENGTH or len(cell) > _LONGEST_CELL:
        return bare
    words = set(_NOT_A_WORD.split(cell.upper()))
    proven = [word for word in words if _ALPHABET.match(word) and check_digit(word) == word[8]]
    return proven[0] if len(proven) == 1 and not is_junk(proven[0]) else bare


def _odd(vin: str, year: int | None, *, in_transit: bool) -> Verdict:
    if is_junk(vin):
        return _IS_JUNK
    if (in_transit or _TOYOTA.match(vin)) and _WIDE_ALPHABET.match(vin):
        return Verdict(vin, warnings=("provisional_vin",), provisional=True)
    if year is not None and year < STANDARD_SINCE and _SHORT.match(vin):
        return Verdict(vin, warnings=("short_vin",))
    return _IS_BAD


def _full(vin: str, year: int | None) -> Verdict:
    begun, toyota, suspect = _beginning(vin[:_SERIAL])
    if suspect and is_junk(vin):
        return _IS_JUNK
    serial = _piece(vin[_SERIAL:_LAST], _SERIAL) + _piece(vin[_LAST:], _LAST)
    if "0123456789X"[(begun + serial) % 11] != vin[8]:
        return Verdict(vin, warnings=("check_digit",))
    if toyota and _LETTER_IN_SERIAL.search(vin, 12):
        return Verdict(vin, warnings=("provisional_vin",), provisional=True)
    if year is not None and not plausible_year(vin, year):
        return Verdict(vin, warnings=("model_year",))
    return Verdict(vin)


@lru_cache(maxsize=4096)
def _beginning(head: str) -> tuple[int, bool, bool]:
    """Judge all but the serial number, which cars of one kind have in common.

    Its weighted sum; whether it is a Toyota's; whether the VIN may be junk.
    """
    suspect = (
        _JUNK_START.match(head) is not None
        or len(set(head)) < _FEWEST_CHARACTERS
        or head.isalpha()
        or any(dummy.startswith(head) for dummy in KNOWN_DUMMIES)
    )
    return _weighed(head, 0), _TOYOTA.match(head) is not None, suspect


def _weighed(part: str, start: int) -> int:
    return sum(map(mul, part.encode("ascii").translate(_VALUES), _WEIGHTS[start:]))


_piece = lru_cache(maxsize=8192)(_weighed)


def check_digit(vin: str) -> str:
    """Give the character that position 9 of a 17-character VIN should hold (49 CFR 565.15)."""
    return "0123456789X"[_weighed(vin, 0) % 11]


def plausible_year(vin: str, year: int) -> bool:
    """Say whether position 10 allows ``year``, give or take one, in any of its 30-year cycles.

    Which cycle is meant follows from position 7 for cars and light trucks only, so it is not
    asked.  A code outside the standard's list proves nothing.
    """
    start = _YEAR_CODES.get(vin[9])
    return start is None or (year - start + 1) % _YEAR_CYCLE <= 2  # noqa: PLR2004  -1, 0, +1


def is_junk(vin: str) -> bool:
    """Say whether a cleaned VIN is a placeholder: a counter, one character, letters only."""
    return (
        _JUNK_START.match(vin) is not None
        or len(set(vin)) < _FEWEST_CHARACTERS
        or vin.isalpha()
        or vin in KNOWN_DUMMIES
    )
