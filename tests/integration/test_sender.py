"""Who sent a mail, through the real parsers: none of the forged is proven, the aligned one is."""

import base64
import contextlib
import hashlib
import io
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import dkim
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ingestd import reading, worker
from ingestd.config import Config, Feed, Limits, Mailbox
from ingestd.config import Workers as Processes
from ingestd.errors import Misconfigured, ReadFailed
from ingestd.feed.encode import own_target
from ingestd.mail.dkim import MISSING
from ingestd.mail.sender import Authority
from ingestd.model import Arrival, Excerpt, Finished, Opened, ReadJob
from ingestd.opening import Trust
from ingestd.worker import FAILURE, SETUP, Failure, Job, Setup, records
from ingestd.workers import Workers, _raise, authorities, require_packages
from tests.acceptance.lots import HEADER, lot

HIDDEN = "inventory+7f3a9c1e5b2d4860a1b2@in.example"
PASSWORD = "canary-pass-word"  # noqa: S105  to be looked for
CAME = datetime.now(tz=UTC)  # noqa: TID251  signatures are made now
DATE = b"Date: " + format_datetime(CAME).encode() + b"\r\n"

MAILBOX = Mailbox(
    name="inventory",
    host="imap.example.com",
    user="in",
    password=PASSWORD,
    trusted_authserv_ids=("mx.in.example",),
)
FEEDS = (
    Feed(
        name="lot",
        dealership=1,
        mode="full",
        senders=("*@dealer.example",),
        sender_proof="dmarc",
    ),
    Feed(
        name="secret",
        dealership=2,
        mode="full",
        sender_proof="secret_address",
        secret_address=HIDDEN,
    ),
)

PASS = b"Authentication-Results: mx.in.example; dmarc=pass header.from=dealer.example\r\n"
NONE = b"Authentication-Results: mx.in.example; dmarc=none header.from=dealer.example\r\n"
EVIL = b"Authentication-Results: mx.evil.example; dmarc=pass header.from=dealer.example\r\n"
TRACE = b"Received: from somewhere by mx.in.example; Mon, 23 Nov 2026 05:10:00 +0000\r\n"
FROM = b"From: The Lot <lot@dealer.example>\r\n"

FORGED = {
    "no header of the server at all": FROM,
    "another author": PASS + b"From: lot@evil.example\r\n",
    "results below the server's own": NONE + PASS + FROM,
    "results below the server's trace": NONE + TRACE + PASS + FROM,
    "results above the server's own": EVIL + PASS + FROM,
    "results of another server": TRACE + EVIL + FROM,
    "results of another version": PASS.replace(b"example;", b"example 2;", 1) + FROM,
    "results in a comment": PASS.replace(b"; ", b"; spf=none (").replace(b"\r", b")\r") + FROM,
    "results for another domain": PASS.replace(b"dealer", b"evil") + FROM,
    "results that fail": PASS.replace(b"pass", b"fail") + FROM,
    "results that pass and fail": PASS.replace(b"\r", b"; dmarc=fail\r") + FROM,
    "results of a passed-on mail": b"ARC-" + PASS + FROM,
    "SPF alone": PASS.replace(b"dmarc=pass header.from", b"spf=pass smtp.mailfrom") + FROM,
    "two authors": PASS + FROM + b"From: x@evil.example\r\n",
    "two authors, the other first": PASS + b"From: x@evil.example\r\n" + FROM,
    "two addresses": PASS + b"From: lot@dealer.example, x@evil.example\r\n",
    "an address before the brackets": PASS + b"From: lot@dealer.example<x@evil.example>\r\n",
    "an address in a comment": PASS + b"From: (lot@dealer.example) x@evil.example\r\n",
    "an address in a quoted name": PASS + b'From: "lot@dealer.example" <x@evil.example>\r\n',
    "an address in an encoded word": PASS + b"From: =?utf-8?q?lot=40dealer.example?=\r\n",
    "an address cut by NUL": PASS + b"From: lot@dealer.example\x00@evil.example\r\n",
    "a group": PASS + b"From: lots: lot@dealer.example;\r\n",
    "a letter of another script": PASS + "From: lot@d\u0435aler.example\r\n".encode(),
    "an author below the header": PASS + b"\r\n" + FROM,
    "a forwarded letter": b"From: x@evil.example\r\nContent-Type: message/rfc822\r\n\r\n"
    + PASS
    + FROM,
}


