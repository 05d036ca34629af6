"""PURE  Folder names on the wire: modified UTF-7 (RFC 3501 §5.1.3).

Rules:
  * Every name can be encoded, and decodes to itself.
  * What is no modified UTF-7 is shown as it stands: a server's listing is for people to read.
"""

import re
from base64 import b64decode, b64encode

#: What stands for itself: printable ASCII; "&" is written "&-".
_SHIFTED = re.compile(r"[^\x20-\x7e]+")
_SHIFT = re.compile(r"&([A-Za-z0-9+,]*)-")


def encode(name: str) -> str:
    """Write ``name`` in modified UTF-7; the answer is printable ASCII."""
    return _SHIFTED.sub(_coded, name.replace("&", "&-"))


def decode(wire: bytes) -> str:
    """Read a name as a server wrote it; names in UTF-8 are taken too."""
    name = wire.decode(errors="replace")
    if not name.isascii():
        return name
    try:
        return _SHIFT.sub(_plain, name)
    except ValueError:
        return name


def _coded(run: re.Match[str]) -> str:
    coded = b64encode(run[0].encode("utf-16-be", "surrogatepass")).rstrip(b"=").decode()
    return f"&{coded.replace('/', ',')}-"


def _plain(shift: re.Match[str]) -> str:
    coded = shift[1].replace(",", "/")
    if not coded:
        return "&"
    # A lone "=" short of four would be refused, so that a malformed run raises (binascii.Error).
    return b64decode(coded + "=" * (-len(coded) % 4)).decode("utf-16-be")
