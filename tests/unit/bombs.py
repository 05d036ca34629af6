"""Build archives that nobody sends by mistake."""

import gzip
import io
import struct
import zipfile
import zlib


def deflated(size):
    """Give so many MiB of zeros, deflated: a thousandth of it."""
    packer = zlib.compressobj(9, wbits=-15)
    one = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return one * size + b"\x03\0"


def gzipped(size):
    """Give so many MiB of zeros as one gzip, with a wrong sum at its far end."""
    return gzip.compress(b"")[:10] + deflated(size) + bytes(8)


def zip_of(packed, size=0, copies=1, extra=b""):
    """Give a zip whose one deflated member stands so often in its directory.

    ``size`` is what the zip says of its size.
    """
    numbers = struct.pack("<HHHHHIIIH", 20, 0, 8, 0, 0, 0, len(packed), size, 5)
    local = b"PK\x03\x04" + numbers + b"\0\0" + b"a.tsv" + packed
    more = struct.pack("<HHHHII", len(extra), 0, 0, 0, 0, 0)
    directory = (b"PK\x01\x02" + struct.pack("<H", 20) + numbers + more + b"a.tsv" + extra) * copies
    places = struct.pack("<HHHHIIH", 0, 0, copies, copies, len(directory), len(local), 0)
    return local + directory + b"PK\x05\x06" + places


def flat():
    """Give a zip of 10 MB that would be 10 GiB."""
    return zip_of(deflated(10 << 10), size=(1 << 32) - 1)


def lying():
    """Give a zip that says it has 100 bytes and would have 4 GiB."""
    return zip_of(deflated(4 << 10), size=100)


def overlapping():
    """Give a zip of 250 members that are one and the same (CVE-2024-0450)."""
    return zip_of(deflated(20), size=20 << 20, copies=250)


def nested(levels=50):
    """Give a zip in a zip in a zip."""
    data = flat()
    for level in range(levels):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr(f"{level}.zip", data)
        data = out.getvalue()
    return data


def crowded(members=60_000):
    """Give a zip of very many empty members."""
    return zip_of(b"\x03\x00", copies=members)


def stuffed():
    """Give a zip the directory of which says very much of its few members."""
    return zip_of(b"\x03\x00", copies=400, extra=b"\x99\x99\0\0" * 16_000)


def gzip_bomb():
    """Give a gzip of 10 MB that would be 10 GiB."""
    return gzipped(10 << 10)


def gzip_in_gzip():
    """Give a gzip in a gzip, 10 GiB in 30 KB."""
    return gzip.compress(gzip_bomb(), 9)


def crumbs():
    """Give a gzip of 34 MB that is made of empty ones."""
    return gzip.compress(b"", 9) * ((34 << 20) // 20)


#: Each with the reason for which it is refused.
ALL = {
    "flat": (flat, "archive_member_too_large"),
    "lying": (lying, "archive_member_too_large"),
    "overlapping": (overlapping, "unreadable_archive"),
    "nested": (nested, "nested_archive"),
    "crowded": (crowded, "too_many_members"),
    "stuffed": (stuffed, "unreadable_archive"),
    "gzip-bomb": (gzip_bomb, "archive_member_too_large"),
    "gzip-in-gzip": (gzip_in_gzip, "nested_archive"),
    "crumbs": (crumbs, "unreadable_archive"),
}
