"""What IMAP servers say, and what is made of it."""

import json
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.errors import Denied, Throttled, TryAgain
from ingestd.sources import phrases
from ingestd.sources.phrases import Bad, Lost, No, Said

NOT_CONNECTED = b"BAD User is authenticated but not connected."


def heard(line: bytes) -> Said:
    said = phrases.said(line)
    assert said is not None
    return said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"OK", Said("OK")),
        (b"ok done", Said("OK", text="done")),
        (b"NO [TRYCREATE] No such folder", Said("NO", "TRYCREATE", "", "No such folder")),
        (b"OK [UIDVALIDITY 77] valid", Said("OK", "UIDVALIDITY", "77", "valid")),
        (b"OK [uidnext 9]", Said("OK", "UIDNEXT", "9")),
        (b"OK [PERMANENTFLAGS (\\Seen \\*)] x", Said("OK", "PERMANENTFLAGS", r"(\Seen \*)", "x")),
        (b"BAD [no end of it", Said("BAD", text="[no end of it")),
        (b"BYE  Autologout; idle for too long", Said("BYE", text="Autologout; idle for too long")),
        (b"PREAUTH welcome", Said("PREAUTH", text="welcome")),
    ],
)
def test_a_status_line_is_read(line, said):
    assert phrases.said(line) == said


@pytest.mark.parametrize("line", [b"", b"OKAY", b"3 EXISTS", b"SEARCH 1 2", b"FLAGS (OK)"])
def test_other_lines_are_no_status(line):
    assert phrases.said(line) is None


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (b"gr\xc3\xbcn", "grün"),
        (b"\xff", "\ufffd"),
        (b"\x1b[31mred\x07", "\ufffd[31mred\ufffd"),
        ("\u202etsil".encode(), "\ufffdtsil"),
        (b"x" * 400, "x" * 300 + "…"),
        (b"x" * 10_000_000, "x" * 300 + "…"),
    ],
)
def test_a_servers_words_are_made_fit_to_be_shown(words, shown):
    assert phrases.clean(words) == shown


def test_a_refusal_says_who_what_and_why():
    error = phrases.refusal("imap.example.com", 'SELECT "Lots"', heard(b"NO [NONEXISTENT] none"))
    assert isinstance(error, No)
    assert (error.code, error.text) == ("NONEXISTENT", "none")
    assert str(error) == 'imap.example.com refused SELECT "Lots": [NONEXISTENT] none'


def test_bad_is_told_from_no():
    error = phrases.refusal("h", "MOVE", heard(b"BAD unknown command"))
    assert isinstance(error, Bad)
    assert not isinstance(error, No)


def test_a_server_that_gives_no_reason_is_said_to_give_none():
    assert str(phrases.refusal("h", "MOVE", heard(b"NO"))).endswith("no reason given")


@pytest.mark.parametrize(
    "line",
    [
        b"NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)",
        b"NO [AUTHENTICATIONFAILED] Authentication failed, please try again.",
        b"NO [AUTHORIZATIONFAILED] Authorization failed",
        b"NO [EXPIRED] password expired",
        b"NO [PRIVACYREQUIRED] Plaintext authentication disallowed",
        b"NO [CONTACTADMIN] account",
        b"NO [WEBALERT https://accounts.example.com/] Web login required.",
        b"NO [ALERT] Application-specific password required: https://example.com (Failure)",
        b"NO [ALERT] Please log in via your web browser",
        b"NO [ALERT] Your account is not enabled for IMAP use.",
        b"NO LOGIN failed.",
        b"NO AUTHENTICATE failed.",
        b"NO Basic authentication is disabled.",
        b"NO account disabled",
        b"BAD Command Argument Error. 12",
        NOT_CONNECTED,
    ],
)
def test_a_refused_login_is_denied(line):
    error = phrases.refusal("h", "the login of a", heard(line), login=True)
    assert type(error) is Denied
    assert "  " in str(error)  # words, and after them what to do