def letter(head: bytes, table: bytes = b"VIN\r\n") -> bytes:
    return DATE + undated(head, table)


def undated(head: bytes, table: bytes = b"VIN\r\n") -> bytes:
    return head + (
        b"Subject: lot\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n--x\r\n'
        b"Content-Type: text/tab-separated-values\r\nContent-Transfer-Encoding: base64\r\n"
        b'Content-Disposition: attachment; filename="lot.tsv"\r\n\r\n'
        + base64.encodebytes(table)
        + b"\r\n--x--\r\n"
    )


class Post:
    """A spool, and parsers that open what is put into it."""

    def __init__(self, directory: Path, mailbox: Mailbox = MAILBOX) -> None:
        self._directory = directory
        processes = Processes(processes=1)
        config = Config(workers=processes, mailbox=(mailbox,), feed=FEEDS)
        self.workers = Workers(config, directory.joinpath)

    def put(self, raw: bytes) -> Arrival:
        name = hashlib.sha256(raw).hexdigest()
        self._directory.joinpath(name).write_bytes(raw)
        return Arrival("inventory", "mail", name, "INBOX 7", name, len(raw), CAME)

    async def open(self, head: bytes) -> Opened:
        return await self.workers.open(self.put(letter(head)))


@pytest.fixture
async def post(tmp_path):
    place = Post(tmp_path)
    async with place.workers:
        yield place


async def test_no_forged_mail_is_proven_and_the_aligned_one_is(post):
    fates = {what: (await post.open(head)).files for what, head in FORGED.items()}
    proven = {what for what, files in fates.items() if any(file.reason is None for file in files)}
    opened = {what for what, files in fates.items() if files[0].name != "INBOX 7"}
    reasons = {file.reason for files in fates.values() for file in files}

    (good,) = (await post.open(PASS + TRACE + FROM)).files

    assert (proven, opened, reasons) == (set(), set(), {"unproven_sender"})
    assert (good.name, good.feed, good.reason) == ("lot.tsv", "lot", None)


async def test_a_proven_mail_that_was_tampered_with_or_comes_anew_is_not_proven(post):
    old = b"Date: " + format_datetime(CAME - timedelta(days=8)).encode() + b"\r\n"
    tampered = {
        "another subject on top": letter(b"Subject: south\r\n" + PASS + FROM),
        "another type on top": letter(b"Content-Type: text/plain\r\n" + PASS + FROM),
        "no date": undated(PASS + FROM),
        "an old date": undated(old + PASS + FROM),
        "an old date and a new one": letter(PASS + FROM + old),
    }
    found = {what: await post.workers.open(post.put(raw)) for what, raw in tampered.items()}
    good = await post.open(PASS + FROM)

    assert {file.reason for each in found.values() for file in each.files} == {"unproven_sender"}
    assert good.files[0].reason is None
    assert good.letter is not None
    assert good.letter.written == CAME.replace(microsecond=0)


async def test_the_secret_address_proves_and_is_never_told(post):
    (good,) = (await post.open(b"From: x@y.example\r\nTo: " + HIDDEN.encode() + b"\r\n")).files
    (bad,) = (await post.open(b"From: x@y.example\r\nTo: in@in.example\r\n")).files

    assert (good.feed, good.reason) == ("secret", None)
    assert (bad.feed, bad.reason) == ("secret", "unproven_sender")
    assert HIDDEN not in bad.message


