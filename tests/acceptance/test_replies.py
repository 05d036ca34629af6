"""From a mail to the dealer's reply, with the installed daemon and an SMTP server."""

import email
import email.policy
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.message import EmailMessage

import pytest

from tests.acceptance.lots import lot, row, vin
from tests.acceptance.mailhouse import House, authority, letter, opened
from tests.integration.smtp import SILENCE, SmtpServer

DEALER = "boss@zeta.example"
PASSWORD = 's3cret "\\ %/ü'  # noqa: S105  invented
FEED = f"""name = "zeta"
dealership = 1
mode = "full"
sender_proof = "none"
reply_to = ["{DEALER}"]"""


@dataclass(frozen=True)
class Office:
    """A house with mail going in and out."""

    house: House
    server: SmtpServer

    def letter(self, number: int = 0) -> EmailMessage:
        raw = self.server.mails[number].content
        message = email.message_from_bytes(raw, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        return message

    async def told(self, replies: int) -> list[str | None]:
        """Wait until so many replies were sent or given up; say why the latter were."""
        query = """SELECT given_up FROM ingest.replies
                   WHERE sent_at IS NOT NULL OR given_up IS NOT NULL ORDER BY delivery_id"""

        async def there() -> bool:
            return len(await self.house.ask(query)) >= replies

        await self.house.until(there, f"{replies} replies")
        return [row["given_up"] for row in await self.house.ask(query)]


@pytest.fixture
async def office(home, database, ask) -> AsyncIterator[Office]:
    certificate = authority()[1]
    with opened(home, database.ingestd_url, ask) as house:
        async with SmtpServer(certificate, users={"inventory": PASSWORD}) as server:
            house.write_config(
                FEED,
                more=f"""[replies]
host = "localhost"
port = {server.port}
ca_file = "{authority()[0].ca_file}"
user = "inventory"
password = '{PASSWORD}'
sender = "inventory@example.com"
""",
            )
            house.start()
            yield Office(house, server)


async def test_the_dealer_gets_the_rejected_lines_and_nobody_gets_the_password(office):
    rejected = row(9).replace(vin(9), "TBD").replace("Z00009", "-").encode() + b"\n"
    raw = letter("Our lot", lot(3) + rejected)
    office.house.put(raw)
    delivery = await office.house.done(raw)

    assert await office.told(1) == [None]
    assert office.server.mails[0].recipients == [DEALER]
    message = office.letter()
    assert message["Subject"] == "Inventory of zeta: 4 rows, 3 loaded, 1 not"
    assert message["Message-ID"].startswith(f"<ingestd-{delivery['id']}-zeta-")
    (attached,) = message.iter_attachments()
    content = attached.get_payload(decode=True)
    assert content.startswith(b"line\treason\t")
    assert content.endswith(b"5\tno_identifier\t" + rejected)
    assert "s3cret" not in office.house.daemon.log()


async def test_an_automatic_mail_gets_no_reply(office):
    raw = letter("Our lot", lot(3)).replace(
        b"Subject:", b"Auto-Submitted: auto-replied\r\nSubject:"
    )
    office.house.put(raw)
    await office.house.done(raw)

    assert await office.told(1) == ["a program or a mailing list sent the mail"]
    assert office.server.heard == []


async def test_a_killed_daemon_sends_the_same_reply_again_and_settles_the_mail_meanwhile(office):
    office.server.answer(".", SILENCE)
    raw = letter("Our lot", lot(3))
    office.house.put(raw)
    await office.server.until(lambda: "." in office.server.heard, within=60)
    await office.house.done(raw)
    assert office.house.where(raw) == ["Imported"]
    office.house.daemon.kill()
    await office.house.ask("UPDATE ingest.replies SET due_at = now()")
    office.house.start()

    assert await office.told(1) == [None]
    first, second = office.server.mails
    assert first.content == second.content
