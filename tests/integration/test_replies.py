"""Messages to an SMTP server: over TLS, with one login, each wait bounded."""

import asyncio
import base64
import sys
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ingestd import outlets
from ingestd.config import Config, Replies
from ingestd.errors import Denied, IngestError, Misconfigured, Refused, TryAgain
from ingestd.tell import replies as module
from ingestd.tell.replies import Post, try_out
from tests.integration.certificates import Authority, Certificate
from tests.integration.smtp import HANG_UP, SILENCE, SmtpServer

SENDER = "inventory@example.com"
DEALER = ("lot@matteson.example", "boss@matteson.example")
MESSAGE = b"Subject: x\r\n\r\n.\r\n..two\r\nlast\r\n"
PASSWORD = 's3cret "\\ %/ü'  # noqa: S105  invented
USERS = {"inventory": PASSWORD}
LOGIN = {"user": "inventory", "password": PASSWORD}


@pytest.fixture
def brief(monkeypatch) -> None:
    """Let waits end soon."""
    monkeypatch.setattr(module, "CONNECT_WITHIN", 1.5)
    monkeypatch.setattr(module, "SEND_WITHIN", 1.5)
    monkeypatch.setattr(module, "QUIT_WITHIN", 1.5)


@pytest.fixture
def post_to(authority: Authority) -> Callable[..., Post]:
    def make(server: SmtpServer, **options: Any) -> Post:
        settings = {"host": server.host, "port": server.port, "sender": SENDER}
        if not options.get("plaintext"):
            settings["ca_file"] = str(authority.ca_file)
        return Post(Replies(**{**settings, **options}))

    return make


async def send(post: Post, recipients: Sequence[str] = DEALER, content: bytes = MESSAGE) -> None:
    async with post.opened() as sending:
        await sending(recipients, content)


async def failure(post: Post) -> IngestError:
    with pytest.raises(IngestError) as caught:
        await send(post)
    return caught.value


# TLS.


@pytest.mark.parametrize("tls", ["implicit", "starttls", "none"])
async def test_a_message_arrives_as_it_is_over_every_kind_of_tls(certificate, post_to, tls):
    async with SmtpServer(certificate, tls) as server:
        await send(post_to(server, starttls=tls == "starttls", plaintext=tls == "none"))

        (mail,) = server.mails
        assert (mail.sender, mail.recipients, mail.content) == (SENDER, list(DEALER), MESSAGE)
        assert server.heard[0] == "EHLO example.com"
        await server.until(lambda: server.ended == 1)
        assert server.heard[-1] == "QUIT"


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
@pytest.mark.parametrize("which", ["wrong_host", "expired", "stranger"])
async def test_a_certificate_that_is_not_the_servers_is_not_accepted(request, post_to, which, tls):
    shown: Certificate = request.getfixturevalue(f"{which}_certificate")
    async with SmtpServer(shown, tls, users=USERS) as server:
        error = await failure(post_to(server, starttls=tls == "starttls", **LOGIN))

    assert isinstance(error, TryAgain)
    assert f"localhost:{server.port}: its certificate is not accepted" in str(error)
    assert "ca_file" in str(error)
    assert {*server.verbs()} <= {"EHLO", "STARTTLS"}


async def test_without_the_offer_of_starttls_nothing_is_sent(certificate, post_to):
    async with SmtpServer(certificate, "none", users=USERS) as server:
        error = await failure(post_to(server, starttls=True, **LOGIN))

    assert "STARTTLS" in str(error)
    assert server.verbs() == ["EHLO"]


async def test_a_refused_starttls_is_no_reason_to_go_on_without(certificate, post_to):
    async with SmtpServer(certificate, "starttls", users=USERS) as server:
        server.answer("STARTTLS", b"454 not now")
        error = await failure(post_to(server, starttls=True, **LOGIN))

    assert "454 not now" in str(error)
    assert "AUTH" not in server.verbs()


async def test_what_was_said_before_tls_is_forgotten(certificate, post_to):
    async with SmtpServer(certificate, "starttls", users=USERS) as server:
        server.answer("STARTTLS", b"220 go\r\n250-here\r\n250 AUTH LOGIN")
        await send(post_to(server, starttls=True, **LOGIN))

    assert [line.split(" ")[1] for line in server.heard if line.startswith("AUTH")] == ["PLAIN"]


async def test_a_port_that_does_not_speak_tls_is_told(post_to):
    async with SmtpServer(tls="none") as server:
        error = await failure(post_to(server))

    assert isinstance(error, TryAgain)
    assert f"localhost:{server.port}: no TLS" in str(error)
    assert "starttls right for this port?" in str(error)
    assert server.heard == []


def test_a_ca_file_that_is_none_is_a_fault_of_the_configuration(tmp_path):
    (tmp_path / "ca.pem").write_text("none")
    for file in (tmp_path / "ca.pem", tmp_path / "missing.pem"):
        with pytest.raises(Misconfigured, match=r"replies\.ca_file: .*no certificates"):
            Post(Replies(host="localhost", sender=SENDER, ca_file=str(file)))


