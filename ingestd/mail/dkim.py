"""PURE  Our own check of a mail's DKIM signatures (RFC 6376), over the bytes as they came.

The extra ``dkim`` does the header's canonical form and the arithmetic; what it leaves open is
decided here, before it is asked:
  * a signature counts for the very domain that it signs for (``d=``), not for a parent's;
  * ``l=`` is refused, for anything may be appended; ``rsa-sha1`` and keys below 1,024 bits are
    (RFC 8301); so are ``t=y`` in the key (a trial), an end (``x=``) before the mail came, a
    ``t=`` after it, and a signature that does not cover From, or what else of the header is
    gone by, where it is there (``_COVERED``): anybody could change it or put it in;
  * at most five signatures of the domain are looked at, none of more than 4 KiB or with long
    runs of white space: the library's patterns may go back over them for ever;
  * the body's sum is made here, without patterns: the library's take the square of a long run of
    blanks, and a hundred bytes of memory for each blank;
  * no clock and no network: when the mail came, and how TXT records are found, is handed in.
"""

import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from types import ModuleType
from typing import TypeAlias

from ingestd.mail import headers, parts
from ingestd.mail.phrase import shown, small, text
from ingestd.model import Chunks

Txt: TypeAlias = Callable[[bytes], bytes | None]
"""Gives the one TXT record of a name; ``None``: it has none."""

Tags: TypeAlias = Mapping[bytes, bytes]

#: What to do where the package is not there.
MISSING = 'checking DKIM signatures needs a package that is not there: pip install "ingestd[dkim]"'

_MOST = 5
_LONGEST = 4 << 10
#: Seconds by which clocks may differ, as in the library.
_SLOP = 36_000
#: What tells a mail's feed and its age.  Not To nor Content-Type: large providers sign one of the
#: two only, and a second one of either is refused in any case.
_COVERED = {name.lower().encode(): name for name in ("Subject", "Date")}
_GAP = re.compile(rb"\s{81}")
_SELECTOR = re.compile(rb"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,127})\Z")
_NUMBER = re.compile(rb"[0-9]{1,15}\Z")
_ALGORITHMS = (b"rsa-sha256", b"ed25519-sha256")
#: Of the header, and of the body; the body's may be left out.
_FORMS = [
    header + body for header in (b"simple", b"relaxed") for body in (b"", b"/simple", b"/relaxed")
]


@dataclass(frozen=True, slots=True)
class Sealed:
    """A mail whose signatures are to be checked.

    ``most`` bytes of it are read at most; ``came`` is when it came, in seconds since 1970.
    """

    content: Chunks
    most: int
    came: float
    txt: Txt


def check(mail: Sealed, domain: str) -> str | None:
    """Say why no signature proves that a mail is from ``domain``; ``None``: one does."""
    try:
        import dkim as library  # noqa: PLC0415  an extra, and slow to import
    except ImportError:
        return MISSING
    block = headers.header_block(mail.content)
    raw = parts.joined(mail.content, mail.most)
    if block is None or raw is None:
        return "it is too large for its DKIM signatures to be checked"
    mine = [found for found in _signatures(block) if _signs_for(found[1], domain)]
    if not mine:
        return f"it bears no DKIM signature of {domain!r} that can be read"
    body = bytes(raw[headers.extent(raw, 0)[1] :]).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    checked = _Checked(library, block, body, mail)
    doubts = [checked.doubt(index, tags) for index, tags in mine[:_MOST]]
    if None in doubts:
        return None
    return f"its DKIM signature of {domain!r} proves nothing: {doubts[0]}"


def _signatures(block: bytes) -> list[tuple[int, Tags]]:
    """Give each signature's number, as the library counts them, and its tags."""
    values = [value for name, value in headers.fields(block) if name == "dkim-signature"]
    read = [(index, _tags(value)) for index, value in enumerate(values)]
    return [(index, tags) for index, tags in read if tags is not None]


def _tags(value: bytes) -> Tags | None:
    """Read a tag list (RFC 6376 §3.2); ``None``: it is none, or not worth the reading."""
    if len(value) > _LONGEST or _GAP.search(value):
        return None
    tags: dict[bytes, bytes] = {}
    for item in value.rstrip(b"; \t\r\n").split(b";"):
        name, equals, content = item.partition(b"=")
        if not equals or name.strip() in tags:
            return None
        tags[name.strip()] = content.strip()
    return tags


def _signs_for(tags: Tags, domain: str) -> bool:
    return small(text(tags.get(b"d", b""))) == domain


