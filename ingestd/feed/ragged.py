"""PURE  What a line is that has not the header's cells: a footer, or a row that can be mended.

* A footer has no more than half of the header's cells, no VIN, and begins as totals, ends and
  dates of reports do (``Total: 140 vehicles``, ``-----``, ``Page 1``).
* Commas in numbers (``$12,345`` between commas) are mended where it is certain: the pieces
  stand where the header has a price or a distance, and the row then has the header's width.
"""

import re
from collections.abc import Collection, Iterable, Sequence

#: What makes no cell: white space, byte order mark, zero width, the end mark of DOS files.
BLANK = " \t\v\f\r\n\x1c\x1d\x1e\x1f\x85\xa0\u2007\u202f\u3000\ufeff\u200b\u2060\x1a"

_COUNTED = r"(?:records?|rows?|vehicles?|units?|cars?|items?|listings?|lines?)"
_FOOTER = re.compile(
    r"[\W_]*(?:"
    r"(?:grand |sub-?)?totals?\b|(?:number|count|sum) of\b"
    rf"|(?:count|{_COUNTED})\b(?: count| total| exported)?\s*[:=(]"
    rf"|count[\W_]*\Z|[0-9][0-9,.]* (?:total )?{_COUNTED}\b"
    r"|end of\b|(?:end|eof|trailer)[\W_]*\Z"
    r"|(?:generated|exported|created|printed)\b|(?:report|export|file|list)\b.{0,20}(?:date|end)"
    r"|page [0-9]|copyright\b|\u00a9|confidential\b|[-=*_#~. ]{3,}\Z)",
    re.IGNORECASE,
)
_VIN = re.compile(r"[A-HJ-NPR-Z0-9]{17}\Z", re.IGNORECASE)
_LONGEST_FOOTER = 200

_NUMERIC = re.compile(
    r"price|msrp|mileage|odometer|miles|kilomet|kms?\Z|invoice|cost|book|retail|wholesale|value",
    re.IGNORECASE,
)
_HEAD = re.compile(r"\s*(?:[A-Z]{2,3})?\s*[$\u20ac\u00a3]?\s*[0-9]{1,3}\Z")
_TAIL = re.compile(r"[0-9]{3}(?:\.[0-9]{1,2})?(?:\s*[A-Za-z]{2,10})?\s*\Z")


def clean(cell: str) -> str:
    """Give a header cell without blanks, marks and the quotes around it."""
    bare = cell.strip(BLANK)
    if len(bare) > 1 and bare[0] == bare[-1] == '"':
        bare = bare[1:-1].replace('""', '"')
    return bare.replace("\xa0", " ").replace("\n", " ").strip(BLANK)


def filled(cells: Iterable[str]) -> int:
    """Count the cells that are not blank."""
    return sum(1 for cell in cells if cell.strip(BLANK))


def footer(cells: Sequence[str], named: int) -> bool:
    """Say whether a line is the foot of a report; the header has ``named`` names."""
    given = [cell.strip(BLANK) for cell in cells if cell.strip(BLANK)]
    if not given or (len(given) > 1 and len(given) * 2 > named):
        return False
    if _FOOTER.match(given[0][:_LONGEST_FOOTER]) is None:
        return False
    return not any(_VIN.match(cell) for cell in given)


def numeric(headers: Iterable[str]) -> frozenset[int]:
    """Give the columns whose header tells of a price or a distance."""
    return frozenset(index for index, name in enumerate(headers) if _NUMERIC.search(name))


def joined(cells: Sequence[str], columns: Collection[int], width: int) -> list[str] | None:
    """Join numbers that their own commas cut in pieces; ``None`` if that gives another width."""
    made: list[str] = []
    left = list(reversed(cells))
    while left:
        cell = left.pop()
        if len(made) in columns and _HEAD.match(cell):
            while left and _TAIL.match(left[-1]):
                cell += "," + left.pop()
        made.append(cell)
    return made if len(made) == width else None