# Logging in.


@pytest.mark.parametrize("mechanisms", ["PLAIN LOGIN CRAM-MD5", "CRAM-MD5 LOGIN"])
async def test_the_login_is_by_plain_or_login(certificate, post_to, mechanisms):
    async with SmtpServer(certificate, users=USERS, mechanisms=mechanisms) as server:
        await send(post_to(server, **LOGIN))

    assert len(server.mails) == 1


@pytest.mark.parametrize("mechanisms", ["PLAIN LOGIN", "LOGIN"])
async def test_a_refused_login_is_denied_and_tried_but_once(certificate, post_to, mechanisms):
    async with SmtpServer(certificate, users={"inventory": "x"}, mechanisms=mechanisms) as server:
        error = await failure(post_to(server, **LOGIN))

    assert isinstance(error, Denied)
    assert "refuses the login: 535 5.7.8 not you; look at [replies] user and password" in str(error)
    assert server.verbs().count("AUTH") == 1


async def test_a_login_that_is_put_off_is_no_refusal(certificate, post_to):
    async with SmtpServer(certificate, users=USERS) as server:
        server.answer("AUTH", b"454 4.7.0 later")
        error = await failure(post_to(server, **LOGIN))

    assert type(error) is TryAgain


@pytest.mark.parametrize(("users", "offered"), [({"a": "b"}, "cram-md5"), ({}, "none")])
async def test_a_server_that_takes_no_password_is_told(certificate, post_to, users, offered):
    async with SmtpServer(certificate, users=users, mechanisms="CRAM-MD5") as server:
        error = await failure(post_to(server, **LOGIN))

    assert isinstance(error, Denied)
    assert offered in str(error)


async def test_a_server_that_wants_a_login_is_denied_and_the_reply_kept(certificate, post_to):
    async with SmtpServer(certificate) as server:
        server.answer("MAIL", b"530 5.7.0 authenticate first")
        error = await failure(post_to(server))

    assert isinstance(error, Denied)
    assert "none is set" in str(error)


async def test_a_password_that_the_server_sends_back_is_not_told(certificate, post_to):
    plain = base64.b64encode(f"\0inventory\0{PASSWORD}".encode()).decode()
    bare = base64.b64encode(PASSWORD.encode()).decode()
    for echoed in (plain, bare, PASSWORD):
        async with SmtpServer(certificate, users=USERS) as server:
            server.answer("AUTH", b"500 unknown: AUTH PLAIN " + echoed.encode())
            error = await failure(post_to(server, **LOGIN))

        assert "500 unknown: AUTH PLAIN ***" in str(error)
        assert error.__cause__ is None


def test_the_password_is_not_in_what_stands_for_the_server():
    post = Post(Replies(host="localhost", sender=SENDER, **LOGIN))

    assert str(post) == "localhost:465"
    assert PASSWORD not in repr(post)
    assert PASSWORD not in repr(Replies(host="localhost", **LOGIN))


# Answers.


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "."])
async def test_what_is_put_off_may_be_tried_again(certificate, post_to, verb):
    async with SmtpServer(certificate) as server:
        server.answer(verb, b"451 4.3.0 \x1b[31mlater", b"451 4.3.0 \x1b[31mlater")
        error = await failure(post_to(server))

    assert type(error) is TryAgain
    assert f"localhost:{server.port} says: 451 4.3.0 \\x1b[31mlater" in str(error)


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "."])
async def test_what_is_refused_is_refused_for_ever(certificate, post_to, verb):
    async with SmtpServer(certificate) as server:
        server.answer(verb, b"550 5.1.1-no\r\n550 such user", b"550 5.1.1-no\r\n550 such user")
        error = await failure(post_to(server))

    assert isinstance(error, Refused)
    assert "550 5.1.1-no" in str(error)
    assert server.mails == []


@pytest.mark.parametrize("answers", [(b"450 later", b"550 never"), (b"550 never", b"450 later")])
async def test_if_one_address_may_pass_later_all_are_tried_again(certificate, post_to, answers):
    async with SmtpServer(certificate) as server:
        server.answer("RCPT", *answers)
        error = await failure(post_to(server))

    assert type(error) is TryAgain


async def test_one_address_that_is_refused_does_not_keep_it_from_the_others(certificate, post_to):
    async with SmtpServer(certificate) as server:
        server.answer("RCPT", b"550 no such user")
        await send(post_to(server))

    assert server.mails[0].recipients == [DEALER[1]]


@pytest.mark.parametrize("verb", ["greeting", "EHLO"])
@pytest.mark.parametrize("answer", [b"554 go away", b"421 busy", b"nonsense", HANG_UP])
async def test_a_server_that_does_not_have_us_is_no_fault_of_the_reply(
    certificate, post_to, verb, answer
):
    async with SmtpServer(certificate) as server:
        server.answer(verb, answer, answer)
        server.answer("HELO", answer)
        error = await failure(post_to(server))

    assert type(error) is TryAgain
    assert server.mails == []


