"""PURE  Who sent a mail, and whether that is proven (threats T1, T2, T3).

A feed says which proof it wants.  Nothing else counts, and nothing is added up:
  dmarc           the receiving server found ``dmarc=pass`` for the domain in From (``authres``)
  dkim            it found ``dkim=pass`` by that domain; or, with ``check_dkim``, we did (``dkim``)
  secret_address  the mail is addressed to the feed's secret address, which nobody else knows
  none            whoever writes is believed
Every proof but the secret address is about the domain in From: so there must be exactly one
author, written in the one way that all programs read alike (``addresses``).

``dmarc`` and ``dkim`` rest on a signature, and that holds for whoever has the mail:
  * A signature covers the lowest field of a name (RFC 6376 §5.4.2), we read the topmost: of
    what says whose a mail is and how it is read there must be one (RFC 5322 §3.6).
  * Only To and Cc say whom it is to.  What delivery adds is never signed.
  * It must have been written within seven days before it came: else an old mail, put into the
    mailbox anew, would count as the newest.

What is said of a mail never holds an address that it is addressed to: one may be a secret.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import TypeAlias

from ingestd.config import Feed
from ingestd.mail import addresses, authres, dates, headers
from ingestd.mail.parameters import Text
from ingestd.mail.phrase import shown, text, uncommented
from ingestd.model import Letter

#: Raw characters of a subject that are decoded, and decoded ones that are kept.
_SUBJECT = 1000
_LONGEST_SUBJECT = 300

#: Time between writing and coming.  Servers give up after 4 to 5 days (RFC 5321 §4.5.4.1), so
#: honest mail is not older, but for a clock that is wrong.
_OLDEST = timedelta(days=7)

_SIGNED_TO = ("to", "cc")
_TO = ("delivered-to", "x-original-to", "x-delivered-to", "envelope-to", *_SIGNED_TO)
#: What may stand in a header once; From has its own rule.
_ONCE = {
    name.lower(): name
    for name in (
        "Subject",
        "To",
        "Cc",
        "Date",
        "Message-ID",
        "MIME-Version",
        "Content-Type",
        "Content-Disposition",
        "Content-Transfer-Encoding",
    )
}
_OF_PROGRAMS = (
    "list-id",
    "list-unsubscribe",
    "list-post",
    "x-auto-response-suppress",
    "x-autoreply",
    "x-autorespond",
    "x-failed-recipients",
)
_BULK = ("bulk", "list", "junk", "auto_reply")
_POSTMASTERS = ("mailer-daemon", "postmaster")

Fields: TypeAlias = Mapping[str, Sequence[bytes]]
OwnCheck: TypeAlias = Callable[[str], str | None]
"""Says why no DKIM signature of a domain holds; ``None``: one does."""


@dataclass(frozen=True, slots=True)
class Authority:
    """Whom a mailbox believes about its mail."""

    mailbox: str
    form: authres.Form = "rfc8601"
    authserv_ids: tuple[str, ...] = ()
    check_dkim: bool = False


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a mail's header says, read once.

    ``author`` is the one address it is from, in small letters, or why there is none.
    ``written`` is the From header as people see it.  ``verdicts`` are the raw
    Authentication-Results, topmost first; ``message_id`` is raw, too.  ``addressed`` are those of
    the ``recipients`` that To and Cc name; ``dated`` is the one Date, in UTC; ``twice`` are the
    fields of which there is more than one, where one is allowed.
    """

    author: str | addresses.Doubt
    written: str
    recipients: tuple[str, ...]
    subject: str
    automatic: bool
    message_id: bytes
    verdicts: tuple[bytes, ...]
    addressed: tuple[str, ...]
    dated: datetime | None
    twice: tuple[str, ...]

    @property
    def sender(self) -> str | None:
        """Give the one address that it is from, if there is one."""
        return None if isinstance(self.author, addresses.Doubt) else self.author

    def letter(self) -> Letter:
        """Give what people are told of it."""
        return Letter(self.sender or self.written, self.subject, self.automatic, self.dated)


def envelope(block: bytes) -> Envelope:
    """Read a header block (``headers.header_block``)."""
    fields: dict[str, list[bytes]] = {}
    for name, value in headers.fields(block):
        fields.setdefault(name, []).append(value)
    froms = fields.get("from", [])
    author = addresses.author(froms)
    return Envelope(
        author=author,
        written=shown(str(Text(_first(fields, "from")[:_SUBJECT]))),
        recipients=_named(fields, _TO),
        subject=shown(str(Text(_first(fields, "subject")[:_SUBJECT])), _LONGEST_SUBJECT),
        automatic=_automatic(fields, author),
        message_id=_first(fields, "message-id"),
        verdicts=tuple(fields.get("authentication-results", ())),
        addressed=_named(fields, _SIGNED_TO),
        dated=dates.moment(fields["date"][0]) if len(fields.get("date", ())) == 1 else None,
        twice=tuple(title for name, title in _ONCE.items() if len(fields.get(name, ())) > 1),
    )


