"""PURE  The common forms of a cell, straight to COPY text.

Each function gives what the rules in ``numbers``, ``lists`` and ``values`` would give, or ``None``
for a cell that is not plainly of the common form: then the rules decide.  A row costs
microseconds here, so nothing is parsed that can be looked up.
"""

import re
from collections.abc import Callable
from typing import TypeAlias

from ingestd.feed.lists import CUT_LENGTHS, LONGEST_URL, MOST_IMAGES, is_url
from ingestd.feed.values import garbled

Quick: TypeAlias = Callable[[str], str | None]

_LONGEST_MILEAGE = 5
_SHORTEST_DESCRIPTION = 41
_MOST_HOSTS = 500
_LEAST_PLAUSIBLE = 1000_00
_STOCK_NUMBER = re.compile(
    r"(?!0+\Z|test|stock|http|www)[a-z]{0,8}-?[0-9][a-z0-9-]{0,30}\Z", re.IGNORECASE | re.ASCII
)
_IN_ADDRESS = bytes(set(range(0x21, 0x7F)) - set(b'"\\<>'))
_MONEY = re.compile(r"\$?([1-9][0-9]{0,2}),?([0-9]{3})(?:\.([0-9]{2}))?\Z")


def stock_number(cell: str) -> str | None:
    """Give a stock number of letters, digits and hyphens."""
    return cell if _STOCK_NUMBER.match(cell) else None


def mileage(cell: str) -> str | None:
    """Give a bare number; for columns whose unit is the target's."""
    if len(cell) > _LONGEST_MILEAGE or not (cell.isascii() and cell.isdecimal()):
        return None
    return cell if cell[0] != "0" else str(int(cell))


def dollars(least: int) -> Quick | None:
    """Give what reads ``$25,999.00``, for numeric columns; ``None``: ``least`` is too high."""
    if least > _LEAST_PLAUSIBLE:
        return None
    match = _MONEY.match

    def read(cell: str) -> str | None:
        found = match(cell)
        if found is None:
            return None
        thousands, rest, cents = found.groups()
        if thousands == "999":  # 999999: filled in
            return None
        return f"{thousands}{rest}.{cents or '00'}"

    return read


def free_text(cell: str) -> str | None:
    """Give a longer text on one line that needs no escape."""
    if len(cell) < _SHORTEST_DESCRIPTION or not cell.isprintable() or "\\" in cell:
        return None
    if garbled(cell):
        return None
    plain = cell.strip()
    return plain if len(plain) >= _SHORTEST_DESCRIPTION else None


class Hosts:
    """Addresses on hosts that were judged before: most files know one or two."""

    def __init__(self) -> None:
        """Begin with none."""
        self._good: set[str] = set()

    def url(self, cell: str) -> str | None:
        """Give an address."""
        if len(cell) > LONGEST_URL or self._host(cell) is None or not _clean(cell):
            return None
        return cell

    def _host(self, cell: str) -> str | None:
        """Give scheme and host, with the slash behind them."""
        host = cell[: cell.find("/", 8) + 1]
        if host in self._good:
            return host
        if len(self._good) < _MOST_HOSTS and is_url(host):
            self._good.add(host)
            return host
        return None

    def images(self, begin: str, end: str) -> Quick:
        """Give what reads a list of addresses on one host; ``begin`` and ``end`` enclose it."""

        def read(cell: str) -> str | None:
            host = self._host(cell)
            if host is None or len(cell) in CUT_LENGTHS or not _clean(cell):
                return None
            count = cell.count("://")
            if count == 1:
                whole = "|" not in cell and len(cell) <= LONGEST_URL
                return f'{begin}"{cell}"{end}' if whole else None
            tails = _tails(cell[len(host) :], host, count)
            if count > MOST_IMAGES or len(set(tails)) != count:
                return None
            if len(cell) > LONGEST_URL and len(host) + max(map(len, tails)) > LONGEST_URL:
                return None
            return f'{begin}"{host}' + f'","{host}'.join(tails) + f'"{end}'

        return read


def _tails(rest: str, host: str, count: int) -> list[str]:
    """Give the addresses after the first host, each without it.

    Their separator stands before each further address and nowhere else; without one: none.
    """
    for bar in "|,;":
        if rest.count(bar) == count - 1:
            tails = rest.split(bar + host)
            return tails if len(tails) == count else []
    return []


def _clean(cell: str) -> bool:
    """Say whether a cell has no character that ends an address or needs an escape."""
    if cell.isascii():
        return not cell.encode().translate(None, _IN_ADDRESS)
    return (
        " " not in cell
        and '"' not in cell
        and "\\" not in cell
        and "<" not in cell
        and ">" not in cell
        and cell.isprintable()
    )
