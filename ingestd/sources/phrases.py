"""PURE  What IMAP servers say, and what it means: response codes and well-known phrases.

Rules:
  * A server's words are shown, without controls and cut, beside our reading of them.
  * A refused login is Denied, unless the words ask for patience.
  * Where no phrase is known, the response code (RFC 5530) and NO or BAD decide.
"""

import json
import re
from base64 import b64decode
from dataclasses import dataclass
from enum import Enum

from ingestd.errors import Denied, Throttled, TryAgain

_LONGEST = 300
_STATUS = re.compile(rb"(OK|NO|BAD|BYE|PREAUTH)(?: +(.*))?\Z", re.IGNORECASE | re.DOTALL)
_CODE = re.compile(rb"\[([^\] ]+)(?: ([^\]]*))?\] ?")


class Refusal(TryAgain):
    """A server's NO or BAD: ``code`` in brackets (upper case, may be empty) and its words."""

    def __init__(self, message: str, code: str = "", text: str = "") -> None:
        """Take the sentence for people, the response code and the server's own words."""
        super().__init__(message)
        self.code = code
        self.text = text


class No(Refusal):
    """The server understood, and will not."""


class Bad(Refusal):
    """The server did not understand, or forbids the command now."""


class Lost(TryAgain):
    """The connection is gone; ``idled``: seconds it had been idling when it went, or None."""

    def __init__(self, message: str, idled: float | None = None) -> None:
        """Take the sentence for people."""
        super().__init__(message)
        self.idled = idled


@dataclass(frozen=True, slots=True)
class Said:
    """A status response: ``kind`` OK, NO, BAD, BYE or PREAUTH; the code and its argument; words."""

    kind: str
    code: str = ""
    argument: str = ""
    text: str = ""

    @property
    def words(self) -> str:
        """Give code and words as the server wrote them, for a message to people."""
        code = f"[{self.code}]" if self.code else ""
        return " ".join(part for part in (code, self.text) if part) or "no reason given"


def said(line: bytes) -> Said | None:
    """Read a status response, its tag or ``* `` taken off; None: it is none."""
    found = _STATUS.match(line)
    if found is None:
        return None
    kind, rest = found[1].decode().upper(), found[2] or b""
    code = _CODE.match(rest)
    if code is None:
        return Said(kind, text=clean(rest))
    words = clean(rest[code.end() :])
    return Said(kind, clean(code[1]).upper(), (code[2] or b"").decode(errors="replace"), words)


