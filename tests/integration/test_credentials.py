"""A secret is found where the configuration says, or the message says what to do."""

import os
from pathlib import Path

import pytest

from ingestd import credentials
from ingestd.config import parse
from ingestd.credentials import resolve
from ingestd.errors import Misconfigured
from ingestd.settings import Config, OAuth2, SecretRef

CANARY = 'h"ush\\ %s ü'


def secret_file(directory: Path, mode: int = 0o600) -> Path:
    file = directory / "secret"
    file.write_text(CANARY + "\n")
    file.chmod(mode)
    return file


def complaint(secret: SecretRef, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(Misconfigured) as caught:
        resolve("database.url", secret, environ or {})
    assert CANARY not in str(caught.value)
    return str(caught.value)


def test_a_secret_written_out_is_itself():
    assert resolve("x", CANARY, {}) == CANARY


def test_no_secret_is_none():
    assert resolve("x", None, {}) is None


def test_a_secret_in_the_environment_is_found():
    assert resolve("x", SecretRef(env="HUSH"), {"HUSH": CANARY}) == CANARY


def test_an_unset_variable_is_named():
    assert "HUSH is not set" in complaint(SecretRef(env="HUSH"))


def test_a_secret_in_a_file_loses_its_newline(tmp_path):
    assert resolve("x", SecretRef(file=str(secret_file(tmp_path))), {}) == CANARY


def test_a_file_that_everybody_may_read_is_refused_with_the_cure(tmp_path):
    file = secret_file(tmp_path, 0o644)

    assert f"run: chmod o-r {file}" in complaint(SecretRef(file=str(file)))


def test_a_missing_file_is_named(tmp_path):
    assert "No such file" in complaint(SecretRef(file=str(tmp_path / "none")))


def test_a_file_that_is_no_text_is_refused(tmp_path):
    file = secret_file(tmp_path)
    file.write_bytes(b"\xff\xfe")

    assert "not UTF-8" in complaint(SecretRef(file=str(file)))


def test_a_credential_comes_from_systemds_directory(tmp_path):
    secret_file(tmp_path)

    found = resolve("x", SecretRef(credential="secret"), {"CREDENTIALS_DIRECTORY": str(tmp_path)})

    assert found == CANARY


def test_a_credential_outside_a_unit_says_how_to_give_it():
    assert "LoadCredential=url:/path" in complaint(SecretRef(credential="url"))


def test_a_missing_credential_is_named(tmp_path):
    words = complaint(SecretRef(credential="url"), {"CREDENTIALS_DIRECTORY": str(tmp_path)})

    assert "'url'" in words


def test_a_command_gives_its_first_line():
    assert resolve("x", SecretRef(command=("printf", "a\\nb\\n")), dict(os.environ)) == "a"


@pytest.mark.parametrize("command", [("false",), ("true",), ("/no/such/command",)])
def test_a_command_that_gives_nothing_is_a_fault(command):
    assert command[0] in complaint(SecretRef(command=command))


MAIL = """
[[mailbox]]
name = "inbox"
host = "imap.example.com"
user = "u"
password = { env = "IMAP" }
trusted_authserv_ids = ["mx"]

[[mailbox]]
name = "cloud"
host = "outlook.office365.com"
user = "u"
authentication_results = "microsoft365"
[mailbox.oauth2]
provider = "microsoft365"
flow = "client_credentials"
tenant = "t"
client_id = "c"
client_secret = { env = "OAUTH" }

[[feed]]
name = "lot"
dealership = 1
mode = "full"
sender_proof = "secret_address"
secret_address = { env = "ADDRESS" }

[replies]
host = "smtp.example.com"
sender = "us@example.com"
user = "us"
password = { env = "SMTP" }
"""
HELD = {
    "IMAP": "one",
    "OAUTH": "two",
    "ADDRESS": "three-4f0c9a7e5d2b8136aa@example.com",
    "SMTP": "four",
}


def test_every_secret_of_mail_is_put_in_its_place_and_known_to_the_log():
    config = credentials.resolved(parse(MAIL, {}), HELD)

    inbox, cloud = config.mailbox
    assert cloud.oauth2 is not None
    found = [inbox.password, cloud.oauth2.client_secret, config.feed[0].secret_address]
    assert [*found, config.replies.password] == list(HELD.values())
    assert set(credentials.secrets(config)) == set(HELD.values())


def test_every_secret_that_is_missing_is_told_at_once():
    with pytest.raises(Misconfigured) as caught:
        credentials.resolved(parse(MAIL, {}), {})

    assert [fault.path for fault in caught.value.faults] == [
        "mailbox[inbox].password",
        "mailbox[cloud].oauth2.client_secret",
        "feed[lot].secret_address",
        "replies.password",
    ]


def test_a_secret_address_that_can_be_guessed_is_refused_wherever_it_lies():
    with pytest.raises(Misconfigured, match="20 characters before the @") as caught:
        credentials.resolved(parse(MAIL, {}), {**HELD, "ADDRESS": "lot@example.com"})

    assert caught.value.faults[0].path == "feed[lot].secret_address"
    assert "lot@" not in str(caught.value)


def test_the_key_inside_a_service_accounts_file_is_a_secret_too():
    account = '{"private_key": "PEM"}'
    box = parse(MAIL, {}).mailbox[1]
    grant = OAuth2(provider="google", flow="service_account", service_account=account)
    config = Config(mailbox=(box.model_copy(update={"oauth2": grant}),))

    assert credentials.secrets(config) == (account, "PEM")
    broken = grant.model_copy(update={"service_account": "not JSON"})
    config = Config(mailbox=(box.model_copy(update={"oauth2": broken}),))
    assert credentials.secrets(config) == ("not JSON",)
