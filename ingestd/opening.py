"""PURE  A delivery is opened: the files in it, and whose each is.

Rules for a mail:
  * Whose it can be is found by its header alone, and so is whether its sender is proven
    (``mail.sender``).  If it can be nobody's, or nobody's proof holds, nothing else of it is
    looked at: a stranger's MIME is not walked.
  * Where the proof rests on a signature, only the recipients in To and Cc count for ``to``.
  * Each file goes by its name among all feeds that the letter can be for, not the proven ones
    alone: a file that could be for a feed without proof is not given to another instead.
  * A feed with a secret address does not count for a letter that is not addressed to it, as
    long as there is another: else no two such feeds could share a mailbox.
  * A mail is a mail whatever its name; what it forwards is proven by the outer letter.

Reasons: no_feed several_feeds unproven_sender too_large no_table, and those of ``mail``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, partial

from ingestd.config import Feed, Limits
from ingestd.feed import route
from ingestd.mail import archive, dkim, headers, message, sender
from ingestd.mail.parts import Blocked, Member
from ingestd.model import Arrival, Chunks, File, Letter, Opened

#: Feeds whose doubts are told.
_MOST_TOLD = 5
_TOO_LARGE = (
    f"its header is larger than is read: {headers.BLOCK >> 10} KiB, {headers.FIELDS:,} fields, "
    f"{headers.FIELD >> 10} KiB for one; have it sent anew, without what passed it on"
)
_ADVICE = {
    "secret_address": "the dealer must send it to the address that was given to them",
    "none": "the dealer must send it with one plain From address",
}
_SIGNED_TO = "where sender_proof is dmarc or dkim, only To and Cc count for the option to"
_SIGN = (
    "if the dealer did send it, their mail must be signed for their own domain (DKIM, DMARC), or "
    "the feed needs another sender_proof"
)


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom mail is believed: an authority for each mailbox, and how TXT records are found."""

    authorities: tuple[sender.Authority, ...] = ()
    txt: dkim.Txt | None = None

    def authority(self, mailbox: str) -> sender.Authority:
        """Give a mailbox's authority; one that is not configured believes nobody."""
        found = (each for each in self.authorities if each.mailbox == mailbox)
        return next(found, sender.Authority(mailbox))


NOBODY = Trust()


def open_delivery(
    arrival: Arrival,
    content: Chunks,
    feeds: Sequence[Feed],
    limits: Limits,
    trust: Trust = NOBODY,
) -> Opened:
    """List the files of a delivery, each with its feed or the reason why it has none.

    A file that is no table gets a feed all the same: ``read`` says what is wrong with it.
    """
    if arrival.kind == "mail":
        return _Letter(arrival, content, limits, trust).opened(feeds)
    members = open_members(arrival.kind, arrival.name, content, limits)
    files = tuple(_file(index, member, arrival, feeds) for index, member in enumerate(members))
    return Opened(files)


def open_members(
    kind: str, name: str, content: Chunks, limits: Limits
) -> tuple[Member | Blocked, ...]:
    """Take a delivery apart: a zip, a gzip, a mail message, or a plain file; never nothing.

    The same delivery gives the same files in the same order.
    """
    return tuple(member for _, member in _contents(kind, name, content, limits))


def _contents(
    kind: str, name: str, content: Chunks, limits: Limits
) -> tuple[tuple[str, Member | Blocked], ...]:
    """Give each file with the name of what it came in: the attachment, or the delivery."""
    packed = archive.kind_of(next(iter(content()), b""), name)
    if kind == "mail" or packed == "eml":
        parts = message.attachments(content, name, limits)
        found = tuple((part.name, inner) for part in parts for inner in _unpacked(part, limits))
        where = "the mail"
    else:
        found = tuple((name, inner) for inner in archive.members(content, packed, name, limits))
        where = repr(name)
    nothing = f"{where} holds no file that could be an inventory; send it as TSV or CSV"
    return found or ((name, Blocked(name, "no_table", nothing)),)


def _unpacked(part: Member | Blocked, limits: Limits) -> tuple[Member | Blocked, ...]:
    """Open an attachment that is an archive."""
    if isinstance(part, Blocked):
        return (part,)
    kind = archive.kind_of(next(iter(part.content()), b""), part.name)
    packed = kind in ("zip", "gzip")
    return archive.members(part.content, kind, part.name, limits) if packed else (part,)


def _file(index: int, member: Member | Blocked, arrival: Arrival, feeds: Sequence[Feed]) -> File:
    routed = route.route(member.name, arrival.name, arrival.source, arrival.hint, feeds)
    if isinstance(member, Blocked):
        return File(index, member.name, 0, routed.feed, member.reason, member.message)
    return File(index, member.name, member.size, routed.feed, routed.reason, routed.message)


