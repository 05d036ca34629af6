"""PURE  An archive becomes files, under caps; the spool's bytes are never trusted (threat T5).

Rules:
  * What a file is, its first bytes say; its name only tells a mail message (``.eml``) from text.
  * Sizes are counted while inflating, never taken from the archive.  Per member and in all at
    most ``file_size``; past 1 MiB at most ``archive_ratio`` times the bytes it came from.  A bomb
    is not inflated to its end: that is looked at all the while, with a little patience.
  * A zip: at most ``archive_members`` files, stored or deflated, not encrypted, no two sharing
    bytes (own check: interpreters before 3.11.8 do not have one, CVE-2024-0450); a directory of
    at most 1 MiB.  It is held in memory, once: its directory is at its end.
  * An archive inside an archive is not opened.  Directories, ``__MACOSX`` and names that begin
    with a dot are skipped.  An archive with nothing else gives nothing.
  * A damaged archive or member is a ``Blocked``; what came out of it before is not used.

Reasons: unreadable_archive encrypted_archive too_many_members archive_member_too_large
nested_archive not_a_table too_large.
"""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ingestd.config import Limits
from ingestd.mail.parts import Blocked, Member, blocks, display_name, joined
from ingestd.model import Chunks

Kind: TypeAlias = Literal["zip", "gzip", "eml", "plain"]

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_GZIP = b"\x1f\x8b"
_FIELD = re.compile(rb"(?:From [^\r\n]*\r?\n)?[\x21-\x39\x3b-\x7e]+:")

_STEP = 1 << 14  # compressed bytes fed at a time
_BLOCK = 1 << 16  # inflated bytes taken at a time
_FREE = 1 << 20  # bytes below which no ratio is looked at
_PATIENCE = 1 << 18  # bytes that may yet come and better the ratio
_DIRECTORY = 1 << 20  # bytes of a directory
_MOST_GZIPS = 100_000  # gzip members in a row
#: Entries of a directory beyond which it is not even read.
_MOST_ENTRIES = 10_000
_ENTRY = b"PK\x01\x02"
_LOCAL = struct.Struct("<4s22xHH")
_ENCRYPTED = 0x0001 | 0x0040 | 0x2000
_UTF8_NAME = 0x0800
#: zlib's window parameter for bare deflate data and for gzip with its header.
_BARE, _GZIPPED = -15, 31

#: Beginnings of what is not opened inside an archive; a tar says so further on.
_NESTED = (*_ZIP, _GZIP, b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"BZh", b"\xfd7zXZ\x00")
_TAR = slice(257, 262)

#: What the reader of a damaged directory may raise.
_DAMAGE = (
    zipfile.BadZipFile,
    NotImplementedError,
    ValueError,
    OverflowError,
    struct.error,
    EOFError,
    OSError,
    IndexError,
)


def kind_of(head: bytes, name: str) -> Kind:
    """Say what a file is, by its first bytes, then by its name."""
    if head.startswith(_ZIP):
        return "zip"
    if head.startswith(_GZIP):
        return "gzip"
    if name.lower().endswith(".eml") and _FIELD.match(head):
        return "eml"
    return "plain"


def members(content: Chunks, kind: Kind, name: str, caps: Limits) -> tuple[Member | Blocked, ...]:
    """Give the files of an archive, each checked by inflating it once.

    What is no archive is its own only member.
    """
    if kind == "zip":
        return _zip(content, name, caps)
    if kind == "gzip":
        return (_gzip(content, name, caps),)
    return (Member(name, sum(map(len, content())), content),)


def _gzip(content: Chunks, name: str, caps: Limits) -> Member | Blocked:
    inner = name[:-3] if name.lower().endswith(".gz") and len(name) > len(".gz") else name
    return _checked(_Packed(inner, content, _gunzip), caps, caps.file_size)


def _zip(content: Chunks, name: str, caps: Limits) -> tuple[Member | Blocked, ...]:
    data = joined(content, caps.file_size)
    if data is None:
        size = f"the archive is larger than {caps.file_size:,} bytes (limits.file_size)"
        return (Blocked(name, "too_large", f"{size}; send less, or allow more"),)
    entries = _directory(data, name, caps)
    if isinstance(entries, Blocked):
        return (entries,)
    out: list[Member | Blocked] = []
    left = caps.file_size
    for entry in entries:
        member = entry if isinstance(entry, Blocked) else _checked(entry, caps, left)
        left -= member.size if isinstance(member, Member) else 0
        out.append(member)
    return tuple(out)


