"""The way to a mailbox: TCP, TLS, greeting, login.

"row n" as in test_imap.
"""

import asyncio
import json
import logging
import ssl
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from ingestd.errors import Denied, Misconfigured, Throttled, TryAgain
from ingestd.sources import dial
from ingestd.sources.imap import Deadlines, Lost, Server, Session
from tests.integration.certificates import Authority, Certificate
from tests.integration.pymaps import pymap_server
from tests.integration.scripted import BRIEF, Scripted, cut, nothing_left

CAPABLE = "* CAPABILITY IMAP4rev1 {}\r\nTAG OK done\r\n"


def capable(*words: str) -> bytes:
    return CAPABLE.format(" ".join(words)).encode()


def soon() -> asyncio.Timeout:
    return asyncio.timeout(3)


def serving(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.chain, certificate.key)
    return context


@pytest.fixture(autouse=True)
async def _quiet(caplog: pytest.LogCaptureFixture) -> AsyncIterator[None]:
    async with nothing_left():
        yield
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


# -- the greeting (row 7) --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("greeting", "kind", "told"),
    [
        (b"* BYE go away\r\n", Lost, "ended the connection: go away"),
        (b"* BYE Too many connections\r\n", Throttled, "Too many connections"),
        (b"* PREAUTH welcome\r\n", Denied, "PREAUTH"),
        (b"* NO not today\r\n", Lost, "is no IMAP server"),
        (b"HTTP/1.1 400 Bad Request\r\n", Lost, "is no IMAP server"),
        (b"+OK POP3 ready\r\n", Lost, "is no IMAP server"),
        (b"220 mail ESMTP\r\n", Lost, "is no IMAP server"),
        (b"\x15\x03\x01\x00\x02\x02\x46\r\n", Lost, "is no IMAP server"),
        (b"x" * 300_000, Lost, "a line of more than"),
    ],
)
async def test_a_greeting_that_is_none_is_told_at_once(greeting, kind, told):  # row 7
    async with Scripted({"greeting": greeting}) as server, soon():
        with pytest.raises(kind, match=told):
            await server.opened(Deadlines())
        await server.ended()


async def test_a_server_that_ends_instead_of_greeting_is_noticed_at_once():  # row 7
    async with Scripted({"greeting": cut}) as server, soon():
        with pytest.raises(Lost, match="is gone"):
            await server.opened(Deadlines())


async def test_a_server_that_does_not_greet_is_not_waited_for():
    async with Scripted({"greeting": b""}) as server, soon():
        with pytest.raises(Lost, match=r"a greeting within 0\.1 s; where .* leave out .*plaintext"):
            await server.opened(replace(BRIEF, greeting=0.1))
        await server.ended()


@pytest.mark.parametrize("answer", [b"* CAPABILITY IMAP4rev2\r\nTAG OK\r\n", b"TAG OK\r\n"])
async def test_a_server_of_another_protocol_is_refused(answer):
    async with Scripted({"CAPABILITY": answer}) as server, soon():
        with pytest.raises(TryAgain, match="does not speak IMAP4rev1"):
            await server.opened()
        await server.ended()


async def test_a_server_that_tells_no_capabilities_is_refused():
    async with Scripted({"CAPABILITY": b"TAG BAD what\r\n"}) as server, soon():
        with pytest.raises(TryAgain, match="refused CAPABILITY: what"):
            await server.opened()


async def test_an_opening_that_is_cancelled_leaves_nothing():
    async with Scripted({"CAPABILITY": b""}) as server:
        task = asyncio.get_running_loop().create_task(server.opened())
        await server.until("CAPABILITY")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.ended()


async def test_a_server_that_is_not_there_is_named():
    async with Scripted() as server:
        place = server.place()
        server._server.close()
        told = rf"127\.0\.0\.1:{place.port} cannot be reached: Connection refused$"
        with pytest.raises(TryAgain, match=told):
            await Session.open(place, BRIEF)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 70 + ".example"])
async def test_a_name_that_cannot_be_looked_up_is_named(host):
    with pytest.raises(TryAgain, match=host[:60]):
        await Session.open(Server(host, 993), replace(BRIEF, connect=5))


