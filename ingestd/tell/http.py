"""DOOR  HTTP for machines: /metrics, /livez, /readyz, /version.

Rules:
  * Read-only, no state, no secret: whoever reaches the port can do no more than look.
  * One request per connection, ``LONGEST`` seconds for it, ``MOST_CONNECTIONS`` at once, small
    heads: a slow or hostile client takes nothing from the imports.
  * A port that cannot be had stops nothing: deliveries matter more than their metrics.
    The log says so once as an error, and ``keep_listening`` tries on until it is free.
"""

import asyncio
import json
import platform
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeAlias

import structlog
from aiohttp import web

from ingestd.errors import IngestError

MOST_CONNECTIONS = 32
LONGEST = 10.0
#: Seconds for one readiness check; one that takes longer has failed.
CHECK_WITHIN = 5.0
#: Seconds for which an answer of the checks is given again, so that a flood of requests
#: is not a flood of database queries.
FRESH_FOR = 1.0

#: None when all is well, else a sentence for people.  It may raise: that is a failure too.
Check: TypeAlias = Callable[[], Awaitable[str | None]]
#: The ``Accept`` header → content type and page.
Scrape: TypeAlias = Callable[[str], tuple[str, bytes]]

_log = structlog.stdlib.get_logger("ingestd.http")
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Checked:
    """What one readiness check found; ``message`` is empty when all is well."""

    name: str
    message: str


class HttpServer:
    """The server; enter it to listen, leave it to stop."""

    def __init__(
        self,
        listen: str,
        *,
        scrape: Scrape,
        checks: Mapping[str, Check],
        version: str,
        retry_every: float = 5.0,
    ) -> None:
        """Take ``HOST:PORT`` and what to serve; ``checks`` may still grow."""
        host, _, port = listen.rpartition(":")
        self._listen_on = listen
        self._host, self._port = host.strip("[]"), int(port)
        self._scrape = scrape
        self._checks = checks
        self._version = version
        self._retry_every = retry_every
        self._server: _Limited | None = None
        self._listener: asyncio.Server | None = None
        self._asking = asyncio.Lock()
        self._asked: tuple[float, tuple[Checked, ...]] | None = None
        self.problem: str | None = None

    @property
    def address(self) -> tuple[str, int] | None:
        """The address listened on, or None while the port is not to be had."""
        if self._listener is None:
            return None
        host, port = self._listener.sockets[0].getsockname()[:2]
        return host, port

    async def __aenter__(self) -> Self:
        """Listen, if the port can be had; ``problem`` says why not."""
        self._server = _Limited(self._answer)
        await self._listen(self._server)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening, give a request in progress a second, close."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        if self._server is not None:
            await self._server.shutdown(timeout=1.0)

    async def keep_listening(self) -> None:
        """Try again until the port can be had; returns then, at once if it already is."""
        while self._listener is None and self._server is not None:
            await asyncio.sleep(self._retry_every)
            await self._listen(self._server)

    async def _listen(self, server: "_Limited") -> None:
        loop = asyncio.get_running_loop()
        try:
            self._listener = await loop.create_server(server, self._host, self._port)
        except OSError as error:
            if self.problem is None:
                self.problem = f"cannot listen on {self._listen_on}: {error.strerror or error}"
                _log.error(
                    "http.not_listening",
                    listen=self._listen_on,
                    message=f"{self.problem}; there are no metrics and no /readyz until it is free,"
                    f" imports go on (another port: [http] listen)",
                )
            return
        self.problem = None
        _log.info("http.listening", listen=self._listen_on)

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        pages = {
            "/metrics": self._metrics,
            "/livez": self._livez,
            "/readyz": self._readyz,
            "/version": self._about,
        }
        page = pages.get(request.path)
        if page is None:
            return _response(404, _TEXT, f"not found; there are {' '.join(pages)}\n".encode())
        if request.method not in ("GET", "HEAD"):
            return _response(405, _TEXT, b"read-only: GET or HEAD\n", Allow="GET, HEAD")
        return await page(request)

    async def _metrics(self, request: web.BaseRequest) -> web.Response:
        content_type, body = self._scrape(request.headers.get("Accept", ""))
        return _response(200, content_type, body)

    async def _livez(self, _request: web.BaseRequest) -> web.Response:
        """Say that the loop turns.  A restart cures nothing else, so nothing else is asked."""
        return _response(200, _TEXT, b"ok\n")

    async def _readyz(self, _request: web.BaseRequest) -> web.Response:
        found = await self._ready()
        ready = not any(checked.message for checked in found)
        checks = [
            {"name": checked.name, "ok": not checked.message, "message": checked.message or None}
            for checked in found
        ]
        return _response(200 if ready else 503, _JSON, _json({"ready": ready, "checks": checks}))

    async def _about(self, _request: web.BaseRequest) -> web.Response:
        about = {"version": self._version, "python_version": platform.python_version()}
        return _response(200, _JSON, _json(about))

    async def _ready(self) -> tuple[Checked, ...]:
        """Ask every check, all at once; requests that come meanwhile share the answer."""
        now = asyncio.get_running_loop().time
        async with self._asking:
            if self._asked is None or now() - self._asked[0] > FRESH_FOR:
                asked = [_ask(name, check) for name, check in self._checks.items()]
                self._asked = (now(), tuple(await asyncio.gather(*asked)))
            return self._asked[1]


async def _ask(name: str, check: Check) -> Checked:
    try:
        async with asyncio.timeout(CHECK_WITHIN):
            return Checked(name, await check() or "")
    except TimeoutError:
        return Checked(name, f"no answer within {CHECK_WITHIN:g} s")
    except IngestError as error:
        return Checked(name, str(error) or type(error).__name__)
    except Exception as error:  # noqa: BLE001  whatever it is, the daemon is not ready
        # A foreign error's text may hold an address or a password: it goes to the log,
        # which redacts, and the page names only its class.
        _log.exception("http.check_failed", check=name)
        return Checked(name, f"the check itself failed ({type(error).__name__}); see the log")


def _json(value: object) -> bytes:
    return json.dumps(value, indent=2).encode() + b"\n"


def _response(status: int, content_type: str, body: bytes, **more: str) -> web.Response:
    headers = {"Content-Type": content_type, **_HEADERS, **more}
    response = web.Response(status=status, body=body, headers=headers)
    response.force_close()
    return response


class _Refusal(asyncio.Protocol):
    """Ends a connection that is one too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


class _Limited(web.Server):
    """aiohttp's server, which by itself bounds neither connections nor their lives."""

    def __init__(self, answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
        super().__init__(
            answer,
            access_log=None,
            lingering_time=0,
            keepalive_timeout=LONGEST,
            max_line_size=4096,
            max_field_size=8192,
            max_headers=64,
        )
        self._ends: dict[web.RequestHandler, asyncio.TimerHandle] = {}

    def __call__(self) -> "web.RequestHandler | _Refusal":  # type: ignore[override]
        """Give what speaks to the next client; one too many is not spoken to at all."""
        if len(self.connections) >= MOST_CONNECTIONS:
            return _Refusal()
        return super().__call__()

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        loop = asyncio.get_running_loop()
        self._ends[handler] = loop.call_later(LONGEST, transport.abort)

    def connection_lost(
        self, handler: web.RequestHandler, exc: BaseException | None = None
    ) -> None:
        end = self._ends.pop(handler, None)
        if end is not None:
            end.cancel()
        super().connection_lost(handler, exc)
