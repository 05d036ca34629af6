"""PURE  What keeps a delivery from being loaded, or its deactivations from being made.

Judged from values alone, per feed and dealership, by the thresholds of ``[feed.guard]``:

    everything is held      rejected_rows, unreadable_column, price_jump, another_lot,
                            other_dealer, several_dealers
    deactivations are held  too many of the baseline's vehicles are lost; the rest is applied

The baseline is the last delivery whose deactivations were not held.  A hold lapses when a
delivery passes against it; it is confirmed by further deliveries that agree with the first.

Besides: an older delivery never lands on a newer one of its feed, and no line of a file may
go missing between the reader and the table.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from ingestd.config import Guard
from ingestd.model import Delivery, Evidence, FileReading, Finding, Finished
from ingestd.phrasing import counted
from ingestd.report import Counts
from ingestd.thresholds import FEWEST

#: Two misses of a vehicle, and two deliveries that confirm a hold, are so far apart.
APART = timedelta(hours=20)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Applied:
    """The latest delivery that a feed applied: its order key, and what became of it."""

    first_seen: datetime
    delivery_id: int
    import_id: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Deactivations that are held: order key of the first such delivery, and who agreed."""

    first_seen: datetime
    delivery_id: int
    counted_at: datetime
    confirmed: int = 0


