"""PURE  A mail message becomes files: the tables that it carries, or why it carries none.

Rules:
  * Of the parts (``walk``) those count that are judged to be tables (``judgement``), whatever
    their disposition.  If there is none, the letter itself may be one.
  * If that is none either, an inventory in another format is told by name, with advice.
  * If there is no such thing, text with a name is given all the same: its reader says what it
    lacks.

Reasons: too_large too_many_members not_a_table.
"""

from collections.abc import Mapping
from types import MappingProxyType

from ingestd.config import Limits
from ingestd.mail import sniff
from ingestd.mail.judgement import Claim, Judgement, judge
from ingestd.mail.parts import Blocked, Member
from ingestd.mail.walk import walk
from ingestd.model import Chunks

#: What is given: all of the first kind of which there is any.
_ORDER: tuple[Claim, ...] = ("table", "letter", "foreign", "text")

#: Bytes that are decoded, to read each file once, because of the encoded messages around them.
_COST = 256 << 20

_EXPORT = "export the inventory as tab separated text and send that"
_ADVICE: Mapping[str, str] = MappingProxyType(
    {
        sniff.TNEF: "send the mail as plain text or HTML (in Outlook not as Rich Text), so that "
        "its attachments stay as they are",
        sniff.SEALED: "send the mail without encryption and, if signed, with a clear signature",
    }
)


def attachments(content: Chunks, name: str, caps: Limits) -> tuple[Member | Blocked, ...]:
    """Give the tables that a message carries, in its order, and what of it was refused.

    An empty tuple means that there is none.  Archives among them are not opened here.
    """
    found = walk(content, name, min(caps.message_size, caps.file_size))
    chosen = _chosen([judge(leaf) for leaf in found.leaves])
    why = _too_many(chosen, caps)
    given = (Blocked(name, "too_many_members", why),) if why else tuple(map(_given, chosen))
    return (*given, *found.blocked)


def _too_many(chosen: list[Judgement], caps: Limits) -> str:
    if len(chosen) > caps.archive_members:
        most = f"at most {caps.archive_members} are opened (limits.archive_members)"
        return f"the message carries {len(chosen)} files; {most}"
    if sum(each.leaf.cost for each in chosen) > _COST:
        return "the message carries too many files inside of messages that are encoded; attach them"
    return ""


def _chosen(judged: list[Judgement]) -> list[Judgement]:
    for claim in _ORDER:
        chosen = [each for each in judged if each.claim == claim]
        if chosen:
            return chosen
    return []


def _given(judged: Judgement) -> Member | Blocked:
    if judged.claim == "foreign":
        advice = _ADVICE.get(judged.what, _EXPORT)
        message = f"{judged.name!r} is no table but {judged.what}; {advice}"
        return Blocked(judged.name, "not_a_table", message)
    return Member(judged.name, judged.leaf.size, judged.leaf.content)
