"""PURE  What is asked of a token endpoint: where, with which form, for which scope.

Rules:
  * A secret goes to an ``https`` address, or to this machine.
  * Microsoft: docs "Authenticate an IMAP, POP or SMTP connection using OAuth".  Google: docs
    "Using OAuth 2.0 for Server to Server Applications" (RFC 7523), "XOAUTH2 mechanism".
"""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlsplit

from ingestd.crosscheck import loopback
from ingestd.errors import Fault, Misconfigured
from ingestd.settings import OAuth2

MICROSOFT = "https://login.microsoftonline.com"
GOOGLE = "https://oauth2.googleapis.com/token"
#: Microsoft's words for IMAP; other clouds and other scopes are configured.
APPLICATION = "https://outlook.office365.com/.default"
DELEGATED = "https://outlook.office.com/IMAP.AccessAsUser.All offline_access"
GMAIL = "https://mail.google.com/"
_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
#: Seconds that Google allows an assertion.
_ASSERTION_LASTS = 3600

#: Signs what a service account says, with its private key (PEM).
Sign = Callable[[bytes, str], bytes]


@dataclass(frozen=True, slots=True)
class Grant:
    """How a mailbox's user comes by a token, its secrets in their places.

    ``path`` is where it is configured.  ``issuer``, ``key_id`` and ``private_key`` are the
    service account's.
    """

    path: str
    flow: str
    user: str
    url: str
    scope: str
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    issuer: str = ""
    key_id: str = ""
    private_key: str = field(default="", repr=False)

    @property
    def host(self) -> str:
        """Give the endpoint's name, for messages to people."""
        return urlsplit(self.url).hostname or self.url

    def secrets(self) -> tuple[str, ...]:
        """Give what must never be shown."""
        held = (self.client_secret, self.refresh_token, self.private_key)
        return tuple(secret for secret in held if secret)

    def made_for(self) -> str:
        """Give a fingerprint of whom a token is for, and by whose leave."""
        asked = [self.flow, self.url, self.scope, self.user, self.client_id, self.issuer]
        return fingerprint(json.dumps(asked))


def grant(name: str, oauth: OAuth2, user: str) -> Grant:
    """Give what the mailbox ``name`` of ``user`` asks for.

    Raises:
        Misconfigured: the endpoint may not be asked, or a secret is not what it should be.
    """
    path = f"mailbox[{name}].oauth2"
    account = _service_account(path, oauth) if oauth.flow == "service_account" else {}
    return Grant(
        path=path,
        flow=oauth.flow,
        user=user,
        url=_url(path, oauth),
        scope=oauth.scope or _scope(oauth),
        client_id=oauth.client_id or "",
        client_secret=_secret(path, oauth, "client_secret"),
        refresh_token=_secret(path, oauth, "refresh_token"),
        issuer=account.get("client_email", ""),
        key_id=account.get("private_key_id", ""),
        private_key=account.get("private_key", ""),
    )


def form(asked: Grant, refresh_token: str, assertion: str) -> dict[str, str]:
    """Give the fields of the request (RFC 6749 §4.4.2 and §6, RFC 7523 §2.1)."""
    if asked.flow == "service_account":
        return {"grant_type": _JWT_BEARER, "assertion": assertion}
    fields = {
        "grant_type": asked.flow,
        "client_id": asked.client_id,
        "client_secret": asked.client_secret,
        "refresh_token": refresh_token if asked.flow == "refresh_token" else "",
        "scope": asked.scope,
    }
    return {name: value for name, value in fields.items() if value}


def assertion(asked: Grant, now: float, sign: Sign) -> str:
    """Give what a service account says to act for the user: a JWT, RS256 by ``sign``."""
    head = {"alg": "RS256", "typ": "JWT"} | ({"kid": asked.key_id} if asked.key_id else {})
    claims = {
        "iss": asked.issuer,
        "sub": asked.user,
        "scope": asked.scope,
        "aud": asked.url,
        "iat": int(now),
        "exp": int(now) + _ASSERTION_LASTS,
    }
    unsigned = f"{_encoded(head)}.{_encoded(claims)}"
    signature = sign(unsigned.encode(), asked.private_key)
    return f"{unsigned}.{_url64(signature)}"


def fingerprint(text: str) -> str:
    """Give what tells a text from another without giving it away."""
    return sha256(text.encode(errors="surrogatepass")).hexdigest()


def _url(path: str, oauth: OAuth2) -> str:
    if oauth.token_url is None:
        tenant = quote(oauth.tenant or "", safe="")
        return GOOGLE if oauth.provider == "google" else f"{MICROSOFT}/{tenant}/oauth2/v2.0/token"
    try:
        parts = urlsplit(oauth.token_url)
        good = bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:
        raise Misconfigured(Fault(f"{path}.token_url", "is no URL")) from None
    if not good or parts.scheme not in ("http", "https"):
        raise Misconfigured(Fault(f"{path}.token_url", "must be https://host/path"))
    if parts.scheme == "http" and not loopback(parts.hostname or ""):
        message = "would send secrets in the clear; give an https:// address"
        raise Misconfigured(Fault(f"{path}.token_url", message))
    return oauth.token_url


def _scope(oauth: OAuth2) -> str:
    """Give the scope to ask for; Google's refresh tokens bring theirs along."""
    if oauth.provider == "google":
        return GMAIL if oauth.flow == "service_account" else ""
    return APPLICATION if oauth.flow == "client_credentials" else DELEGATED


def _secret(path: str, oauth: OAuth2, name: str) -> str:
    value = getattr(oauth, name)
    if value is None or isinstance(value, str):
        return value or ""
    raise Misconfigured(Fault(f"{path}.{name}", "is not known; give it or say where it lies"))


def _service_account(path: str, oauth: OAuth2) -> dict[str, str]:
    where, text = f"{path}.service_account", _secret(path, oauth, "service_account")
    try:
        read: Any = json.loads(text)
    except (ValueError, RecursionError):
        read = None
    kept = ("client_email", "private_key", "private_key_id")
    given = read if isinstance(read, dict) else {}
    account = {name: given[name] for name in kept if isinstance(given.get(name), str)}
    if not account.get("client_email") or not account.get("private_key"):
        message = (
            "is not the JSON of a service account's key, with client_email and private_key;"
            ' make a key in the Google Cloud console and give it as { file = "/path" }'
        )
        raise Misconfigured(Fault(where, message))
    return account


def _encoded(value: dict[str, Any]) -> str:
    return _url64(json.dumps(value, separators=(",", ":")).encode())


def _url64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
