"""PURE  The nouns of the design, as frozen values.

A stage takes one of these and gives the next; nothing here computes more than a name.
The words are those of the design's table: source, delivery, feed, file, import, line, row,
rejection, warning, ledger, settle, target.  What became of them is in ``report``.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Literal, TypeAlias

from ingestd.vehicle import Target

#: The lane of what nobody has opened yet: whose it is, is not known.
UNROUTED = "?"

Chunks: TypeAlias = Callable[[], Iterator[bytes]]
"""Re-readable content: each call starts again and yields the same bytes."""


class State(StrEnum):
    """Where a delivery stands in the ledger."""

    RECEIVED = "received"
    WORKING = "working"
    DONE = "done"
    QUARANTINED = "quarantined"


class Outcome(StrEnum):
    """What became of an import; a delivery has the worst of its imports'."""

    IMPORTED = "imported"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"
    HELD = "held"
    REJECTED = "rejected"
    FAILED = "failed"


#: From best to worst.
SEVERITY = (
    Outcome.UNCHANGED,
    Outcome.IMPORTED,
    Outcome.SUPERSEDED,
    Outcome.HELD,
    Outcome.REJECTED,
    Outcome.FAILED,
)


@dataclass(frozen=True, slots=True)
class Arrival:
    """Something a source has taken: its bytes are already durable in the spool.

    ``key`` is unique within the source and stable across restarts; taking the same
    arrival twice gives the same delivery.  ``lane`` groups deliveries that must be
    handled one after the other: the feed, ``UNROUTED`` while it is not known, "" where it is
    several.  ``hint`` is the feed that the place names, if any.  ``place`` is a mail's
    (UIDVALIDITY, UID).
    ``refused`` is the reason why the source itself refuses it (then nothing of it is in the
    spool but the empty content that ``sha256`` names), ``message`` the sentence for people.
    Of a replay, ``only_feed`` is the feed whose files alone are done again, and ``came`` the time
    at which its bytes came first.
    """

    source: str
    kind: Literal["folder", "mail", "cli"]
    key: str
    name: str
    sha256: str
    size: int
    first_seen: datetime
    hint: str | None = None
    lane: str = ""
    refused: str | None = None
    message: str = ""
    place: tuple[int, int] | None = None
    only_feed: str | None = None
    came: datetime | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """What a mail says of itself, for people: data of the sender's, never a proof of anything.

    ``automatic`` is true of what a program sent or a list passed on: it gets no reply.
    ``written`` is its one Date header, with a zone; ``None``: there is none that can be read.
    """

    sender: str
    subject: str
    automatic: bool
    written: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """An arrival in the ledger.  Order is (``first_seen``, ``id``)."""

    id: int
    arrival: Arrival
    state: State
    attempts: int
    outcome: Outcome | None = None
    reason: str | None = None
    lost: int = 0  # attempts that never came back
    copies: int | None = None  # of a mail, where a settlement was listed: so many are told by it


@dataclass(frozen=True, slots=True)
class File:
    """One table inside a delivery, and whose it is.

    ``reason`` says why it is refused; it may be known whose it is all the same.  Where there
    is no reason there is a feed.  ``index`` counts the files of the
    delivery from 0, in the order in which they stand in it.
    """

    index: int
    name: str
    size: int
    feed: str | None
    reason: str | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """What is inside a delivery: its files in order, and the letter where it is a mail."""

    files: tuple[File, ...]
    letter: Letter | None = None

    def feeds(self) -> tuple[str, ...]:
        """Give the feeds of its files that are not refused, in the order of the alphabet."""
        found = {file.feed for file in self.files if file.reason is None and file.feed}
        return tuple(sorted(found))

    def lane(self) -> str:
        """Give the feed of its files; "" for several, ``UNROUTED`` where none has any."""
        feeds = self.feeds()
        if not feeds:
            return UNROUTED
        return feeds[0] if len(feeds) == 1 else ""

    def only(self, feed: str) -> "Opened":
        """Leave the files of one feed, to be done again; where there is none, all are told why."""
        mine = tuple(file for file in self.files if file.feed == feed)
        return replace(self, files=mine or tuple(_left(file, feed) for file in self.files))


def _left(file: File, feed: str) -> File:
    if file.reason is not None:
        return file
    message = f"it is no file of the feed {feed} any more, but of {file.feed}; nothing was done"
    return replace(file, reason="no_feed", message=message)


@dataclass(frozen=True, slots=True)
class Finding:
    """A cell or row at fault: a rejection (not loaded) or a warning (loaded without the cell)."""

    line: int
    column: str | None
    reason: str
    value: str


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A row that another row of the delivery replaces: (file index, line) of both."""

    file: int
    line: int
    by_file: int
    by_line: int


@dataclass(frozen=True, slots=True)
class Identity:
    """What a row that replaced others is known by, completed from those it replaced."""

    file: int
    line: int
    vin: str | None
    stock_number: str | None
    make: str | None
    model: str | None
    year: int | None


@dataclass(frozen=True, slots=True)
class Drift:
    """What changed in a feed's headers since its last file, each header as it stands there.

    ``renamed`` pairs the old header with the new one; both are left out of the others.
    ``lost`` are fields that had a column and have none now: their stored values stay.
    """

    added: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    lost: tuple[str, ...] = ()
    gained: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Say whether anything changed."""
        return bool(self.added or self.gone or self.renamed or self.lost or self.gained)


