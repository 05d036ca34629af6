"""PURE  A mail message becomes files: its MIME parts are walked, under caps (threats T6, T8).

Rules:
  * The walk is our own, over the bytes in place.  Only header blocks go through the library's
    parser (policy compat32, which real mail does not crash), so that depth and number of parts
    are counted before anything is built.
  * A part is taken for what its name or type says, whatever its disposition: tsv, csv, tab, txt,
    zip, gz, or ``text/tab-separated-values``, ``text/csv``.  Messages inside, base64 ones too,
    are walked.
  * Text that is not marked as attached counts only if it has such a name and nothing else does.
  * If there is no table, what looks like an inventory in another format is told by name.
  * Nothing is raised: what cannot be decoded is taken as far as it goes.

Reasons: too_large too_many_members not_a_table.
"""

import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import HeaderParser
from email.policy import compat32

from ingestd.config import Limits
from ingestd.mail.parts import Blocked, Member, blocks, display_name
from ingestd.model import Chunks

_MESSAGE = 35 << 20
_HEADERS = 256 << 10
_HEADER = 4 << 10  # of a Content-* header; the library's parser is quadratic in it
_NAME = 1 << 10  # of a file name before it is decoded
_PARTS = 200
_DEPTH = 20

_TABLES = (".tsv", ".csv", ".tab", ".txt", ".zip", ".gz")
_TABLE_TYPES = {"text/tab-separated-values": ".tsv", "text/csv": ".csv"}
_FOREIGN = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers", ".pdf", ".rar", ".7z", "winmail.dat")
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n|\A\r?\n")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A part that holds no others: its name (may be empty), type, disposition, raw body."""

    name: str
    type: str
    attached: bool
    encoding: str
    body: memoryview


def attachments(content: Chunks, name: str, caps: Limits) -> tuple[Member | Blocked, ...]:
    """Give the tables that a message carries, in its order, and what of it was refused.

    An empty tuple means that there is none.  Archives among them are not opened here.
    """
    raw = _joined(content, min(_MESSAGE, caps.file_size))
    if raw is None:
        return (_too_large(name, f"the message is larger than {_MESSAGE >> 20} MiB"),)
    leaves: list[_Leaf] = []
    blocked: list[Blocked] = []
    for count, found in enumerate(_walk(memoryview(raw), name, 0), 1):
        if count > _PARTS:
            message = f"the message has more than {_PARTS} parts; send the inventory alone"
            blocked.append(Blocked(name, "too_many_members", message))
            break
        if isinstance(found, Blocked):
            blocked.append(found)
        elif found is not None:
            leaves.append(found)
    return (*_tables(leaves), *blocked)


def _joined(content: Chunks, most: int) -> bytes | None:
    data = bytearray()
    for chunk in content():
        data += chunk
        if len(data) > most:
            return None
    return bytes(data)


# The walk


def _walk(raw: memoryview, name: str, depth: int) -> Iterator[_Leaf | Blocked | None]:
    """Give the leaves of an entity; None stands for a container, so that it is counted."""
    end = _END_OF_HEADERS.search(raw, 0, _HEADERS)
    if end is None and len(raw) > _HEADERS:
        yield _too_large(name, f"a header block is larger than {_HEADERS >> 10} KiB")
        return
    head, body = (raw, raw[:0]) if end is None else (raw[: end.start()], raw[end.end() :])
    headers = _parse(bytes(head))
    kind = headers.get_content_type()
    boundary = _safely(headers.get_boundary) if kind.startswith("multipart/") else ""
    leaf = _leaf(headers, kind, body)
    if depth >= _DEPTH:
        yield _too_large(name, f"its parts are nested deeper than {_DEPTH}")
    elif boundary:
        yield None
        for part in _split(body, boundary):
            yield from _walk(part, name, depth + 1)
    elif kind == "message/rfc822" or leaf.name.lower().endswith(".eml"):
        yield None
        yield from _walk(memoryview(_decoded(leaf)), name, depth + 1)
    else:
        yield leaf


