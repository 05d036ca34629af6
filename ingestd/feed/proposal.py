"""PURE  The ``[[feed]]`` lines to paste for a file that was inspected.

What is certain is a line; what a person must judge is a comment that says why it is there.  The
lines are valid as they stand: ``config.parse`` takes them, but for a group's dealerships, whose ids
a person must put in.  Where a file is refused, they let it
be read, or their first line says that they do not yet, and which comment to judge; where nothing
in a configuration would help there are none.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ingestd.rooftops import MOST_TOLD

_LONGEST_NAME = 40
_MOST_WORDS = 10
_WHOLE_LOT = 10  # rows
_DIGITS = re.compile(r"[0-9](?:[0-9_., -]*[0-9])?")
_NOT_IN_NAME = re.compile(r"[^a-z0-9]+")
_STARS = re.compile(r"\*{2,}")
_PART = re.compile(r"delta|changes|increment|partial", re.IGNORECASE)
_NO_IDENTIFIER = "no_identifier_column"
_MAY_BE_ALIKE = ("make", "model")  # on all rows of a file that has no column for it
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

    ``positions`` is a guess at the columns of a file without header line, ``headers`` one at the
    fields of headers that are not known; ``words`` are statuses that are not understood, ``reason``
    is why the file was refused, ``absent`` names the needed fields without a column.  ``dealer`` is
    the header of the column with the dealer's id, ``rooftops`` its values where a map is needed,
    with the ids of their dealerships, or 0.
    """

    file: str
    rows: int = 0
    guesses: Sequence[Guess] = ()
    positions: Sequence[str] = ()
    words: Sequence[str] = ()
    reason: str | None = None
    absent: Sequence[str] = ()
    cents: bool = False
    headers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    dealer: str = ""
    rooftops: Mapping[str, int] = field(default_factory=dict)


def propose(draft: Draft) -> str:
    """Write the feed for files like this one: dates and numbers in its name may differ.

    Nothing is proposed where no lines would let the file be read.
    """
    if draft.reason is not None and not _mends(draft) and not _may_mend(draft):
        return ""
    return "\n".join(_lines(draft)) + "\n"


def _mends(draft: Draft) -> bool:
    """Say whether the lines as they stand let the file be read."""
    return draft.reason is None or bool(draft.positions or draft.headers)


def _may_mend(draft: Draft) -> bool:
    """Say whether a person's judgement does it."""
    return draft.reason in (*_IMPLAUSIBLE, _NO_IDENTIFIER)


def _lines(draft: Draft) -> Iterator[str]:
    until = f"   # refused still ({draft.reason}), until a comment below is a line"
    yield "[[feed]]" + until * (not _mends(draft))
    yield f"name = {_quoted(_name(draft.file))}"
    if not draft.rooftops:
        yield "dealership = 1        # its id: `ingestd dealerships list` shows them"
    yield f"file = [{_quoted(_pattern(draft.file))}]"
    yield '# from = ["*@dealer.example"]   # for mail: the sender, and his proof'
    yield '# sender_proof = "dmarc"        # or "dkim", "secret_address", "none"'
    yield from _mode(draft)
    if draft.positions:
        yield f"positions = [{_listed(draft.positions)}]   # complete it"
    if draft.cents:
        yield 'prices_in = "cents"   # as this layout has them'
    if draft.reason in _IMPLAUSIBLE:
        yield f"# accept = [{_quoted(draft.reason)}]   # only if the file is right as it is"
    if draft.rooftops:
        yield from _rooftops(draft)
    yield from _columns(draft)
    yield from _values(draft)


def _values(draft: Draft) -> Iterator[str]:
    """Suggest what words mean, and what stands for a column that there is not."""
    if draft.words:
        yield "# [feed.status]       # not understood: active, pending, sold, blank"
        yield from (f'# {_quoted(word)} = "active"' for word in draft.words[:_MOST_WORDS])
    alike = [name for name in draft.absent if name in _MAY_BE_ALIKE]
    if alike:
        yield "# [feed.defaults]     # or one value for all rows"
        yield from (f'# {name} = "…"' for name in alike)


def _rooftops(draft: Draft) -> Iterator[str]:
    """Propose whose each row is; the ids of the dealerships are for a person to put in."""
    yield "[feed.rooftops]       # the file is of several dealers; without this it is held"
    yield f"column = {_quoted(draft.dealer)}"
    yield "[feed.rooftops.map]   # dealerships' ids for the 0: `ingestd dealerships list`"
    if len(draft.rooftops) >= MOST_TOLD:
        yield f"# {len(draft.rooftops)} are listed, and there may be more: complete it"
    yield from (f"{_quoted(value)} = {number}" for value, number in draft.rooftops.items())


def _mode(draft: Draft) -> Iterator[str]:
    """Propose how absence is taken: by what the file's name says, and by its length."""
    if _PART.search(draft.file):
        yield 'mode = "delta"        # its name tells of changes; "full" if it is the whole lot'
        return
    yield 'mode = "full"         # "delta" if a file holds only what has changed'
    if draft.rows >= _WHOLE_LOT:
        yield '# missing = "deactivate"        # what it no longer lists is gone'


def _columns(draft: Draft) -> Iterator[str]:
    """Suggest headers for each field, with the reasons; those that let it be read are lines."""
    by_field: dict[str, list[Guess]] = {}
    for guess in draft.guesses:
        by_field.setdefault(guess.field, []).append(guess)
    unknown = [name for name in _needed(draft) if name not in by_field]
    if draft.headers:
        yield "[feed.columns]        # by their cells; the names are not known"
        yield from (f"{name} = [{_listed(found)}]" for name, found in draft.headers.items())
    elif by_field:
        yield "# [feed.columns]      # not understood, but likely"
    elif unknown:
        yield "# [feed.columns]      # needed"
    for name, given in by_field.items():
        why = "; ".join(dict.fromkeys(guess.why for guess in given))
        yield f"# {name} = [{_listed([guess.header for guess in given])}]   # {why}"
    yield from (f'# {name} = ["…"]   # the header that holds it' for name in unknown)


def _needed(draft: Draft) -> Iterator[str]:
    """Give the fields without a column that rows need, strongest first."""
    if draft.reason == _NO_IDENTIFIER and not {"vin", "stock_number"} & {
        guess.field for guess in draft.guesses
    }:
        yield "stock_number"
    yield from draft.absent


def _name(file: str) -> str:
    stem = _DIGITS.sub("", file.lower().partition(".")[0])
    return _NOT_IN_NAME.sub("-", stem).strip("-")[:_LONGEST_NAME].strip("-") or "lot"


def _pattern(file: str) -> str:
    stem, dot, suffix = file.rpartition(".")
    literal = (stem if dot else suffix).replace("[", "[[]")
    return _STARS.sub("*", _DIGITS.sub("*", literal)) + (dot + suffix if dot else "")


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(map(_quoted, texts))


def _quoted(text: str) -> str:
    """Write a TOML string; JSON's escapes are TOML's, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
