"""PURE  Cells with a list or a link: features, images, the address of a vehicle's page.

An image list is split only at the one separator that stands directly before ``http(s)://``:
image addresses hold commas, bars and even other addresses.  Only addresses a browser may be
sent to are kept: http or https, a public host name, no user name in it.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from ingestd.feed.values import BLANK, Flaw, Noted, is_blank, text

BAD_URL: Final = Flaw("bad_url")
UNREADABLE_LIST: Final = Flaw("unreadable_list")

LONGEST_URL = 2048
MOST_IMAGES = 100
#: Lengths at which exporters cut a cell; the last address of such a cell is not whole.
CUT_LENGTHS = frozenset({255, 1000, 4000, 4096, 8000, 32767})

_BARS = "|,;"
#: What stands between addresses in some feeds, and within an address in others.
_RARE_BARS = "^~*`"
_SCHEME = "[hH][tT][tT][pP][sS]?://"  # not IGNORECASE, which takes a long s for an s
_START = re.compile(_SCHEME)
_HOST = (
    _SCHEME + r"(?:[\w-]{1,63}\.){1,10}"
    r"(?!(?i:local|localhost|internal|lan|home|intranet)(?:[:/?#|,;]|\Z))"
    r"[A-Za-z][A-Za-z0-9-]{1,62}(?::[0-9]{1,5})?"
)
_URL = re.compile(rf"{_HOST}(?:[/?#][^\s<>\"\\]*)?\Z")
#: An address without its scheme, which is that of the page it stands on.
_NO_SCHEME = re.compile(r"(?:\A|(?<=[|,;\s]))//(?=[\w-]+\.)")
_PICTURE = re.compile(r"\.(?:jpe?g|png|webp|gif|avif)(?:[?#]|\Z)", re.IGNORECASE)


def _plain_list(bar: str) -> re.Pattern[str]:
    """Match a list in which the separator stands between addresses and nowhere else."""
    one = rf"{_HOST}(?:[/?#][^\s<>\"\\{bar}]{{0,{LONGEST_URL - 300}}}+)?+"
    return re.compile(rf"{one}(?:\{bar}{one})*+\Z")


_PLAIN_LISTS = {bar: _plain_list(bar) for bar in _BARS}
#: A quoted string; one that is not closed runs to the end, so that no quote is tried twice.
_QUOTED = re.compile(r"\"((?:[^\"\\]|\\.)*)(?:\"|\\?\Z)|'((?:[^'\\]|\\.)*)(?:'|\\?\Z)", re.DOTALL)
#: How a dump of objects begins: its parts are no features.
_STRUCTURES = ("[{", "{", "[[")
_CATEGORY = re.compile(r"[^@~]{0,80}@")
#: The comma of ``7,000 lbs`` parts nothing.
_DIGITS_AFTER = re.compile(r",[0-9]{3}")
_COMMA = re.compile(r",(?![0-9]{3}(?![0-9]))|(?<![0-9]),")
#: The semicolon of ``&quot;`` parts nothing either.
_SEMICOLON = re.compile(
    r"(?<!&[a-z]{2})(?<!&[a-z]{3})(?<!&[a-z]{4})(?<!&#[0-9x]{2})(?<!&#[0-9x]{3});"
)
_LINE = re.compile(r"[\r\n\u2022]+|\\[rn]|<(?:br|li|p)\b[^<>]{0,80}>", re.IGNORECASE)
_BULLETS = " \u2022\u00b7*-"
_OTHER_MARKS = (";", "<", "^", "\u2022", "\\n", "\\r")
_ESCAPED = re.compile(r"\\([\"'\\])")


def is_url(address: str) -> bool:
    """Say whether an address may be kept: http(s), a public host name, printable."""
    return len(address) <= LONGEST_URL and _URL.match(address) is not None and address.isprintable()


def url(cell: str) -> str | Flaw:
    """Give the one address of a cell."""
    address = cell.strip()
    if is_blank(address):
        return BLANK
    return address if is_url(address) else BAD_URL


def images(cell: str) -> tuple[str, ...] | Noted[tuple[str, ...]] | Flaw:
    """Give the image addresses of a cell, each once, in their order.

    What is no address is left out, and noted.
    """
    if len(cell) not in CUT_LENGTHS and cell.isprintable():
        addresses = cell.count("://")
        for bar, plain_list in _PLAIN_LISTS.items():
            if cell.count(bar) == addresses - 1 and plain_list.match(cell):
                return _at_most(tuple(dict.fromkeys(cell.split(bar))))
    if is_blank(cell):
        return BLANK
    parts = tuple(dict.fromkeys(_addresses(cell)))
    whole = parts[:-1] if len(cell) in CUT_LENGTHS else parts
    good = tuple(filter(is_url, whole))
    if not good:
        return BAD_URL if parts else BLANK
    return _at_most(good) if len(good) == len(parts) else Noted(good[:MOST_IMAGES], "bad_url")


def _at_most(good: tuple[str, ...]) -> tuple[str, ...] | Noted[tuple[str, ...]]:
    return good if len(good) <= MOST_IMAGES else Noted(good[:MOST_IMAGES], "bad_url")


def _addresses(cell: str) -> Iterator[str]:
    """Split a cell at its separator; brackets and quotes of a list literal are taken off."""
    listed = _literal(cell)
    if listed is not None:
        yield from (item.strip() for item in listed if "/" in item)
        return
    cell = _bare(cell)
    if "\\" in cell or "<" in cell:
        cell = _LINE.sub("\n", cell)
    if cell.startswith("//"):
        cell = _NO_SCHEME.sub("https://", cell)
    starts = [match.start() for match in _START.finditer(cell)]
    marks = [_mark(cell, start) for start in starts]
    counted = Counter(mark for mark in marks if mark)
    chosen = counted.most_common(1)[0][0] if counted else ""
    ends = [start for start, mark in zip(starts, marks, strict=True) if chosen and mark == chosen]
    for begin, end in zip((0, *ends), (*ends, len(cell)), strict=True):
        part = cell[begin:end].strip(" \t\r\n\"'" + _BARS + _RARE_BARS)
        if part:
            yield part.replace(" ", "%20") if _PICTURE.search(part) else part


def _bare(cell: str) -> str:
    """Take the braces off a list as databases write it: ``{a,b}``."""
    bare = cell.strip()
    listed = bare.startswith("{") and bare.endswith("}") and '":' not in bare
    return bare[1:-1] if listed else bare


def _mark(cell: str, start: int) -> str:
    """Give the separator before an address: ``|``, ``,``, ``;``, a space for any white space."""
    before = cell[max(0, start - 8) : start]
    bare = before.rstrip(" \t\r\n\"'")
    if bare and bare[-1] in _BARS + _RARE_BARS:
        return bare[-1]
    return " " if before != bare else ""


def features(cell: str) -> tuple[str, ...] | Flaw:
    """Give the items of a list: ``a|b``, ``a, b``, ``Category@a~Category@b``, ``["a", "b"]``.

    Of comma, semicolon and line end the one that is there most often is the separator.
    """
    if is_blank(cell):
        return BLANK
    cell = _bare(cell)
    if cell.startswith(_STRUCTURES):
        return UNREADABLE_LIST
    items = tuple(dict.fromkeys(_texts(_items(cell))))
    return items or BLANK


def _items(cell: str) -> Iterable[str]:
    listed = _literal(cell)
    if listed is not None:
        return listed
    if "|" in cell:
        return cell.split("|")
    if "~" in cell or _CATEGORY.match(cell):
        return (_CATEGORY.sub("", item, count=1) for item in cell.split("~"))
    items = _COMMA.split(cell) if _DIGITS_AFTER.search(cell) else cell.split(",")
    if any(mark in cell for mark in _OTHER_MARKS) or not cell.isprintable():
        others = (_SEMICOLON.split(cell), _LINE.split(cell), cell.split("^"))
        items = max(items, *others, key=len)
    return (item.strip(_BULLETS) for item in items)


def _texts(items: Iterable[str]) -> Iterator[str]:
    for item in items:
        value = text(item)
        if not isinstance(value, Flaw):
            yield value


def _literal(cell: str) -> list[str] | None:
    """Read a JSON or Python list of strings; ``None``: the cell is no such list."""
    bare = cell.strip()
    if not (bare.startswith("[") and bare.endswith("]")):
        return None
    try:
        read = json.loads(bare)
    except (ValueError, RecursionError):
        read = None
    if isinstance(read, list) and all(isinstance(item, str) for item in read):
        return read
    found = [double or single for double, single in _QUOTED.findall(bare)]
    return [_ESCAPED.sub(r"\1", item) for item in found] if "\\" in bare else found