def _named(fields: Fields, names: Sequence[str]) -> tuple[str, ...]:
    return addresses.recipients(value for name in names for value in fields.get(name, ()))


def _first(fields: Fields, name: str) -> bytes:
    return next(iter(fields.get(name, ())), b"")


def _automatic(fields: Fields, author: str | addresses.Doubt) -> bool:
    """Say whether a program sent it, or a list passed it on (RFC 3834, RFC 5230 §4.6)."""
    if not fields.get("from") or any(name in fields for name in _OF_PROGRAMS):
        return True
    if isinstance(author, str) and author.partition("@")[0] in _POSTMASTERS:
        return True
    return (
        any(_word(value) != "no" for value in fields.get("auto-submitted", ()))
        or any(_word(value) in _BULK for value in fields.get("precedence", ()))
        or any(_word(value) == "<>" for value in fields.get("return-path", ()))
        or _word(_first(fields, "content-type")) == "multipart/report"
    )


def _word(value: bytes) -> str:
    """Give a value's first word, in small letters, without comments and parameters."""
    bare = uncommented(text(value))
    return re.split(r"[\s;]", (bare or "").strip().lower(), maxsplit=1)[0]


def by_signature(feed: Feed) -> bool:
    """Say whether a feed's proof rests on a signature, which covers only part of a mail."""
    return feed.sender_proof in ("dmarc", "dkim")


def proof(
    mail: Envelope,
    authority: Authority,
    feed: Feed,
    came: datetime,
    own_check: OwnCheck | None = None,
) -> str | None:
    """Say why it is not proven that a feed's dealer sent a mail; ``None``: it is.

    ``came`` is when the mail came, with a zone.  ``own_check`` is asked only where the mailbox
    checks DKIM, and the feed wants it.
    """
    if feed.sender_proof == "secret_address":
        return None if to_secret(mail, feed) else "it is not addressed to the feed's secret address"
    if isinstance(mail.author, addresses.Doubt):
        trusting = feed.sender_proof == "none" and not feed.senders
        return None if trusting else mail.author.sentence
    if feed.sender_proof == "none":
        return None
    domain = addresses.domain(mail.author)
    if feed.sender_proof == "dkim":
        doubt = _signed(mail, authority, domain, own_check)
    else:
        # A feed without any proof takes no mail at all; should one be asked, it asks for the most.
        doubt = _told(mail, authority, authres.dmarc, domain)
    return doubt or _unsealed(mail, came)


def _unsealed(mail: Envelope, came: datetime) -> str | None:
    """Say why a mail may not be the one that was signed, or not of now; ``None``: it is both."""
    if mail.twice:
        names = ", ".join(mail.twice)
        return f"it has more than one {names}, where one is allowed: a signature covers only one"
    if mail.dated is None:
        return "it has no Date header that can be read, so an old mail cannot be told from a new"
    if came - mail.dated > _OLDEST:
        return (
            f"it was written on {mail.dated:%Y-%m-%d %H:%M} UTC, more than {_OLDEST.days} days "
            "before it came: an old mail sent again? have the dealer send it anew"
        )
    return None


def to_secret(mail: Envelope, feed: Feed) -> bool:
    """Say whether a mail is addressed to a feed's secret address (resolved before)."""
    secret = feed.secret_address
    if not isinstance(secret, str) or not secret.strip():
        return False
    wanted = secret.strip().casefold().encode()
    hits = [compare_digest(_bytes(address), wanted) for address in mail.recipients]
    return any(hits)


def _bytes(address: str) -> bytes:
    return address.casefold().encode("utf-8", "surrogateescape")


def _told(
    mail: Envelope,
    authority: Authority,
    judge: Callable[[authres.Verdict, str], str | None],
    domain: str,
) -> str | None:
    verdict = authres.trusted(mail.verdicts, authority.form, authority.authserv_ids)
    return verdict if isinstance(verdict, str) else judge(verdict, domain)


def _signed(
    mail: Envelope, authority: Authority, domain: str, own_check: OwnCheck | None
) -> str | None:
    told = _told(mail, authority, authres.dkim, domain)
    if told is None or not authority.check_dkim or own_check is None:
        return told
    found = own_check(domain)
    return None if found is None else f"{told}; {found}"
