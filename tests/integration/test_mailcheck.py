"""``ingestd check`` on a mailbox: each step is told, and nothing is changed there."""

from pathlib import Path
from typing import Any

from ingestd.config import Config
from ingestd.mailcheck import check_mail
from ingestd.report import Step
from ingestd.settings import Mailbox
from tests.integration.mailservers import USERS, Dovecot
from tests.integration.postbox import mail

BARE = "IMAP4rev1"


async def steps(state: Path, server: Dovecot, **options: Any) -> list[Step]:
    values = {
        "name": "inbox",
        "host": "localhost",
        "port": server.port,
        "plaintext": True,
        "user": "alice",
        "password": USERS["alice"],
        **options,
    }
    config = Config(state_dir=str(state), mailbox=(Mailbox(**values),))
    return [step async for step in check_mail(config)]


def told(found: list[Step]) -> dict[str, str]:
    return {step.name.removeprefix("mailbox inbox: "): step.message for step in found}


async def test_every_step_is_told_and_nothing_is_changed(dovecot, tmp_path):
    dovecot.put(mail("one"))
    found = await steps(tmp_path, dovecot)

    assert all(step.well for step in found)
    assert told(found) == {
        "connection": f"localhost:{dovecot.port} answers, in clear, on this machine",
        "login": "alice is let in",
        "folder": "INBOX has 1 messages",
        "abilities": "IDLE: mail is heard of at once; MOVE",
        "settling": "Imported will be made, Rejected will be made",
    }
    assert "Imported" not in dovecot.folders("alice")
    assert dovecot.flags("alice") == [set()]


async def test_what_a_poor_server_lacks_is_told_with_what_is_done_instead(launch_dovecot, tmp_path):
    found = told(await steps(tmp_path, launch_dovecot(capability=BARE), settle="flags"))

    assert found["abilities"] == (
        "no IDLE: it is polled every minute; no MOVE: mail is copied and its original removed; "
        "no UIDPLUS: originals stay, marked as deleted"
    )
    assert found["settling"] == "mail is marked and stays where it is"


async def test_a_refused_login_is_told_at_its_step_and_ends_the_trial(dovecot, tmp_path):
    found = await steps(tmp_path, dovecot, password="not this")  # noqa: S106  a wrong one

    assert [step.well for step in found] == [True, False]
    assert found[-1].name == "mailbox inbox: login"
    assert "not this" not in found[-1].message


async def test_a_server_that_nobody_vouches_for_is_told_at_the_connection(dovecot, tmp_path):
    found = await steps(tmp_path, dovecot, port=dovecot.tls_port, plaintext=False)

    assert [step.name for step in found] == ["mailbox inbox: connection"]
    assert "certificate" in found[0].message
    assert "ca_file" in found[0].message


async def test_a_folder_that_is_not_there_is_told(dovecot, tmp_path):
    found = await steps(tmp_path, dovecot, folder="Inventory")

    assert (found[-1].name, found[-1].well) == ("mailbox inbox: folder", False)
    assert "Inventory" in found[-1].message
    assert "INBOX" in found[-1].message