# -- logging in (rows 11, 14, 17, 24, 27) ----------------------------------------------------


async def test_capabilities_are_asked_for_again_after_the_login():  # rows 24, 27
    before, after = capable("auth=plain"), capable("Idle", "move", "UIDPLUS")
    async with Scripted({"CAPABILITY": [before, after]}) as server:
        session = await server.opened()
        assert session.capabilities == {"IMAP4REV1", "AUTH=PLAIN"}
        await session.login("alice", "secret")
        assert session.capabilities == {"IMAP4REV1", "IDLE", "MOVE", "UIDPLUS"}
        await session.close()
        assert [line.split()[0] for line in server.heard] == [
            "CAPABILITY",
            "LOGIN",
            "CAPABILITY",
            "LOGOUT",
        ]


async def test_capabilities_in_the_answer_to_the_login_mislead_nobody():  # row 24
    answers = {"LOGIN": b"TAG OK [CAPABILITY IMAP4rev1 IDLE MOVE] Logged in\r\n"}
    async with Scripted({**answers, "CAPABILITY": capable("IDLE")}) as server:
        session = await server.entered()
        assert session.capabilities == {"IMAP4REV1", "IDLE"}
        await session.close()


async def test_user_and_password_are_quoted():  # row 14
    async with Scripted() as server:
        session = await server.opened()
        await session.login('a b*"c', 'p\\q "r"')
        assert server.heard[1] == r'LOGIN "a b*\"c" "p\\q \"r\""'
        await session.close()


@pytest.mark.parametrize("word", ["NO", "BAD"])
async def test_a_login_that_is_refused_is_denied(word):  # row 17
    refused = f"TAG {word} [AUTHENTICATIONFAILED] no\r\n".encode()
    async with Scripted({"LOGIN": refused}) as server:
        session = await server.opened()
        with pytest.raises(Denied, match=r"refused the login of alice: \[AUTHENTICATIONFAILED\]"):
            await session.login("alice", "secret")
        await session.close()
        assert server.heard.count("CAPABILITY") == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"TAG NO [UNAVAILABLE] Temporary authentication failure\r\n", Throttled),
        (b"TAG NO [ALERT] Too many simultaneous connections\r\n", Throttled),
        (b"* BYE Too many invalid login attempts\r\n", Throttled),
        (b"* BYE [AUTHENTICATIONFAILED] no\r\n", Denied),
    ],
)
async def test_a_login_may_fail_for_want_of_patience(answer, kind):
    async with Scripted({"LOGIN": answer}) as server, soon():
        session = await server.opened()
        with pytest.raises(TryAgain) as refused:
            await session.login("alice", "secret")
        assert type(refused.value) is kind
        await session.close()


async def test_a_password_that_is_not_ascii_goes_by_sasl():
    answers = {
        "CAPABILITY": capable("AUTH=PLAIN"),
        "AUTHENTICATE": b"+\r\n",
        "+": b"TAG OK in\r\n",
    }
    async with Scripted(answers) as server:
        session = await server.opened()
        await session.login("älice", "sécret")
        assert server.heard[1] == "AUTHENTICATE PLAIN"
        assert b64decode(server.heard[2]).decode() == "\0älice\0sécret"
        await session.close()


async def test_a_password_goes_by_sasl_at_once_where_that_is_allowed():
    answers = {
        "CAPABILITY": capable("AUTH=PLAIN", "SASL-IR", "LOGINDISABLED"),
        "AUTHENTICATE": b"TAG OK in\r\n",
    }
    async with Scripted(answers) as server:
        session = await server.opened()
        await session.login("alice", "secret")
        coded = b64encode(b"\0alice\0secret").decode()
        assert server.heard[1] == f"AUTHENTICATE PLAIN {coded}"
        await session.close()


