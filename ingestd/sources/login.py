"""DOOR  Logging in: LOGIN, SASL PLAIN (RFC 4616) and XOAUTH2.

Rules:
  * A password or token goes over the wire once, and nowhere else: what a server repeats of it
    is taken out before anything is made of its words.
  * A challenge after the message announces a refusal; it is explained, and answered with an
    empty line, without which the server would wait for ever.
  * LOGIN is for ASCII only.
"""

import re
from base64 import b64encode

from ingestd.errors import Denied, Fault, Misconfigured
from ingestd.sources.phrases import challenge, refusal
from ingestd.sources.wire import AUTH, Answer, Terms, Wire, quoted

_UNSENDABLE = re.compile(r"[\x00\r\n]")


async def by_password(
    wire: Wire, known: frozenset[str], seconds: float, user: str, password: str
) -> None:
    """Log in with user and password; ``known`` are the server's capabilities.

    Raises:
        Misconfigured: there is a line break or a NUL in them.
        Denied: refused, or the server takes no such passwords here.
    """
    sendable("user", user)
    sendable("password", password)
    wire.hide(password, quoted(password)[1:-1])
    if (user + password).isascii() and "LOGINDISABLED" not in known:
        asked = wire.ask("LOGIN", quoted(user), quoted(password))
        wire.submit(asked, Terms(seconds))
        answer = await wire.execute(asked)
    elif "AUTH=PLAIN" in known:
        answer = await _sasl(wire, known, seconds, "PLAIN", f"\0{user}\0{password}")
    elif "LOGINDISABLED" in known:
        raise Denied(f"{wire.host} takes no passwords here (LOGINDISABLED): use TLS, or oauth2")
    else:
        raise Denied(f"{wire.host} takes user and password in ASCII only (no AUTH=PLAIN)")
    _finish(wire, f"the login of {user}", answer)


async def by_token(
    wire: Wire, known: frozenset[str], seconds: float, user: str, token: str
) -> None:
    """Log in with an OAuth 2 access token; ``known`` are the server's capabilities.

    Raises:
        Misconfigured: there is a line break or a NUL in user or token.
        Denied: refused, or the server takes no tokens here.
    """
    sendable("user", user)
    sendable("token", token)
    if "AUTH=XOAUTH2" not in known:
        raise Denied(f"{wire.host} takes no OAuth 2 tokens here (no AUTH=XOAUTH2)")
    wire.hide(token)
    message = f"user={user}\1auth=Bearer {token}\1\1"
    answer = await _sasl(wire, known, seconds, "XOAUTH2", message)
    told = " ".join(filter(None, (challenge(one, token) for one in answer.challenges)))
    _finish(wire, f"the token of {user}" + (f" ({told})" if told else ""), answer)


def sendable(what: str, text: str) -> None:
    """See that ``text`` can be sent.

    Raises:
        Misconfigured: there is a line break or a NUL in it.
    """
    if _UNSENDABLE.search(text):
        raise Misconfigured(Fault(what, "has a line break or a NUL in it, which cannot be sent"))


async def _sasl(
    wire: Wire, known: frozenset[str], seconds: float, mechanism: str, message: str
) -> Answer:
    coded = b64encode(message.encode()).decode()
    wire.hide(coded)
    at_once = "SASL-IR" in known
    asked = wire.ask("AUTHENTICATE", mechanism, *([coded] if at_once else []))
    asked.offers = [""] if at_once else [coded, ""]
    wire.submit(asked, Terms(seconds))
    return await wire.execute(asked)


def _finish(wire: Wire, what: str, answer: Answer) -> None:
    wire.check()
    if answer.said.kind != "OK":
        raise refusal(wire.host, what, answer.said, login=True)
    wire.state = AUTH
