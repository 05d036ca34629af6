"""PURE  An engine made of its parts, where no cell describes it: ``2.4L I4``, ``2.4L 4-Cylinder``.

Displacement, block (I, V, H, W) and cylinders come from columns of their own; zero, as electric
cars have it, is blank.
"""

import re

from ingestd.feed.values import BLANK, Flaw
from ingestd.feed.words import word

_LITERS = re.compile(r"([0-9]{1,2})(?:\.([0-9]{1,3}))? ?(?:l|lit(?:er|re)s?)?\.?\Z", re.IGNORECASE)
_CUBIC = re.compile(r"([0-9]{3,5})(?:\.0{1,3})? ?(?:cc|cm3|ccm)?\Z", re.IGNORECASE)
_CYLINDERS = re.compile(r"([0-9]{1,2})(?:\.0{1,3})?(?: ?-?cyl(?:s|inders?)?)?\.?\Z", re.IGNORECASE)
_MOST_LITERS = 30
_BLOCKS = {"i": "I", "l": "I", "inline": "I", "v": "V", "w": "W", "h": "H", "flat": "H"}


def engine(displacement: str, block: str, cylinders: str) -> str | Flaw:
    """Compose an engine; a part that is not known is ``""``."""
    parts = [part for part in (_displacement(displacement), _layout(block, cylinders)) if part]
    return " ".join(parts) or BLANK


def _displacement(cell: str) -> str:
    value = word(cell)
    if isinstance(value, Flaw):
        return ""
    liters = _LITERS.match(value)
    if liters is not None and int(liters[1]) <= _MOST_LITERS:
        part = (liters[2] or "0").rstrip("0") or "0"
        return "" if not int(liters[1]) and part == "0" else f"{int(liters[1])}.{part}L"
    cubic = _CUBIC.match(value)
    return f"{int(cubic[1])}cc" if cubic is not None and int(cubic[1]) else value


def _layout(block: str, cell: str) -> str:
    value = word(cell)
    if isinstance(value, Flaw):
        return ""
    number = _CYLINDERS.match(value)
    if number is None:
        return value
    count = int(number[1])
    letter = _BLOCKS.get(block.strip().casefold())
    if not count:
        return ""
    return f"{letter}{count}" if letter else f"{count}-Cylinder"
