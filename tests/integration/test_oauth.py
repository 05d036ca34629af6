"""Access tokens, from an endpoint on loopback that answers as it is told."""

import asyncio
import base64
import json
import logging
import os
import ssl
import stat
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from ingestd.errors import Denied, Misconfigured, Throttled, TryAgain
from ingestd.settings import Mailbox, OAuth2
from ingestd.sources.entrance import enter
from ingestd.sources.oauth import Tokens

USER = "feeds@dealers.example"
#: What a careless message or log line would betray, whatever it does to quotes.
CANARY = 'hu"sh\\ %s/@ é'
START = 1_800_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


class Endpoint:
    """What was asked of it, and what it answers next: tokens, until it is told otherwise."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.answers: list[web.Response] = []
        self.always: dict[str, Any] = {}
        self.hold: asyncio.Event | None = None
        self.url = ""

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.asked.append({"path": request.path, **form})
        if self.hold is not None:
            await self.hold.wait()
        if self.answers:
            return self.answers.pop(0)
        number = len(self.asked)
        said = {"access_token": f"access-{number}", "token_type": "Bearer", "expires_in": 3600}
        return web.json_response(said | self.always)

    def refuse(self, error: str, description: str = "", status: int = 400) -> None:
        said = {"error": error, "error_description": description}
        self.answers.append(web.json_response(said, status=status))

    def used(self) -> list[str]:
        """Give the refresh tokens that were sent."""
        return [asked["refresh_token"] for asked in self.asked]


@asynccontextmanager
async def serving(context: ssl.SSLContext | None = None) -> AsyncIterator[Endpoint]:
    endpoint = Endpoint()
    server = web.Server(endpoint.answer, access_log=None)
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    scheme, port = ("https" if context else "http"), runner.addresses[0][1]
    endpoint.url = f"{scheme}://localhost:{port}/token"
    try:
        yield endpoint
    finally:
        await runner.cleanup()


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with serving() as endpoint:
        yield endpoint


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "tokens" / "feeds.json"


Make = Callable[..., Tokens]


@pytest.fixture
def make(tmp_path: Path, endpoint: Endpoint, clock: Clock) -> Make:
    """Make a new ``Tokens`` on the same state, as a restart does."""

    def make(user: str = USER, **changed: Any) -> Tokens:
        settings = {
            "provider": "microsoft365",
            "flow": "client_credentials",
            "tenant": "dealers.example",
            "client_id": "app",
            "client_secret": CANARY,
            "token_url": endpoint.url,
        }
        if changed.get("provider") == "google":
            del settings["tenant"]
        if changed.get("flow") == "service_account":
            del settings["client_id"], settings["client_secret"]
        oauth = OAuth2.model_validate(settings | changed)
        return Tokens("feeds", oauth, user, str(tmp_path / "state"), clock)

    return make


@pytest.fixture
def delegated(make: Make) -> Make:
    def delegated(number: int = 1) -> Tokens:
        token = f"refresh-{number}"
        return make(flow="refresh_token", client_secret=None, refresh_token=token)

    return delegated


def service_account(key: Any, **changed: object) -> str:
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    account = {"client_email": "robot@p.example", "private_key": pem, "private_key_id": "k1"}
    return json.dumps(account | changed)


# -- asking --------------------------------------------------------------------------------


async def test_an_application_gets_a_token(make, endpoint):
    assert await make().access() == "access-1"
    assert endpoint.asked == [
        {
            "path": "/token",
            "grant_type": "client_credentials",
            "client_id": "app",
            "client_secret": CANARY,
            "scope": "https://outlook.office365.com/.default",
        }
    ]


async def test_a_refresh_token_gets_a_token(delegated, endpoint):
    assert await delegated().access() == "access-1"
    assert endpoint.used() == ["refresh-1"]
    assert endpoint.asked[0]["scope"].endswith("IMAP.AccessAsUser.All offline_access")


async def test_a_service_account_gets_a_token_by_a_statement_that_it_signed(make, endpoint):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    account = {"provider": "google", "flow": "service_account"}
    tokens = make(**account, service_account=service_account(key))
    assert await tokens.access() == "access-1"
    (asked,) = endpoint.asked
    assert asked["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    unsigned, _, signature = asked["assertion"].rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    key.public_key().verify(raw, unsigned.encode(), padding.PKCS1v15(), hashes.SHA256())
    claims = json.loads(base64.urlsafe_b64decode(unsigned.partition(".")[2] + "=="))
    assert (claims["sub"], claims["aud"], claims["iat"]) == (USER, endpoint.url, START)


@pytest.mark.parametrize("kind", ["nonsense", "elliptic"])
async def test_a_key_that_cannot_sign_is_a_fault_of_the_configuration(kind, make, endpoint):
    key = ec.generate_private_key(ec.SECP256R1())
    changed = {"private_key": CANARY} if kind == "nonsense" else {}
    text = service_account(key, **changed)
    tokens = make(provider="google", flow="service_account", service_account=text)
    with pytest.raises(Misconfigured, match="give the file as Google made it") as caught:
        await tokens.access()
    assert "mailbox[feeds].oauth2.service_account" in str(caught.value)
    assert CANARY not in str(caught.value)
    assert endpoint.asked == []


async def test_a_package_that_is_missing_is_asked_for(make, monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives", None)
    text = json.dumps({"client_email": "robot@p.example", "private_key": "PEM"})
    tokens = make(provider="google", flow="service_account", service_account=text)
    with pytest.raises(Misconfigured, match=r"pip install 'ingestd\[google\]'"):
        await tokens.access()


# -- keeping -------------------------------------------------------------------------------


async def test_a_token_is_renewed_when_80_percent_of_its_life_are_over(make, endpoint, clock):
    tokens = make()
    assert tokens.expires_in() == 0
    assert await tokens.access() == "access-1"
    assert tokens.expires_in() == 2880
    clock.now += 2879
    assert (await tokens.access(), tokens.expires_in()) == ("access-1", 1)
    clock.now += 1
    assert tokens.expires_in() == 0
    assert (await tokens.access(), tokens.expires_in()) == ("access-2", 2880)
    assert len(endpoint.asked) == 2


async def test_two_callers_make_one_request(make, endpoint):
    tokens, endpoint.hold = make(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        callers = [group.create_task(tokens.access()) for _ in range(2)]
        async with asyncio.timeout(10):
            while not endpoint.asked:
                await asyncio.sleep(0)
        endpoint.hold.set()
    assert [caller.result() for caller in callers] == ["access-1", "access-1"]
    assert len(endpoint.asked) == 1


async def test_a_restart_needs_no_request_and_others_cannot_read_the_file(
    make, endpoint, clock, file
):
    mask = os.umask(0)
    try:
        await make().access()
    finally:
        os.umask(mask)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in file.parent.iterdir()] == ["feeds.json"]
    clock.now += 1000
    again = make()
    assert (await again.access(), again.expires_in()) == ("access-1", 1880)
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize(
    "changed", [{"user": "other@dealers.example"}, {"client_id": "app-2"}, {"scope": "other"}]
)
async def test_a_token_that_was_made_for_another_is_not_used(make, changed):
    assert await make().access() == "access-1"
    assert await make(**changed).access() == "access-2"


async def test_a_directory_that_others_may_enter_is_closed(make, file):
    file.parent.mkdir(parents=True)
    file.parent.chmod(0o755)
    await make().access()
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def _torn(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20])


def _readable_by_others(file: Path) -> None:
    file.chmod(0o644)


def _link(file: Path) -> None:
    file.rename(file.with_suffix(".there"))
    file.symlink_to(file.with_suffix(".there"))


def _fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file, 0o600)


def _endless(file: Path) -> None:
    file.unlink()
    file.symlink_to("/dev/zero")


@pytest.mark.parametrize("damage", [_torn, _readable_by_others, _link, _fifo, _endless])
async def test_a_file_that_is_not_what_we_left_is_not_used_and_replaced(
    make, endpoint, file, damage
):
    await make().access()
    damage(file)
    assert await make().access() == "access-2"
    assert await make().access() == "access-2"
    assert stat.S_IMODE(file.lstat().st_mode) == 0o600
    assert len(endpoint.asked) == 2


async def test_what_a_killed_process_left_half_written_is_removed(make, file):
    file.parent.mkdir(parents=True)
    (file.parent / ".ingestd-0123456789abcdef").write_text(CANARY)
    await make().access()
    assert [entry.name for entry in file.parent.iterdir()] == ["feeds.json"]


async def test_a_place_that_leads_elsewhere_is_not_followed(make, file, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(0o700)
    file.parent.parent.mkdir()
    file.parent.symlink_to(elsewhere)
    with structlog.testing.capture_logs() as logged:
        assert await make().access() == "access-1"
    assert list(elsewhere.iterdir()) == []
    assert [entry["event"] for entry in logged] == ["token.not_kept"] * 2 + ["token.fetched"]


async def test_a_file_that_cannot_be_written_stops_nothing(make, endpoint, file):
    file.mkdir(parents=True)
    tokens = make()
    with structlog.testing.capture_logs() as logged:
        assert await tokens.access() == "access-1"
    assert await tokens.access() == "access-1"
    assert [entry["event"] for entry in logged] == ["token.not_kept", "token.fetched"]
    assert str(file) in logged[0]["file"]
    assert "cannot write it: Is a directory" in logged[0]["problem"]
    assert len(endpoint.asked) == 1


# -- refresh tokens ------------------------------------------------------------------------


async def test_a_new_refresh_token_is_preferred_also_after_a_restart(delegated, endpoint, clock):
    endpoint.always = {"refresh_token": "refresh-2"}
    tokens = delegated()
    await tokens.access()
    endpoint.always = {}
    clock.now += 3000
    await tokens.access()
    clock.now += 3000
    await delegated().access()
    assert endpoint.used() == ["refresh-1", "refresh-2", "refresh-2"]


async def test_a_newly_configured_refresh_token_counts_more_than_a_kept_one(
    delegated, endpoint, clock
):
    endpoint.always = {"refresh_token": "refresh-2"}
    await delegated().access()
    clock.now += 3000
    await delegated(9).access()
    assert endpoint.used() == ["refresh-1", "refresh-9"]


async def test_where_a_kept_refresh_token_is_refused_the_configured_one_is_next(
    delegated, endpoint, clock
):
    endpoint.always = {"refresh_token": "refresh-2"}
    tokens = delegated()
    await tokens.access()
    for _ in range(3):
        clock.now += 3000
        endpoint.refuse("invalid_grant")
        with pytest.raises(Denied):
            await tokens.access()
    await tokens.access()
    assert endpoint.used() == [f"refresh-{number}" for number in (1, 2, 1, 2, 1)]


async def test_an_endpoint_in_trouble_does_not_discredit_a_refresh_token(
    delegated, endpoint, clock
):
    endpoint.always = {"refresh_token": "refresh-2"}
    tokens = delegated()
    await tokens.access()
    clock.now += 3000
    endpoint.answers = [web.Response(status=500)]
    with pytest.raises(TryAgain):
        await tokens.access()
    await tokens.access()
    assert endpoint.used() == ["refresh-1", "refresh-2", "refresh-2"]


# -- a server's refusal --------------------------------------------------------------------


async def test_a_token_that_a_server_refused_is_fetched_anew(make, endpoint):
    tokens = make()
    await tokens.access()
    await tokens.forget()
    assert tokens.expires_in() == 0
    assert await tokens.access() == "access-2"
    assert await make().access() == "access-2"
    assert len(endpoint.asked) == 2


async def test_a_refused_token_does_not_come_back_by_a_restart(make):
    tokens = make()
    await tokens.access()
    await tokens.forget()
    assert await make().access() == "access-2"


async def test_a_refused_token_does_not_come_back_from_a_file_that_cannot_be_changed(make, file):
    tokens = make()
    await tokens.access()
    kept = file.read_bytes()
    await tokens.forget()
    file.write_bytes(kept)
    assert await tokens.access() == "access-2"


async def test_what_another_process_fetched_meanwhile_is_not_thrown_away(make, endpoint, file):
    tokens, other = make(), make()
    await tokens.access()
    await other.access()
    await other.forget()
    assert await other.access() == "access-2"
    await tokens.forget()
    assert await tokens.access() == "access-2"
    assert len(endpoint.asked) == 2


async def test_forgetting_keeps_the_refresh_token_and_nothing_to_forget_is_no_fault(
    delegated, endpoint
):
    endpoint.always = {"refresh_token": "refresh-2"}
    tokens = delegated()
    await tokens.forget()
    await tokens.access()
    await tokens.forget()
    await delegated().access()
    assert endpoint.used() == ["refresh-1", "refresh-2"]


# -- an endpoint's refusal -----------------------------------------------------------------


async def test_a_refusal_is_told_in_the_endpoints_words_with_advice_and_asked_once(make, endpoint):
    endpoint.refuse("invalid_client", f"AADSTS7000215: Invalid client secret {CANARY}", 401)
    with pytest.raises(Denied) as caught:
        await make().access()
    text = str(caught.value)
    assert "AADSTS7000215: Invalid client secret ***" in text
    assert "give the secret's value, not its ID" in text
    assert "localhost gave mailbox[feeds] (feeds@dealers.example)" in text
    assert len(endpoint.asked) == 1


async def test_an_endpoint_in_trouble_is_asked_once_and_patience_is_kept(make, endpoint):
    endpoint.answers = [web.Response(status=503), web.Response(status=429)]
    endpoint.answers[1].headers["Retry-After"] = "77"
    with pytest.raises(TryAgain):
        await make().access()
    with pytest.raises(Throttled) as caught:
        await make().access()
    assert caught.value.seconds == 77
    assert len(endpoint.asked) == 2


async def test_a_redirection_is_not_followed(make, endpoint):
    place = endpoint.url.replace("/token", "/elsewhere")
    endpoint.answers = [web.Response(status=307, headers={"Location": place})]
    with pytest.raises(TryAgain, match="give the address itself as token_url"):
        await make().access()
    assert [asked["path"] for asked in endpoint.asked] == ["/token"]


async def test_an_endless_answer_is_not_read_to_its_end(make, endpoint):
    endpoint.answers = [web.Response(body=b" " * 70_000)]
    with pytest.raises(TryAgain, match="sends too much; is token_url right"):
        await make().access()


async def test_an_endpoint_that_is_not_there_is_tried_again(make, endpoint, unused_tcp_port):
    tokens = make(token_url=f"http://127.0.0.1:{unused_tcp_port}/token")
    with pytest.raises(TryAgain, match=r"127\.0\.0\.1 was not reached: Connect call failed"):
        await tokens.access()


async def test_an_endpoint_that_hangs_up_is_tried_again(make):
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(TryAgain, match="was not reached"):
            await make(token_url=f"http://127.0.0.1:{port}/token").access()


async def test_an_endpoint_that_is_silent_is_not_waited_for(make, endpoint, monkeypatch):
    monkeypatch.setattr("ingestd.sources.oauth._WITHIN", 0.1)
    endpoint.hold = asyncio.Event()
    with pytest.raises(TryAgain, match=r"no answer within 0\.1 s"):
        await make().access()
    endpoint.hold.set()


@pytest.mark.parametrize(
    ("kind", "words"),
    [("certificate", "unable to get local issuer"), ("expired_certificate", "not to be trusted")],
)
async def test_a_certificate_that_nobody_vouches_for_gets_no_secret(kind, words, request, make):
    shown = request.getfixturevalue(kind)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(shown.chain, shown.key)
    async with serving(context) as secure:
        with pytest.raises(TryAgain, match=words):
            await make(token_url=secure.url).access()
        assert secure.asked == []


# -- secrets -------------------------------------------------------------------------------


async def test_no_secret_and_no_token_is_in_any_log(make, endpoint, clock, file, caplog):
    """Whatever happens, at DEBUG, with every library's own words."""
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    secrets = [CANARY, "refresh-canary", "refresh-rotated", "access-canary"]
    changed = {"flow": "refresh_token", "refresh_token": "refresh-canary"}
    with structlog.testing.capture_logs() as logged:
        tokens = make(**changed)
        endpoint.always = {"access_token": "access-canary", "refresh_token": "refresh-rotated"}
        await tokens.access()
        for answer in (400, 500, 429, 302):
            clock.now += 4000
            text = json.dumps({"error": " ".join(secrets[:3])})
            endpoint.answers.append(web.Response(status=answer, text=text))
            with pytest.raises(TryAgain) as caught:
                await tokens.access()
            structlog.get_logger().error("failed", problem=str(caught.value), error=caught.value)
            logging.getLogger("foreign").error("%s", caught.value, exc_info=caught.value)
        await tokens.forget()
        file.unlink()
        file.mkdir()
        await tokens.access()
    told = [repr(tokens), repr(vars(tokens)), caplog.text, repr(logged)]
    assert "token.not_kept" in told[-1]
    for secret in secrets:
        for form in (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1]):
            assert not [text for text in told if form in text]


# -- a real mailbox ------------------------------------------------------------------------


async def test_a_token_opens_a_mailbox_and_a_revoked_one_is_fetched_anew(make, endpoint, dovecot):
    box: dict[str, Any] = {
        "name": "feeds",
        "host": "localhost",
        "port": dovecot.port,
        "plaintext": True,
        "user": "alice",
        "password": "unused",
    }
    config, tokens = Mailbox.model_validate(box), make(user="alice")
    endpoint.always = {"access_token": dovecot.jwt("alice", ttl=-60)}
    with pytest.raises(Denied):
        await enter(config, tokens)
    endpoint.always = {"access_token": dovecot.jwt("alice")}
    for _ in range(2):
        session = await enter(config, tokens)
        assert (await session.select("INBOX")).exists == 0
        await session.close()
    assert len(endpoint.asked) == 2