async def test_a_proven_mail_is_read_and_its_rejected_lines_can_be_had_again(post):
    arrival = post.put(letter(PASS + FROM, lot(2) + b"not a row\n"))
    files = (await post.workers.open(arrival)).files
    job = ReadJob(arrival.sha256, "mail", arrival.name, files, 1, "2026-11-24", own_target())
    async with post.workers.read(job) as reading_:
        *_, finished = [item async for item in reading_]
    wanted = Excerpt(arrival, 0, "lot", ((4, "too_few_cells"),))
    text = b"".join([block async for block in post.workers.excerpt(wanted)])

    assert isinstance(finished, Finished)
    assert (finished.files[0].rows, finished.files[0].rejected) == (2, 1)
    assert text.decode() == f"line\treason\t{HEADER}\n4\ttoo_few_cells\tnot a row\n"


def test_the_parsers_are_told_whom_to_believe_and_no_password():
    config = Config(mailbox=(MAILBOX,), feed=FEEDS)
    told = authorities(config)
    setup = Setup(config.feed, config.limits, 1, 1.0, told)

    assert told == (Authority("inventory", "rfc8601", ("mx.in.example",), check_dkim=False),)
    assert PASSWORD.encode() not in SETUP.dump_json(setup)
    assert SETUP.validate_json(SETUP.dump_json(setup)) == setup


# Our own check of DKIM: real DNS questions, to a name server of our own


class Names:
    """A name server on loopback; ``answers`` are TXT records, "silence" or "failure" by name."""

    def __init__(self, answers: dict[str, object]) -> None:
        self.answers, self.asked = answers, 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while (got := self._socket.recvfrom(4096))[0] != b"end":
                self.asked += 1
                reply = self._reply(dns.message.from_wire(got[0]))
                if reply is not None:
                    self._socket.sendto(reply.to_wire(), got[1])

    def _reply(self, question: dns.message.Message) -> dns.message.Message | None:
        name = question.question[0].name
        answer = self.answers.get(name.to_text())
        reply = dns.message.make_response(question)
        reply.flags |= dns.flags.RA
        if isinstance(answer, tuple):
            texts = [
                json.dumps(text) if isinstance(text, str) else " ".join(map(json.dumps, text))
                for text in answer
            ]
            if texts:
                reply.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", *texts))
        else:
            reply.set_rcode(dns.rcode.SERVFAIL if answer == "failure" else dns.rcode.NXDOMAIN)
        return None if answer == "silence" else reply

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"end", ("127.0.0.1", self.port))
        self._thread.join(5)
        self._socket.close()


@contextlib.contextmanager
def name_server(**answers: object) -> Iterator[Names]:
    names = Names(
        {f"{name}._domainkey.dealer.example.": answer for name, answer in answers.items()}
    )
    try:
        yield names
    finally:
        names.close()


def asked(names: Names, name: bytes, within: float = 5.0) -> bytes | None:
    return records(["127.0.0.1"], names.port, within)(name)


def test_a_record_is_put_together_from_its_strings():
    with name_server(s1=(("v=DKIM1; ", "p=abc"),)) as names:
        assert asked(names, b"s1._domainkey.dealer.example.") == b"v=DKIM1; p=abc"


@pytest.mark.parametrize("name", [b"s2", b"none", b"two", b"s..1", b"\xff", b"a" * 64, b"a." * 130])
def test_a_record_that_is_not_there_is_none(name):
    with name_server(none=(), two=("p=a", "p=b")) as names:
        assert asked(names, name + b"._domainkey.dealer.example.") is None


@pytest.mark.parametrize("trouble", ["silence", "failure"])
def test_a_name_server_that_gives_no_answer_says_nothing_about_the_record(trouble):
    began = time.monotonic()
    with (
        name_server(s1=trouble) as names,
        pytest.raises(ReadFailed, match="the DNS gave no answer"),
    ):
        asked(names, b"s1._domainkey.dealer.example.", within=0.3)
    assert time.monotonic() - began < 5


