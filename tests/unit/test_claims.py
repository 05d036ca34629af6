"""The statements of claims are well made; what they do is tested on a database (test_order)."""

import re

import pytest

from ingestd.store import claims

TAKEN = {
    "CLAIM_NEXT": 6,
    "CLAIM_ONE": 4,
    "ROUTE": 5,
    "RELEASE": 3,
    "GO_AFTER": 2,
    "STANDING": 2,
    "BEFORE_THE_NEWEST": 2,
}


@pytest.mark.parametrize(("name", "parameters"), TAKEN.items())
def test_a_statement_takes_the_parameters_that_it_says(name: str, parameters: int):
    statement = getattr(claims, name)

    assert set(re.findall(r"\$(\d)", statement)) == {str(n + 1) for n in range(parameters)}
    assert "{" not in statement


def test_an_attempt_is_counted_where_it_is_claimed_and_not_where_the_older_go_first():
    assert "attempts = attempts + 1" in claims.CLAIM_NEXT
    assert "attempts = attempts + 1" in claims.CLAIM_ONE
    assert "attempts = greatest(attempts - 1, 0)" in claims.GO_AFTER
    assert "turn = 1" in claims.GO_AFTER


def test_nobody_waits_for_a_row_that_another_is_claiming():
    for statement in (claims.CLAIM_NEXT, claims.CLAIM_ONE):
        assert statement.count("FOR UPDATE OF d SKIP LOCKED") == 1
