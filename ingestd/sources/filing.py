"""DOOR  Where a file goes when it is done: out of working/, with its papers beside it.

Rules:
  * The papers come first, whole and durable, then the file is moved: whoever sees the file
    in its place finds its papers.  Then what an earlier decision left elsewhere is removed
    (a held file that was approved moves on to imported/).
  * Every step may have been done already by a run that was killed: doing all again is
    harmless.  Papers are written over, the file is moved if it is still elsewhere.
  * No file is ever written over: where another has the name, a number goes into ours.
  * A file that is nowhere was taken by a person, who may; the papers are left all the same.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import count

from ingestd.model import Delivery, Outcome, Paper
from ingestd.sources import names
from ingestd.sources.durable import Draft, exists, in_thread, try_again
from ingestd.sources.ground import HELD, IMPORTED, REJECTED, WORKING, Ground, enter
from ingestd.sources.scan import folder

_PLACE = {
    Outcome.IMPORTED: IMPORTED,
    Outcome.UNCHANGED: IMPORTED,
    Outcome.SUPERSEDED: IMPORTED,
    Outcome.HELD: HELD,
    Outcome.REJECTED: REJECTED,
    Outcome.FAILED: REJECTED,
}
#: Papers that an earlier decision may have left beside the file.
_SUFFIXES = (".report.json", ".rejected.tsv")


@dataclass(frozen=True, slots=True)
class Filing:
    """Where a file is (None: nowhere any more), and the place and name it is to have."""

    origin: str | None
    place: str
    name: str


@dataclass(frozen=True, slots=True)
class Filed:
    """Where the file lies now; ``found`` is False if a person had taken it."""

    path: str
    found: bool


async def file_away(
    root: str, delivery: Delivery, outcome: Outcome, papers: Sequence[Paper]
) -> Filed:
    """Write the papers, move the file, remove what an earlier decision left.  Idempotent.

    Raises:
        TryAgain: a folder is missing, full or closed to us.
    """
    place = _PLACE[outcome]
    with await in_thread(enter, root) as ground:
        filing = await in_thread(_plan, ground, delivery, place)
        for paper in papers:
            await _write(ground, filing, paper)
        found = await in_thread(_move, ground, delivery, filing)
        await in_thread(_clear, ground, delivery, filing, [paper.suffix for paper in papers])
        return Filed(f"{ground.path(place)}/{filing.name}", found)


def _plan(ground: Ground, delivery: Delivery, place: str) -> Filing:
    with try_again("look into", ground.path(place)):
        usual = _settled(delivery)
        origin = _origin(ground, delivery, place, usual)
        if origin is None:
            return Filing(None, place, usual)
        numbered = (_settled(delivery, copy) for copy in count(1))
        return Filing(origin, place, next(n for n in numbered if not _taken(ground, place, n)))


def _settled(delivery: Delivery, copy: int = 1) -> str:
    arrival = delivery.arrival
    return names.settled(arrival.first_seen, delivery.id, arrival.name, copy)


def _taken(ground: Ground, place: str, name: str) -> bool:
    return exists(ground[place], name.encode())


def _origin(ground: Ground, delivery: Delivery, place: str, usual: str) -> str | None:
    """Find the file: in working/, or where an earlier outcome put it."""
    with suppress(FileNotFoundError), _working(ground, delivery) as (parent, name):
        if exists(parent, name):
            return WORKING
    others = (other for other in (HELD, IMPORTED, REJECTED) if other != place)
    return next((other for other in others if _taken(ground, other, usual)), None)


@contextmanager
def _working(ground: Ground, delivery: Delivery) -> Iterator[tuple[int, bytes]]:
    """Open the folder in which the claim lies; the key comes back from the ledger."""
    sub, _, name = delivery.arrival.key.rpartition("/")
    with folder(ground[WORKING], sub.encode() if sub else None) as parent:
        yield parent, name.encode()


async def _write(ground: Ground, filing: Filing, paper: Paper) -> None:
    """Write one paper, block by block as it comes."""
    name = names.paper(filing.name, paper.suffix)
    parent = ground[filing.place]
    with (
        try_again("write", f"{ground.path(filing.place)}/{name}"),
        await in_thread(Draft, parent) as draft,
    ):
        async for block in paper.blocks():
            await in_thread(draft.write, block)
        await in_thread(draft.publish, parent, name.encode())


def _move(ground: Ground, delivery: Delivery, filing: Filing) -> bool:
    """Move the file; say whether it is in its place now."""
    target, new = ground[filing.place], filing.name.encode()
    with try_again("move a file into", ground.path(filing.place)):
        if filing.origin is None:
            return exists(target, new)
        with ExitStack() as stack:
            source, old = (
                stack.enter_context(_working(ground, delivery))
                if filing.origin == WORKING
                else (ground[filing.origin], _settled(delivery).encode())
            )
            with suppress(FileNotFoundError):
                os.rename(old, new, src_dir_fd=source, dst_dir_fd=target)
            os.fsync(target)
            os.fsync(source)
        return exists(target, new)


def _clear(ground: Ground, delivery: Delivery, filing: Filing, suffixes: Sequence[str]) -> None:
    """Remove the papers that an earlier outcome left in another place."""
    usual = _settled(delivery)
    for place in {HELD, IMPORTED, REJECTED} - {filing.place}:
        with try_again("remove old papers from", ground.path(place)):
            for suffix in {*suffixes, *_SUFFIXES}:
                with suppress(FileNotFoundError):
                    os.unlink(names.paper(usual, suffix).encode(), dir_fd=ground[place])
