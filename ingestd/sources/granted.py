"""PURE  What a token endpoint answers, what it means, and what of it is kept.

Rules:
  * An endpoint's words are shown, without controls, secrets and what is too long, beside our
    reading of them.
  * A refusal is Denied: asking again soon does not help, and may lock the account.  What
    passes by itself is TryAgain; who asks for patience gets it, an hour at most.
  * A token is renewed when 80 % of its life are over.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote_plus

from ingestd.errors import Denied, Throttled, TryAgain
from ingestd.sources.grants import GMAIL, Grant, fingerprint

#: Seconds: RFC 6749 recommends to tell a token's life; Microsoft and Google mean an hour.
_USUAL_LIFE = 3600.0
_LONGEST_LIFE = 24 * 3600.0
#: Renewing more often than this would be a flood, whatever the endpoint tells.
_SHORTEST = 60.0
_RENEWED_AT = 0.8
#: A clock that was set back by more than this says nothing of a token's age.
_CLOCK_STEP = 60.0
_PATIENCE, _MOST_PATIENCE = 600.0, 3600.0
_LONGEST_TEXT = 500
#: RFC 6749 appendix A: nothing that could end a line, or an argument of XOAUTH2.
_TOKEN = re.compile(r"[\x21-\x7e]+")
_REFRESH_TOKEN = re.compile(r"[\x20-\x7e]+")
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept between two runs: a token, and the refresh token that came in its place.

    Times are Unix times.  ``refresh_of`` is the fingerprint of the configured refresh token
    that was replaced: where another one is configured since, that one counts.
    """

    made_for: str
    access: str = field(default="", repr=False)
    obtained: float = 0.0
    renew_at: float = 0.0
    refresh: str = field(default="", repr=False)
    refresh_of: str = ""

    def fresh_for(self, now: float) -> float:
        """Give the seconds until it should be renewed; 0 where that is now."""
        if not self.access or now < self.obtained - _CLOCK_STEP:
            return 0.0
        return min(max(0.0, self.renew_at - now), _LONGEST_LIFE)

    def refresh_token(self, configured: str) -> str:
        """Give the refresh token that came last for the configured one."""
        replaced = self.refresh and self.refresh_of == fingerprint(configured)
        return self.refresh if replaced else configured


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response, as far as it matters, to a form that was ``sent``."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    sent: Mapping[str, str] = field(repr=False)


def dump(kept: Kept) -> bytes:
    """Write it for a file."""
    return json.dumps({"format": _FORMAT, **asdict(kept)}, indent=1).encode() + b"\n"


def load(data: bytes, made_for: str) -> Kept:
    """Read what ``dump`` wrote; where it is damaged or was made for another, nothing is kept."""
    try:
        read = json.loads(data)
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict) or read.pop("format", None) != _FORMAT:
        return Kept(made_for)
    shape = {name: type(value) for name, value in asdict(Kept("")).items()}
    if {name: type(value) for name, value in read.items()} != shape:
        return Kept(made_for)
    kept = Kept(**read)
    sound = _TOKEN.fullmatch(kept.access or "-") and _REFRESH_TOKEN.fullmatch(kept.refresh or "-")
    return kept if sound and kept.made_for == made_for else Kept(made_for)


def taken(asked: Grant, kept: Kept, answer: Answer, now: float) -> Kept:
    """Give what is kept after an answer, given what was ``kept`` before.

    Raises:
        Denied: the endpoint refuses.
        Throttled: it asks for patience.
        TryAgain: it could not answer, or what it answers is no token.
    """
    said = _json(answer)
    if answer.status != 200:  # noqa: PLR2004  RFC 6749 §5.1
        raise _refusal(asked, kept, answer, now)
    access, kind = said.get("access_token"), said.get("token_type", "Bearer")
    if not isinstance(access, str) or not _TOKEN.fullmatch(access):
        raise TryAgain(_gave(asked, "an answer without a token; is token_url right?"))
    if str(kind).lower() != "bearer":
        raise TryAgain(_gave(asked, "a token of another kind than Bearer"))
    latest = said.get("refresh_token") if asked.flow == "refresh_token" else None
    if not isinstance(latest, str) or not _REFRESH_TOKEN.fullmatch(latest):
        latest = answer.sent.get("refresh_token", asked.refresh_token)
    rotated = latest != asked.refresh_token
    return Kept(
        made_for=kept.made_for,
        access=access,
        obtained=now,
        renew_at=now + max(_RENEWED_AT * _life(said.get("expires_in")), _SHORTEST),
        refresh=latest if rotated else "",
        refresh_of=fingerprint(asked.refresh_token) if rotated else "",
    )


def _life(told: object) -> float:
    """Give a token's life; some endpoints write the number as a text."""
    if isinstance(told, str) and re.fullmatch(r"[0-9]{1,9}", told):
        told = int(told)
    if isinstance(told, bool) or not isinstance(told, int | float) or not told > 0:
        return _USUAL_LIFE
    return float(min(told, _LONGEST_LIFE))


