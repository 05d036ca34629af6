"""An exception says whether trying again is any use."""

import pytest

from ingestd.errors import (
    Clash,
    Denied,
    Fault,
    IngestError,
    Misconfigured,
    OlderFirst,
    OutOfTurn,
    ReadFailed,
    Refused,
    Taken,
    Throttled,
    TryAgain,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Refused("empty", "there is nothing in it"), 65),
        (TryAgain("the database is away"), 75),
        (Clash("a deadlock"), 75),
        (ReadFailed("it died"), 70),
        (Misconfigured(Fault("a.b", "is wrong")), 78),
    ],
)
def test_an_error_knows_the_exit_code_it_becomes(error: IngestError, code: int):
    assert error.exit_code == code


def test_a_clash_is_worth_another_try():
    assert isinstance(Clash("x"), TryAgain)


@pytest.mark.parametrize(
    ("key", "told"), [("(vin)=(A)", "(vin)=(A)"), ("", "the server does not tell its key")]
)
def test_a_key_that_stays_taken_is_a_refusal_that_names_key_constraint_and_cure(key, told):
    error = Taken("another session may have been in the way", "vehicles_vin_unique", key)
    refused = error.refused(5)

    assert isinstance(error, Clash)
    assert refused.reason == "key_taken"
    assert f"{told} (constraint vehicles_vin_unique), 5 times in a row" in refused.message
    assert "[target.settings]" in refused.message
    assert "another session" not in refused.message


def test_a_refused_login_and_a_wish_for_patience_may_pass():
    assert isinstance(Denied("x"), TryAgain)
    assert isinstance(OutOfTurn("x"), TryAgain)
    assert isinstance(OlderFirst("x"), TryAgain)
    assert (Throttled("busy").seconds, Throttled("busy", 30).seconds) == (600, 30)
    assert str(Throttled("busy")) == "busy"


def test_a_misconfiguration_tells_every_fault_on_a_line_of_its_own():
    error = Misconfigured(Fault("a.b", "is wrong"), Fault("", "so is this"))

    assert str(error) == "a.b: is wrong\nso is this"


def test_a_refusal_carries_its_reason():
    assert Refused("empty", "there is nothing in it").reason == "empty"
