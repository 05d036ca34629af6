import base64
import gzip
import io
import zipfile
from dataclasses import replace
from datetime import UTC, datetime

import dkim as library
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ingestd.config import Feed, Limits
from ingestd.mail.parts import Blocked, blocks
from ingestd.mail.sender import Authority
from ingestd.model import Arrival, Letter
from ingestd.opening import Trust, open_delivery, open_members

LIMITS = Limits()
HEAD = b"VIN\tMake\n"
HIDDEN = "inventory+7f3a9c1e5b2d4860a1b2@in.example"
OTHER = "inventory+00112233445566778899@in.example"
TRUST = Trust((Authority("inventory", "rfc8601", ("mx.in.example",)),))
PASS = b"Authentication-Results: mx.in.example; dmarc=pass header.from=dealer.example\r\n"
DATE = b"Date: Sun, 22 Nov 2026 23:10:00 +0000\r\n"
WRITTEN = datetime(2026, 11, 22, 23, 10, tzinfo=UTC)
FROM = b"From: The Lot <lot@dealer.example>\r\nSubject: lot\r\n" + DATE
LETTER = Letter("lot@dealer.example", "lot", automatic=False, written=WRITTEN)


def arrival(kind="mail", name="INBOX 7", *, source="inventory", hint=None):
    came = datetime(2026, 11, 23, tzinfo=UTC)
    return Arrival(source, kind, "k", name, "0" * 64, 5, came, hint)


def feed(name="lot", proof="dmarc", **more):
    given = {"senders": ("*@dealer.example",), **more} if proof == "dmarc" else more
    return Feed(name=name, dealership=1, mode="full", sender_proof=proof, **given)


def part(name, data, kind=b"application/octet-stream"):
    return (
        b"--x\r\nContent-Type: " + kind + b"\r\nContent-Transfer-Encoding: base64\r\n"
        b'Content-Disposition: attachment; filename="' + name + b'"\r\n\r\n'
        + base64.encodebytes(data) + b"\r\n"
    )  # fmt: skip


def mail(*parts, head=PASS + FROM):
    kind = b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="x"\r\n\r\n'
    return head + kind + b"".join(parts or [part(b"lot.tsv", HEAD)]) + b"--x--\r\n"


def zipped(*names):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as packed:
        for name in names:
            packed.writestr(name, HEAD)
    return data.getvalue()


def opened(raw, *feeds, trust=TRUST, given=None):
    return open_delivery(given or arrival(), blocks(raw), feeds or (feed(),), LIMITS, trust)


def files(raw, *feeds, **more):
    return [(file.name, file.feed, file.reason) for file in opened(raw, *feeds, **more).files]


# Folders


def test_the_files_of_a_dropped_archive_go_each_by_its_name():
    feeds = (Feed(name="new", dealership=1, mode="full", file=("new*",)),)
    given = arrival("folder", "lot.zip")
    (new, used) = opened(zipped("new.tsv", "used.tsv"), *feeds, given=given).files
    assert (new.index, new.name, new.size, new.feed, new.reason) == (0, "new.tsv", 9, "new", None)
    assert (used.index, used.feed, used.reason) == (1, None, "no_feed")


def test_a_dropped_archive_that_cannot_be_opened_has_a_reason():
    given = arrival("folder", "lot.zip", hint="lot")
    assert files(b"PK\x03\x04 no", given=given) == [("lot.zip", "lot", "unreadable_archive")]


def test_a_dropped_archive_with_nothing_in_it_is_one_refused_file():
    found = opened(zipped(), given=arrival("folder", "lot.zip", hint="lot"))
    (file,) = found.files
    assert (file.name, file.feed, file.reason) == ("lot.zip", "lot", "no_table")
    assert "'lot.zip' holds no file" in file.message
    assert found.letter is None


def test_a_dropped_message_needs_no_proof_for_a_person_dropped_it():
    given = arrival("folder", "mail.eml", source="drop", hint="lot")
    assert files(mail(head=FROM), given=given) == [("lot.tsv", "lot", None)]


