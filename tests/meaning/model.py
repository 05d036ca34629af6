"""The oracle: a fold of deliveries and of people's edits into vehicles, by the design's rules.

It knows nothing of SQL, of the parser or of time: times are order keys.  One rule group a
module: ``entries`` (absent, blank, unreadable), ``infile``, ``matching``, ``foreign``,
``merging`` (status), ``absence``, ``guard``.

``World.deliver`` gives what is to be told of a delivery; ``World.vehicles`` is the table.
"""

import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.meaning import absence, foreign, guard, merging
from tests.meaning.entries import Entry, read
from tests.meaning.guard import Facts, Standing
from tests.meaning.infile import Resolved, resolve
from tests.meaning.matching import Lot, Matched, match
from tests.meaning.nouns import Agreement, Place, Sent, Told, Vehicle, provisional


@dataclass
class World:
    """The table and the books."""

    vehicles: list[Vehicle] = field(default_factory=list)
    junk: dict[int, set[str]] = field(default_factory=dict)  # by dealership
    once: dict[int, dict[str, tuple[int, str | None]]] = field(
        default_factory=dict
    )  # by dealership
    standings: dict[tuple[str, int], Standing] = field(default_factory=dict)
    numbers: int = 0

    def add(self, dealership: int, **fields: object) -> Vehicle:
        """Put a vehicle there, as somebody else would."""
        self.numbers += 1
        vehicle = Vehicle(self.numbers, dealership)
        for name, value in fields.items():
            setattr(vehicle, name, value)
        self.vehicles.append(vehicle)
        return vehicle

    def lot(self, dealership: int) -> Lot:
        mine = [vehicle for vehicle in self.vehicles if vehicle.dealership == dealership]
        return Lot(mine, self.once.setdefault(dealership, {}))

    def standing(self, feed: Agreement) -> Standing:
        return self.standings.setdefault((feed.name, feed.dealership), Standing())

    def shown(self) -> list[tuple[object, ...]]:
        """The rows of the table, in the order in which they were made."""
        return [vehicle.shown() for vehicle in sorted(self.vehicles, key=lambda it: it.id)]

    def deliver(self, feed: Agreement, sent: Sent, approved: str = "") -> Told:
        """Fold a delivery; one that is held as a whole changes nothing.

        A person may have approved its ``rows``, or that what it lost is ``gone``.
        """
        latest = self.standing(feed).key
        if latest is not None and sent.key() < latest:
            return Told(("superseded",) * len(sent.sheets), "newer_applied")
        before = copy.deepcopy(self.__dict__)
        told = _Delivery(self, feed, sent, approved).told()
        if "held" in told.outcomes:
            self.__dict__.update(before)
        return told


