"""PURE  Which feed a file belongs to.

Rules for what a folder brings:
  * A place names the feed outright (``incoming/<feed>/`` or ``--feed``): patterns are not asked.
  * Else the feeds count whose ``folder`` holds the source (or is empty) and one of whose ``file``
    patterns matches the file's name or its container's, without regard to case.
Rules for mail:
  * The feeds count that have a ``sender_proof`` and fit the letter in everything they name:
    ``mailbox``, ``from`` (its one author), ``to`` (one of its recipients), ``subject``.
  * Of these, each file goes by ``file``: its own name or that of the archive it came in.
For both:
  * One: it is the feed.  None: ``no_feed``.  Several: ``several_feeds``; none is preferred, since
    a wrong guess would change another dealership's vehicles.
  * What is said never holds a recipient's address: it may be some feed's secret.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice
from typing import Literal

from ingestd.config import Feed, did_you_mean

#: Feeds that are told why they do not take a letter: those that nearly do.
_NEAREST = 5


@dataclass(frozen=True, slots=True)
class Routed:
    """The feed of a file, or why it has none: exactly one of ``feed`` and ``reason`` is set."""

    feed: str | None
    reason: Literal["no_feed", "several_feeds"] | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Posted:
    """What a letter is routed by.  ``sender`` is its one author; ``None``: it has none."""

    mailbox: str
    sender: str | None
    recipients: tuple[str, ...]
    subject: str


def route(
    name: str, container: str, source: str, hint: str | None, feeds: Sequence[Feed]
) -> Routed:
    """Find the feed of the file ``name`` in the delivery ``container`` from ``source``."""
    if hint is not None:
        return _named(hint, [feed.name for feed in feeds])
    refusals = {feed.name: _refusal(feed, (name, container), source) for feed in feeds}
    willing = [feed for feed, refusal in refusals.items() if refusal is None]
    if len(willing) == 1:
        return Routed(willing[0])
    if willing:
        message = f"{name!r} fits the feeds {', '.join(willing)}; " + _drop(willing)
        return Routed(None, "several_feeds", message)
    return Routed(None, "no_feed", f"no feed takes {name!r}: " + _why_none(refusals))


def _named(hint: str, names: list[str]) -> Routed:
    if hint in names:
        return Routed(hint)
    known = f"the feeds are {', '.join(names)}" if names else "no [[feed]] is configured"
    message = f"there is no feed named {hint!r}{did_you_mean(hint, names)}; {known}"
    return Routed(None, "no_feed", message)


def _refusal(feed: Feed, names: tuple[str, ...], source: str) -> str | None:
    """Say why a feed does not take a file; None if it does."""
    if feed.folder and source not in feed.folder:
        return f"takes files from folder {', '.join(feed.folder)} only, not from {source!r}"
    return _by_name(feed, names)


def _by_name(feed: Feed, names: tuple[str, ...]) -> str | None:
    if any(_fits(each, feed.file) for each in names):
        return None
    return f"takes files named {', '.join(feed.file)} only"


def _fits(value: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(value.casefold(), pattern.casefold()) for pattern in patterns)


def _why_none(refusals: dict[str, str | None]) -> str:
    if not refusals:
        return "no [[feed]] is configured"
    reasons = "; ".join(f"{feed} {refusal}" for feed, refusal in refusals.items())
    return f"{reasons}; {_drop(refusals)}"


def _drop(feeds: Iterable[str]) -> str:
    places = " or ".join(f"incoming/{feed}/" for feed in feeds)
    return f"to name the feed, drop it into {places}"


# Mail


def for_letter(posted: Posted, feeds: Sequence[Feed]) -> tuple[Feed, ...] | Routed:
    """Give the feeds that a letter can be for, proven or not; where there is none, why."""
    refusals = [(feed, _unfit(posted, feed)) for feed in feeds if feed.sender_proof is not None]
    fit = tuple(feed for feed, unfit in refusals if not unfit)
    if fit:
        return fit
    nearest = sorted(refusals, key=lambda refusal: len(refusal[1]))
    told = [f"{feed.name} {', and '.join(unfit)}" for feed, unfit in islice(nearest, _NEAREST)]
    if len(nearest) > _NEAREST:
        told.append(f"{len(nearest) - _NEAREST} more are further off")
    why = "; ".join(told) or "no [[feed]] has a sender_proof"
    advice = (
        "if it should be taken, mend the feed's from, to, subject or mailbox, and have it sent anew"
    )
    return Routed(None, "no_feed", f"no feed takes this mail: {why}; {advice}")


def _unfit(posted: Posted, feed: Feed) -> list[str]:
    """Say everything in which a feed does not fit a letter."""
    unfit: list[str] = []
    if feed.mailbox and posted.mailbox not in feed.mailbox:
        names = ", ".join(feed.mailbox)
        unfit.append(f"takes mail of mailbox {names} only, not of {posted.mailbox!r}")
    if feed.senders and not _is_from(posted.sender, feed.senders):
        author = repr(posted.sender) if posted.sender else "an author who cannot be told"
        unfit.append(f"takes mail from {', '.join(feed.senders)} only, not from {author}")
    if feed.to and not any(_fits(address, feed.to) for address in posted.recipients):
        unfit.append("takes mail to other addresses only (its option to)")
    if feed.subject and not _fits(posted.subject, feed.subject):
        wanted = ", ".join(repr(pattern) for pattern in feed.subject)
        unfit.append(f"takes mail with the subject {wanted} only, not {posted.subject!r}")
    return unfit


def _is_from(sender: str | None, patterns: Iterable[str]) -> bool:
    """Compare letter by letter: only the pattern may have capitals, the author has none."""
    return sender is not None and any(fnmatchcase(sender, each.lower()) for each in patterns)


def in_letter(name: str, container: str, feeds: Sequence[Feed]) -> Routed:
    """Find the feed of one file of a letter among those that the letter can be for.

    ``container`` is the attachment in which it came: an archive, or itself.
    """
    refusals = {feed.name: _by_name(feed, (name, container)) for feed in feeds}
    willing = [feed for feed, refusal in refusals.items() if refusal is None]
    if len(willing) == 1:
        return Routed(willing[0])
    if willing:
        message = (
            f"{name!r} fits the feeds {', '.join(willing)}; give them from, to, subject or file "
            "of which only one fits"
        )
        return Routed(None, "several_feeds", message)
    reasons = "; ".join(f"{feed} {refusal}" for feed, refusal in refusals.items())
    return Routed(None, "no_feed", f"no feed takes {name!r}: {reasons}; widen the feed's file")