@pytest.mark.parametrize(
    ("words", "password", "told"),
    [
        (("LOGINDISABLED",), "secret", "takes no passwords here"),
        ((), "sécret", "in ASCII only"),
    ],
)
async def test_a_password_that_the_server_would_not_take_is_not_sent(words, password, told):
    async with Scripted({"CAPABILITY": capable(*words)}) as server:
        session = await server.opened()
        with pytest.raises(Denied, match=told):
            await session.login("alice", password)
        assert server.heard == ["CAPABILITY"]
        await session.close()


@pytest.mark.parametrize("secret", ["a\r\nb", "a\nb", "a\0b"])
async def test_a_line_break_in_a_secret_is_refused_and_not_shown(secret):
    async with Scripted({"CAPABILITY": capable("AUTH=XOAUTH2")}) as server:
        session = await server.opened()
        for way in (session.login, session.xoauth2):
            with pytest.raises(Misconfigured, match="line break") as refused:
                await way("alice", secret)
            assert secret not in str(refused.value)
        assert server.heard == ["CAPABILITY"]
        await session.close()


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_token_is_given(at_once):
    answers = {
        "CAPABILITY": capable("AUTH=XOAUTH2", "SASL-IR" if at_once else "IDLE"),
        "AUTHENTICATE": b"TAG OK in\r\n" if at_once else b"+ \r\n",
        "+": b"TAG OK in\r\n",
    }
    async with Scripted(answers) as server:
        session = await server.opened()
        await session.xoauth2("älice@example.com", "ya29.token")
        coded = server.heard[1].split()[2] if at_once else server.heard[2]
        said = "user=älice@example.com\1auth=Bearer ya29.token\1\1"
        assert b64decode(coded).decode() == said
        await session.close()


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_token_that_is_refused_is_explained(at_once):  # row 11
    told = json.dumps({"status": "401", "schemes": "bearer", "scope": "mail"}).encode()
    challenge = b"+ " + b64encode(told) + b"\r\n"
    refusal = b"TAG NO [AUTHENTICATIONFAILED] bad token\r\n"
    answers: dict[str, Any] = {
        "CAPABILITY": capable("AUTH=XOAUTH2", "SASL-IR" if at_once else "IDLE"),
        "AUTHENTICATE": challenge if at_once else b"+ \r\n",
        "+": refusal if at_once else [challenge, refusal],
    }
    async with Scripted(answers) as server, soon():
        session = await server.opened(Deadlines())
        with pytest.raises(Denied, match=r"\(status 401, scope mail\).*bad token"):
            await session.xoauth2("alice", "ya29.token")
        assert server.heard[-1] == ""
        await session.close()


async def test_a_server_that_never_has_enough_is_left():
    answers = {"CAPABILITY": capable("AUTH=XOAUTH2"), "AUTHENTICATE": b"+ x\r\n", "+": b"+ y\r\n"}
    async with Scripted(answers) as server, soon():
        session = await server.opened(Deadlines())
        with pytest.raises(Lost, match="asks for more"):
            await session.xoauth2("alice", "ya29.token")


async def test_a_token_is_not_given_to_who_takes_none():
    async with Scripted() as server:
        session = await server.opened()
        with pytest.raises(Denied, match="takes no OAuth 2 tokens"):
            await session.xoauth2("alice", "ya29.token")
        assert server.heard == ["CAPABILITY"]
        await session.close()


# -- TLS (row 8, T22) ------------------------------------------------------------------------


async def test_tls_from_the_start(certificate: Certificate, authority: Authority):
    async with Scripted(tls=serving(certificate)) as server, soon():
        for host in ("localhost", "127.0.0.1"):
            place = server.place("implicit", host=host, ca_file=str(authority.ca_file))
            session = await Session.open(place, BRIEF)
            await session.login("alice", "secret")
            assert session._wire.transport is not None
            secured = session._wire.transport.get_extra_info("ssl_object")
            assert secured.version() in ("TLSv1.2", "TLSv1.3")
            await session.close()


async def test_the_end_of_a_connection_under_tls_is_noticed(certificate, authority):  # row 8
    async with Scripted(tls=serving(certificate)) as server, soon():
        place = server.place("implicit", host="localhost", ca_file=str(authority.ca_file))
        session = await Session.open(place, Deadlines())
        await session.login("alice", "secret")
        await session.select("INBOX")
        server.say({"NOOP": cut})
        with pytest.raises(Lost, match="is gone"):
            await session.noop()


