"""DOOR  Access tokens for XOAUTH2: from memory, from a file, or from the endpoint.

Rules:
  * One request at most for each call, bounded in time and size; no redirection, no proxy, no
    cookie.  Whoever calls decides when to try again.
  * ``<state_dir>/tokens/<mailbox>.json``, for our eyes only: a restart needs no request, and a
    refresh token that came in the place of the configured one is not lost.  It is a cache:
    what cannot be read or written there is logged, and the token is fetched.
  * No secret and no token is logged or put into a message.
"""

import asyncio
import os
import ssl
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import structlog

from ingestd.errors import Denied, Fault, Misconfigured, TryAgain
from ingestd.settings import OAuth2
from ingestd.sources.durable import Draft, directory, in_thread, make_directory, sweep
from ingestd.sources.granted import Answer, Kept, dump, load, taken
from ingestd.sources.grants import Grant, assertion, fingerprint, form, grant

#: Seconds for one request, from the look-up of the name to the last byte.
_WITHIN = 30.0
#: Bytes of an answer, or of the file: a token has some thousands.
_LONGEST = 1 << 16
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OTHERS = 0o077

_log = structlog.get_logger(__name__)


class Tokens:
    """The access tokens of one mailbox."""

    def __init__(
        self,
        name: str,
        oauth: OAuth2,
        user: str,
        state_dir: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take the mailbox's name, its settings with the secrets resolved, and its user.

        Raises:
            Misconfigured: the endpoint may not be asked, or a secret is not what it should be.
        """
        self._name, self._grant, self._clock = name, grant(name, oauth, user), clock
        self._made_for = self._grant.made_for()
        self._file = _File(Path(state_dir).absolute() / "tokens", f"{name}.json")
        self._kept = Kept(self._made_for)
        self._lock = asyncio.Lock()
        # fingerprints: the access token a server refused, the refresh token the endpoint refused
        self._refused = self._spent = ""

    def expires_in(self) -> float:
        """Give the seconds until the token should be renewed; 0 where there is none."""
        return self._kept.fresh_for(self._clock())

    async def access(self) -> str:
        """Give a token that is valid now, fetched where the one at hand has aged.

        Raises:
            Denied: the endpoint refuses to give one.
            Throttled: the endpoint asks for patience.
            TryAgain: the endpoint can not be reached, or makes no sense.
            Misconfigured: the service account's key can not be used.
        """
        async with self._lock:
            if self.expires_in() <= 0:
                self._kept = await self._read()
            if self.expires_in() <= 0:
                self._kept = await self._fetch(self._kept)
                await self._write(self._kept)
                _log.info("token.fetched", source=self._name, seconds=round(self.expires_in()))
            return self._kept.access

    async def forget(self) -> None:
        """Throw away the token that a server refused; the next ``access`` fetches another."""
        async with self._lock:
            refused, self._refused = self._kept, fingerprint(self._kept.access)
            self._kept = Kept(self._made_for)
            kept = await self._read()
            if refused.access and not kept.access:
                await self._write(kept)

    async def _fetch(self, kept: Kept) -> Kept:
        used = kept.refresh_token(self._grant.refresh_token)
        if fingerprint(used) == self._spent:  # the configured one may still be good
            used = self._grant.refresh_token
        try:
            answer = await _ask(self._grant, form(self._grant, used, self._assertion()))
            return taken(self._grant, kept, answer, self._clock())
        except Denied:
            self._spent = fingerprint(used)
            raise

    def _assertion(self) -> str:
        if self._grant.flow != "service_account":
            return ""
        path = f"{self._grant.path}.service_account"
        return assertion(self._grant, self._clock(), lambda data, key: _sign(data, key, path))

    async def _read(self) -> Kept:
        """Read the file; a token that a server refused counts as none."""
        try:
            kept = load(await in_thread(self._file.read), self._made_for)
        except FileNotFoundError:
            return Kept(self._made_for)
        except OSError as error:
            self._warn("read", error)
            return Kept(self._made_for)
        if fingerprint(kept.access) != self._refused:
            return kept
        return Kept(self._made_for, refresh=kept.refresh, refresh_of=kept.refresh_of)

    async def _write(self, kept: Kept) -> None:
        try:
            await in_thread(self._file.write, dump(kept))
        except OSError as error:
            self._warn("write", error)

    def _warn(self, doing: str, error: OSError) -> None:
        _log.warning(
            "token.not_kept",
            source=self._name,
            file=str(self._file),
            problem=f"cannot {doing} it: {os.strerror(error.errno or 0)}; chown and chmod 600 it",
        )


class _File:
    """A small file that only its owner may read, in a directory of that kind."""

    def __init__(self, place: Path, name: str) -> None:
        self._place, self._name = place, os.fsencode(name)

    def __str__(self) -> str:
        return str(self._place / os.fsdecode(self._name))

    def read(self) -> bytes:
        """Give what is in it; nothing of a file that others may read or write."""
        with self._open() as parent:
            descriptor = os.open(self._name, _READ, dir_fd=parent)
            try:
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode) or status.st_mode & _OTHERS:
                    return b""
                return os.read(descriptor, _LONGEST)
            finally:
                os.close(descriptor)

    def write(self, data: bytes) -> None:
        """Put ``data`` in its place, wholly or not at all."""
        self._place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        make_directory(self._place, 0o700)
        with self._open() as parent:
            if os.fstat(parent).st_mode & _OTHERS:
                os.fchmod(parent, 0o700)
            sweep(parent)
            with Draft(parent, 0o600) as draft:
                draft.write(data)
                draft.publish(parent, self._name)

    @contextmanager
    def _open(self) -> Iterator[int]:
        """Hold the directory open; what lies elsewhere is not followed."""
        with (
            directory(str(self._place.parent)) as above,
            directory(self._place.name, under=above) as place,
        ):
            yield place


async def _ask(asked: Grant, fields: dict[str, str]) -> Answer:
    try:
        async with (
            aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=_WITHIN),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            ) as session,
            session.post(asked.url, data=fields, allow_redirects=False) as response,
        ):
            body = await _body(asked, response)
            return Answer(response.status, response.headers, body, fields)
    except TimeoutError:
        reason = f"no answer within {_WITHIN:g} s"
    except aiohttp.ClientConnectorCertificateError as error:
        reason = f"its certificate is not to be trusted ({_verification(error)})"
    except (aiohttp.ClientError, OSError) as error:
        reason = _reason(error)
    raise TryAgain(f"the token endpoint {asked.host} was not reached: {reason}")


async def _body(asked: Grant, response: aiohttp.ClientResponse) -> bytes:
    body = b""
    async for part in response.content.iter_chunked(_LONGEST):
        body += part
        if len(body) > _LONGEST:
            raise TryAgain(f"the token endpoint {asked.host} sends too much; is token_url right?")
    return body


def _verification(error: aiohttp.ClientConnectorCertificateError) -> str:
    cause = error.certificate_error
    return cause.verify_message if isinstance(cause, ssl.SSLCertVerificationError) else str(cause)


def _reason(error: aiohttp.ClientError | OSError) -> str:
    """Say what failed.  A foreign text may hold what the endpoint repeats of our request."""
    cause = getattr(error, "os_error", error)
    words = (cause.strerror or str(cause)) if isinstance(cause, OSError) else ""
    return words or type(cause).__name__


def _sign(data: bytes, key: str, path: str) -> bytes:
    """Sign as RS256 (RFC 7518 §3.3) with a private key in PEM."""
    try:
        # An extra that only service accounts need.
        from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: PLC0415
    except ImportError:
        message = "needs a package that is not installed; run: pip install 'ingestd[google]'"
        raise Misconfigured(Fault(path, message)) from None
    try:
        private = serialization.load_pem_private_key(key.encode(), password=None)
    except (ValueError, TypeError):
        private = None
    if not isinstance(private, rsa.RSAPrivateKey):
        message = "has a private_key that cannot be used; give the file as Google made it"
        raise Misconfigured(Fault(path, message))
    return private.sign(data, padding.PKCS1v15(), hashes.SHA256())
