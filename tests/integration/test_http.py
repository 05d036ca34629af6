"""The HTTP server answers machines, and lets no client and no busy port get in the way."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
import structlog
from structlog.testing import CapturingLogger, capture_logs

from ingestd.errors import TryAgain
from ingestd.tell import http
from ingestd.tell.http import Check, HttpServer

WITHIN = 10


async def well() -> None:
    return None


async def ill() -> str:
    return "the schema is at 0001, this version wants 0002: run `ingestd schema apply`"


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    structlog.configure(logger_factory=lambda *_: CapturingLogger())
    yield
    structlog.reset_defaults()


def server(checks: Mapping[str, Check] | None = None, listen: str = "127.0.0.1:0") -> HttpServer:
    return HttpServer(
        listen,
        scrape=lambda accept: (f"text/plain; asked={accept}", b"ingestd_queue_depth 0\n"),
        checks={} if checks is None else checks,
        version="0.1.0",
        retry_every=0.01,
    )


def base(running: HttpServer) -> str:
    assert running.address is not None
    return "http://{}:{}".format(*running.address)


def where(running: HttpServer) -> tuple[str, int] | None:
    return running.address


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    timeout = aiohttp.ClientTimeout(total=WITHIN)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield session


async def readyz(client: aiohttp.ClientSession, running: HttpServer) -> tuple[int, Any]:
    async with client.get(f"{base(running)}/readyz") as answer:
        return answer.status, await answer.json()


async def test_metrics_are_served_in_the_format_that_was_asked_for(client):
    async with (
        server() as running,
        client.get(f"{base(running)}/metrics", headers={"Accept": "om"}) as answer,
    ):
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/plain; asked=om"
        assert await answer.text() == "ingestd_queue_depth 0\n"


async def test_it_lives_while_the_loop_turns_whatever_is_not_ready(client):
    async with (
        server({"database": ill}) as running,
        client.get(f"{base(running)}/livez") as answer,
    ):
        assert (answer.status, await answer.text()) == (200, "ok\n")


async def test_it_is_ready_when_every_check_passes(client):
    async with server({"database": well, "sources": well}) as running:
        status, found = await readyz(client, running)
    assert status == 200
    assert found == {
        "ready": True,
        "checks": [
            {"name": "database", "ok": True, "message": None},
            {"name": "sources", "ok": True, "message": None},
        ],
    }


async def test_it_is_not_ready_when_one_check_fails_and_says_which_and_why(client):
    async with server({"database": well, "schema": ill}) as running:
        status, found = await readyz(client, running)
    assert status == 503
    assert found["ready"] is False
    assert found["checks"][0]["ok"] is True
    assert found["checks"][1]["name"] == "schema"
    assert "ingestd schema apply" in found["checks"][1]["message"]


async def test_an_error_of_ours_is_shown_and_a_foreign_one_only_named(client):
    async def away() -> str:
        raise TryAgain("PostgreSQL at db.example does not answer")

    async def leaking() -> str:
        raise ConnectionError("postgresql://ingestd:hush@db.example/rylie")

    async with server({"database": away, "pool": leaking}) as running:
        status, found = await readyz(client, running)
    assert status == 503
    assert found["checks"][0]["message"] == "PostgreSQL at db.example does not answer"
    assert "ConnectionError" in found["checks"][1]["message"]
    assert "hush" not in str(found)


async def test_a_check_that_does_not_come_back_has_failed(client, monkeypatch):
    async def hanging() -> str:
        await asyncio.Event().wait()
        return ""

    monkeypatch.setattr(http, "CHECK_WITHIN", 0.05)
    async with server({"database": hanging}) as running:
        status, found = await readyz(client, running)
    assert (status, found["checks"][0]["message"]) == (503, "no answer within 0.05 s")


async def test_many_who_ask_at_once_share_one_answer(client):
    asked = []

    async def counting() -> None:
        asked.append(1)

    async with server({"database": counting}) as running:
        await asyncio.gather(*(readyz(client, running) for _ in range(20)))
    assert len(asked) == 1


async def test_a_check_added_later_is_asked(client, monkeypatch):
    monkeypatch.setattr(http, "FRESH_FOR", 0)
    checks: dict[str, Check] = {"database": well}
    async with server(checks) as running:
        assert (await readyz(client, running))[0] == 200
        checks["sources"] = ill
        assert (await readyz(client, running))[0] == 503


async def test_the_version_is_told(client):
    async with server() as running, client.get(f"{base(running)}/version") as answer:
        assert (await answer.json())["version"] == "0.1.0"


@pytest.mark.parametrize("path", ["/", "/metrics/", "/../etc/passwd", "/readyz2", "//livez"])
async def test_there_is_nothing_else(client, path):
    async with server() as running, client.get(base(running) + path) as answer:
        assert answer.status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
async def test_nothing_can_be_written(client, method):
    async with (
        server() as running,
        client.request(method, f"{base(running)}/metrics", data=b"x") as answer,
    ):
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET, HEAD"


async def test_head_gives_the_head_alone(client):
    async with server() as running, client.head(f"{base(running)}/livez") as answer:
        assert (answer.status, await answer.read()) == (200, b"")


@pytest.mark.parametrize("path", ["/metrics", "/livez", "/readyz", "/version", "/nothing"])
async def test_nothing_is_kept_by_caches_or_guessed_at_by_browsers(client, path):
    async with server() as running, client.get(base(running) + path) as answer:
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_connection_serves_one_request(client):
    async with server() as running, client.get(f"{base(running)}/livez") as answer:
        assert answer.headers["Connection"] == "close"


async def raw(running: HttpServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    assert running.address is not None
    return await asyncio.open_connection(*running.address)


async def end_of(reader: asyncio.StreamReader) -> bytes:
    """Read to the end of the connection, however it ends."""
    try:
        async with asyncio.timeout(WITHIN):
            return await reader.read()
    except ConnectionError:
        return b""


async def test_a_client_that_sends_its_request_slowly_is_cut_off(monkeypatch):
    monkeypatch.setattr(http, "LONGEST", 0.1)
    async with server() as running:
        reader, writer = await raw(running)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n")
        assert await end_of(reader) == b""
        writer.close()


async def test_too_many_connections_are_turned_away_and_the_rest_served(client):
    async with server() as running:
        held = [await raw(running) for _ in range(http.MOST_CONNECTIONS)]
        reader, writer = await raw(running)
        assert await end_of(reader) == b""
        writer.close()
        for _, holder in held:
            holder.close()
        for holding, _ in held:
            await end_of(holding)
        async with asyncio.timeout(WITHIN):
            while not await served(client, running):
                pass


async def served(client: aiohttp.ClientSession, running: HttpServer) -> bool:
    try:
        async with client.get(f"{base(running)}/livez") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"X%d: y\r\n" % n for n in range(200)) + b"\r\n",
        b"\x16\x03\x01 not http at all\r\n\r\n",
    ],
    ids=["field", "line", "fields", "tls"],
)
async def test_a_head_out_of_bounds_is_refused(request_):
    async with server() as running:
        reader, writer = await raw(running)
        writer.write(request_)
        assert (await end_of(reader)).startswith(b"HTTP/1.0 400")
        writer.close()


async def test_a_busy_port_stops_nothing_is_told_once_and_taken_when_free(client):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        listen = f"127.0.0.1:{holder.getsockname()[1]}"
        with capture_logs() as told:
            async with AsyncExitStack() as stack:
                running = await stack.enter_async_context(server(listen=listen))
                assert where(running) is None
                assert listen in (running.problem or "")
                assert running._server is not None
                await running._listen(running._server)
                assert where(running) is None
                holder.close()
                async with asyncio.timeout(WITHIN):
                    await running.keep_listening()
                assert running.problem is None
                async with client.get(f"http://{listen}/livez") as answer:
                    assert answer.status == 200
    events = [(entry["event"], entry["log_level"]) for entry in told]
    assert events == [("http.not_listening", "error"), ("http.listening", "info")]


async def test_ipv6_addresses_are_written_in_brackets(client):
    async with server(listen="[::1]:0") as running:
        if running.problem:
            pytest.skip(f"this machine has no IPv6 loopback: {running.problem}")
        assert running.address is not None
        async with client.get(f"http://[::1]:{running.address[1]}/livez") as answer:
            assert answer.status == 200


async def test_nobody_listens_once_it_is_left():
    async with server() as running:
        address = running.address
    assert address is not None
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*address)
    assert running.address is None
