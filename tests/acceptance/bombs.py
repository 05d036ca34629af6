"""Mails and archives that are small to send and costly to open, for those who are careless."""

import gzip
import io
import struct
import zipfile
from base64 import encodebytes

from tests.acceptance.lots import HEADER, row
from tests.acceptance.mailhouse import SENDER, letter

MIB = 1 << 20
_HEAD = f"From: {SENDER}\r\nTo: inventory@example.com\r\nSubject: {{}}\r\nMIME-Version: 1.0\r\n"
_FILE = (
    "Content-Type: application/octet-stream\r\n"
    'Content-Disposition: attachment; filename="lot.tsv"\r\n\r\n'
)


def head(subject: str) -> bytes:
    return _HEAD.format(subject).encode()


def zip_of(content: bytes, copies: int = 1) -> bytes:
    """Pack a file; ``copies`` entries of the directory all name the same bytes."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("lot.tsv", content)
    raw = made.getvalue()
    end = raw.rindex(b"PK\x05\x06")
    start = struct.unpack_from("<I", raw, end + 16)[0]
    entry = raw[start:end]
    tail = struct.pack(
        "<4sHHHHIIH", b"PK\x05\x06", 0, 0, copies, copies, len(entry) * copies, start, 0
    )
    return raw[:start] + entry * copies + tail


def a_zip_of_zeros() -> bytes:
    return letter("zip of zeros", ("lot.zip", zip_of(bytes(64 * MIB))))


def a_zip_of_cars() -> bytes:
    """One whose every byte is a proper lot, a thousand times over."""
    cars = "\n".join([HEADER, *(row(1) for _ in range(400_000))]).encode()
    return letter("zip of cars", ("lot.zip", zip_of(cars)))


def a_zip_whose_members_overlap() -> bytes:
    return letter("overlapping", ("lot.zip", zip_of(bytes(MIB), 40)))


def a_gzip_of_zeros() -> bytes:
    return letter("gzip of zeros", ("lot.tsv.gz", gzip.compress(bytes(64 * MIB), 1)))


def many_parts() -> bytes:
    parts = f"--x\r\n{_FILE}\r\n".encode() * 100_000
    return head("parts") + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + parts


def deep_parts() -> bytes:
    nest = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
        for n in range(20_000)
    )
    return head("depth") + nest + _FILE.encode()


def mails_in_mails() -> bytes:
    inner = letter("innermost", b"x")
    for _ in range(12):
        coded = encodebytes(inner).replace(b"\n", b"\r\n")
        inner = (
            head("nested")
            + b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            + coded
        )
    return inner


def a_long_header() -> bytes:
    return head("long") + b"X-Long: " + b"a " * (5 * MIB) + b"\r\n\r\ntext\r\n"


def many_headers() -> bytes:
    return head("many") + b"X: y\r\n" * 1_000_000 + b"\r\ntext\r\n"


def almost_boundaries() -> bytes:
    kind = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n" + _FILE.encode()
    return head("almost") + kind + b"--x \t" * (2 * MIB) + b"\r\n" + b"\r\n--x." * MIB


BOMBS = (
    a_zip_of_zeros,
    a_zip_of_cars,
    a_zip_whose_members_overlap,
    a_gzip_of_zeros,
    many_parts,
    deep_parts,
    mails_in_mails,
    a_long_header,
    many_headers,
    almost_boundaries,
)