STARTTLS = ("STARTTLS", "LOGINDISABLED")


def upgrading(context: ssl.SSLContext, injected: bytes = b"") -> Any:
    async def upgrade(server: Scripted, tag: str) -> None:
        await server.send(f"{tag} OK begin\r\n".encode() + injected)
        await server.start_tls(context)

    return upgrade


async def test_tls_by_starttls(certificate: Certificate, authority: Authority):
    answers = {
        "CAPABILITY": [capable(*STARTTLS), capable("AUTH=PLAIN")],
        "STARTTLS": upgrading(serving(certificate)),
    }
    async with Scripted(answers) as server, soon():
        place = server.place("starttls", host="localhost", ca_file=str(authority.ca_file))
        session = await Session.open(place, BRIEF)
        assert session.capabilities == {"IMAP4REV1", "AUTH=PLAIN"}
        await session.login("alice", "secret")
        await session.select("INBOX")
        assert session._wire.transport is not None
        assert session._wire.transport.get_extra_info("ssl_object") is not None
        server.say({"NOOP": cut})
        with pytest.raises(Lost):
            await session.noop()


@pytest.mark.parametrize("injected", [b"* CAPABILITY IMAP4rev1\r\n", b"x", b"A9 OK\r\n"])
async def test_what_is_slipped_in_before_tls_ends_the_connection(injected, certificate, authority):
    answers = {
        "CAPABILITY": capable(*STARTTLS),
        "STARTTLS": upgrading(serving(certificate), injected),
    }
    async with Scripted(answers) as server, soon():
        place = server.place("starttls", host="localhost", ca_file=str(authority.ca_file))
        with pytest.raises(Lost, match="in the clear"):
            await Session.open(place, BRIEF)
        await server.ended()
        assert server.heard == ["CAPABILITY", "STARTTLS"]


@pytest.mark.parametrize("word", ["NO", "BAD"])
async def test_without_tls_no_password_is_sent(word, authority: Authority):
    answers = {"CAPABILITY": capable("STARTTLS"), "STARTTLS": f"TAG {word} no\r\n".encode()}
    async with Scripted(answers) as server, soon():
        place = server.place("starttls", host="localhost", ca_file=str(authority.ca_file))
        with pytest.raises(TryAgain, match="refused STARTTLS"):
            await Session.open(place, BRIEF)
        server.say({"CAPABILITY": capable("AUTH=PLAIN")})
        with pytest.raises(Denied, match="offers no STARTTLS"):
            await Session.open(place, BRIEF)
        assert server.heard == ["CAPABILITY", "STARTTLS", "CAPABILITY"]


async def mute(server: Scripted, tag: str) -> None:
    """Agree to whatever it was, and neither speak nor listen any more."""
    await server.send(f"{tag} OK\r\n".encode() if tag else b"")
    await asyncio.Event().wait()


async def test_a_server_that_agrees_to_tls_and_is_silent_is_not_waited_for(authority: Authority):
    answers = {"CAPABILITY": capable("STARTTLS"), "STARTTLS": mute}
    async with Scripted(answers) as server, soon():
        place = server.place("starttls", host="localhost", ca_file=str(authority.ca_file))
        with pytest.raises(TryAgain, match=r"said nothing, within 0\.2 s"):
            await Session.open(place, replace(BRIEF, connect=0.2))


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
@pytest.mark.parametrize(
    ("shown", "told"),
    [
        ("wrong_host_certificate", "not valid for 'localhost'.*name that the certificate bears"),
        ("expired_certificate", "certificate has expired.*must renew it"),
        ("stranger_certificate", "unable to get local issuer.*as ca_file"),
        ("self_signed_certificate", "self-signed certificate.*as ca_file"),
    ],
)
async def test_a_certificate_that_proves_nothing_is_refused(tls, shown, told, authority, request):
    context = serving(request.getfixturevalue(shown))
    answers = {"CAPABILITY": capable(*STARTTLS), "STARTTLS": upgrading(context)}
    async with Scripted(answers, context if tls == "implicit" else None) as server, soon():
        place = server.place(tls, host="localhost", ca_file=str(authority.ca_file))
        with pytest.raises(TryAgain, match=f"certificate of localhost:.* not accepted.*{told}"):
            await Session.open(place, BRIEF)
        assert "LOGIN" not in " ".join(server.heard)