# The directory of a zip


@dataclass(frozen=True, slots=True)
class _Packed:
    """A member not yet checked: its packed bytes, what inflates them, the checksum told."""

    name: str
    packed: Chunks
    inflate: Callable[[Chunks], Iterator[bytes]]
    crc: int | None = None

    def content(self) -> Iterator[bytes]:
        return self.inflate(_Fed(self.packed))


class _File(io.RawIOBase):
    """Bytes as a file, without copying them; no more than a directory may be read at once."""

    def __init__(self, data: bytearray) -> None:
        super().__init__()
        self._data, self._place = data, 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        place = offset + {io.SEEK_CUR: self._place, io.SEEK_END: len(self._data)}.get(whence, 0)
        if place < 0:
            raise OSError("before its beginning")
        self._place = place
        return place

    def read(self, size: int = -1) -> bytes:
        piece = memoryview(self._data)[self._place :][: size if size >= 0 else None]
        if len(piece) > _DIRECTORY:
            raise OSError("it is too large")
        self._place += len(piece)
        return bytes(piece)


def _directory(data: bytearray, name: str, caps: Limits) -> list[_Packed | Blocked] | Blocked:
    """Give the members that a zip says it has, each with its own bytes, or why it is refused."""
    if data.count(_ENTRY) > _MOST_ENTRIES:
        return _too_many(name, f"more than {_MOST_ENTRIES:,}", caps)
    read = _read(data)
    if isinstance(read, str):
        return _unreadable(name, read)
    entries, starts = read
    if any(entry.filename == "[Content_Types].xml" for entry in entries):
        what = "this is an Excel workbook (or another Office document)"
        advice = "export the inventory as tab separated text and send that"
        return Blocked(name, "not_a_table", f"{what}; {advice}")
    wanted = [entry for entry in entries if not _skipped(entry)]
    if len(wanted) > caps.archive_members:
        return _too_many(name, f"{len(wanted)}", caps)
    view = memoryview(data)
    return [
        _packed(entry, view[starts[entry.header_offset] :][: entry.compress_size])
        for entry in wanted
    ]


def _read(data: bytearray) -> tuple[list[zipfile.ZipInfo], dict[int, int]] | str:
    try:
        with zipfile.ZipFile(_File(data)) as archive:
            entries, end = archive.infolist(), archive.start_dir
    except _DAMAGE as error:
        return f"its directory is damaged ({error})"
    starts = _starts(data, entries, end)
    return starts if isinstance(starts, str) else (entries, starts)


def _starts(data: bytearray, entries: Iterable[zipfile.ZipInfo], end: int) -> dict[int, int] | str:
    """Give where each member's data begin by its header's offset, or what is wrong.

    Two members that share bytes are how a small archive becomes a huge one.
    """
    starts: dict[int, int] = {}
    following = end
    for entry in sorted(entries, key=lambda entry: entry.header_offset, reverse=True):
        offset = entry.header_offset
        header = data[offset : offset + _LOCAL.size] if offset >= 0 else b""
        if len(header) < _LOCAL.size or not header.startswith(_ZIP[0]):
            return "a member is not where its directory says"
        _, name, extra = _LOCAL.unpack(header)
        starts[offset] = offset + _LOCAL.size + name + extra
        if starts[offset] + entry.compress_size > following:
            return "its members overlap, as they do in a zip bomb"
        following = offset
    return starts


def _skipped(entry: zipfile.ZipInfo) -> bool:
    parts = entry.orig_filename.replace("\\", "/").split("/")
    hidden = any(part.startswith(".") and part.strip(".") for part in parts)
    return hidden or "__MACOSX" in parts or not parts[-1]


def _packed(entry: zipfile.ZipInfo, data: memoryview) -> _Packed | Blocked:
    name = display_name(_decoded(entry), "member")
    if entry.flag_bits & _ENCRYPTED:
        return Blocked(
            name, "encrypted_archive", f"{name!r} is encrypted; send it without password"
        )
    if entry.compress_type == zipfile.ZIP_STORED:
        return _Packed(name, blocks(data), _stored, entry.CRC)
    if entry.compress_type == zipfile.ZIP_DEFLATED:
        return _Packed(name, blocks(data), _inflated, entry.CRC)
    return _unreadable(name, f"it is compressed by a rare method ({entry.compress_type})")


