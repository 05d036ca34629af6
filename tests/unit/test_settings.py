"""The sections of the configuration: what their options may be."""

import pytest
from pydantic import BaseModel, ValidationError

from ingestd.settings import (
    SECTIONS,
    Config,
    Folder,
    Mailbox,
    OAuth2,
    Replies,
    SecretRef,
)


@pytest.mark.parametrize(
    ("options", "port"),
    [({}, 465), ({"starttls": True}, 587), ({"plaintext": True}, 25), ({"port": 2525}, 2525)],
)
def test_replies_go_to_the_port_that_belongs_to_their_kind_of_tls(options, port):
    assert Replies(**options).at() == port


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"starttls": True, "plaintext": True}, "not both"),
        ({"user": "a"}, "or neither"),
        ({"password": "a"}, "or neither"),
    ],
)
def test_replies_whose_options_exclude_each_other_are_refused(options, words):
    with pytest.raises(ValidationError, match=words):
        Replies(**options)


@pytest.mark.parametrize("given", [{}, {"env": "A", "file": "B"}])
def test_a_secret_lies_in_exactly_one_place(given):
    with pytest.raises(ValidationError, match="exactly one"):
        SecretRef(**given)


def test_a_secret_may_be_what_a_command_prints():
    assert SecretRef(command=("pass", "show", "x")).command == ("pass", "show", "x")


def test_unknown_options_are_refused_in_every_section():
    sections: list[type[BaseModel]] = [*SECTIONS.values(), Config]
    for section in sections:
        with pytest.raises(ValidationError, match="Extra inputs"):
            section.model_validate({"xyzzy": 1})


def test_a_section_cannot_be_changed():
    folder = Folder(name="drop", path="/d")
    with pytest.raises(ValidationError):
        folder.path = "/e"  # type: ignore[misc]


BOX = {"name": "inbox", "host": "imap.example.com", "user": "u"}
OPEN = {**BOX, "password": "canary"}


def test_a_mailbox_is_reached_by_tls_unless_it_says_otherwise():
    assert Mailbox(**OPEN).at() == 993
    assert Mailbox(**OPEN, starttls=True).at() == 143
    assert Mailbox(**OPEN, plaintext=True).at() == 143
    assert Mailbox(**OPEN, port=1993).at() == 1993


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "give either password or"),
        ({"password": "x", "oauth2": {"provider": "google"}}, "flow"),
        ({"password": "x", "starttls": True, "plaintext": True}, "not both"),
        ({"password": "x", "idle_renew": "30m"}, "less than or equal to 1740"),
    ],
)
def test_a_mailbox_that_cannot_be_meant_so_is_refused(more, words):
    with pytest.raises(ValidationError, match=words):
        Mailbox(**BOX, **more)


def test_the_password_of_a_mailbox_is_not_shown():
    assert "canary" not in repr(Mailbox(**OPEN))


@pytest.mark.parametrize(
    "given",
    [
        {
            "provider": "microsoft365",
            "flow": "client_credentials",
            "tenant": "t",
            "client_id": "c",
            "client_secret": "s",
        },
        {
            "provider": "microsoft365",
            "flow": "refresh_token",
            "token_url": "https://login.example.gov/token",
            "client_id": "c",
            "refresh_token": "r",
        },
        {
            "provider": "google",
            "flow": "refresh_token",
            "client_id": "c",
            "client_secret": "s",
            "refresh_token": "r",
        },
        {"provider": "google", "flow": "service_account", "service_account": "{}"},
    ],
)
def test_each_way_to_a_token_has_what_it_needs(given):
    assert OAuth2(**given).flow == given["flow"]


def test_a_way_to_a_token_says_what_it_needs_as_well():
    with pytest.raises(ValidationError, match="needs client_id, client_secret as well"):
        OAuth2(provider="microsoft365", flow="client_credentials", tenant="t")


def test_a_provider_has_its_own_ways():
    with pytest.raises(ValidationError, match="google has no flow 'client_credentials'"):
        OAuth2(provider="google", flow="client_credentials")


def test_what_a_way_to_a_token_has_no_use_for_is_refused():
    with pytest.raises(ValidationError, match="has no use for tenant, client_id"):
        OAuth2(
            provider="google",
            flow="service_account",
            service_account="{}",
            tenant="t",
            client_id="c",
        )