@pytest.fixture
def self_signed_certificate(tmp_path: Path) -> Certificate:
    itself = Authority(tmp_path, "itself")
    key = tmp_path / "itself.key"
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    key.write_bytes(itself._key.private_bytes(*form, serialization.NoEncryption()))
    return Certificate(itself.ca_file, key)


async def test_plain_text_where_tls_should_be_is_told(authority: Authority):
    async with Scripted() as server, soon():
        place = server.place("implicit", host="localhost", ca_file=str(authority.ca_file))
        with pytest.raises(TryAgain, match=r"answers with something else.*port for STARTTLS"):
            await Session.open(place, BRIEF)


async def test_a_server_with_old_tls_only_is_refused(certificate, authority):
    context = serving(certificate)
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    async with Scripted(tls=context) as server, soon():
        place = server.place("implicit", host="localhost", ca_file=str(authority.ca_file))
        # Whether its alert is read before its reset is a matter of luck.
        with pytest.raises(TryAgain, match=r"no TLS 1\.2 or newer|ended the connection at once"):
            await Session.open(place, BRIEF)


async def test_a_server_that_is_silent_where_tls_should_be_is_not_waited_for(authority):
    async with Scripted({"greeting": mute}) as server, soon():
        place = server.place("implicit", host="localhost", ca_file=str(authority.ca_file))
        with pytest.raises(TryAgain, match=r"said nothing, within 0\.2 s"):
            await Session.open(place, replace(BRIEF, connect=0.2))


async def test_a_server_that_ends_where_tls_should_begin_is_told(authority):
    async with Scripted({"greeting": cut}) as server, soon():
        place = server.place("implicit", host="localhost", ca_file=str(authority.ca_file))
        with pytest.raises(TryAgain, match="ended the connection at once"):
            await Session.open(place, BRIEF)


@pytest.mark.parametrize("host", ["imap.example.com", "192.0.2.1", "::ffff:192.0.2.1"])
async def test_in_the_clear_only_this_machine_is_spoken_to(host):
    with pytest.raises(Misconfigured, match="within this machine only"):
        await Session.open(Server(host, 143, "none"), BRIEF)


async def test_a_name_that_claims_to_be_this_machine_is_not_believed(monkeypatch):
    loop = asyncio.get_running_loop()
    async with Scripted() as server:
        place = server.place(host="localhost")
        monkeypatch.setattr(dial, "loopback", lambda host: host == "localhost")
        assert loop is asyncio.get_running_loop()
        with pytest.raises(Misconfigured, match="within this machine only"):
            await Session.open(place, BRIEF)
        assert server.heard == []


@pytest.mark.parametrize("content", [None, "", "no certificate"])
async def test_authorities_that_cannot_be_read_are_a_fault_of_the_configuration(content, tmp_path):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    async with Scripted() as server:
        with pytest.raises(Misconfigured, match=r"ca_file: .*ca\.pem"):
            await Session.open(server.place("implicit", ca_file=str(file)), BRIEF)


def test_no_certificate_goes_unchecked(authority: Authority):
    for file in (None, str(authority.ca_file)):
        context = dial.tls_context(Server("localhost", 993, ca_file=file))
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert not dial.tls_context(Server("localhost", 993, ca_file=file)).get_ca_certs()[1:]


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
async def test_a_real_server_under_tls(tls, certificate, authority):
    async with pymap_server(tls, certificate) as server, asyncio.timeout(10):
        place = Server(server.host, server.port, tls, str(authority.ca_file))
        session = await Session.open(place, BRIEF)
        await session.login("alice", "secret")
        assert (await session.select("INBOX")).exists == 0
        await session.close()
