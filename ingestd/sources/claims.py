"""DOOR  Making a file ours: claimed by a rename, copied to the spool, handed over.

Rules:
  * A claim is a rename into working/: of two who try, one gets FileNotFoundError.  It is
    made durable before anybody hears of it: after a power cut the file must not be back in
    incoming/ while the ledger knows it under the claim's name.
  * A writer keeps its descriptor through the rename, so stillness is asked once more after
    the claim, and the file must be the same before and after it was copied.
  * A file that is too large is claimed and handed over like any other, with the refusal in
    the arrival and nothing in the spool, so that it too gets its receipt.
"""

import errno
import os
import re
import secrets
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime

from ingestd.errors import Refused
from ingestd.model import UNROUTED, Arrival
from ingestd.sources import names
from ingestd.sources.durable import TEMPORARY, directory, try_again
from ingestd.sources.ground import INCOMING, WORKING, Ground
from ingestd.sources.names import Claim
from ingestd.sources.scan import Look, Seen, Spot, entries, folder, look, opened, signature, unfit
from ingestd.sources.spool import Spool, Unreadable
from ingestd.sources.stillness import Signature

#: What a claim may meet that concerns the one file: then it stays, and is told.
_ONE_FILE = {
    errno.EACCES: "it may not be moved (chmod u+rwx its folder)",
    errno.EPERM: "it may not be moved (chmod -t its folder, or chattr -i the file)",
    errno.EXDEV: "its folder lies on another file system than working/",
    errno.EBUSY: "it is in use by the system",
}


@dataclass(slots=True)
class Claimed:
    """What a round of claims gave: the claims in order, and what had to be left."""

    claims: list[tuple[Spot, Claim]] = field(default_factory=list)
    left: dict[Spot, str] = field(default_factory=dict)


def claim_all(ground: Ground, wanted: Sequence[tuple[Spot, datetime]]) -> Claimed:
    """Rename files into working/, in this order, durably; the loser of a race just goes on.

    Raises:
        TryAgain: the disk refuses; what was claimed is found as a leftover.
    """
    done = Claimed()
    with try_again("move files into", ground.path(WORKING)), ExitStack() as stack:
        touched: dict[bytes | None, tuple[int, int]] = {}
        for spot, order in wanted:
            with suppress(FileNotFoundError):
                if spot.sub not in touched:
                    touched[spot.sub] = _both(stack, ground, spot.sub)
                _claim_one(touched[spot.sub], spot, order, done)
        for source, target in touched.values():
            os.fsync(target)
            os.fsync(source)
    return done


def _both(stack: ExitStack, ground: Ground, sub: bytes | None) -> tuple[int, int]:
    """Open a sub-folder of incoming/ and its like in working/, which is made if missing."""
    if sub is None:
        return ground[INCOMING], ground[WORKING]
    source = stack.enter_context(directory(sub, under=ground[INCOMING]))
    ours = names.clean_folder(sub).encode()
    with suppress(FileExistsError):
        os.mkdir(ours, 0o770, dir_fd=ground[WORKING])
        os.fsync(ground[WORKING])
    return source, stack.enter_context(directory(ours, under=ground[WORKING]))


def _claim_one(way: tuple[int, int], spot: Spot, order: datetime, done: Claimed) -> None:
    sub = None if spot.sub is None else names.clean_folder(spot.sub)
    new = names.claim(sub, order, secrets.token_hex(4), names.clean(spot.raw))
    try:
        os.rename(spot.raw, new.file.encode(), src_dir_fd=way[0], dst_dir_fd=way[1])
    except OSError as error:
        if error.errno not in _ONE_FILE:
            raise
        done.left[spot] = _ONE_FILE[error.errno]
    else:
        done.claims.append((spot, new))


@dataclass(slots=True)
class Leftovers:
    """What an earlier run left in working/, in order; and what is there besides."""

    claims: list[Claim] = field(default_factory=list)
    left: dict[Spot, str] = field(default_factory=dict)


