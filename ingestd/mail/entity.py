"""PURE  What the header block of a message or part says of its body: type, name, encoding, borders.

Rules:
  * The first of several fields of a name counts.  What is missing or senseless is ``text/plain``,
    not attached, without name, not encoded.
  * The name is that of the Content-Disposition, else of the Content-Type; it is data (threat T8).
  * A boundary may have blanks after it, and at most 256 bytes (RFC 2046: 70).
"""

from dataclasses import dataclass

from ingestd.mail import parameters, transfer
from ingestd.mail.headers import fields
from ingestd.mail.parts import display_name

#: Bytes of a boundary.
BOUNDARY = 256

_MESSAGES = ("message/rfc822", "message/global")


@dataclass(frozen=True, slots=True)
class Entity:
    """A message or part, as its header block has it; ``boundary`` is empty unless it has parts."""

    type: str
    boundary: bytes
    name: str
    attached: bool
    encoding: str

    @property
    def message(self) -> bool:
        """Whether its body is another message."""
        return self.type in _MESSAGES or self.name.lower().endswith(".eml")


def entity(block: bytes) -> Entity:
    """Read a header block that is within the caps."""
    told = dict(reversed(fields(block)))
    kind, about = parameters.parse(told.get("content-type", b""))
    disposition, more = parameters.parse(told.get("content-disposition", b""))
    kind = kind if kind.count("/") == 1 else "text/plain"
    boundary = about["boundary"].raw.rstrip() if "boundary" in about else b""
    names = [more.get("filename"), more.get("name"), about.get("name"), about.get("filename")]
    shown = (display_name(str(name), "") for name in names if name)
    parts = kind.startswith("multipart/") and len(boundary) <= BOUNDARY and b"\n" not in boundary
    return Entity(
        type=kind,
        boundary=boundary if parts else b"",
        name=next(filter(None, shown), ""),
        attached=disposition == "attachment",
        encoding=transfer.encoding(told.get("content-transfer-encoding", b"")),
    )
