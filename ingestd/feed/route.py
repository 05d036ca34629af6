"""PURE  Which feed a file belongs to.

Rules:
  * A place names the feed outright (``incoming/<feed>/`` or ``--feed``): patterns are not asked.
  * Else the feeds count whose ``folder`` holds the source (or is empty) and one of whose ``file``
    patterns matches the file's name or its container's, without regard to case.
  * One: it is the feed.  None: ``no_feed``.  Several: ``several_feeds``; none is preferred, since
    a wrong guess would change another dealership's vehicles.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from ingestd.config import Feed, did_you_mean


@dataclass(frozen=True, slots=True)
class Routed:
    """The feed of a file, or why it has none: exactly one of ``feed`` and ``reason`` is set."""

    feed: str | None
    reason: Literal["no_feed", "several_feeds"] | None = None
    message: str = ""


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
    for pattern in feed.file:
        if any(fnmatchcase(each.casefold(), pattern.casefold()) for each in names):
            return None
    return f"takes files named {', '.join(feed.file)} only"


def _why_none(refusals: dict[str, str | None]) -> str:
    if not refusals:
        return "no [[feed]] is configured"
    reasons = "; ".join(f"{feed} {refusal}" for feed, refusal in refusals.items())
    return f"{reasons}; {_drop(refusals)}"


def _drop(feeds: Iterable[str]) -> str:
    places = " or ".join(f"incoming/{feed}/" for feed in feeds)
    return f"to name the feed, drop it into {places}"