def _parse(head: bytes) -> Message:
    """Parse a header block; Content-* headers that would cost too much are dropped."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError:
        text = head.decode("latin-1")
    headers: Message = HeaderParser(policy=compat32).parsestr(text)
    for field in ("Content-Type", "Content-Disposition"):
        if len(headers.get(field, "")) > _HEADER:
            del headers[field]
    return headers


def _split(body: memoryview, boundary: str) -> Iterator[memoryview]:
    """Give the parts between boundary lines; the last may lack its end (a mail cut off)."""
    mark = re.escape(boundary.encode("utf-8", "replace"))
    line = re.compile(rb"(?:\A|\r?\n)--" + mark + rb"(--)?[ \t]*+(?=\r?\n|\Z)")
    start: int | None = None
    for found in line.finditer(body):
        if start is not None:
            yield _part(body[start : found.start()])
        if found[1]:
            return
        start = found.end()
    if start is not None:
        yield _part(body[start:])


def _part(raw: memoryview) -> memoryview:
    """Drop the line end of the boundary line before a part."""
    start = bytes(raw[:2])
    return raw[2 if start == b"\r\n" else start.startswith(b"\n") :]


def _leaf(headers: Message, kind: str, body: memoryview) -> _Leaf:
    return _Leaf(
        name=_name(_safely(headers.get_filename)),
        type=kind,
        attached=_safely(headers.get_content_disposition) == "attachment",
        encoding=headers.get("Content-Transfer-Encoding", "").strip().lower(),
        body=body,
    )


def _safely(read: Callable[[], str | None]) -> str:
    """Read a parameter; where the library trips over hostile bytes there is none."""
    try:
        return read() or ""
    except (ValueError, LookupError, TypeError, AttributeError, MessageError):
        return ""


def _name(raw: str) -> str:
    """Decode the encoded words (RFC 2047) that many programs put into a file name."""
    name = raw[:_NAME]
    if "=?" in name:
        name = _safely(lambda: str(make_header(decode_header(name)))) or name
    return display_name(name, "")


def _decoded(leaf: _Leaf) -> bytes:
    """Undo the transfer encoding as far as it goes."""
    if leaf.encoding == "quoted-printable":
        return binascii.a2b_qp(leaf.body)
    if leaf.encoding != "base64":
        return bytes(leaf.body)
    try:
        return binascii.a2b_base64(leaf.body)
    except binascii.Error:  # cut off: drop the letters that make no byte
        letters = _NOT_BASE64.sub(b"", leaf.body)
        return binascii.a2b_base64(letters[: len(letters) // 4 * 4])


# The choice


def _tables(leaves: list[_Leaf]) -> list[Member | Blocked]:
    chosen = [leaf for leaf in leaves if _is_table(leaf) and not _is_note(leaf)]
    chosen = chosen or [leaf for leaf in leaves if _is_table(leaf)]
    if chosen:
        return [_member(leaf) for leaf in chosen]
    return [_foreign(leaf.name) for leaf in leaves if leaf.name.lower().endswith(_FOREIGN)]


def _is_table(leaf: _Leaf) -> bool:
    return leaf.type in _TABLE_TYPES or leaf.name.lower().endswith(_TABLES)


def _is_note(leaf: _Leaf) -> bool:
    """Say whether it may be the letter itself rather than what was attached to it."""
    return leaf.type == "text/plain" and not leaf.attached and leaf.name.lower().endswith(".txt")


def _member(leaf: _Leaf) -> Member:
    data = _decoded(leaf)
    name = leaf.name or "attachment" + _TABLE_TYPES[leaf.type]
    return Member(name, len(data), blocks(data))


def _foreign(name: str) -> Blocked:
    message = f"{name!r} is no table that can be read; export it as tab separated text, send that"
    return Blocked(name, "not_a_table", message)


def _too_large(name: str, what: str) -> Blocked:
    return Blocked(name, "too_large", f"{what}; send the inventory alone")
