"""PURE  Cells with a word of a small vocabulary: colours, fuel, drivetrain, condition and such.

* A word is stored as it was written; only codes that leave no doubt are spelt out.
* A word that says nothing of the thing (``Other``, ``TBD``) is blank.
* What no person wrote (a masked cell, a program's debris, a colour's number without its name)
  is unreadable: the stored value stays.
"""

import re

from ingestd.feed.values import BLANK, UNREADABLE_TEXT, Flaw, text

_NOTHING_TO_SAY = frozenset(
    {
        *("other", "tbd", "tba", "unknown", "unspecified", "undetermined", "not specified"),
        *("not available", "not provided", "not applicable", "to be determined", "no data"),
    }
)
_LONGEST_WORD = 20
#: ``[PREMIUM]``; a serialised array or object; what a scraper left where a value should be.
_DEBRIS = re.compile(r"\[[A-Z]{4,20}\]\Z|a:[0-9]{1,4}:\{|\{[\"']|\[\{|\[object |value matchLevel ")
_SCHEMA = re.compile(r"https?://schema\.org/([A-Za-z]+)\Z")

#: The short forms of feed vendors.
_FUELS = {
    "G": "Gasoline",
    "D": "Diesel",
    "F": "Flex Fuel",
    "H": "Hybrid",
    "E": "Electric",
    "I": "Plug-In Hybrid",
}
_TRANSMISSIONS = {"A": "Automatic", "M": "Manual"}
_DRIVETRAINS = {
    "F": "FWD",
    "R": "RWD",
    "A": "AWD",
    "4": "4WD",
    "AllWheelDriveConfiguration": "AWD",
    "FourWheelDriveConfiguration": "4WD",
    "FrontWheelDriveConfiguration": "FWD",
    "RearWheelDriveConfiguration": "RWD",
}
_CONDITIONS = {
    "N": "New",
    "U": "Used",
    "NewCondition": "New",
    "UsedCondition": "Used",
}


def name(cell: str) -> str | Flaw:
    """Give a make or model: any text but debris."""
    value = text(cell)
    if isinstance(value, str) and _DEBRIS.match(value):
        return UNREADABLE_TEXT
    return value


def word(cell: str) -> str | Flaw:
    """Give a text that says something of the car."""
    value = name(cell)
    if isinstance(value, Flaw):
        return value
    nothing = len(value) <= _LONGEST_WORD and value.lower() in _NOTHING_TO_SAY
    return BLANK if nothing else value


def color(cell: str) -> str | Flaw:
    """Give the name of a colour; a number alone (``040``, ``#1A2B3C``) is none."""
    value = word(cell)
    if isinstance(value, Flaw):
        return value
    named = not value.startswith("#") and any(map(str.isalpha, value))
    return value if named else UNREADABLE_TEXT


def fuel(cell: str) -> str | Flaw:
    """Give a fuel; the codes G, D, F, H, E and I are spelt out."""
    return _spelt(word(cell), _FUELS)


def transmission(cell: str) -> str | Flaw:
    """Give a transmission; A and M are spelt out."""
    return _spelt(word(cell), _TRANSMISSIONS)


def drivetrain(cell: str) -> str | Flaw:
    """Give the driven wheels; F, R, A, 4 and the names of schema.org in their usual short form."""
    return _spelt(word(cell), _DRIVETRAINS)


def condition(cell: str) -> str | Flaw:
    """Give New or Used for N and U, else the word."""
    return _spelt(word(cell), _CONDITIONS)


def _spelt(value: str | Flaw, codes: dict[str, str]) -> str | Flaw:
    if isinstance(value, Flaw):
        return value
    schema = _SCHEMA.match(value)
    if schema is not None:
        return codes.get(schema[1], value)
    return codes.get(value.upper(), value) if len(value) == 1 else value
