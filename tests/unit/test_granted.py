"""What a token endpoint answers, and what is kept of it."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from ingestd.errors import Denied, Throttled, TryAgain
from ingestd.sources.granted import Answer, Kept, dump, load, taken
from ingestd.sources.grants import Grant, fingerprint

NOW = 1_800_000_000.0
CANARY = 'hu"sh\\ é/+&'
ASKED = Grant(
    path="mailbox[feeds].oauth2",
    flow="refresh_token",
    user="feeds@dealers.example",
    url="https://login.example/token",
    scope="mail",
    client_id="app",
    client_secret=CANARY,
    refresh_token="refresh-1",  # noqa: S106  invented
)
NONE = Kept("x")
GOOD = {"access_token": "access-1", "token_type": "Bearer", "expires_in": 3600}


def after(said: object, status: int = 200, asked: Grant = ASKED, **headers: str) -> Kept:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {"client_id": "app", "refresh_token": "refresh-1"}
    return taken(asked, NONE, Answer(status, named, body, sent), NOW)


def refused(status: int, error: str, description: str = "", **changed: Any) -> TryAgain:
    said = {"error": error, "error_description": description}
    with pytest.raises(TryAgain) as caught:
        after(said, status, replace(ASKED, **changed))
    return caught.value


# -- tokens --------------------------------------------------------------------------------


def test_a_token_is_good_until_80_percent_of_its_life_are_over():
    kept = after(GOOD)
    assert (kept.access, kept.made_for) == ("access-1", "x")
    assert kept.fresh_for(NOW) == 2880
    assert kept.fresh_for(NOW + 2879) == 1
    assert kept.fresh_for(NOW + 2880) == kept.fresh_for(NOW + 9999) == 0


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        (100, 80),
        ("200", 160),
        (100.0, 80),
        (1, 60),
        (10**9, 69120),
        (None, 2880),
        (0, 2880),
        (-5, 2880),
        (True, 2880),
        (math.nan, 2880),
        (math.inf, 69120),
        ("soon", 2880),
        ("9" * 99, 2880),
        ([], 2880),
    ],
)
def test_a_life_that_makes_no_sense_is_an_hour_and_none_is_a_flood_or_for_ever(told, seconds):
    assert after(GOOD | {"expires_in": told}).fresh_for(NOW) == seconds


def test_nothing_is_fresh_where_there_is_nothing_or_the_clock_was_set_back():
    assert NONE.fresh_for(NOW) == 0
    assert after(GOOD).fresh_for(NOW - 59) == 2939
    assert after(GOOD).fresh_for(NOW - 61) == 0
    assert replace(after(GOOD), renew_at=math.inf).fresh_for(NOW) == 24 * 3600


@pytest.mark.parametrize("token", [None, 1, "", "two words", "line\nbreak", "nul\0", "é", "\x01"])
def test_what_could_break_the_login_is_no_token(token):
    with pytest.raises(TryAgain, match="an answer without a token; is token_url right"):
        after(GOOD | {"access_token": token})


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[]", b"[" * 100_000, b'"x"'])
def test_an_answer_that_is_no_object_of_json_is_none(body):
    with pytest.raises(TryAgain, match=r"login\.example gave mailbox\[feeds\] \(feeds@"):
        after(body)


def test_only_a_bearer_token_is_of_use():
    assert after(GOOD | {"token_type": "bearer"}).access == "access-1"
    assert after({"access_token": "access-1"}).access == "access-1"
    for other in ("mac", None, 1):
        with pytest.raises(TryAgain, match="another kind than Bearer"):
            after(GOOD | {"token_type": other})


# -- refresh tokens ------------------------------------------------------------------------


def test_a_new_refresh_token_is_used_while_the_configured_one_is_the_same():
    kept = after(GOOD | {"refresh_token": "refresh-2"})
    assert kept.refresh_token("refresh-1") == "refresh-2"
    assert kept.refresh_token("refresh-new") == "refresh-new"
    assert NONE.refresh_token("refresh-1") == "refresh-1"


def test_a_refresh_token_that_came_once_is_not_lost_when_none_comes():
    answer = Answer(200, {}, json.dumps(GOOD).encode(), {"refresh_token": "refresh-2"})
    kept = taken(ASKED, NONE, answer, NOW)
    assert kept.refresh_token("refresh-1") == "refresh-2"


@pytest.mark.parametrize("told", [None, "", "refresh-1", 1, "line\nbreak"])
def test_what_is_no_new_refresh_token_changes_nothing(told):
    kept = after(GOOD | {"refresh_token": told})
    assert (kept.refresh, kept.refresh_of) == ("", "")


def test_a_refresh_token_that_nobody_asked_for_is_left():
    answer = Answer(200, {}, json.dumps(GOOD | {"refresh_token": "refresh-2"}).encode(), {})
    kept = taken(replace(ASKED, flow="client_credentials"), NONE, answer, NOW)
    assert kept.refresh == ""


# -- keeping -------------------------------------------------------------------------------


def test_what_was_kept_is_read_again():
    kept = after(GOOD | {"refresh_token": "refresh-2"})
    assert load(dump(kept), "x") == kept
    assert load(dump(NONE), "x") == NONE


def test_what_was_made_for_another_is_not_used():
    assert load(dump(after(GOOD)), "y") == Kept("y")


def _changed(**changed: object) -> bytes:
    return json.dumps(json.loads(dump(after(GOOD))) | changed).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"null",
        b"{}",
        b"[" * 100_000,
        b"\xff\xfe",
        dump(after(GOOD))[:-10],
        _changed(format=2),
        _changed(more="x"),
        _changed(access=1),
        _changed(access="two words"),
        _changed(refresh="line\nbreak"),
        _changed(renew_at="soon"),
        _changed(renew_at=None),
    ],
)
def test_what_is_damaged_is_not_used(data):
    assert load(data, "x") == NONE


def test_no_token_is_in_the_texts_that_are_shown():
    kept = after(GOOD | {"refresh_token": "refresh-2"})
    assert "access-1" not in repr(kept)
    assert "refresh-2" not in repr(kept)


# -- refusals ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "description", "changed", "advice"),
    [
        ("invalid_client", "AADSTS7000215: Invalid client secret.", {}, "give the secret's value"),
        ("invalid_client", "AADSTS7000222: The keys are expired.", {}, "secret has expired"),
        ("invalid_client", "AADSTS7000218: must contain", {}, "wants a client_secret"),
        ("unauthorized_client", "AADSTS700016: not found", {}, "check client_id and tenant"),
        ("invalid_request", "AADSTS90002: Tenant not found", {}, "check tenant"),
        ("invalid_request", "AADSTS50034: no account", {}, "check tenant"),
        ("invalid_grant", "AADSTS65001: not consented", {}, "an administrator must grant"),
        ("invalid_scope", "AADSTS70011: not valid", {}, "check scope"),
        ("interaction_required", "AADSTS53003: blocked", {}, "conditional access policy"),
        ("invalid_grant", "AADSTS50057: disabled", {}, "disabled or locked"),
        ("invalid_grant", "AADSTS700082: expired due to inactivity", {}, "sign in again"),
        ("invalid_grant", "AADSTS70008: expired", {}, "sign in again"),
        ("invalid_grant", "Token has been expired or revoked.", {}, "revoked: sign in again"),
        ("invalid_grant", "Invalid JWT: must be a short-lived token", {}, "clock is wrong"),
        ("invalid_grant", "Invalid JWT Signature.", {}, "make a new key"),
        ("invalid_grant", "Invalid email or User ID", {}, "not one of this domain"),
        ("invalid_grant", "", {"flow": "service_account"}, "by whose leave"),
        ("invalid_client", "Unauthorized", {}, "Check client_id and client_secret."),
        ("unauthorized_client", "", {"flow": "service_account"}, "domain-wide delegation"),
        ("unauthorized_client", "", {}, "check its registration"),
        ("something_new", "never heard of", {}, "Check token_url, tenant"),
    ],
)
def test_a_refusal_says_what_the_endpoint_said_and_what_to_do(error, description, changed, advice):
    problem = refused(400, error, description, **changed)
    assert type(problem) is Denied
    assert f"HTTP status 400, {error}" in str(problem)
    assert description in str(problem)
    assert advice in str(problem)
    assert str(problem).startswith("login.example gave mailbox[feeds] (feeds@dealers.example)")


def test_a_page_instead_of_an_answer_is_a_refusal_too():
    with pytest.raises(Denied, match=r"HTTP status 404  Check token_url"):
        after(b"<html>Not found", 404)


@pytest.mark.parametrize("part", [1, None, ["x"], {}])
def test_words_that_are_none_are_left_out(part):
    with pytest.raises(Denied, match=r"HTTP status 400  Check"):
        after({"error": part, "error_description": part}, 400)


def test_a_secret_that_an_endpoint_repeats_is_not_shown():
    text = f"{CANARY} client_secret=hu%22sh%5C+%C3%A9%2F%2B%26 refresh-1"
    problem = str(refused(400, "invalid_client", text))
    assert "*** client_secret=*** ***" in problem
    kept = replace(NONE, access="access-1", refresh="refresh-1-rotated")
    body = b'{"error": "access-1 refresh-1-rotated a.b.c"}'
    with pytest.raises(Denied, match=r"HTTP status 400, \*\*\* \*\*\* \*\*\*  Check"):
        taken(ASKED, kept, Answer(400, {}, body, {"assertion": "a.b.c"}), NOW)


def test_words_are_shown_without_controls_and_not_at_any_length():
    problem = str(refused(400, "a\x1b[31m\r\nb", "\u202e\ud800" + "x" * 10_000))
    assert "a [31m b: x" in problem
    assert len(problem) < 800
    assert problem.isprintable()


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
def test_a_broken_endpoint_is_tried_again(status):
    assert type(refused(status, "")) is TryAgain


@pytest.mark.parametrize("error", ["temporarily_unavailable", "server_error"])
def test_what_passes_by_itself_is_tried_again(error):
    assert type(refused(400, error)) is TryAgain
    assert type(refused(400, "invalid_request", "AADSTS90033: transient")) is TryAgain


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_secrets_do_not_follow_a_redirection(status):
    problem = refused(status, "")
    assert type(problem) is TryAgain
    assert "give the address itself as token_url" in str(problem)


@pytest.mark.parametrize(
    ("status", "error"),
    [(429, ""), (403, "rate_limit_exceeded"), (400, "slow_down"), (400, "AADSTS50196: loop")],
)
def test_who_asks_for_patience_gets_it(status, error):
    problem = refused(status, error)
    assert isinstance(problem, Throttled)
    assert problem.seconds == 600


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("120", 120),
        (" 120 ", 120),
        ("99999999", 3600),
        ("Fri, 15 Jan 2027 08:02:00 GMT", 120),
        ("Fri, 15 Jan 2027 08:02:00 -0000", 120),
        ("Sun, 15 Jan 2040 08:02:00 GMT", 3600),
    ],
)
def test_an_endpoint_says_how_long(status, told, seconds):
    with pytest.raises(Throttled) as caught:
        after(b"", status, Retry_After=told)
    assert caught.value.seconds == seconds


@pytest.mark.parametrize("told", ["", "soon", "-5", "0", "Fri, 15 Jan 2017 08:00:00 GMT", "1e3"])
def test_a_time_that_makes_no_sense_is_none(told):
    with pytest.raises(Throttled) as caught:
        after(b"", 429, Retry_After=told)
    assert caught.value.seconds == 600
    with pytest.raises(TryAgain) as plain:
        after(b"", 503, Retry_After=told)
    assert type(plain.value) is TryAgain


def test_the_fingerprint_of_the_replaced_token_is_kept_and_not_the_token():
    kept = after(GOOD | {"refresh_token": "refresh-2"})
    assert kept.refresh_of == fingerprint("refresh-1")
    assert b"refresh-1" not in dump(kept)