@pytest.mark.parametrize("login", [False, True])
@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        (b"NO [ALERT] Too many simultaneous connections. (Failure)", 600),
        (b"NO [UNAVAILABLE] Maximum number of connections from user+IP exceeded", 600),
        (b"NO [ALERT] Account exceeded command or bandwidth limits. (Failure)", 14_400),
        (b"NO [OVERQUOTA] Account exceeded command or bandwidth limits.", 14_400),
        (b"NO [AUTHENTICATIONFAILED] too many login attempts, wait", 1800),
        (b"NO Request is throttled. Suggested Backoff Time: 60000 milliseconds", 1800),
        (b"NO [THROTTLED] slow down", 600),
        (b"NO [OVERQUOTA] Quota exceeded (mailbox for user is full)", 3600),
        (b"NO [UNAVAILABLE] Temporary authentication failure.", 60),
        (b"NO [INUSE] mailbox is locked", 60),
        (b"NO [LIMIT] UIDs", 600),
        (b"NO Server Unavailable. 15", 300),
    ],
)
def test_a_server_that_asks_for_patience_gets_it(line, seconds, login):
    error = phrases.refusal("h", "SELECT", heard(line), login=login)
    assert isinstance(error, Throttled)
    assert error.seconds == seconds


def test_a_login_without_a_mailbox_is_denied_whenever_it_shows():
    error = phrases.refusal("h", "SELECT", heard(NOT_CONNECTED))
    assert isinstance(error, Denied)
    assert "service principal" in str(error)


@pytest.mark.parametrize("line", [b"NO [CONTACTADMIN] no", b"NO [EXPIRED] the URL is too old"])
def test_a_denial_after_the_login_is_of_the_one_command(line):
    assert isinstance(phrases.refusal("h", "CREATE", heard(line)), No)


def test_a_farewell_says_why():
    error = phrases.farewell("imap.example.com", heard(b"BYE Autologout; idle for too long"))
    assert isinstance(error, Lost)
    said = "imap.example.com ended the connection: Autologout; idle for too long"
    assert (str(error), error.idled) == (said, None)


@pytest.mark.parametrize(
    ("line", "login", "kind"),
    [
        (b"BYE Too many connections from your address", False, Throttled),
        (b"BYE [UNAVAILABLE] down", False, Throttled),
        (b"BYE Server shutting down.", False, Lost),
        (b"BYE [AUTHENTICATIONFAILED] no", True, Denied),
        (b"BYE Session invalidated - AccessTokenExpired", True, Denied),
        (b"BYE Session invalidated - AccessTokenExpired", False, Lost),
        (b"BYE", True, Lost),
    ],
)
def test_a_farewell_may_ask_for_patience_or_deny_a_login(line, login, kind):
    assert type(phrases.farewell("h", heard(line), login=login)) is kind


def coded(answer: object) -> str:
    return b64encode(json.dumps(answer).encode()).decode()


@pytest.mark.parametrize(
    ("challenge", "told"),
    [
        (coded({"status": "401", "schemes": "bearer", "scope": "mail"}), "status 401, scope mail"),
        (coded({"status": 400, "error": "invalid_request"}), "status 400, error invalid_request"),
        (coded({"status": ["401"], "scope": None}), ""),
        (coded({"error": "a\u202eb"}), "error a\ufffdb"),
        (coded(["401"]), ""),
        (coded("[" * 5000), ""),
        (b64encode(b"[" * 6000).decode(), ""),
        (b64encode(b"\xff").decode(), ""),
        ("not base64!", ""),
        ("", ""),
    ],
)
def test_the_challenge_before_a_refusal_is_explained(challenge, told):
    assert phrases.challenge(challenge) == told


def test_a_challenge_that_repeats_the_token_does_not_show_it():
    assert phrases.challenge(coded({"error": "bad ya29.x"}), "ya29.x") == "error bad ***"


@given(st.binary(), st.booleans())
def test_whatever_a_server_says_becomes_an_error_that_may_pass(words, login):
    answer = heard(b"NO " + words.replace(b"\n", b""))
    for error in (
        phrases.refusal("h", "SELECT", answer, login=login),
        phrases.farewell("h", answer, login=login),
    ):
        assert isinstance(error, TryAgain)
        assert str(error).isprintable()


@pytest.mark.parametrize(
    "line", [b"BAD Internal error occurred", b"NO [SERVERBUG] Internal error occurred. See the log"]
)
def test_an_error_inside_the_server_is_of_the_one_command_and_no_wish_for_patience(line):
    error = phrases.refusal("h", "FETCH", heard(line))
    assert isinstance(error, phrases.Refusal)