def clean(words: bytes) -> str:
    """Make a server's words fit to be shown."""
    text = words[: 4 * _LONGEST].decode(errors="replace").strip()
    text = "".join(each if each.isprintable() else "\ufffd" for each in text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


class _Kind(Enum):
    DENIED = "denied"
    THROTTLED = "throttled"


@dataclass(frozen=True, slots=True)
class _Meaning:
    kind: _Kind
    advice: str
    seconds: float = 0.0


def _denied(advice: str) -> _Meaning:
    return _Meaning(_Kind.DENIED, advice)


def _patience(seconds: float, advice: str) -> _Meaning:
    return _Meaning(_Kind.THROTTLED, advice, seconds)


_MINUTE, _HOUR = 60.0, 3600.0

#: RFC 5530, RFC 9051 §7.1; THROTTLED, OVERQUOTA and WEBALERT as Gmail uses them.
_CODES = {
    "THROTTLED": _patience(10 * _MINUTE, "The account is slowed down; ask less often."),
    "OVERQUOTA": _patience(_HOUR, "A quota is used up: make room, or wait until it is renewed."),
    "UNAVAILABLE": _patience(_MINUTE, "Something behind the server is down for now."),
    "INUSE": _patience(_MINUTE, "Something else holds the mailbox."),
    "LIMIT": _patience(10 * _MINUTE, "A limit of the server was reached."),
    "AUTHENTICATIONFAILED": _denied("Check user and password or token."),
    "AUTHORIZATIONFAILED": _denied("The login is right, but may not open this user's mailbox."),
    "EXPIRED": _denied("The password has expired: set a new one."),
    "PRIVACYREQUIRED": _denied("The server wants TLS: use port 993, or starttls."),
    "CONTACTADMIN": _denied("Ask whoever runs the server."),
    "WEBALERT": _denied("Sign in once in a web browser and confirm that it was you."),
}


def _phrases(*pairs: tuple[str, _Meaning]) -> tuple[tuple[re.Pattern[str], _Meaning], ...]:
    return tuple((re.compile(phrase, re.IGNORECASE), meaning) for phrase, meaning in pairs)


_NOT_CONNECTED = "authenticated but not connected"

#: Phrases of Gmail, Exchange, Microsoft 365, Yahoo, Dovecot, Courier that say more than a code.
_SURE = _phrases(
    (
        _NOT_CONNECTED,
        _denied(
            "The login succeeded, but the mailbox is closed to it: grant the application's"
            " service principal access to this mailbox, check that the user is the one the"
            " token was made for, and that IMAP is enabled for it."
        ),
    ),
    (
        r"command or bandwidth limit|(?:bandwidth|download) (?:limit|quota)",
        _patience(4 * _HOUR, "The day's transfer limit is used up."),
    ),
    (
        (
            r"too many simultaneous|too many (?:\w+ )?connections|connection limit"
            r"|maximum (?:number of )?connections"
        ),
        _patience(10 * _MINUTE, "Close other programs that watch this mailbox, or wait for them."),
    ),
    (
        (
            r"too many (?:\w+ )?(?:log[io]n|auth\w*|attempt|fail\w*)|too many requests|rate limit"
            r"|throttl"
        ),
        _patience(30 * _MINUTE, "Asking again soon makes it worse."),
    ),
    (
        r"application[- ]specific password|app(?:lication)? password",
        _denied("Make an app password in the account's settings, and use that."),
    ),
    (
        r"web browser|web login",
        _denied("Sign in once in a web browser and confirm that it was you."),
    ),
    (
        r"imap4?(?: access)? is (?:disabled|not enabled)|not enabled for imap|enable imap",
        _denied("Enable IMAP in the account's settings."),
    ),
    (
        r"basic auth\w* (?:is )?(?:disabled|blocked)|username and password not accepted",
        _denied("The server takes no plain password for this account: use oauth2."),
    ),
    (
        r"accesstokenexpired|token (?:has |is )?expired|expired token",
        _denied("The access token has expired: a new one is needed for each connection."),
    ),
)

#: Phrases that count only where no code is known.
_LIKELY = _phrases(
    (
        (
            r"temporar\w+ (?:unavailable|locked|blocked|authentication fail|system problem)"
            r"|(?:server|service|backend|mailbox)(?: is)? (?:busy|unavailable|overloaded)"
            r"|try (?:again|later)"
        ),
        _patience(5 * _MINUTE, "This should pass."),
    ),
    (r"account (?:is )?(?:disabled|locked|suspended)", _denied("Unlock the account.")),
)


def refusal(host: str, asked: str, answer: Said, *, login: bool = False) -> TryAgain:
    """Make the error that says what a NO or BAD to ``asked`` means."""
    message = f"{host} refused {asked}: {answer.words}"
    # Once we are in, only this says that we are not; any other denial is of the one command.
    login = login or _NOT_CONNECTED in answer.text.lower()
    meaning = _meaning(answer) or (_denied("Check user and password or token.") if login else None)
    if meaning is None or (meaning.kind is _Kind.DENIED and not login):
        kind = No if answer.kind == "NO" else Bad
        return kind(message, answer.code, answer.text)
    return _error(message, meaning)


def farewell(host: str, answer: Said, *, login: bool = False) -> TryAgain:
    """Make the error that says why the server said BYE."""
    meaning = _meaning(answer)
    message = f"{host} ended the connection: {answer.words}"
    if meaning is None or (meaning.kind is _Kind.DENIED and not login):
        return Lost(message)
    return _error(message, meaning)


def challenge(coded: str, secret: str = "") -> str:
    """Explain what a server sent before it refused a token (RFC 7628 §3.2.2)."""
    try:
        answer = json.loads(b64decode(coded[:8192], validate=True))
    except (ValueError, RecursionError):
        return ""
    if not isinstance(answer, dict):
        return ""
    told = ((name, answer.get(name)) for name in ("status", "error", "scope"))
    shown = (f"{name} {value}" for name, value in told if isinstance(value, str | int))
    whole = ", ".join(shown)
    return clean((whole.replace(secret, "***") if secret else whole).encode(errors="replace"))


def _meaning(answer: Said) -> _Meaning | None:
    return _known(_SURE, answer.text) or _CODES.get(answer.code) or _known(_LIKELY, answer.text)


def _known(phrases: tuple[tuple[re.Pattern[str], _Meaning], ...], text: str) -> _Meaning | None:
    return next((meaning for phrase, meaning in phrases if phrase.search(text)), None)


def _error(message: str, meaning: _Meaning) -> TryAgain:
    whole = f"{message}  {meaning.advice}"
    return Denied(whole) if meaning.kind is _Kind.DENIED else Throttled(whole, meaning.seconds)
