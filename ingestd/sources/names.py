"""PURE  The names that files have on their way through a watched folder.

Rules:
  * A sender's name is data.  It is cleaned before it is shown, stored or written to disk
    again: undecodable bytes, controls, bidi and other invisible characters become U+FFFD.
  * Cleaning never makes the name of a sub-folder into that of a feed: feed names are plain
    ASCII, so a name in which anything was replaced can not be one (and no Unicode
    normalisation is applied to it, which would turn KELVIN SIGN into K).
  * A claim's name carries its order time, so that a restart knows it from the name alone.
  * No name passes 255 bytes, the limit of common file systems; the extension is kept.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime

#: What a cleaned file name may take of the 255 bytes: the longest prefix (claim 33,
#: settled 38) and the longest suffix of a paper (16) still fit beside it.
NAME_BYTES = 200
COMPONENT_BYTES = 255
_EXTENSION_BYTES = 16
_ORDER = "%Y%m%dT%H%M%S.%fZ"
_CLAIM = re.compile(r"(\d{8}T\d{6}\.\d{6}Z)-([0-9a-f]{8})-(.+)", re.DOTALL)
#: Control, format (bidi, zero width), surrogate, private, unassigned; line, paragraph.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Claim:
    """A file that was made ours: its sub-folder, its name there, and what the name says."""

    sub: str | None
    file: str
    order: datetime
    title: str

    @property
    def key(self) -> str:
        """Give the place below working/, which is the arrival's key."""
        return self.file if self.sub is None else f"{self.sub}/{self.file}"


def clean(raw: bytes) -> str:
    """Give a file's name as people may see it, at most ``NAME_BYTES`` long."""
    return shorten(unicodedata.normalize("NFC", _visible(raw)), NAME_BYTES)


def clean_folder(raw: bytes) -> str:
    """Give a sub-folder's name as the hint at a feed; only a clean one can equal a feed's."""
    return shorten(_visible(raw), COMPONENT_BYTES)


def _visible(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace")
    return "".join("\ufffd" if unicodedata.category(c) in _UNSEEN else c for c in text)


def shorten(name: str, limit: int) -> str:
    """Cut ``name`` to ``limit`` bytes of UTF-8 before its extension."""
    if len(name.encode()) <= limit:
        return name
    stem, extension = split(name)
    room = limit - len(extension.encode())
    return stem.encode()[:room].decode("utf-8", "ignore") + extension


def split(name: str) -> tuple[str, str]:
    """Give a name's stem and its last extension with the dot, or "" where it has none."""
    stem, dot, extension = name.rpartition(".")
    whole = not stem or " " in extension or len(extension.encode()) >= _EXTENSION_BYTES
    return (name, "") if whole else (stem, dot + extension)


def claim(sub: str | None, order: datetime, token: str, title: str) -> Claim:
    """Name a claim: ``<order time>-<8 hex>-<cleaned name>``."""
    moment = order.astimezone(UTC)
    return Claim(sub, f"{moment.strftime(_ORDER)}-{token}-{title}", moment, title)


def parse_claim(sub: str | None, file: str) -> Claim | None:
    """Read a claim's name back; None for a name that no claim has."""
    match = _CLAIM.fullmatch(file)
    if match is None:
        return None
    try:
        order = datetime.strptime(f"{match[1]}+0000", f"{_ORDER}%z")
    except ValueError:
        return None
    return Claim(sub, file, order, match[3])


def settled(first_seen: datetime, delivery_id: int, title: str, copy: int = 1) -> str:
    """Name a settled file: ``<UTC time>-<delivery id>-<cleaned name>``.

    ``copy`` above 1 is for the case that another file has that name already.
    """
    moment = first_seen.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    again = "" if copy == 1 else f"{copy}-"
    title = shorten(title, NAME_BYTES)
    return f"{moment}-{delivery_id}-{again}{title}"


def paper(settled_name: str, suffix: str) -> str:
    """Name a document that lies beside a settled file, on the same stem."""
    return split(settled_name)[0] + suffix
