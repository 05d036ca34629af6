"""PURE  A cell becomes a value, ``BLANK``, or a ``Flaw`` that says why it is none.

* What a parser gives is safe to store: no NUL, surrogate or control character.
* A word for nothing (``N/A``, ``-``) is blank.  Text is trimmed, and cleaned of tags and
  entities; free text keeps them, for it is the sender's own.
* A flaw never becomes a guess: what cannot be read leaves the stored value alone.
* Every pattern is linear in the length of the cell.

Numbers are in ``numbers``, lists and links in ``lists``.
"""

import re
from dataclasses import dataclass
from html import unescape
from typing import Final, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Flaw:
    """No value: the reason is a code of the closed set."""

    reason: str


@dataclass(frozen=True, slots=True)
class Noted(Generic[T]):
    """A value that is used although something about it is worth a warning."""

    value: T
    reason: str


BLANK: Final = Flaw("blank")
#: Words where a price should be (``Call``): the sender has one but does not tell it.
WORDS: Final = Flaw("words")
#: Text that no person wrote: a masked cell, the debris of a program.
UNREADABLE_TEXT: Final = Flaw("unreadable_text")
JUNK_STOCK: Final = Flaw("junk_stock_number")
UNKNOWN_STATUS: Final = Flaw("unknown_status")

_NOTHING_WORDS = (
    "n/a #n/a n.a. na <n/a> null (null) <null> none nil nan undefined \\n #value! #ref! #name? "
    "#div/0! #num! #null!"
)
_NOTHING = frozenset(("", *_NOTHING_WORDS.split()))
_LONGEST_NOTHING = 40
#: A cell of these alone says nothing (``-``, ``***``); ``!`` and ``+`` are names of trims.
_FILLERS = " -\u2013\u2014_.*?/#"

#: Characters that no text may hold: controls (tab and newlines apart), surrogates, and the
#: non-characters that some libraries refuse.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]+")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")
_SPACES = re.compile(r"\s+")
_TAG = re.compile(r"</?[A-Za-z!][^<>]*>")
_FOOTNOTE = re.compile(r"<sup>[^<>]{0,20}</sup>", re.IGNORECASE)
_BREAK = re.compile(r"<(?:br|p|li|div|td)\b[^<>]*>", re.IGNORECASE)
#: UTF-8 that was read as Windows-1252, and what a decoder puts where it gave up.
_GARBLED = re.compile(
    "\u00c2[\u0080-\u00bf]|\u00c3[\u0080-\u00bf\u0152-\u2122]|\u00e2\u20ac|\u00ef\u00bb\u00bf|\ufffd"
)
_GARBLED_MARKS = ("\u00c2", "\u00c3", "\u00e2\u20ac", "\u00ef", "\ufffd")
#: A semicolon is required, so that ``AT&T`` is no entity; lengths are bound, so that no
#: number grows past what can be converted.
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


def is_blank(cell: str) -> bool:
    """Say whether a cell is empty or a word for nothing."""
    if len(cell) > _LONGEST_NOTHING:
        return cell.isspace()
    return cell.strip().lower() in _NOTHING or not cell.strip(_FILLERS)


def text(cell: str) -> str | Flaw:
    """Give a cell as one line of plain text: trimmed, tags and entities resolved.

    Of ``="0123"``, by which exporters keep a spreadsheet from counting, the quoted text.
    """
    plain = cell.strip() if cell.isprintable() and "<" not in cell else _untag(cell)
    if plain.startswith('="') and plain.endswith('"'):
        plain = plain[2:-1].strip()
    if "&" in plain:
        plain = _one_line(_ENTITY.sub(_entity, plain))
    elif "  " in plain:
        plain = _SPACES.sub(" ", plain)
    return BLANK if is_blank(plain) else plain


def free_text(cell: str) -> str | Flaw:
    """Give a description as the sender wrote it, line ends unified, trimmed."""
    if not cell.isprintable():
        cell = _FORBIDDEN.sub("", cell.replace("\r\n", "\n").replace("\r", "\n"))
    plain = cell.strip()
    return BLANK if is_blank(plain) else plain


