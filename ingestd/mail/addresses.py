"""PURE  The addresses in a mail's header: strictly whom it is from, leniently whom it is to.

Who it is from decides whose vehicles change, so there is exactly one way to write it (T1):
  * exactly one From header with exactly one address: ``a@b``, ``<a@b>`` or ``name <a@b>``;
  * the name is words or quoted strings; a bare ``@``, ``,``, ``:``, ``;`` in it ends the matter
    (two addresses, a group, ``a@good<b@evil>``); comments are taken out, wherever they stand;
  * the address has no quotes, blanks, encoded words, routes or IP literals;
  * letters other than ASCII ones stay as they are, and are compared as they are: a name in
    its own script and in its ``xn--`` form are two names.
Programs read broken addresses in different ways; what is refused here they cannot differ about.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ingestd.mail import phrase

#: Longest address (RFC 5321 §4.5.3.1), and most recipients that are looked at.
_LONGEST = 320
_MOST = 1000

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NAMED = re.compile(r'(?:"(?:[^"\\]|\\.)*+"|[^"<>()\[\]:;@\\,])*+<([^<>"\s]++)>\s*+\Z', re.DOTALL)
_ATOM = r"[\w!#$%&'*+/=?^`{|}~-]++"
_LABEL = r"[^\W_](?:-*+[^\W_])*+"
_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*+@{_LABEL}(?:\.{_LABEL})*+\Z")
_BETWEEN = re.compile(r'[\s<>(),;:"\[\]]+')


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why it cannot be said whom a mail is from."""

    sentence: str


def author(froms: Sequence[bytes]) -> str | Doubt:
    """Give the one address that a mail is from, in small letters, by its From header(s).

    ``froms`` are the raw values of all fields of that name, unfolded.
    """
    if len(froms) != 1:
        count = "no From header" if not froms else f"{len(froms)} From headers"
        return Doubt(f"it has {count}, where exactly one is allowed")
    value = phrase.text(froms[0])
    if _CONTROL.search(value):
        return Doubt("its From header holds a control character")
    bare = phrase.uncommented(value)
    if bare is None:
        return Doubt("its From header has a comment or a quoted name that does not end")
    named = _NAMED.match(bare)
    address = phrase.small(named[1] if named else bare.strip())
    if len(address) > _LONGEST or "=?" in address or _ADDRESS.match(address) is None:
        return Doubt(f"its From header is not one plain address: {phrase.shown(value)!r}")
    return address


def domain(address: str) -> str:
    """Give what stands behind the @."""
    return address.rpartition("@")[2]


def recipients(values: Iterable[bytes]) -> tuple[str, ...]:
    """Give every address in these raw values, in small letters, each once, in their order."""
    found: dict[str, None] = {}
    for value in values:
        for word in _BETWEEN.split(phrase.small(phrase.text(value))):
            local, at, place = word.partition("@")
            if local and at and place and "@" not in place and len(word) <= _LONGEST:
                found[word] = None
            if len(found) >= _MOST:
                return tuple(found)
    return tuple(found)