# Mail: whose it is


def test_a_proven_letter_brings_its_files_and_says_who_wrote():
    raw = mail(
        part(b"a.tsv", HEAD),
        part(b"b.zip", zipped("c.tsv")),
        part(b"d.tsv.gz", gzip.compress(HEAD)),
    )
    found = opened(raw)
    assert [(f.index, f.name, f.size, f.feed, f.reason) for f in found.files] == [
        (0, "a.tsv", 9, "lot", None),
        (1, "c.tsv", 9, "lot", None),
        (2, "d.tsv", 9, "lot", None),
    ]
    assert found.letter == LETTER


@pytest.mark.parametrize("name", ["INBOX 7", "lot.tsv", "lot.zip", "x.eml"])
def test_a_mail_is_a_mail_whatever_its_name(name):
    assert files(mail(), given=arrival(name=name)) == [("lot.tsv", "lot", None)]


def test_a_letter_that_no_feed_takes_is_not_opened():
    found = opened(mail(), feed(senders=("*@south.example",)))
    (file,) = found.files
    assert (file.index, file.name, file.size) == (0, "INBOX 7", 5)
    assert (file.feed, file.reason) == (None, "no_feed")
    assert "takes mail from *@south.example only, not from 'lot@dealer.example'" in file.message
    assert found.letter == LETTER


def test_a_mailbox_that_is_not_configured_believes_nobody():
    assert files(mail(), given=arrival(source="old")) == [("INBOX 7", "lot", "unproven_sender")]


def test_a_header_that_is_too_large_is_not_looked_into():
    found = opened(b"X: " + b"a" * 20_000 + b"\r\n" + mail())
    (file,) = found.files
    assert (file.feed, file.reason) == (None, "too_large")
    assert "256 KiB" in file.message
    assert found.letter == Letter("", "", automatic=True)


# Mail: whether it is proven


def test_a_letter_whose_sender_is_not_proven_is_not_opened():
    found = opened(mail(head=FROM))
    (file,) = found.files
    assert (file.index, file.name, file.feed, file.reason) == (
        0,
        "INBOX 7",
        "lot",
        "unproven_sender",
    )
    assert (
        'feed lot wants sender_proof = "dmarc", and the receiving server wrote no' in file.message
    )
    assert "must be signed for their own domain" in file.message
    assert found.letter == LETTER


def test_of_an_unproven_letter_no_byte_beyond_its_header_is_looked_at():
    read = []

    def content():
        read.append("header")
        yield mail(head=FROM)[:100] + b"X: y\r\n" + b"\r\n" + b"z" * (300 << 10)
        read.append("body")

    found = open_delivery(arrival(), content, (feed(),), LIMITS, TRUST)
    assert found.files[0].reason == "unproven_sender"
    assert read == ["header"]


def test_an_unproven_letter_for_two_feeds_is_nobodys_and_both_say_why():
    (file,) = opened(mail(head=FROM), feed("a"), feed("b"), trust=Trust()).files
    assert (file.feed, file.reason) == (None, "unproven_sender")
    assert "feed a wants" in file.message
    assert "feed b wants" in file.message


def test_a_file_for_a_feed_without_proof_is_not_given_to_another():
    both = mail(part(b"a.tsv", HEAD), part(b"b.tsv", HEAD), part(b"c.pdf", HEAD))
    feeds = (feed("a", file=("a*", "c*")), feed("b", "dkim", file=("b*",)))
    found = opened(both, *feeds)
    assert [(file.name, file.feed, file.reason) for file in found.files[:2]] == [
        ("a.tsv", "a", None),
        ("b.tsv", "b", "unproven_sender"),
    ]
    assert 'feed b wants sender_proof = "dkim"' in found.files[1].message
    assert "feed a" not in found.files[1].message


def test_a_file_that_fits_a_proven_feed_and_one_without_proof_goes_to_neither():
    feeds = (feed("a", "none"), feed("b", "dkim"))
    assert files(mail(head=FROM), *feeds) == [("lot.tsv", None, "several_feeds")]