@dataclass(frozen=True, slots=True)
class _Letter:
    """A mail that is being opened."""

    arrival: Arrival
    content: Chunks
    limits: Limits
    trust: Trust

    def opened(self, feeds: Sequence[Feed]) -> Opened:
        """Find whose it can be, whether that is proven, and only then what is in it."""
        block = headers.header_block(self.content)
        if block is None:
            unknown = Letter("", "", automatic=True)
            return Opened((self._whole(None, "too_large", _TOO_LARGE),), unknown)
        mail = sender.envelope(block)
        posted = route.Posted(self.arrival.source, mail.sender, mail.recipients, mail.subject)
        fit = _fitting(posted, mail, feeds)
        if isinstance(fit, route.Routed):
            return Opened((self._whole(None, "no_feed", fit.message),), mail.letter())
        able = tuple(feed for feed in fit if not _is_elsewhere(feed, mail)) or fit
        whose = _Whose(able, self._doubts(mail, able))
        if not whose.proven():
            why = whose.doubt(able)
            return Opened((self._whole(whose.only(), "unproven_sender", why),), mail.letter())
        found = _contents("mail", self.arrival.name, self.content, self.limits)
        files = (whose.file(index, where, member) for index, (where, member) in enumerate(found))
        return Opened(tuple(files), mail.letter())

    def _whole(self, feed: str | None, reason: str, why: str) -> File:
        """Give the one file that a mail is which is not opened."""
        return File(0, self.arrival.name, self.arrival.size, feed, reason, why)

    def _doubts(self, mail: sender.Envelope, feeds: Sequence[Feed]) -> Mapping[str, str | None]:
        authority = self.trust.authority(self.arrival.source)
        check, came = self._own_check(), self._came()
        return {feed.name: sender.proof(mail, authority, feed, came, check) for feed in feeds}

    def _came(self) -> datetime:
        return self.arrival.came or self.arrival.first_seen

    def _own_check(self) -> Callable[[str], str | None] | None:
        """Give our own check of DKIM: once for each domain, as of when the mail came."""
        if self.trust.txt is None:
            return None
        came = self._came().timestamp()
        sealed = dkim.Sealed(self.content, self.limits.message_size, came, self.trust.txt)
        return cache(partial(dkim.check, sealed))


def _fitting(
    posted: route.Posted, mail: sender.Envelope, feeds: Sequence[Feed]
) -> tuple[Feed, ...] | route.Routed:
    """Give the feeds that a letter can be for; where there is none, why."""
    fit = route.for_letter(posted, feeds)
    if isinstance(fit, route.Routed):
        return fit
    signed = replace(posted, recipients=mail.addressed)
    none = route.for_letter(signed, [feed for feed in fit if sender.by_signature(feed)])
    able = () if isinstance(none, route.Routed) else none
    left = tuple(feed for feed in fit if feed in able or not sender.by_signature(feed))
    if left or not isinstance(none, route.Routed):
        return left
    return replace(none, message=f"{none.message}; {_SIGNED_TO}")


def _is_elsewhere(feed: Feed, mail: sender.Envelope) -> bool:
    return feed.sender_proof == "secret_address" and not sender.to_secret(mail, feed)


@dataclass(frozen=True, slots=True)
class _Whose:
    """The feeds that a mail can be for, and why each one's proof does not hold, if it does not."""

    feeds: Sequence[Feed]
    doubts: Mapping[str, str | None]

    def proven(self) -> bool:
        """Say whether any feed's proof holds."""
        return None in self.doubts.values()

    def only(self) -> str | None:
        """Give the feed, if there is just one."""
        return self.feeds[0].name if len(self.feeds) == 1 else None

    def doubt(self, feeds: Sequence[Feed]) -> str:
        """Say what is missing for the proof of each of these feeds, and what to do."""
        told = [
            f'feed {feed.name} wants sender_proof = "{feed.sender_proof}", and '
            f"{self.doubts[feed.name]}"
            for feed in feeds[:_MOST_TOLD]
        ]
        advice = dict.fromkeys(_ADVICE.get(feed.sender_proof or "", _SIGN) for feed in feeds)
        return f"the sender is not proven: {'; '.join((*told, *advice))}"

    def file(self, index: int, where: str, member: Member | Blocked) -> File:
        """Give a file of the mail, which came in the attachment ``where``, its feed or a reason."""
        routed = route.in_letter(member.name, where, self.feeds)
        mine = [feed for feed in self.feeds if feed.name == routed.feed]
        if mine and self.doubts[mine[0].name] is not None:
            why = self.doubt(mine)
            return File(index, member.name, 0, routed.feed, "unproven_sender", why)
        if isinstance(member, Blocked):
            feed = routed.feed or self.only()
            return File(index, member.name, 0, feed, member.reason, member.message)
        return File(index, member.name, member.size, routed.feed, routed.reason, routed.message)