def _decoded(entry: zipfile.ZipInfo) -> str:
    """Give a member's name: many programs write UTF-8 without saying so."""
    name = entry.orig_filename
    if entry.flag_bits & _UTF8_NAME:
        return name
    try:
        return name.encode("cp437").decode("utf-8")
    except UnicodeError:
        return name


def _too_many(name: str, count: str, caps: Limits) -> Blocked:
    most = f"at most {caps.archive_members} are opened (limits.archive_members)"
    return Blocked(name, "too_many_members", f"the archive has {count} members; {most}")


def _unreadable(name: str, why: str) -> Blocked:
    message = f"{name!r} cannot be opened: {why}; pack and send it again"
    return Blocked(name, "unreadable_archive", message)


# The bytes of a member


def _checked(member: _Packed, caps: Limits, left: int) -> Member | Blocked:
    """Inflate a member once: count it, compare its checksum, look at its beginning."""
    size = crc = 0
    fed = _Fed(member.packed)
    try:
        for block in member.inflate(fed):
            if not size and (block.startswith(_NESTED) or block[_TAR] == b"ustar"):
                return _nested(member.name)
            size += len(block)
            if size > min(left, _most(fed.size + _PATIENCE, caps)):
                return _too_large(member.name, caps)
            crc = zlib.crc32(block, crc)
    except zlib.error as error:
        return _unreadable(member.name, f"its data are damaged ({error})")
    if size > _most(fed.size, caps):
        return _too_large(member.name, caps)
    sound = member.crc in (None, crc)
    found = Member(member.name, size, member.content)
    return found if sound else _unreadable(member.name, "its checksum is wrong")


class _Fed:
    """Content in small pieces, which counts what was read of it."""

    def __init__(self, content: Chunks) -> None:
        self._content = content
        self.size = 0

    def __call__(self) -> Iterator[bytes]:
        for chunk in self._content():
            for start in range(0, len(chunk), _STEP):
                piece = chunk[start : start + _STEP]
                self.size += len(piece)
                yield piece


def _most(packed: int, caps: Limits) -> int:
    return max(_FREE, caps.archive_ratio * packed)


def _nested(name: str) -> Blocked:
    message = f"{name!r} is itself an archive or a workbook inside an archive; send the table in it"
    return Blocked(name, "nested_archive", message)


def _too_large(name: str, caps: Limits) -> Blocked:
    return Blocked(
        name,
        "archive_member_too_large",
        f"{name!r} inflates to more than {caps.file_size:,} bytes in all (limits.file_size) or "
        f"{caps.archive_ratio} times its size (limits.archive_ratio); send it unpacked",
    )


def _stored(content: Chunks) -> Iterator[bytes]:
    return content()


def _inflated(content: Chunks) -> Iterator[bytes]:
    decoder = zlib.decompressobj(_BARE)
    for piece in content():
        yield from _pump(decoder, piece)
    if not decoder.eof:
        raise zlib.error(_EARLY)


_EARLY = "they end too early"


def _gunzip(content: Chunks) -> Iterator[bytes]:
    """Inflate gzip members one after the other; what follows the last and is none is padding."""
    decoder, count = zlib.decompressobj(_GZIPPED), 1
    rest = b""
    for piece in content():
        rest += piece
        while rest and not (decoder.eof and len(rest) < len(_GZIP)):
            if decoder.eof:
                if not rest.startswith(_GZIP):
                    return
                decoder, count = zlib.decompressobj(_GZIPPED), count + 1
                if count > _MOST_GZIPS:
                    raise zlib.error("they are in too many pieces")
            yield from _pump(decoder, rest)
            rest = decoder.unused_data
    if not decoder.eof:
        raise zlib.error(_EARLY)


def _pump(decoder: "zlib._Decompress", data: bytes) -> Iterator[bytes]:
    """Feed bytes and take what comes out, never more than 64 KiB at a time."""
    while not decoder.eof:
        block = decoder.decompress(data, _BLOCK)
        if not block:
            return
        yield block
        data = decoder.unconsumed_tail