def test_what_is_forwarded_is_proven_by_the_outer_letter():
    inner = mail(head=PASS + FROM)
    outer = b"From: x@evil.example\r\n"
    forward = part(b"fwd.eml", inner, b"message/rfc822")
    assert files(mail(forward, head=outer)) == [("INBOX 7", None, "no_feed")]
    outer = b"Authentication-Results: mx.in.example; dmarc=none\r\n" + FROM
    assert files(mail(forward, head=outer)) == [("INBOX 7", "lot", "unproven_sender")]


def test_a_letter_with_nothing_that_could_be_an_inventory_says_what_to_send():
    raw = PASS + FROM + b"\r\nhello\r\n"
    (file,) = opened(raw, feed(file=("*.tsv",))).files
    assert (file.name, file.feed) == ("INBOX 7", "lot")
    assert file.reason == "no_table"
    assert "TSV" in file.message


def test_what_cannot_be_read_of_a_proven_letter_keeps_its_reason():
    raw = mail(part(b"a.zip", b"PK\x03\x04 no"), part(b"b.tsv", HEAD))
    assert files(raw) == [("a.zip", "lot", "unreadable_archive"), ("b.tsv", "lot", None)]
    two = (feed("x", file=("x*",)), feed("y", file=("y*",)))
    assert files(raw, *two)[0] == ("a.zip", None, "unreadable_archive")


def test_what_is_no_table_keeps_its_reason_and_belongs_to_the_only_feed():
    raw = mail(part(b"lot.pdf", b"%PDF-1.4 x", b"application/pdf"))
    assert files(raw, feed(file=("*.tsv",))) == [("lot.pdf", "lot", "not_a_table")]


def test_an_attachment_with_no_feed_says_so():
    assert files(mail(), feed(file=("*.csv",))) == [("lot.tsv", None, "no_feed")]


def test_an_old_letter_that_comes_anew_is_not_opened():
    (file,) = opened(mail(head=PASS + FROM.replace(b"22 Nov", b"15 Nov"))).files
    assert (file.name, file.feed, file.reason) == ("INBOX 7", "lot", "unproven_sender")
    assert "written on 2026-11-15 23:10 UTC, more than 7 days before it came" in file.message


def test_a_replay_is_proven_as_of_when_its_mail_first_came():
    raw = mail(head=PASS + FROM.replace(b"22 Nov", b"15 Nov"))
    came = datetime(2026, 11, 16, tzinfo=UTC)
    (file,) = opened(raw, given=replace(arrival(), only_feed="lot", came=came)).files
    assert (file.feed, file.reason) == ("lot", None)


# Mail: fields that a signature does not cover

NORTH = feed("north", subject=("north",), to=("north@in.example",))
SOUTH = feed("south", subject=("south",), to=("south@in.example",))
SIGNED = b"From: lot@dealer.example\r\nSubject: north\r\nTo: north@in.example\r\n" + DATE


def test_a_proven_letter_cannot_be_steered_into_another_feed():
    added = b"To: south@in.example\r\nSubject: south\r\n"
    assert files(mail(head=PASS + SIGNED), NORTH, SOUTH) == [("lot.tsv", "north", None)]
    for head in (added + SIGNED, SIGNED + added, SIGNED.replace(b"To:", b"Cc:") + added):
        (file,) = opened(mail(head=PASS + head), NORTH, SOUTH).files
        assert (file.name, file.reason) == ("INBOX 7", "unproven_sender")
        assert "more than one Subject" in file.message


def test_a_second_content_type_on_top_is_refused():
    raw = mail(head=b'Content-Type: multipart/mixed; boundary="y"\r\n' + PASS + FROM)
    (file,) = opened(raw).files
    assert file.reason == "unproven_sender"
    assert "more than one Content-Type" in file.message