async def test_a_server_that_is_not_there_is_told_by_its_name(post_to):
    async with SmtpServer(tls="none") as server:
        post = post_to(server)
    error = await failure(post)

    assert type(error) is TryAgain
    assert f"localhost:{server.port}: " in str(error)


async def test_an_address_that_no_command_could_hold_is_not_sent(certificate, post_to):
    async with SmtpServer(certificate) as server:
        with pytest.raises(Refused):
            await send(post_to(server), ["\xe4@b.example"])

    assert "RCPT" not in server.verbs()


# Waits.


@pytest.mark.parametrize("verb", ["greeting", "EHLO", "AUTH"])
async def test_a_server_that_says_nothing_is_left_in_time(certificate, post_to, brief, verb):
    async with SmtpServer(certificate, users=USERS) as server:
        server.answer(verb, SILENCE)
        error = await failure(post_to(server, **LOGIN))
        await server.until(lambda: server.ended == 1)

    assert "did not answer within 1.5 s" in str(error)


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "."])
async def test_a_server_that_falls_silent_is_left_in_time(certificate, post_to, brief, verb):
    async with SmtpServer(certificate) as server:
        server.answer(verb, SILENCE)
        error = await failure(post_to(server))
        await server.until(lambda: server.ended == 1)

    assert type(error) is TryAgain


@pytest.mark.parametrize("answer", [SILENCE, HANG_UP, b"500 what"])
async def test_what_was_taken_stays_sent_however_the_goodbye_goes(
    certificate, post_to, brief, answer
):
    async with SmtpServer(certificate) as server:
        server.answer("QUIT", answer)
        await send(post_to(server))

    assert len(server.mails) == 1


async def test_a_cancelled_sending_ends_the_connection(certificate, post_to):
    async with SmtpServer(certificate) as server:
        server.answer(".", SILENCE)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(send(post_to(server)))
            await server.until(lambda: "." in server.heard)
            task.cancel()
        await server.until(lambda: server.ended == 1)

    assert task.cancelled()


# Trying it out.


async def test_trying_out_logs_in_and_sends_nothing(certificate, authority):
    async with SmtpServer(certificate, users=USERS) as server:
        settings = Replies(
            host="localhost",
            port=server.port,
            ca_file=str(authority.ca_file),
            sender=SENDER,
            **LOGIN,
        )
        said = await try_out(settings)

    assert said.startswith(f"localhost:{server.port} answers (TLSv1.3, logged in as 'inventory')")
    assert server.verbs() == ["EHLO", "AUTH", "NOOP", "QUIT"]


async def test_trying_out_says_that_there_is_no_tls_and_no_login():
    async with SmtpServer(tls="none") as server:
        settings = Replies(host="localhost", port=server.port, plaintext=True, sender=SENDER)

        assert "(in the clear, without a login)" in await try_out(settings)


@pytest.mark.parametrize("answer", [b"451 tired", SILENCE, HANG_UP])
async def test_trying_out_tells_what_fails_last(brief, answer):
    async with SmtpServer(tls="none") as server:
        server.answer("NOOP", answer)
        settings = Replies(host="localhost", port=server.port, plaintext=True, sender=SENDER)
        with pytest.raises(TryAgain, match=f"localhost:{server.port}"):
            await try_out(settings)


# The extra.


@pytest.fixture
def missing(monkeypatch) -> None:
    """Let it be as if the extra were not installed."""
    monkeypatch.delitem(sys.modules, "ingestd.tell.replies")
    monkeypatch.delattr("ingestd.tell.replies")
    monkeypatch.setitem(sys.modules, "aiosmtplib", None)


def config(*, reply_to: Sequence[str]) -> Config:
    feed = {"name": "lot", "dealership": 1, "mode": "full", "reply_to": reply_to}
    replies = {"host": "localhost", "sender": SENDER}
    return Config.model_validate({"feed": [feed], "replies": replies})


def test_without_the_extra_a_feed_that_replies_is_a_fault_with_the_command_that_helps(missing):
    with pytest.raises(Misconfigured, match=r"pip install 'ingestd\[replies\]'"):
        outlets.post_of(config(reply_to=DEALER))


def test_without_a_feed_that_replies_the_extra_is_not_missed(missing):
    assert outlets.post_of(config(reply_to=())) is None


async def steps(settings: Config) -> list[tuple[str, bool]]:
    return [(step.message, step.well) async for step in outlets.check_replies(settings)]


async def test_the_check_tries_the_configured_server_where_a_feed_replies():
    async with SmtpServer(tls="none") as server:
        replies = Replies(host="localhost", port=server.port, plaintext=True, sender=SENDER)
        settings = config(reply_to=DEALER).model_copy(update={"replies": replies})
        ((said, well),) = await steps(settings)
        server.answer("greeting", b"554 no")
        ((failed, unwell),) = await steps(settings)

    assert (well, unwell) == (True, False)
    assert "no mail was sent" in said
    assert "says: 554 no" in failed
    assert await steps(config(reply_to=())) == []