def garbled(value: str) -> bool:
    """Say whether a text was decoded wrongly before it came here (``AMG\u00c2\u00ae``).

    It is stored as it stands: what it was cannot be known.
    """
    if value.isascii():
        return False
    for mark in _GARBLED_MARKS:
        if mark in value:
            return _GARBLED.search(value) is not None
    return False


def plain(cell: str) -> str:
    """Give any text as it may be shown and stored: on one line, nothing hidden in it."""
    return cell if cell.isprintable() else _one_line(cell)


def _untag(cell: str) -> str:
    if "<" in cell:
        cell = _TAG.sub("", _BREAK.sub(" ", _FOOTNOTE.sub("", cell)))
    return _one_line(cell)


def _one_line(cell: str) -> str:
    cell = _INVISIBLE.sub("", _SPACES.sub(" ", cell))
    return _FORBIDDEN.sub("", cell).strip()


def _entity(match: re.Match[str]) -> str:
    return unescape(match[0])


LONGEST_STOCK_NUMBER = 50
_STOCK_WORDS = re.compile(r"0+\Z|test|stock|http|www\.", re.IGNORECASE)


def stock_number(cell: str) -> str | Flaw:
    """Give a stock number; without a digit (``STEPS``, a surname, a slogan) it is junk.

    Stock numbers join rows that have no VIN, so a word that many rows share must not be one.
    """
    value = text(cell)
    if isinstance(value, Flaw):
        return value
    junk = (
        len(value) > LONGEST_STOCK_NUMBER
        or not any(map(str.isdigit, value))
        or _STOCK_WORDS.match(value) is not None
    )
    return JUNK_STOCK if junk else value


_ACTIVE, _PENDING, _SOLD = "active", "pending", "sold"
_STATUS_WORDS = {
    _ACTIVE: (
        "active available instock onlot onthelot forsale live listed published online inventory "
        "ininventory demo demonstrator loaner serviceloaner loanercar courtesyvehicle courtesy "
        "courtesycar inservicefctp inservice frontline frontlineready retailready retail ready "
        "readyforsale availableforsale availablenow atdealer atdealership dealerstock "
        "onground recon inrecon reconditioning activeinventory stockedin forecourt stock lot "
        "disponible disponivel verfugbar"
    ),
    _PENDING: (
        "pending salepending pendingsale hold onhold deposit deposittaken reserved dealpending "
        "soldpending pendingsold undercontract salepend pendingdeal depositreceived underoffer "
        "saleinprogress spokenfor"
    ),
    _SOLD: (
        "sold retailsold wholesaled soldretail soldwholesale wholesalesold delivered vendu vendido "
        "verkauft"
    ),
}
_IN_TRANSIT_WORDS = (
    "intransit intransittodealer intransitatfactory intransitfromfactory inproduction production "
    "buildphase build allocated allocation onorder ordered comingsoon arrivingsoon scheduled "
    "intransittodealership intransitfromport enroute onroute atport atfactory infactory "
    "awaitingdelivery dealerordered preorder preordered duein"
)
_IN_TRANSIT = frozenset(_IN_TRANSIT_WORDS.split())
_STATUSES = {
    word: status for status, words in _STATUS_WORDS.items() for word in words.split()
} | dict.fromkeys(_IN_TRANSIT, _ACTIVE)
_LONGEST_STATUS = 60


def status(cell: str) -> str | Flaw:
    """Give ``active``, ``pending`` or ``sold`` for a word about where a car stands in its sale."""
    if is_blank(cell):
        return BLANK
    return _STATUSES.get(status_word(cell), UNKNOWN_STATUS)


def in_transit(cell: str) -> bool:
    """Say whether a status tells of a car that is not built or not arrived yet."""
    return status_word(cell) in _IN_TRANSIT


def status_word(cell: str) -> str:
    """Give a status as its letters and digits; of ``https://schema.org/InStock`` the last part."""
    if cell.startswith("http"):
        cell = cell.rstrip("/").rpartition("/")[2]
    return "".join(filter(str.isalnum, cell[:_LONGEST_STATUS])).lower()