@dataclass(frozen=True, slots=True)
class _Checked:
    library: ModuleType
    block: bytes
    body: bytes
    mail: Sealed

    def doubt(self, index: int, tags: Tags) -> str | None:
        """Say why the signature of that number does not count; ``None``: it does."""
        wrong = _wrong(tags, self.mail.came) or _uncovered(tags, self.block)
        if wrong is not None:
            return wrong
        place = tags[b"s"] + b"._domainkey." + tags[b"d"]
        record = self.mail.txt(place + b".")
        unfit = _unfit(record)
        if record is None or unfit is not None:
            return f"the key at {text(place)} {unfit}"
        if _sum(self.body, relaxed=_relaxed(tags)) != _unpacked(tags[b"bh"]):
            return "the body is not the one that was signed"
        return self._refuted(index, tags, record)

    def _refuted(self, index: int, tags: Tags, record: bytes) -> str | None:
        """Let the library verify the header, with a key that was found already."""
        library = self.library
        signed = _names(tags)
        # Without bh= it leaves the body alone; what is verified is the field as it came.
        asked = {name: value for name, value in tags.items() if name != b"bh"}
        try:
            signer = library.DKIM(self.block + b"\r\n")
            found = [field for field in signer.headers if field[0].lower() == b"dkim-signature"]
            good = signer.verify_sig(asked, signed, found[index], lambda *_, **__: record)
        except library.NaClNotFoundError:
            return "an ed25519 signature needs a package that is not there: pip install pynacl"
        except (library.DKIMException, *_TRIPS) as error:
            return shown(str(error) or type(error).__name__)
        return None if good else "it does not fit the header, or its key is below 1,024 bits"


#: What the library raises over odd keys and signatures, besides its own.
_TRIPS = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, binascii.Error)


def _unfit(record: bytes | None) -> str | None:
    """Say what in a key's record rules it out."""
    if record is None:
        return "is not there"
    key = _tags(record)
    if key is None or not key.get(b"p"):
        return "is withdrawn or cannot be read"
    flags = [flag.strip() for flag in key.get(b"t", b"").split(b":")]
    return "is on trial (t=y)" if b"y" in flags else None


def _wrong(tags: Tags, came: float) -> str | None:
    """Say what in the signature itself rules it out."""
    algorithm = tags.get(b"a", b"")
    rules = {
        "it is not of version 1": tags.get(b"v") != b"1",
        f"its algorithm is {shown(text(algorithm))!r}": algorithm not in _ALGORITHMS,
        "its canonical form is unknown (c=)": tags.get(b"c", b"simple") not in _FORMS,
        "it covers only part of the mail (l=)": b"l" in tags,
        "it does not cover From": b"from" not in _names(tags),
        "it has no selector that can be asked for": not _SELECTOR.match(tags.get(b"s", b"")),
        "its key is not in the DNS (q=)": tags.get(b"q", b"dns/txt") != b"dns/txt",
        "it bears no sums (b=, bh=)": not (tags.get(b"b") and tags.get(b"bh")),
        "it ended before the mail came (x=)": _at(tags, b"x", came) < came - _SLOP,
        "it was made after the mail came (t=)": _at(tags, b"t", came) > came + _SLOP,
        "it is for somebody else (i=)": not _is_own(tags),
    }
    return next((sentence for sentence, broken in rules.items() if broken), None)


def _uncovered(tags: Tags, block: bytes) -> str | None:
    """Say what of a header that must be signed is there and is not."""
    there = {name.encode() for name, _ in headers.fields(block)}
    open_ = (there & _COVERED.keys()) - set(_names(tags))
    names = ", ".join(title for name, title in _COVERED.items() if name in open_)
    return f"it does not cover {names}" if names else None


def _names(tags: Tags) -> list[bytes]:
    """Give the names of the fields that are signed, in small letters."""
    return [name.strip() for name in tags.get(b"h", b"").lower().split(b":")]


def _at(tags: Tags, name: bytes, otherwise: float) -> float:
    """Give a time in a tag; one that cannot be read is as bad as it can be."""
    if name not in tags:
        return otherwise
    if _NUMBER.match(tags[name]) is None:
        return float("-inf" if name == b"x" else "inf")
    return float(tags[name])


def _is_own(tags: Tags) -> bool:
    """Check that the user it is for (``i=``) is of its domain or one below."""
    identity, mine = tags.get(b"i", b"@" + tags[b"d"]).lower(), tags[b"d"].lower()
    place = identity.rpartition(b"@")[2]
    return b"@" in identity and (place == mine or place.endswith(b"." + mine))


def _relaxed(tags: Tags) -> bool:
    """Say which canonical form the body has; the header's the library reads from the same tag."""
    return tags.get(b"c", b"").partition(b"/")[2] == b"relaxed"


def _unpacked(letters: bytes) -> bytes | None:
    try:
        return binascii.a2b_base64(b"".join(letters.split()))
    except binascii.Error:
        return None


def _sum(body: bytes, *, relaxed: bool) -> bytes:
    """Give the SHA-256 of a body in its canonical form (RFC 6376 §3.4).

    ``body`` has CRLF line ends.
    """
    if relaxed:
        body = body.replace(b"\t", b" ")
        while b"  " in body:  # halves every run of blanks
            body = body.replace(b"  ", b" ")
        body = body.replace(b" \r\n", b"\r\n")
    content = _trimmed(body)
    end = b"" if relaxed and not content else b"\r\n"
    return sha256(content + end).digest()


def _trimmed(body: bytes) -> bytes:
    """Take the line ends off the end; a CR alone is none."""
    content = body.rstrip(b"\r\n")
    tail = body[len(content) :]
    if tail.endswith(b"\r"):
        return body
    return content + tail[: tail.rfind(b"\r\r") + 1]
