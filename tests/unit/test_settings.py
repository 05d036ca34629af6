"""The sections of the configuration: what their options may be."""

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from ingestd.settings import (
    SECTIONS,
    Address,
    Config,
    Duration,
    Folder,
    Http,
    Mailbox,
    Name,
    OAuth2,
    Patterns,
    Replies,
    SecretRef,
    Size,
    TargetSettings,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("5s", 5), ("1.5m", 90), ("24h", 86400), ("7d", 604800), (3, 3)],
)
def test_a_duration_is_a_number_with_a_unit(text, seconds):
    assert TypeAdapter(Duration).validate_python(text) == seconds


@pytest.mark.parametrize("text", ["5", "5 weeks", "s", "", "-5s", "0s", 0])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValidationError):
        TypeAdapter(Duration).validate_python(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("512B", 512), ("2KiB", 2048), ("25MiB", 26214400), ("1GiB", 1 << 30), (7, 7)],
)
def test_a_size_is_a_whole_number_with_a_unit(text, size):
    assert TypeAdapter(Size).validate_python(text) == size


@pytest.mark.parametrize("text", ["25MB", "1.5GiB", "big", 0])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValidationError):
        TypeAdapter(Size).validate_python(text)


@pytest.mark.parametrize("name", ["lot", "Lot-1_a.b", "1"])
def test_a_name_is_fit_for_a_folder(name):
    assert TypeAdapter(Name).validate_python(name) == name


@pytest.mark.parametrize("name", ["", "a b", "../x", ".x", "a/b", "x" * 65, "ü"])
def test_a_name_that_is_unfit_for_a_folder_is_refused(name):
    with pytest.raises(ValidationError, match="is no name"):
        TypeAdapter(Name).validate_python(name)


@pytest.mark.parametrize("listen", ["127.0.0.1:9716", "[::1]:80", "localhost:65535"])
def test_an_address_has_host_and_port(listen):
    assert Http(listen=listen).listen == listen


@pytest.mark.parametrize("listen", ["9716", ":9716", "h:", "h:x", "h:65536"])
def test_an_address_without_one_of_them_is_refused(listen):
    with pytest.raises(ValidationError, match="HOST:PORT"):
        Http(listen=listen)


@pytest.mark.parametrize("address", ["a@b.example", "lot+x.y=z@mail.b-c.example", "root@localhost"])
def test_a_mail_address_is_a_name_at_a_domain(address):
    assert TypeAdapter(Address).validate_python(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "a",
        "@b.example",
        "a@",
        "Lot <a@b.example>",
        "a@b.example, c@b.example",
        "a@b.example\r\nBcc: c@d.example",
        "a..b@c.example",
        "=?utf-8?q?a=0aBcc?=@b.example",
        "ä@b.example",
        "a@bücher.example",
        f"{'a' * 250}@b.example",
    ],
)
def test_what_is_more_or_less_than_a_mail_address_is_refused(address):
    with pytest.raises(ValidationError, match=r"name@example\.com"):
        TypeAdapter(Address).validate_python(address)


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


def test_patterns_are_those_of_a_shell():
    assert TypeAdapter(Patterns).validate_python(["*.tsv", "[ab]?"]) == ("*.tsv", "[ab]?")


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


def test_the_unit_of_money_is_never_guessed_and_its_question_shows_each():
    assert TargetSettings(money="cents").money == "cents"
    with pytest.raises(ValidationError, match=r'"whole_dollars" \(19996\)'):
        TargetSettings(money="")


def test_a_table_is_named_with_its_schema():
    assert TargetSettings(table="lot.Cars").table == "lot.Cars"
    for name in ("cars", ".cars", "lot.", "a.b.c"):
        with pytest.raises(ValidationError, match="is not SCHEMA"):
            TargetSettings(table=name)