def _json(answer: Answer) -> dict[str, Any]:
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _refusal(asked: Grant, kept: Kept, answer: Answer, now: float) -> TryAgain:
    words = _words(_secrets(asked, kept, answer), _json(answer))
    message = _gave(asked, f"no token: HTTP status {answer.status}" + (words and f", {words}"))
    patience = _retry_after(answer.headers, now)
    if 300 <= answer.status < 400:  # noqa: PLR2004  a redirection is not followed with secrets
        return TryAgain(f"{message}  It leads elsewhere: give the address itself as token_url.")
    if answer.status == 429 or _BUSY.search(words):  # noqa: PLR2004  too many requests
        return Throttled(f"{message}  It asks for patience.", patience or _PATIENCE)
    if answer.status >= 500 or answer.status == 408 or _PASSING.search(words):  # noqa: PLR2004
        return Throttled(message, patience) if patience else TryAgain(message)
    return Denied(f"{message}  {_advice(words, asked)}")


def _gave(asked: Grant, what: str) -> str:
    return f"{asked.host} gave {asked.path.removesuffix('.oauth2')} ({asked.user}) {what}"


def _secrets(asked: Grant, kept: Kept, answer: Answer) -> set[str]:
    """Give what an endpoint might repeat, and must not be shown."""
    sent = (answer.sent.get(name, "") for name in ("assertion", "refresh_token"))
    return {*asked.secrets(), kept.access, kept.refresh, *sent} - {""}


def _words(secrets: set[str], said: dict[str, Any]) -> str:
    """Give ``error`` and ``error_description`` (RFC 6749 §5.2), fit to be shown."""
    parts = [said.get("error"), said.get("error_description")]
    text = ": ".join(part for part in parts if isinstance(part, str) and part)
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***").replace(quote_plus(secret), "***")
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"


def _retry_after(headers: Mapping[str, str], now: float) -> float:
    """Give the seconds that Retry-After asks for (RFC 9110 §10.2.3); 0 where it does not."""
    told = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", told):
        return min(float(told), _MOST_PATIENCE)
    try:
        when = parsedate_to_datetime(told)
    except (ValueError, TypeError, OverflowError):
        return 0.0
    seconds = when.replace(tzinfo=when.tzinfo or UTC).timestamp() - now
    return min(max(0.0, seconds), _MOST_PATIENCE)


#: AADSTS50196: the client is caught in a loop of requests.
_BUSY = re.compile(r"rate_?limit|slow_down|AADSTS50196|quota", re.IGNORECASE)
#: AADSTS90033: a service behind it is down; 90006, 90012, 90014's kin: external trouble.
_PASSING = re.compile(r"AADSTS(?:90033|90006|90012)\b|temporarily_unavailable|server_error")

_AGAIN = "sign in again as this user, and give the new refresh token."
_ADVICE = (
    (
        r"AADSTS7000215\b",
        "The client secret is wrong: give the secret's value, not its ID, of this application.",
    ),
    (
        r"AADSTS7000222\b",
        "The client secret has expired: make a new one for the application, and give its value.",
    ),
    (r"AADSTS7000218\b", "This application wants a client_secret: give it."),
    (
        r"AADSTS700016\b",
        "The directory knows no such application: check client_id and tenant.",
    ),
    (
        r"AADSTS(?:50034|90002|900023|50020)\b",
        "The tenant is not the right one: check tenant, and in whose directory the user is.",
    ),
    (
        r"AADSTS65001\b",
        (
            "Nobody has consented: an administrator must grant the application the permission"
            " IMAP.AccessAsApp (for a refresh token: IMAP.AccessAsUser.All)."
        ),
    ),
    (
        r"AADSTS(?:70011|500011|1002012|28002|28003)\b|invalid_scope",
        "The scope is not one that this endpoint gives: check scope, or leave it out.",
    ),
    (r"AADSTS(?:53003|530003|53000|53001)\b", "A conditional access policy forbids it: exempt it."),
    (r"AADSTS(?:50057|50053)\b", "The account is disabled or locked: unlock it."),
    (
        r"AADSTS(?:70008|700082|700084|50173|50076|50079|9002313|70000)\b",
        f"The refresh token is no longer good: {_AGAIN}",
    ),
    (
        r"short-lived token|reasonable timeframe",
        "This machine's clock is wrong: set it (timedatectl).",
    ),
    (
        r"Invalid JWT|account not found",
        "The service account or its key is gone: make a new key, and give it as service_account.",
    ),
    (r"Invalid email|invalid_subject", "The user of the mailbox is not one of this domain."),
)


def _advice(words: str, asked: Grant) -> str:
    for pattern, advice in _ADVICE:
        if re.search(pattern, words):
            return advice
    error = words.partition(":")[0]
    by_flow = _BY_ERROR.get((error, asked.flow)) or _BY_ERROR.get((error, ""))
    return by_flow or "Check token_url, tenant and what else [mailbox.oauth2] says."


#: By ``error`` (RFC 6749 §5.2) and flow; any flow where it is empty.
_BY_ERROR = {
    ("invalid_grant", "refresh_token"): f"It has expired, or was revoked: {_AGAIN}",
    ("invalid_grant", ""): "Check the user, and by whose leave the token is asked for.",
    ("invalid_client", ""): "Check client_id and client_secret.",
    ("unauthorized_client", "service_account"): (
        "Let the service account act for the domain's users: in the Admin console, under"
        f" domain-wide delegation, allow its client ID the scope {GMAIL} and wait some minutes."
    ),
    ("unauthorized_client", ""): "The application may not ask so: check its registration.",
}