@dataclass(frozen=True, slots=True)
class Past:
    """What a feed's latest delivery left: the guard compares with it.

    ``readable``: by field, the share of its cells that could be used.  ``nameless``:
    fingerprints of its rows without an identifier.
    """

    latest: Applied | None = None
    hold: Hold | None = None
    readable: Mapping[str, float] = field(default_factory=dict)
    dealer_id: str | None = None
    nameless: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Counted:
    """Vehicles and rows, counted by the database.  ``seen``: listed, or named by a rejected row.

    ``listed`` of the latest delivery's, ``common`` are seen; of the ``baseline``'s, ``lost`` are
    not; of the first held one's, ``agreeing`` are.  ``repriced`` of ``priced`` changed by more
    than ``price_change``.
    """

    rows: int = 0
    rejected: int = 0
    vehicles: int = 0
    seen: int = 0
    listed: int = 0
    common: int = 0
    baseline: int = 0
    lost: int = 0
    held: int = 0
    agreeing: int = 0
    priced: int = 0
    repriced: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """A delivery as the guard sees it.

    ``whole``: none of its files was refused.  ``suspended``: some of its rows may be missing
    vehicles.  ``approved``: a person said that its rows are well; ``gone``: that what it lost is
    gone.
    """

    at: datetime
    delivery_id: int
    full: bool
    deactivates: bool
    past: Past
    counted: Counted
    evidence: tuple[Evidence, ...] = ()
    whole: bool = True
    suspended: bool = False
    approved: bool = False
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may be done.

    ``reason``: everything is held.  ``lost``: so many deactivations are.  ``drops``: what the
    baseline lost is switched off at once.  ``misses``: one is counted.  ``moves``: this is the
    new baseline.  ``hold``: what is held from now on; ``begins``: this delivery is its first.
    """

    reason: str | None = None
    message: str = ""
    lost: int = 0
    drops: bool = False
    misses: bool = False
    moves: bool = False
    hold: Hold | None = None
    begins: bool = False

    @property
    def holds(self) -> bool:
        """Say whether anything is held."""
        return self.reason is not None or self.lost > 0


def judge(facts: Facts, rules: Guard) -> Verdict:
    """Judge a delivery; what a person approved is not judged again.

    Who approved rows that were held was told nothing of vehicles lost: these are judged as ever.
    Who approved what was lost had its misses counted the first time it was loaded.
    """
    if not facts.approved:
        for reason, message in _faults(facts, rules):
            return Verdict(reason, message, hold=facts.past.hold)
    if not (facts.full and facts.whole):
        return Verdict(hold=facts.past.hold)
    if facts.deactivates and (_too_many(facts, rules) or (facts.gone and facts.past.hold)):
        gone = Verdict(drops=True, moves=True)
        return gone if facts.gone else _held(facts, rules)
    counts = facts.deactivates and not facts.suspended and not facts.gone
    return Verdict(misses=counts, moves=True)


# Everything held.


def _faults(facts: Facts, rules: Guard) -> Iterator[tuple[str, str]]:
    """Give reason and sentence of each thing that makes a delivery implausible."""
    yield from _dealers(facts)
    yield from _rejections(facts.counted, rules)
    yield from _columns(facts, rules)
    yield from _prices(facts.counted, rules)
    yield from _lots(facts, rules)


def _dealers(facts: Facts) -> Iterator[tuple[str, str]]:
    found = dealer_ids(facts.evidence)
    if len(found) > 1:
        some = ", ".join(map(repr, found[:3]))
        yield "several_dealers", f"the column with the dealer's id has several ({some})"
    elif found and facts.past.dealer_id not in (None, found[0]):
        was = facts.past.dealer_id
        yield "other_dealer", f"the dealer's id is {found[0]!r}; until now it was {was!r}"


def _rejections(counted: Counted, rules: Guard) -> Iterator[tuple[str, str]]:
    rows, rejected = counted.rows, counted.rejected
    if rows >= FEWEST and rejected > rules.most_rejected * rows:
        share, most = _percent(rejected, rows), _of_hundred(rules.most_rejected)
        yield (
            "rejected_rows",
            f"{rejected} of {rows} rows cannot be loaded ({share}; at most {most} are put up with)",
        )


def _columns(facts: Facts, rules: Guard) -> Iterator[tuple[str, str]]:
    for name, (usable, filled) in readable(facts.evidence).items():
        before = facts.past.readable.get(name, 0.0)
        too_few = filled >= FEWEST and usable < rules.least_readable * filled
        if too_few and before > rules.readable_before:
            message = (
                f"only {usable} of {filled} cells with a {_WORD[name]} can be read"
                f" ({_percent(usable, filled)}; in the delivery before, {_of_hundred(before)})"
            )
            yield "unreadable_column", message


_WORD = {"vin": "VIN", "year": "year", "price": "price"}


def _prices(counted: Counted, rules: Guard) -> Iterator[tuple[str, str]]:
    priced, repriced = counted.priced, counted.repriced
    if priced >= FEWEST and repriced > rules.most_repriced * priced:
        by, share = _of_hundred(rules.price_change), _percent(repriced, priced)
        yield (
            "price_jump",
            f"the price of {repriced} of {priced} vehicles changed by more than {by} ({share})",
        )


def _lots(facts: Facts, rules: Guard) -> Iterator[tuple[str, str]]:
    """Two lots are compared by the smaller: a part of the lot, or a larger one, is the same."""
    counted = facts.counted
    smaller = min(counted.vehicles, counted.listed)
    if not facts.full or smaller < rules.least_lot:
        return
    if counted.common < rules.least_common * smaller:
        message = (
            f"of the {counted.listed} vehicles listed before, {counted.common} are among the"
            f" {counted.vehicles} of this delivery: it looks like another dealer's"
        )
        yield "another_lot", message


# Deactivations held.


def _too_many(facts: Facts, rules: Guard) -> bool:
    """Say whether more is lost than is believed; that a lot is empty never is."""
    counted = facts.counted
    if not counted.rows and counted.lost:
        return True
    if counted.baseline < FEWEST or counted.lost <= rules.few_lost:
        return False
    return counted.lost / counted.baseline > _most_lost(facts, rules)


def _most_lost(facts: Facts, rules: Guard) -> float:
    return max(rules.most_lost, rules.most_lost_a_day * _days(facts))


def _days(facts: Facts) -> float:
    """Give the days since the feed's previous delivery that was applied."""
    latest = facts.past.latest
    return 0.0 if latest is None else (facts.at - latest.first_seen) / _DAY


def _held(facts: Facts, rules: Guard) -> Verdict:
    """Begin a hold, keep it, or find it confirmed."""
    hold, begins = _agreed(facts, rules), False
    if hold is None:
        hold, begins = Hold(facts.at, facts.delivery_id, facts.at), True
    if hold.confirmed >= rules.confirmations:
        return Verdict(drops=True, moves=True)
    message = _sentence(facts, hold, rules)
    return Verdict(message=message, lost=facts.counted.lost, hold=hold, begins=begins)


