"""What lies in a folder that Dovecot keeps as a Maildir, read without asking it."""

import base64
import contextlib
import re
import sys
from pathlib import Path


def messages(place: Path) -> list[bytes]:
    """Give the messages, in the order of their UIDs; those that have none yet come last."""
    while (
        True
    ):  # a file that is renamed meanwhile is gone, or overlooked: look until all holds still
        seen = _listed(place)
        with contextlib.suppress(FileNotFoundError):
            found = [file.read_bytes() for _, file in seen]
            if _listed(place) == seen:
                return found


def uids(place: Path) -> list[int]:
    """Give the UIDs of those messages that have been given one."""
    return [uid for uid, _ in _listed(place) if uid < sys.maxsize]


def flags(place: Path) -> list[set[str]]:
    r"""Give the flags (``\Seen`` …) and keywords of the messages, in the order of ``messages``."""
    names = {"S": r"\Seen", "R": r"\Answered", "F": r"\Flagged", "T": r"\Deleted"}
    names |= {"D": r"\Draft"} | _keywords(place / "dovecot-keywords")
    suffixes = (file.name.partition(":2,")[2] for _, file in _listed(place))
    return [{names[letter] for letter in suffix} for suffix in suffixes]


def mutf7(name: str) -> str:
    """Write a folder's name in modified UTF-7 (RFC 3501 §5.1.3)."""

    def shifted(match: re.Match[str]) -> str:
        coded = base64.b64encode(match[0].encode("utf-16-be")).rstrip(b"=").decode()
        return f"&{coded.replace('/', ',')}-"

    return re.sub(r"[^\x20-\x7e]+", shifted, name.replace("&", "&-"))


def _listed(place: Path) -> list[tuple[int, Path]]:
    known = _known(place / "dovecot-uidlist")
    files = [file for part in ("new", "cur") for file in (place / part).glob("*")]
    found = [(known.get(file.name.partition(":")[0], sys.maxsize), file) for file in files]
    return sorted(found, key=lambda one: (one[0], one[1].name))


def _known(uidlist: Path) -> dict[str, int]:
    """Give the UID of each file, by its name without the flags."""
    with contextlib.suppress(FileNotFoundError):
        lines = uidlist.read_text(errors="surrogateescape").splitlines()[1:]
        pairs = (line.partition(" :")[::2] for line in lines)
        return {file.partition(":")[0]: int(head.split()[0]) for head, file in pairs}
    return {}


def _keywords(file: Path) -> dict[str, str]:
    """Give the letters that stand for keywords in the files' names."""
    with contextlib.suppress(FileNotFoundError):
        lines = (line.split(" ", 1) for line in file.read_text().splitlines())
        return {chr(ord("a") + int(number)): name for number, name in lines}
    return {}
