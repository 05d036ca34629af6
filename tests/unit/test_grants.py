"""What is asked of a token endpoint."""

import base64
import json
from hashlib import sha256

import pytest

from ingestd.errors import Misconfigured
from ingestd.settings import OAuth2, SecretRef
from ingestd.sources import grants

APPLICATION = OAuth2.model_validate(
    {
        "provider": "microsoft365",
        "flow": "client_credentials",
        "tenant": "dealers.example",
        "client_id": "app-1",
        "client_secret": "value-1",
    }
)
DELEGATED = OAuth2.model_validate(
    {
        "provider": "microsoft365",
        "flow": "refresh_token",
        "tenant": "dealers.example",
        "client_id": "app-1",
        "refresh_token": "refresh-1",
    }
)
GMAIL = OAuth2.model_validate(
    {
        "provider": "google",
        "flow": "refresh_token",
        "client_id": "app-2",
        "client_secret": "value-2",
        "refresh_token": "refresh-2",
    }
)
KEY = {"client_email": "robot@p.example", "private_key": "PEM", "private_key_id": "k1"}
ROBOT = OAuth2(provider="google", flow="service_account", service_account=json.dumps(KEY))


def asked(oauth: OAuth2, **changed: object) -> grants.Grant:
    return grants.grant("feeds", oauth.model_copy(update=changed), "feeds@dealers.example")


def decoded(part: str) -> dict[str, object]:
    read = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert isinstance(read, dict)
    return read


@pytest.mark.parametrize(
    ("oauth", "url"),
    [
        (APPLICATION, "https://login.microsoftonline.com/dealers.example/oauth2/v2.0/token"),
        (GMAIL, "https://oauth2.googleapis.com/token"),
        (ROBOT, "https://oauth2.googleapis.com/token"),
    ],
)
def test_each_provider_has_its_endpoint(oauth, url):
    assert asked(oauth).url == url


def test_a_tenant_cannot_lead_the_request_elsewhere():
    url = asked(APPLICATION, tenant="../x?y#z/").url
    assert url == "https://login.microsoftonline.com/..%2Fx%3Fy%23z%2F/oauth2/v2.0/token"


@pytest.mark.parametrize(
    "url",
    [
        "https://login.partner.example/x/oauth2/v2.0/token",
        "http://127.0.0.1:8080/token",
        "http://127.8.9.10/token",
        "http://[::1]:8080/token",
        "http://localhost:1/token",
    ],
)
def test_another_endpoint_may_be_named_and_loopback_needs_no_tls(url):
    assert asked(APPLICATION, tenant=None, token_url=url).url == url


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("http://login.partner.example/token", "in the clear; give an https:// address"),
        ("http://10.0.0.1/token", "in the clear"),
        ("http://localhost.partner.example/token", "in the clear"),
        ("login.partner.example/token", "must be https://host/path"),
        ("ftp://login.partner.example/token", "must be https://host/path"),
        ("https:///token", "must be https://host/path"),
        ("https://login.partner.example:0/token", "must be https://host/path"),
        ("https://me:hush@login.partner.example/token", "must be https://host/path"),
        ("https://[::1/token", "is no URL"),
        ("https://login.partner.example:99999/token", "is no URL"),
    ],
)
def test_a_secret_is_not_sent_where_it_could_be_read(url, fault):
    with pytest.raises(Misconfigured) as caught:
        asked(APPLICATION, token_url=url)
    assert str(caught.value).startswith("mailbox[feeds].oauth2.token_url: ")
    assert fault in str(caught.value)
    assert "hush" not in str(caught.value)


def test_an_application_asks_in_its_own_name():
    assert grants.form(asked(APPLICATION), "", "") == {
        "grant_type": "client_credentials",
        "client_id": "app-1",
        "client_secret": "value-1",
        "scope": "https://outlook.office365.com/.default",
    }


def test_a_user_of_microsoft_asks_for_imap_and_for_another_refresh_token():
    assert grants.form(asked(DELEGATED), "refresh-9", "") == {
        "grant_type": "refresh_token",
        "client_id": "app-1",
        "refresh_token": "refresh-9",
        "scope": "https://outlook.office.com/IMAP.AccessAsUser.All offline_access",
    }


