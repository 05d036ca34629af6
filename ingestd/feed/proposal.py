"""PURE  The ``[[feed]]`` lines to paste for a file that was inspected.

What is certain is a line; what a person must judge is a comment that says why it is there.  The
lines are valid as they stand: ``config.parse`` takes them.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

_LONGEST_NAME = 40
_MOST_WORDS = 10
_WHOLE_LOT = 10  # rows
_DIGITS = re.compile(r"[0-9](?:[0-9_., -]*[0-9])?")
_NOT_IN_NAME = re.compile(r"[^a-z0-9]+")
_STARS = re.compile(r"\*{2,}")
_PART = re.compile(r"delta|changes|increment|partial", re.IGNORECASE)
_IMPLAUSIBLE = ("shifted_columns", "not_an_inventory", "rows_alike", "prices_alike")


@dataclass(frozen=True, slots=True)
class Guess:
    """A header that no field took, the field that it may be, and why."""

    header: str
    field: str
    why: str


@dataclass(frozen=True, slots=True)
class Draft:
    """What a proposal is made of.

    ``positions`` is a guess at the columns of a file without header line, ``words`` are statuses
    that are not understood, ``reason`` is why the file was refused; ``make``: it has makes.
    """

    file: str
    rows: int = 0
    guesses: Sequence[Guess] = ()
    positions: Sequence[str] = ()
    words: Sequence[str] = ()
    reason: str | None = None
    make: bool = True
    cents: bool = False


def propose(draft: Draft) -> str:
    """Write the feed for files like this one: dates and numbers in its name may differ."""
    return "\n".join(_lines(draft)) + "\n"


def _lines(draft: Draft) -> Iterator[str]:
    yield "[[feed]]"
    yield f"name = {_quoted(_name(draft.file))}"
    yield "dealership = 1        # its id: `ingestd dealerships list` shows them"
    yield f"file = [{_quoted(_pattern(draft.file))}]"
    yield '# from = ["*@dealer.example"]   # for mail: the sender, and his proof'
    yield '# sender_proof = "dmarc"        # or "dkim", "secret_address", "none"'
    yield from _mode(draft)
    if draft.positions:
        yield f"positions = [{', '.join(map(_quoted, draft.positions))}]   # complete it"
    if draft.cents:
        yield 'prices_in = "cents"   # as this layout has them'
    if draft.reason in _IMPLAUSIBLE:
        yield f"# accept = [{_quoted(draft.reason)}]   # only if the file is right as it is"
    yield from _columns(draft.guesses)
    if draft.words:
        yield "# [feed.status]       # not understood: active, pending, sold, blank"
        yield from (f'# {_quoted(word)} = "active"' for word in draft.words[:_MOST_WORDS])
    if not draft.make:
        yield "# [feed.defaults]     # the file has no such column"
        yield '# make = "…"'


def _mode(draft: Draft) -> Iterator[str]:
    """Propose how absence is taken: by what the file's name says, and by its length."""
    if _PART.search(draft.file):
        yield 'mode = "delta"        # its name tells of changes; "full" if it is the whole lot'
        return
    yield 'mode = "full"         # "delta" if a file holds only what has changed'
    if draft.rows >= _WHOLE_LOT:
        yield '# missing = "deactivate"        # what it no longer lists is gone'


def _columns(guesses: Iterable[Guess]) -> Iterator[str]:
    """Suggest headers for each field, with the reasons."""
    by_field: dict[str, list[Guess]] = {}
    for guess in guesses:
        by_field.setdefault(guess.field, []).append(guess)
    if by_field:
        yield "# [feed.columns]      # not understood, but likely"
    for name, given in by_field.items():
        headers = ", ".join(_quoted(guess.header) for guess in given)
        why = "; ".join(dict.fromkeys(guess.why for guess in given))
        yield f"# {name} = [{headers}]   # {why}"


def _name(file: str) -> str:
    stem = _DIGITS.sub("", file.lower().partition(".")[0])
    return _NOT_IN_NAME.sub("-", stem).strip("-")[:_LONGEST_NAME].strip("-") or "lot"


def _pattern(file: str) -> str:
    stem, dot, suffix = file.rpartition(".")
    literal = (stem if dot else suffix).replace("[", "[[]")
    return _STARS.sub("*", _DIGITS.sub("*", literal)) + (dot + suffix if dot else "")


def _quoted(text: str) -> str:
    """Write a TOML string; JSON's escapes are TOML's, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