@pytest.mark.parametrize("field", [b"Delivered-To", b"X-Original-To", b"Envelope-To"])
def test_what_delivery_adds_does_not_count_where_a_signature_proves(field):
    head = FROM + field + b": in@in.example\r\n"
    signed, open_ = feed(to=("in@*",)), feed("open", "none", to=("in@*",))
    (file,) = opened(mail(head=PASS + head), signed).files
    assert (file.feed, file.reason) == (None, "no_feed")
    assert "only To and Cc count" in file.message
    assert files(mail(head=PASS + head), signed, open_) == [("lot.tsv", "open", None)]
    for other in (b"To", b"Cc"):
        named = PASS + head.replace(field, other)
        assert files(mail(head=named), signed) == [("lot.tsv", "lot", None)]


# Mail: secret addresses


def to(address, head=FROM):
    return mail(head=head + b"To: " + address.encode() + b"\r\n")


ONE = feed("one", "secret_address", secret_address=HIDDEN)
TWO = feed("two", "secret_address", secret_address=OTHER)


def test_feeds_with_secret_addresses_share_a_mailbox():
    assert files(to(HIDDEN), ONE, TWO) == [("lot.tsv", "one", None)]
    assert files(to(OTHER), ONE, TWO) == [("lot.tsv", "two", None)]
    assert files(to(f"{HIDDEN}, {OTHER}"), ONE, TWO) == [("lot.tsv", None, "several_feeds")]


def test_a_feed_with_a_secret_address_stands_back_behind_one_that_fits():
    assert files(mail(), feed(), ONE) == [("lot.tsv", "lot", None)]
    assert files(mail(head=FROM), feed(), ONE) == [("INBOX 7", "lot", "unproven_sender")]


def test_a_letter_to_no_secret_address_is_unproven_and_none_is_told():
    (file,) = opened(to("in@in.example"), ONE, TWO).files
    assert (file.feed, file.reason) == (None, "unproven_sender")
    assert "send it to the address that was given to them" in file.message
    assert "7f3a" not in file.message
    assert "0011" not in file.message


def test_an_author_who_cannot_be_told_is_told_to_the_dealer():
    anybody = feed("lot", "none", senders=("*",))
    assert files(mail(head=FROM), anybody) == [("lot.tsv", "lot", None)]
    assert files(mail(head=FROM + FROM), anybody) == [("INBOX 7", None, "no_feed")]


# Mail: our own check


def test_our_own_check_of_dkim_is_asked_once_for_each_domain():
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    asked = []

    def txt(name):
        asked.append(name)
        return b"p=" + base64.b64encode(public)

    raw = mail(head=FROM.replace(DATE, b"Date: 30 Dec 2099 12:00:00 +0000\r\n"))
    raw = library.sign(raw, b"s1", b"dealer.example", pem) + raw
    own = Trust((Authority("inventory", check_dkim=True),), txt)
    feeds = (feed("a", "dkim", file=("lot*",)), feed("b", "dkim", file=("x*",)))
    late = Arrival("inventory", "mail", "k", "m", "0" * 64, 5, datetime(2100, 1, 1, tzinfo=UTC))
    assert files(raw, *feeds, trust=own, given=late) == [("lot.tsv", "a", None)]
    assert asked == [b"s1._domainkey.dealer.example."]
    assert files(raw, *feeds, given=late)[0][2] == "unproven_sender"


# The same files, in the same order, when they are read


def test_what_is_read_later_are_the_files_that_were_opened():
    raw = mail(part(b"a.tsv", HEAD), part(b"b.zip", zipped("c.tsv", "d.tsv")))
    found = opened(raw).files
    for kind, name in (("mail", "INBOX 7"), ("mail", "x.zip"), ("folder", "x.eml")):
        members = open_members(kind, name, blocks(raw), LIMITS)
        assert [member.name for member in members] == [file.name for file in found]


def test_a_plain_file_is_its_own_only_member():
    (member,) = open_members("folder", "lot.tsv", blocks(HEAD), LIMITS)
    assert not isinstance(member, Blocked)
    assert b"".join(member.content()) == HEAD