@dataclass(frozen=True, slots=True)
class FileReading:
    """What was understood of one file.

    ``lines`` = ``header`` + ``blank`` + ``rows`` + ``rejected`` (``rows`` counts those that
    were sent to the stage as vehicles, duplicates included).  ``keep`` is a mask over
    ``FIELDS``: columns absent from the file or blank in every row, whose stored values stay.
    ``reason`` is set when the file as a whole is refused; then nothing of it was sent.
    ``fingerprint`` is that of the headers, ``why`` the reason for encoding, delimiter and quoting.
    ``ends``: its last line has a line end; None where that was not seen.
    """

    file: int
    name: str
    reason: str | None = None
    message: str = ""
    lines: int = 0
    header: int = 0
    blank: int = 0
    rows: int = 0
    rejected: int = 0
    warnings: int = 0
    warnings_list: tuple[Finding, ...] = ()
    keep: int = 0
    encoding: str | None = None
    delimiter: str | None = None
    quoting: str | None = None
    mapping: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unmapped: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    cut_off: bool = False
    fingerprint: str = ""
    why: str = ""
    drift: Drift = Drift()
    ends: bool | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one file shows that may make a delivery implausible, or not the whole of its lot.

    ``readable``: by field (year, price, vin) the rows whose cells can be used, and those that
    have any that is not blank.  ``dealer_ids``: the first values of the column that names the
    dealer.  ``nameless``: line and fingerprint of the first rows without an identifier that
    can be read, of ``unnamed``.
    """

    file: int
    readable: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    dealer_ids: tuple[str, ...] = ()
    nameless: tuple[tuple[int, int], ...] = ()
    unnamed: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """What a group file's reading says of the rows of one dealership: see ``Finished``."""

    dealership: int
    files: tuple[FileReading, ...]
    duplicates: tuple[Duplicate, ...] = ()
    identities: tuple[Identity, ...] = ()
    rejected: tuple[tuple[int, Finding], ...] = ()
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Finished:
    """The last word of a reading, after its blocks.

    ``rejected`` are rows that were sent as vehicles before it was known that nothing tells
    them apart: (file index, finding).  Their ``FileReading`` counts them as rejected.
    ``parts``: of group files, what there is to say of each dealership, in ascending order; then
    the whole has only the files.
    """

    files: tuple[FileReading, ...]
    duplicates: tuple[Duplicate, ...] = ()
    identities: tuple[Identity, ...] = ()
    rejected: tuple[tuple[int, Finding], ...] = ()
    evidence: tuple[Evidence, ...] = ()
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Heading:
    """The headers of a file that was accepted, what they filled, and whether its last line ends."""

    headers: tuple[str, ...]
    mapping: Mapping[str, tuple[str, ...]]
    ends: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What is already known of a dealership, and of a feed, and helps to read its next file.

    ``before`` are the headings of the feed's last delivery that was applied, file by file.
    ``rooftops``: of a group's feed, the junk VINs of each of its dealerships, by its id; then
    ``junk_vins`` are those that are junk at every one.
    """

    junk_vins: frozenset[str] = frozenset()
    before: tuple[Heading, ...] = ()
    rooftops: Mapping[int, frozenset[str]] = field(default_factory=dict)

    def junk_at(self, rooftop: int | None) -> frozenset[str]:
        """Give the junk VINs of a group's dealership; None: of whichever a row is."""
        return self.junk_vins if rooftop is None else self.rooftops.get(rooftop, self.junk_vins)


@dataclass(frozen=True, slots=True)
class ReadJob:
    """One delivery's files for one feed, to be read together as one state of the lot."""

    sha256: str
    kind: str
    name: str
    files: tuple[File, ...]
    dealership_id: int
    today: str  # ISO date of receipt: model years are judged by it
    target: Target
    known: Known = Known()


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The lines of one file that somebody wants to see again: (line, reason) of each."""

    arrival: Arrival
    file: int
    feed: str | None
    reasons: tuple[tuple[int, str], ...]


#: What a reading gives: COPY text in blocks, then one ``Finished``.
Reading: TypeAlias = AsyncIterator["bytes | Finished"]


def worst(outcomes: tuple[Outcome, ...]) -> Outcome:
    """Give a delivery's outcome: the worst of its imports', ``rejected`` where it has none."""
    if not outcomes:
        return Outcome.REJECTED
    return max(outcomes, key=SEVERITY.index)


@dataclass(frozen=True, slots=True)
class Dealership:
    """Whose vehicles a feed brings."""

    id: int
    name: str
    vehicles: int = 0


@dataclass(frozen=True, slots=True)
class Paper:
    """A document left beside a settled file: ``suffix`` such as ``.report.json``, and its bytes."""

    suffix: str
    blocks: Callable[[], AsyncIterator[bytes]]