def leftovers(ground: Ground) -> Leftovers:
    """List what an earlier run claimed and did not settle, in order.

    Raises:
        TryAgain: working/ can not be read.
    """
    found, seen = Leftovers(), Seen()
    everything = re.compile(re.escape(os.fsdecode(TEMPORARY)))
    with try_again("read", ground.path(WORKING)):
        for sub in entries(seen, ground[WORKING], None, everything):
            with directory(sub, under=ground[WORKING]) as descriptor:
                for name in entries(seen, descriptor, sub, everything):
                    seen.left[Spot(sub, name)] = "a folder in working/ is not ours"
    for spot in seen.files:
        sub_name = None if spot.sub is None else spot.sub.decode("utf-8", "replace")
        again = names.parse_claim(sub_name, spot.raw.decode("utf-8", "replace"))
        if again is None:
            seen.left[spot] = "a file in working/ that was not claimed; move it to incoming/"
        else:
            found.claims.append(again)
    found.claims.sort(key=lambda c: (c.order, c.key))
    found.left = {Spot(_within(spot.sub), spot.raw): why for spot, why in seen.left.items()}
    return found


def _within(sub: bytes | None) -> bytes:
    return WORKING.encode() if sub is None else WORKING.encode() + b"/" + sub


def glance(ground: Ground, waiting: Iterable[Claim]) -> dict[Claim, Signature]:
    """See how claimed files are; those that somebody took away are missing from the answer."""
    seen = {}
    with try_again("read", ground.path(WORKING)):
        for claim in waiting:
            with suppress(FileNotFoundError), folder(ground[WORKING], _sub(claim)) as parent:
                name = claim.file.encode()
                seen[claim] = signature(os.stat(name, dir_fd=parent, follow_symlinks=False))
    return seen


def _sub(claim: Claim) -> bytes | None:
    return None if claim.sub is None else claim.sub.encode()


@dataclass(frozen=True, slots=True)
class Handing:
    """How claims become arrivals: of which source, into which spool, tested how."""

    source: str
    spool: Spool
    exact: bool


def spooled(
    ground: Ground, claim: Claim, handing: Handing, still: Callable[[Look], bool]
) -> Arrival | None:
    """Copy a claimed file into the spool; None if it is not ``still`` (or gone).

    Raises:
        TryAgain: the spool can not be written, or (Unreadable) the file not be read.
    """
    with _claimed(ground, claim) as file:
        if file is None:
            return None
        if reason := unfit(os.fstat(file)):  # swapped in between the look and the claim
            msg = f"{ground.path(WORKING)}/{claim.key} is not taken: {reason}"
            raise Unreadable(msg)
        before = look(file, exact=handing.exact)
        if not still(before):
            return None
        arrival = _arrival(claim, handing, file)
        after = look(file, exact=False)
        return arrival if after.signature == before.signature else None


@contextmanager
def _claimed(ground: Ground, claim: Claim) -> Iterator[int | None]:
    """Hold a claimed file open; None if it is gone."""
    with ExitStack() as stack:
        try:
            parent = stack.enter_context(folder(ground[WORKING], _sub(claim)))
            file = stack.enter_context(opened(parent, claim.file.encode()))
        except FileNotFoundError:
            file = None
        except OSError as error:
            path = f"{ground.path(WORKING)}/{claim.key}"
            with try_again("open", path):
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    raise
            msg = f"cannot read {path}: {error.strerror}; run: chmod a+r {shlex.quote(path)}"
            raise Unreadable(msg) from error
        yield file


def _arrival(claim: Claim, handing: Handing, file: int) -> Arrival:
    refused, message = None, ""
    try:
        sha256, size = handing.spool.put_now(file)
    except Refused as error:
        refused, message = error.reason, error.message
        sha256, size = handing.spool.put_now(os.devnull).sha256, os.fstat(file).st_size
    return Arrival(
        source=handing.source,
        kind="folder",
        key=claim.key,
        name=claim.title,
        sha256=sha256,
        size=size,
        first_seen=claim.order,
        hint=claim.sub,
        lane=claim.sub or UNROUTED,  # the feed's, from whatever source
        refused=refused,
        message=message,
    )