def test_all_questions_about_a_mail_share_their_time():
    with name_server(s1="silence", s2=("p=a",)) as names:
        find = records(["127.0.0.1"], names.port, 0.3)
        with pytest.raises(ReadFailed):
            find(b"s1._domainkey.dealer.example.")
        before = names.asked
        with pytest.raises(ReadFailed):
            find(b"s2._domainkey.dealer.example.")
        assert names.asked == before


def signed() -> tuple[bytes, str]:
    """Give a mail that its domain signed, and the record of the key."""
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    raw = letter(FROM)
    record = "v=DKIM1; p=" + base64.b64encode(public).decode()
    return dkim.sign(raw, b"s1", b"dealer.example", pem) + raw, record


def opened(raw: bytes, names: Names) -> Opened:
    feed = FEEDS[0].model_copy(update={"sender_proof": "dkim"})
    trust = Trust((Authority("inventory", check_dkim=True),), records(["127.0.0.1"], names.port))
    arrival = Arrival("inventory", "mail", "k", "INBOX 7", "0" * 64, len(raw), CAME)
    return reading.open_delivery(arrival, lambda: iter((raw,)), (feed,), Limits(), trust)


def test_a_signature_is_checked_with_the_key_that_the_dns_has():
    raw, record = signed()
    with name_server(s1=((record[:200], record[200:]),)) as names:
        (file,) = opened(raw, names).files
        (forged,) = opened(raw.replace(b"Subject: lot", b"Subject: lots"), names).files

    assert (file.name, file.feed, file.reason) == ("lot.tsv", "lot", None)
    assert (forged.feed, forged.reason) == ("lot", "unproven_sender")


def test_a_dns_that_is_away_is_no_verdict_on_the_mail(monkeypatch, tmp_path):
    raw, _ = signed()
    (tmp_path / "mail").write_bytes(raw)
    feed = FEEDS[0].model_copy(update={"sender_proof": "dkim"})
    setup = Setup((feed,), Limits(), 1 << 30, 60.0, (Authority("inventory", check_dkim=True),))
    arrival = Arrival("inventory", "mail", "k", "INBOX 7", "0" * 64, len(raw), CAME)
    job = Job(op="open", path=str(tmp_path / "mail"), arrival=arrival)
    outbox = io.BytesIO()
    with name_server(s1="failure") as names:
        monkeypatch.setattr(worker, "records", lambda: records(["127.0.0.1"], names.port))
        worker._serve(job, setup, outbox)
    frame = outbox.getvalue()

    assert frame[:1] == b"X"
    assert FAILURE.validate_json(frame[5:]).kind == "world"
    with pytest.raises(ReadFailed, match=r"no answer about s1\._domainkey"):
        _raise(frame[5:])


def test_a_failure_of_memory_is_another():
    with pytest.raises(ReadFailed, match=r"workers\.memory"):
        _raise(FAILURE.dump_json(Failure("memory", "the parser ran out of memory", "")))


async def test_what_a_mailbox_needs_must_be_installed(monkeypatch, tmp_path):
    checking = MAILBOX.model_copy(update={"check_dkim": True})
    require_packages(Config(mailbox=(checking,), feed=FEEDS))
    monkeypatch.setitem(sys.modules, "dkim", None)
    require_packages(Config(mailbox=(MAILBOX,), feed=FEEDS))
    with pytest.raises(Misconfigured) as refused:
        async with Post(tmp_path, checking).workers:
            pass
    assert str(refused.value) == f"mailbox[inventory].check_dkim: {MISSING}"


def test_where_the_package_for_the_dns_is_away_nothing_is_asked(monkeypatch):
    monkeypatch.setitem(sys.modules, "dns.resolver", None)
    with pytest.raises(ReadFailed, match="pip install"):
        records()(b"s1._domainkey.dealer.example.")