def test_a_user_of_google_asks_for_what_the_refresh_token_stands_for():
    assert grants.form(asked(GMAIL), "refresh-2", "") == {
        "grant_type": "refresh_token",
        "client_id": "app-2",
        "client_secret": "value-2",
        "refresh_token": "refresh-2",
    }


def test_a_configured_scope_is_asked_for():
    assert grants.form(asked(GMAIL, scope="one two"), "r", "")["scope"] == "one two"


def test_a_service_account_brings_a_signed_statement():
    assert grants.form(asked(ROBOT), "", "a.b.c") == {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": "a.b.c",
    }


def test_the_statement_names_the_mailbox_the_scope_and_the_endpoint_for_an_hour():
    signed = []

    def sign(data: bytes, key: str) -> bytes:
        signed.append((data, key))
        return b"\xff\xfe"

    head, claims, signature = grants.assertion(asked(ROBOT), 1000.9, sign).split(".")
    assert decoded(head) == {"alg": "RS256", "typ": "JWT", "kid": "k1"}
    assert decoded(claims) == {
        "iss": "robot@p.example",
        "sub": "feeds@dealers.example",
        "scope": "https://mail.google.com/",
        "aud": "https://oauth2.googleapis.com/token",
        "iat": 1000,
        "exp": 4600,
    }
    assert signature == "__4"
    assert signed == [(f"{head}.{claims}".encode(), "PEM")]


def test_a_key_without_a_number_is_used_without():
    text = json.dumps(KEY | {"private_key_id": None})
    statement = grants.assertion(asked(ROBOT, service_account=text), 0, lambda *_: b"")
    assert decoded(statement.split(".")[0]) == {"alg": "RS256", "typ": "JWT"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hush",
        "[" * 100_000,
        '["hush"]',
        '{"client_email": "hush"}',
        '{"private_key": "hush"}',
        '{"client_email": 1, "private_key": "hush"}',
        '{"client_email": "hush", "private_key": ""}',
    ],
)
def test_what_is_no_service_accounts_key_is_said_so_without_showing_it(text):
    with pytest.raises(Misconfigured) as caught:
        asked(ROBOT, service_account=text)
    assert str(caught.value).startswith("mailbox[feeds].oauth2.service_account: is not the JSON")
    assert "hush" not in str(caught.value)


def test_a_secret_that_is_still_elsewhere_is_asked_for():
    with pytest.raises(Misconfigured, match=r"oauth2\.client_secret: is not known"):
        asked(APPLICATION, client_secret=SecretRef(env="X"))


def test_no_secret_is_in_the_texts_that_are_shown():
    for oauth in (APPLICATION, DELEGATED, GMAIL, ROBOT):
        held = asked(oauth)
        assert held.secrets()
        assert not any(secret in repr(held) for secret in held.secrets())
    assert asked(GMAIL).secrets() == ("value-2", "refresh-2")


def test_a_token_is_for_one_user_client_scope_and_endpoint():
    changes: list[dict[str, object]] = [
        {},
        {"scope": "other"},
        {"client_id": "app-9"},
        {"tenant": "other.example"},
    ]
    made_for = {asked(APPLICATION, **changed).made_for() for changed in changes}
    made_for.add(grants.grant("feeds", APPLICATION, "other@dealers.example").made_for())
    made_for.add(asked(DELEGATED).made_for())
    other = json.dumps(KEY | {"client_email": "other@p.example"})
    made_for |= {asked(ROBOT).made_for(), asked(ROBOT, service_account=other).made_for()}
    assert len(made_for) == 8
    another = asked(APPLICATION, client_secret="new")  # noqa: S106  invented
    assert asked(APPLICATION).made_for() == another.made_for()


def test_a_fingerprint_can_be_taken_of_anything():
    assert grants.fingerprint("a") == sha256(b"a").hexdigest()
    assert grants.fingerprint("\ud800") != grants.fingerprint("?")


def test_the_endpoint_is_shown_by_its_host():
    assert asked(APPLICATION).host == "login.microsoftonline.com"
    url = "http://[::1]:8080/hush"
    assert asked(APPLICATION, token_url=url).host == "::1"
