"""PURE  What a receiving server says of a mail: Authentication-Results (RFC 8601; threats T2, T3).

Anybody can write such a header.  What makes one count is where it stands and who signed it:
  * Only the topmost counts, and only if it bears a configured authserv-id, letter by letter but
    for case, and no version other than 1.  A receiving server puts its own above everything that
    came with the mail; if the topmost is not its own, it has not looked at this mail.
  * Several are never merged.  Those below prove nothing; but where one of them bears a trusted
    id and says ``dmarc=fail``, the failure wins.
  * Where it stands among the ``Received`` lines proves nothing more: some servers put theirs
    above their own ``Received``, some below it, next to what the sender wrote.  A server must
    therefore strip what claims to be its own (RFC 8601 §5), and must sign every mail.
  * ``microsoft365`` is the form without authserv-id that Microsoft writes.
  * ARC is another header, and is never honoured.
A header that does not keep the grammar proves nothing.  Several results of dmarc must all pass;
of several signatures one must.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ingestd.mail.phrase import shown, small, text, uncommented, unquoted

Form: TypeAlias = Literal["rfc8601", "microsoft365"]

_STRING = r'"(?:[^"\\]|\\.)*+"'
_SEGMENT = re.compile(rf'((?:[^";]++|{_STRING})*+)(?:;|\Z)', re.DOTALL)
_SERVER = re.compile(rf'\s*+({_STRING}|[^\s"=]++)(?:\s++([^\s"=]++))?\s*+\Z', re.DOTALL)
_PAIR = re.compile(
    r"\s*+([\w-]++(?:\s*+[./]\s*+[\w-]++)*+)\s*+=\s*+"
    rf'((?:{_STRING}|[^\s";]++)++)(?=\s|\Z)',
    re.DOTALL,
)
_BLANK = re.compile(r"\s++")


@dataclass(frozen=True, slots=True)
class Result:
    """One method's result, and what it was found for: ``header.from`` and the like."""

    method: str
    value: str
    properties: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One header: the server that signed it (``None``: none did), and its results."""

    server: str | None
    results: tuple[Result, ...]

    def of(self, method: str) -> list[Result]:
        """Give the results of one method."""
        return [result for result in self.results if result.method == method]

    def failed(self) -> bool:
        """Say whether DMARC failed."""
        return any(result.value == "fail" for result in self.of("dmarc"))


def parse(raw: bytes) -> Verdict | None:
    """Read one header's value; ``None``: it keeps no grammar that we know, or has another version.

    ``raw`` is unfolded.
    """
    bare = uncommented(text(raw))
    if bare is None:
        return None
    first, *rest = (found[1] for found in _SEGMENT.finditer(bare))
    signed = _SERVER.match(first)
    if signed and signed[2] not in (None, "1"):
        return None
    results: list[Result] = []
    for segment in rest if signed else (first, *rest):
        if segment.strip() in ("", "none"):
            continue
        result = _result(segment)
        if result is None:
            return None
        results.append(result)
    return Verdict(small(unquoted(signed[1])) if signed else None, tuple(results))


def _result(segment: str) -> Result | None:
    pairs: list[tuple[str, str]] = []
    place, end = 0, len(segment.rstrip())
    while place < end:
        pair = _PAIR.match(segment, place)
        if pair is None:
            return None
        pairs.append((small(_BLANK.sub("", pair[1])), unquoted(pair[2])))
        place = pair.end()
    method, _, version = pairs[0][0].partition("/")
    if version not in ("", "1"):
        return None
    properties: dict[str, str] = {}
    for name, told in pairs[1:]:
        value = small(told)
        # What is told twice, and differently, is not told at all.
        properties[name] = value if properties.get(name, value) == value else ""
    return Result(method, small(pairs[0][1]), properties)


def trusted(raws: Sequence[bytes], form: Form, servers: Sequence[str]) -> Verdict | str:
    """Give the verdict that counts among a mail's headers, topmost first; else say why none does.

    ``servers`` are the authserv-ids that are trusted; none are asked for in ``microsoft365``.
    """
    if not raws:
        return "the receiving server wrote no Authentication-Results header"
    first, *below = (parse(raw) for raw in raws)
    if first is None:
        return f"the topmost Authentication-Results header cannot be read: {shown(text(raws[0]))!r}"
    wrong = _stranger(first, form, servers)
    if wrong is not None:
        return f"the topmost Authentication-Results header {wrong}"
    for verdict in below:
        if verdict and verdict.failed() and _stranger(verdict, form, servers) is None:
            return "two Authentication-Results headers of the receiving server: one says dmarc=fail"
    return first


def _stranger(verdict: Verdict, form: Form, servers: Sequence[str]) -> str | None:
    """Say why a header is not the receiving server's; ``None`` if it is."""
    if form == "microsoft365":
        if verdict.server is None:
            return None
        return f"is signed by {shown(verdict.server)!r}; Microsoft's bears no name"
    if verdict.server is None:
        return "bears no server's name"
    if verdict.server in {small(server) for server in servers}:
        return None
    return (
        f"is signed by {shown(verdict.server)!r}, which trusted_authserv_ids does not name "
        "(name it only if it is your own receiving server)"
    )


def dmarc(verdict: Verdict, domain: str) -> str | None:
    """Say why a verdict does not prove by DMARC that a mail is from ``domain``; ``None``: it does.

    Aligned is only what has ``header.from`` equal to ``domain``.
    """
    found = verdict.of("dmarc")
    if not found:
        return "the receiving server's Authentication-Results header holds no dmarc result"
    for result in found:
        if result.value != "pass":
            return f"the receiving server says dmarc={shown(result.value)}"
        told = result.properties.get("header.from", "")
        if told != domain:
            return f"the receiving server's dmarc=pass is for {shown(told)!r}, not for {domain!r}"
    return None


def dkim(verdict: Verdict, domain: str) -> str | None:
    """Say why a verdict does not prove by DKIM that a mail is from ``domain``; ``None``: it does.

    Aligned is a signature of that very domain (``header.d``; where it is not told, the domain of
    ``header.i``).  A parent's does not count: it may sign for strangers.  Another signature that
    fails takes nothing away, ``dmarc=fail`` does.
    """
    if verdict.failed():
        return "the receiving server says dmarc=fail"
    found = verdict.of("dkim")
    signers = [_signer(result) for result in found if result.value == "pass"]
    if domain in signers:
        return None
    if signers:
        told = ", ".join(repr(shown(signer)) for signer in signers[:5])
        return f"the receiving server's dkim=pass is for {told}, not for {domain!r}"
    if found:
        return f"the receiving server says dkim={shown(found[0].value)}"
    return "the receiving server's Authentication-Results header holds no dkim result"


def _signer(result: Result) -> str:
    signer = result.properties.get("header.d")
    if signer is not None:
        return signer
    return result.properties.get("header.i", "").rpartition("@")[2]