def _agreed(facts: Facts, rules: Guard) -> Hold | None:
    """Give the hold as this delivery leaves it; None: there is none that it agrees with.

    One that may lack vehicles confirms nothing: it may lack the same ones every day.  Two that
    show nothing at all, as of a rooftop that is missing in a group file, share nothing.
    """
    hold, counted = facts.past.hold, facts.counted
    either = counted.held + counted.seen - counted.agreeing
    if hold is None or not either or counted.agreeing < rules.agreement * either:
        return None
    if facts.suspended or facts.at - hold.counted_at < APART:
        return hold
    return replace(hold, counted_at=facts.at, confirmed=hold.confirmed + 1)


def _sentence(facts: Facts, hold: Hold, rules: Guard) -> str:
    lost, baseline = facts.counted.lost, facts.counted.baseline
    if not facts.counted.rows:
        return (
            f"not one of {baseline} vehicles is listed any more: they stay as they are until some"
            " are listed again"
        )
    most = _of_hundred(_most_lost(facts, rules))
    return (
        f"{lost} of {baseline} vehicles are no longer listed ({_percent(lost, baseline)}; at most"
        f" {most} are believed, {_after(_days(facts))} the delivery before): they stay as"
        f" they are until {rules.confirmations} further deliveries, 20 hours apart, say the same"
        f" ({hold.confirmed} so far)"
    )


def _after(days: float) -> str:
    whole = int(days)
    return f"{counted(whole, 'day')} after" if whole else "less than a day after"


# What the reader shows.


def readable(evidence: tuple[Evidence, ...]) -> dict[str, tuple[int, int]]:
    """Add up, over the files, each field's cells: usable, and not blank."""
    found: dict[str, tuple[int, int]] = {}
    for file in evidence:
        for name, (usable, filled) in file.readable.items():
            before = found.get(name, (0, 0))
            found[name] = (before[0] + usable, before[1] + filled)
    return found


def shares(evidence: tuple[Evidence, ...]) -> dict[str, float]:
    """Give the share of usable cells of each field that has enough of them."""
    found = readable(evidence).items()
    return {name: usable / filled for name, (usable, filled) in found if filled >= FEWEST}


def dealer_ids(evidence: tuple[Evidence, ...]) -> tuple[str, ...]:
    """Give the values of the column with the dealer's id, over the files."""
    return tuple(dict.fromkeys(value for file in evidence for value in file.dealer_ids))


def suspension(finished: Finished, nameless: frozenset[int]) -> tuple[int, Finding] | None:
    """Say why what a delivery does not list may be in it all the same: (file, warning).

    A row without a readable identifier may be any vehicle, unless the very same row stood in
    the delivery before, as a footer does; a file that is cut off may have lost some.
    """
    return next(_suspensions(finished, nameless), None)


def _suspensions(finished: Finished, nameless: frozenset[int]) -> Iterator[tuple[int, Finding]]:
    for reading in finished.files:
        if reading.cut_off:
            yield reading.file, _suspended(max(1, reading.lines), "the file is cut off")
    for file in finished.evidence:
        fresh = [line for line, number in file.nameless if number not in nameless]
        if file.unnamed > len(file.nameless):  # not all of them were kept, to be compared
            fresh += [line for line, _ in file.nameless[-1:]]
        for line in fresh[:1]:
            yield file.file, _suspended(line, _NAMELESS)
    for number, finding in finished.rejected:
        if finding.reason == "vin_repeated":
            yield number, _suspended(finding.line, _NAMELESS)


_NAMELESS = "a row has no identifier that can be read"


def _suspended(line: int, value: str) -> Finding:
    return Finding(line, None, "absence_suspended", value)


# Order and accounts.


def is_older(delivery: Delivery, latest: Applied | None) -> bool:
    """Say whether ``delivery`` was first seen before the one already applied."""
    if latest is None:
        return False
    order = (delivery.arrival.first_seen, delivery.id)
    return order < (latest.first_seen, latest.delivery_id)


def imbalance(reading: FileReading, counts: Counts, unread: int) -> str | None:
    """Say how the lines of a file fail to add up; None if each is accounted for.

    ``unread`` counts the lines that the reader itself rejected.
    """
    if counts.total() != reading.lines:
        return f"{reading.lines} lines were read, {counts.total()} are accounted for: {counts}"
    if unread != reading.rejected:
        return f"the reader rejected {reading.rejected} lines, {unread} of them arrived"
    return None


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %"


def _of_hundred(share: float) -> str:
    return f"{100 * share:.0f} %"