class _Delivery:
    """One delivery for one feed, as far as it is folded."""

    def __init__(self, world: World, feed: Agreement, sent: Sent, approved: str) -> None:
        self.world, self.feed, self.sent, self.approved = world, feed, sent, approved
        self.standing = world.standing(feed)
        self.junk = world.junk.setdefault(feed.dealership, set())
        self.reads = [read(at, sheet, feed, self.junk) for at, sheet in enumerate(sent.sheets)]
        self.resolved, self.matched = Resolved(), Matched()
        self.refused = [line for it in self.reads for line in it.refused]
        self.moved: set[int] = set()
        self.useless: set[int] = set()  # files
        self.lines: dict[Place, str] = {}
        self.deactivated: Counter[int] = Counter()  # by file
        self.reactivated: Counter[int] = Counter()

    def told(self) -> Told:
        if all(it.reason for it in self.reads):
            return Told(("rejected",) * len(self.reads), self.reads[0].reason)
        self.resolved = resolve([entry for it in self.reads for entry in it.entries])
        self.matched = self._match()
        self.refused += self.resolved.refused + self.matched.refused
        self._merge()
        held = None if self.approved else guard.everything(self.feed, self.standing, self._facts())
        if held is not None:
            return self._telling(held, 0)
        self.useless = self._useless()
        if self.useless and not self.lines:
            reason = "no_usable_row"
            return Told(("rejected",) * len(self.reads), reason, rejected=self._rejected())
        #: A placeholder that was replaced here means its vehicle, whatever else it stands on.
        self.junk |= self.resolved.junk - self.world.lot(self.feed.dealership).once.keys()
        return self._telling(None, self._settle())

    # The rows.

    def _match(self) -> Matched:
        """Move what may move, and match."""
        world, feed, entries = self.world, self.feed, self.resolved.entries
        others = [it for it in world.vehicles if it.dealership != feed.dealership]
        stays = set()
        for vin, vehicle in foreign.claimed(entries, world.lot(feed.dealership), others).items():
            if foreign.may_move(feed, self.sent.at, vehicle, world.standings):
                foreign.forget(vehicle, world.standings)
                foreign.move(vehicle, feed.dealership)
                self.moved.add(vehicle.id)
            else:
                stays.add(vin)
        return match(entries, world.lot(feed.dealership), stays)

    def _merge(self) -> None:
        means = self.matched.means
        meant = {vehicle.id for vehicle in means.values() if vehicle is not None}
        for entry in self.resolved.entries:
            if entry.place in means:
                vehicle = means[entry.place]
                if vehicle is None:
                    means[entry.place] = self._insert(entry)
                else:
                    self._update(entry, vehicle, meant)

    def _insert(self, entry: Entry) -> Vehicle:
        self.lines[entry.place] = "added"
        return merging.inserted(entry, self.world.add(self.feed.dealership))

    def _update(self, entry: Entry, vehicle: Vehicle, meant: set[int]) -> None:
        file, was_on, was = entry.place[0], vehicle.on_offer(), vehicle.key()
        spelt = {it.vin for it in self.world.vehicles if it.vin and it.id != vehicle.id}
        changed = merging.updated(entry, vehicle, spelt) or vehicle.id in self.moved
        self.lines[entry.place] = "updated" if changed else "unchanged"
        self.reactivated[file] += vehicle.on_offer() and not was_on
        self.deactivated[file] += was_on and not vehicle.on_offer()
        lot = self.world.lot(self.feed.dealership)
        if was is not None and was != vehicle.key() and provisional(was):
            lot.once[was] = (vehicle.id, vehicle.key())
        for twin in merging.twins(entry, vehicle, lot, meant) if entry.vin else ():
            twin.is_active, twin.off = False, "twin"
            self.deactivated[file] += 1

    # What the delivery as a whole leads to.

    def _useless(self) -> set[int]:
        """The files of which every row is rejected, or a duplicate of such."""
        used = {place[0] for place in self.lines}
        doubled = {place[0] for place in self._duplicates()}
        rejected = {line.place[0] for line in self.refused}
        return rejected - used - doubled if used else rejected | doubled

    def _duplicates(self) -> set[Place]:
        return {*self.resolved.duplicates, *self.matched.leftovers}

    def _last(self) -> int:
        """Of it is told what became of vehicles that no row lists: the last file that counts."""
        good = [at for at, it in enumerate(self.reads) if not it.reason]
        return max(at for at in good if at not in self.useless)

    def _listing(self) -> absence.Listing:
        lot = self.world.lot(self.feed.dealership)
        listed = frozenset(it.id for it in self.matched.means.values() if it is not None)
        return absence.Listing(listed, absence.sighted(self.refused, lot) - listed)

    def _facts(self) -> Facts:
        listing, lot = self._listing(), self.world.lot(self.feed.dealership)
        return Facts(
            at=self.sent.at,
            rows=sum(len(sheet.rows) for sheet in self.sent.sheets),
            rejected=len(self.refused),
            listed=listing.listed,
            seen=listing.listed | (listing.sighted & self.standing.ever),
            existing=frozenset(it.id for it in lot.vehicles),
            prices=dict(self._prices()),
            readable=dict(guard.readable(self.sent.sheets)),
            suspended=self._suspended(),
        )

    def _prices(self) -> Iterator[tuple[int, int | None]]:
        """What the feed says; where it says nothing, what it said before."""
        for entry in self.resolved.entries:
            vehicle = self.matched.means.get(entry.place)
            if vehicle is not None:
                before = self.standing.prices.get(vehicle.id)
                price = entry.values.get("price", before)
                yield vehicle.id, price if isinstance(price, int) else None

    def _suspended(self) -> bool:
        """A row without an identifier may be any vehicle, unless it stood there before."""
        fresh = self._raw() - self.standing.raw
        repeated = any(line.reason == "vin_repeated" for line in self.refused)
        return bool(fresh) or repeated or any(it.cut_off for it in self.sent.sheets)

    def _raw(self) -> frozenset[str]:
        return frozenset(line.raw for line in self.refused if line.raw is not None)

    def _settle(self) -> int:
        """Count misses, or hold deactivations (give how many); keep what the next is judged by."""
        standing, facts, feed = self.standing, self._facts(), self.feed
        lot = self.world.lot(feed.dealership)
        absence.on_again(lot, facts.listed)
        whole = not (self.useless or any(it.reason for it in self.reads))
        absence.note(feed, self.sent.key(), self._listing(), lot)
        held = self._absence(facts, lot) if whole and feed.mode == "full" else 0
        partly = feed.mode == "full" and not whole  # what another file listed is listed yet
        standing.full, standing.key = feed.mode == "full", self.sent.key()
        standing.ever |= facts.listed
        standing.listed = facts.seen | (standing.listed if partly else frozenset())
        standing.raw = self._raw() | (frozenset() if whole else standing.raw)
        standing.prices.update(facts.prices)
        standing.readable = guard.shares(facts)
        return held

    def _absence(self, facts: Facts, lot: Lot) -> int:
        standing, feed = self.standing, self.feed
        lost = guard.lost(standing, facts)
        if feed.missing == "deactivate" and guard.too_many(standing, facts):
            if self.approved != "gone" and not guard.confirms(standing, facts):
                return len(lost)
            self.deactivated[self._last()] += absence.drop(feed, lost, lot)
        elif not facts.suspended and self.approved != "gone":
            self.deactivated[self._last()] += absence.miss(feed, self.sent.at, self._listing(), lot)
        standing.baseline, standing.hold = facts.seen, None
        return 0

    # What is told.

    def _telling(self, held: str | None, gone: int) -> Told:
        counts = Counter(self.lines.values())
        counts["duplicate"] = sum(it[0] not in self.useless for it in self._duplicates())
        counts["rejected"] = sum(it.place[0] not in self.useless for it in self.refused)
        return Told(
            outcomes=tuple(self._outcome(at, held, gone) for at in range(len(self.reads))),
            reason=held,
            lines=self.lines,
            counts=+counts,
            rejected=self._rejected(),
            deactivated=0 if held else sum(self.deactivated.values()),
            reactivated=0 if held else sum(self.reactivated.values()),
            held_deactivations=gone,
        )

    def _outcome(self, at: int, held: str | None, gone: int) -> str:
        if self.reads[at].reason or at in self.useless:
            return "rejected"
        if held is not None:
            return "held"
        wrote = any(
            place[0] == at and outcome != "unchanged" for place, outcome in self.lines.items()
        )
        wrote = wrote or self.deactivated[at] > 0 or (gone > 0 and at == self._last())
        return "imported" if wrote else "unchanged"

    def _rejected(self) -> frozenset[tuple[int, int, str]]:
        return frozenset((*line.place, line.reason) for line in self.refused)
