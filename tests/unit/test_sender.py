import re
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestd.config import Feed, SecretRef
from ingestd.mail.addresses import Doubt
from ingestd.mail.sender import Authority, by_signature, envelope, proof, to_secret
from ingestd.model import Letter

HIDDEN = "inventory+7f3a9c1e5b2d4860a1b2@in.example"
MX = Authority("inventory", "rfc8601", ("mx.in.example",))
OFFICE = Authority("inventory", "microsoft365")
OWN = Authority("inventory", "rfc8601", (), check_dkim=True)

AR = b"Authentication-Results: mx.in.example; "
DMARC = AR + b"dmarc=pass header.from=dealer.example\r\n"
DKIM = AR + b"dkim=pass header.d=dealer.example\r\n"
FROM = b"From: The Lot <lot@dealer.example>\r\n"
DATE = b"Date: Mon, 23 Nov 2026 06:10:00 +0100\r\n"
WRITTEN = datetime(2026, 11, 23, 5, 10, tzinfo=UTC)
CAME = WRITTEN + timedelta(minutes=1)


def feed(kind, **more):
    return Feed(name="lot", dealership=1, mode="full", sender_proof=kind, **more)


def doubt(head, kind="dmarc", authority=MX, own=None, **more):
    """Ask about a mail that has a date besides, so that for want of one none is refused."""
    return proof(envelope(DATE + head), authority, feed(kind, **more), CAME, own)


# What the header says


def test_a_header_is_read_once():
    mail = envelope(
        b"Delivered-To: in+north@in.example\r\n"
        + DMARC
        + b"Authentication-Results: other\r\n"
        + DATE
        + FROM
        + b"To: Inventory <IN@in.example>\r\nCc: a@b.example\r\n"
        b"Subject: =?UTF-8?Q?L=C3=B6t?= of\r\n today\r\nMessage-ID: <1@dealer.example>\r\n"
    )
    assert mail.sender == mail.author == "lot@dealer.example"
    assert mail.written == "The Lot <lot@dealer.example>"
    assert mail.recipients == ("in+north@in.example", "in@in.example", "a@b.example")
    assert mail.addressed == ("in@in.example", "a@b.example")
    assert (mail.dated, mail.twice) == (WRITTEN, ())
    assert mail.subject == "Löt of today"
    assert mail.message_id == b"<1@dealer.example>"
    assert mail.verdicts == (b"mx.in.example; dmarc=pass header.from=dealer.example", b"other")
    assert mail.letter() == Letter(
        "lot@dealer.example", "Löt of today", automatic=False, written=WRITTEN
    )


@pytest.mark.parametrize(
    "field", [b"Delivered-To", b"X-Original-To", b"X-Delivered-To", b"Envelope-To", b"to", b"CC"]
)
def test_every_field_that_names_a_recipient_is_looked_at(field):
    assert envelope(field + b": a@b.example\r\n").recipients == ("a@b.example",)


def test_an_empty_header_is_nobodys():
    mail = envelope(b"")
    assert (mail.sender, mail.subject, mail.message_id, mail.recipients) == (None, "", b"", ())
    assert mail.automatic
    assert mail.letter().written is None


def test_who_cannot_be_told_is_shown_as_written():
    mail = envelope(b"From: a@b.example, =?utf-8?q?c=40d?= <e@f>\r\n")
    assert isinstance(mail.author, Doubt)
    assert mail.letter().sender == "a@b.example, c@d <e@f>"


def test_a_subject_is_cut_before_it_is_decoded_and_shown_clean():
    mail = envelope(b"Subject: \xe2\x80\xaea\x00b\r\nFrom: x\r\n")
    assert mail.subject == "ab"
    assert len(envelope(b"Subject: " + b"=?utf-8?q?a?= " * 900 + b"\r\n").subject) <= 300


@pytest.mark.parametrize(
    "field",
    [
        b"Auto-Submitted: auto-replied",
        b"Auto-Submitted: auto-generated (by a program); x=y",
        b"Auto-Submitted: (",
        b"Precedence: Bulk",
        b"precedence: list",
        b"Precedence: junk",
        b"List-Id: <lots.example>",
        b"List-Unsubscribe: <mailto:x@y.example>",
        b"X-Auto-Response-Suppress: All",
        b"X-Autoreply: yes",
        b"X-Autorespond: x",
        b"Return-Path: <>",
        b"Return-Path: (none) <>",
        b"Content-Type: multipart/report; report-type=delivery-status",
    ],
)
def test_what_a_program_sent_is_automatic(field):
    assert envelope(FROM + field + b"\r\n").automatic


@pytest.mark.parametrize("local", [b"MAILER-DAEMON", b"Postmaster"])
def test_what_a_postmaster_sent_is_automatic(local):
    assert envelope(b"From: " + local + b"@dealer.example\r\n").automatic


@pytest.mark.parametrize(
    "field",
    [
        b"Auto-Submitted: no",
        b"Auto-Submitted: No (by hand)",
        b"Precedence: normal",
        b"Return-Path: <lot@dealer.example>",
        b"Content-Type: multipart/mixed",
        b"X-Other: x",
    ],
)
def test_what_a_person_sent_is_not(field):
    assert not envelope(FROM + field + b"\r\n").automatic


# The proofs


@pytest.mark.parametrize(("kind", "results"), [("dmarc", DMARC), ("dkim", DKIM)])
def test_what_the_receiving_server_found_for_the_domain_in_from_is_proven(kind, results):
    assert doubt(results + FROM, kind) is None


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (FROM, "wrote no Authentication-Results"),
        (AR + b"spf=pass smtp.mailfrom=dealer.example\r\n" + FROM, "no dmarc result"),
        (AR + b"spf=pass smtp.mailfrom=evil.example\r\n" + FROM, "no dmarc result"),
        (AR + b"dkim=pass header.d=evil.example\r\n" + FROM, "no dmarc result"),
        (DMARC.replace(b"=pass", b"=fail") + FROM, "dmarc=fail"),
        (DMARC + FROM.replace(b"dealer", b"evil"), "for 'dealer.example', not for 'evil.example'"),
        (DMARC.replace(b"dealer", b"evil") + FROM, "for 'evil.example', not for 'dealer.example'"),
        (DMARC + FROM + b"From: x@evil.example\r\n", "2 From headers"),
        (DMARC + b"From: x@evil.example\r\n" + FROM, "2 From headers"),
        (DMARC + b"from : x@evil.example\r\n" + FROM, "2 From headers"),
        (DMARC, "no From header"),
        (DMARC + b"Sender: lot@dealer.example\r\n", "no From header"),
        (DMARC + b"From: lot@dealer.example<x@evil.example>\r\n", "not one plain address"),
        (DMARC + b"From: x@evil.example (lot@dealer.example)\r\n", "not for 'evil.example'"),
        (DMARC + b"From: (lot@dealer.example) x@evil.example\r\n", "not for 'evil.example'"),
        (DMARC + b"From: =?utf-8?q?lot=40dealer.example?=\r\n", "not one plain address"),
        (DMARC + b"From: =?utf-8?q?lot=40dealer.example?= <x@evil.example>\r\n", "not for 'evil"),
        (DMARC + b"From: lot@dealer.example\x00.evil.example\r\n", "control character"),
        (DMARC + b"From: x@evil.example\x00<lot@dealer.example>\r\n", "control character"),
        (DMARC + b"From: lots: lot@dealer.example;\r\n", "not one plain address"),
        (DMARC + b"From: lot@dealer.example, x@evil.example\r\n", "not one plain address"),
        (DMARC + "From: lot@d\u0435aler.example\r\n".encode(), "not for"),
        (DMARC.replace(b"mx.in", b"mx.evil") + FROM, "signed by 'mx.evil.example'"),
        (DMARC.replace(b"mx.in", b"mx.evil") + DMARC + FROM, "signed by 'mx.evil.example'"),
        (AR + b"spf=none\r\nReceived: from x by mx.in.example\r\n" + DMARC + FROM, "no dmarc"),
        (AR + b"dmarc=fail\r\n" + DMARC + FROM, "dmarc=fail"),
        (DMARC + AR + b"dmarc=fail\r\n" + FROM, "dmarc=fail"),
        (DMARC.replace(b"example; ", b"example 2; ") + FROM, "cannot be read"),
        (b"ARC-" + DMARC + FROM, "wrote no Authentication-Results"),
        (b"X-" + DMARC + FROM, "wrote no Authentication-Results"),
        (b"ARC-Seal: i=1; cv=pass; d=in.example\r\nARC-" + DMARC + FROM, "wrote no"),
        (FROM + b"\r\n" + DMARC, "wrote no Authentication-Results"),
        (FROM + b"Subject: x\r\n\t" + DMARC, "wrote no Authentication-Results"),
    ],
)
def test_whatever_else_is_found_proves_nothing(head, said):
    assert said in str(doubt(head))


def test_dmarc_and_dkim_are_two_proofs():
    assert "no dkim result" in str(doubt(DMARC + FROM, "dkim"))
    assert "no dmarc result" in str(doubt(DKIM + FROM, "dmarc"))


def test_microsofts_form_is_believed_of_microsoft_only():
    results = (
        b"Authentication-Results: spf=pass; dmarc=pass action=none header.from=dealer.example\r\n"
    )
    assert doubt(results + FROM, authority=OFFICE) is None
    assert doubt(results + FROM, authority=MX) is not None
    assert doubt(DMARC + FROM, authority=OFFICE) is not None


def test_a_feed_without_a_proof_asks_for_the_most():
    assert doubt(FROM, None) is not None
    assert doubt(DMARC + FROM, None) is None


def test_no_proof_is_wanted_where_none_is_asked_for():
    assert doubt(b"", "none") is None
    assert doubt(FROM, "none", senders=("*",)) is None


def test_who_may_write_can_only_be_told_of_one_author():
    assert "2 From headers" in str(doubt(FROM * 2, "none", senders=("*",)))


# What a signature does not cover


ONCE = [
    "Subject",
    "To",
    "Cc",
    "Date",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "Content-Disposition",
    "Content-Transfer-Encoding",
]


@pytest.mark.parametrize("name", ONCE)
@pytest.mark.parametrize(("kind", "results"), [("dmarc", DMARC), ("dkim", DKIM)])
def test_a_field_beside_the_one_that_was_signed_takes_the_proof_away(name, kind, results):
    field = DATE if name == "Date" else name.encode() + b": x\r\n"
    other = name.upper().encode() + b" : y\r\n"
    signed = results + FROM + (b"" if name == "Date" else field)
    assert doubt(signed, kind) is None
    for head in (other + signed, signed + other):
        assert f"more than one {name}, where one is allowed" in str(doubt(head, kind))


def test_our_own_check_takes_no_second_field_either():
    def good(domain):
        assert domain == "dealer.example"

    assert doubt(FROM + b"Subject: x\r\n", "dkim", OWN, good) is None
    assert "one Subject" in str(doubt(FROM + b"Subject: x\r\n" * 2, "dkim", OWN, good))
    assert "one Subject, To," in str(
        doubt(FROM + b"To: x\r\nSubject: y\r\n" * 2, "dkim", OWN, good)
    )


@pytest.mark.parametrize(("kind", "results"), [("dmarc", DMARC), ("dkim", DKIM)])
def test_an_old_mail_that_comes_anew_is_not_proven(kind, results):
    mail = envelope(DATE + results + FROM)
    week = WRITTEN + timedelta(days=7)
    assert proof(mail, MX, feed(kind), week) is None
    said = proof(mail, MX, feed(kind), week + timedelta(seconds=1))
    assert said == (
        "it was written on 2026-11-23 05:10 UTC, more than 7 days before it came: "
        "an old mail sent again? have the dealer send it anew"
    )


def test_a_clock_of_the_dealers_that_is_ahead_does_no_harm():
    assert proof(envelope(DATE + DMARC + FROM), MX, feed("dmarc"), WRITTEN - timedelta(1)) is None


@pytest.mark.parametrize("date", [b"", b"Date: \r\n", b"Date: today\r\n"])
@pytest.mark.parametrize(("kind", "results"), [("dmarc", DMARC), ("dkim", DKIM)])
def test_a_mail_without_a_date_is_not_proven_by_a_signature(date, kind, results):
    said = proof(envelope(date + results + FROM), MX, feed(kind), CAME)
    assert "no Date header that can be read" in str(said)


def test_two_proofs_rest_on_a_signature():
    kinds = ("dmarc", "dkim", "secret_address", "none", None)
    more = {"secret_address": HIDDEN}
    found = [by_signature(feed(kind, **more if kind == "secret_address" else {})) for kind in kinds]
    assert found == [True, True, False, False, False]


def test_what_is_proven_otherwise_may_be_old_and_have_anything_twice():
    head = FROM + b"To: " + HIDDEN.encode() + b"\r\n" + b"Subject: x\r\n" * 2
    secret = feed("secret_address", secret_address=HIDDEN)
    assert proof(envelope(head), MX, secret, CAME) is None
    assert proof(envelope(head), MX, feed("none", senders=("*",)), CAME) is None


# The secret address


@pytest.mark.parametrize("field", [b"To", b"Delivered-To"])
def test_the_secret_address_proves_whoever_writes(field):
    head = field + b": <" + HIDDEN.upper().encode() + b">\r\n"
    assert doubt(head, "secret_address", secret_address=HIDDEN) is None


@pytest.mark.parametrize(
    "head",
    [
        b"To: inventory@in.example\r\n",
        b"To: x" + HIDDEN.encode() + b"\r\n",
        b"To: " + HIDDEN.encode() + b".evil.example\r\n",
        b"To: \xff@\xff\r\n",
        b"Subject: " + HIDDEN.encode() + b"\r\n",
        b"",
    ],
)
def test_no_other_address_does_and_the_secret_is_not_told(head):
    said = doubt(head, "secret_address", secret_address=HIDDEN)
    assert said is not None
    assert HIDDEN not in said
    assert "7f3a9c1e5b2d4860a1b2" not in said


@pytest.mark.parametrize("secret", [None, "", "  ", SecretRef(env="X")])
def test_a_secret_that_is_not_there_lets_nobody_in(secret):
    wanted = feed("secret_address").model_copy(update={"secret_address": secret})
    assert not to_secret(envelope(b"To: a@b, \r\n" + FROM), wanted)


def test_a_secret_with_a_line_end_is_the_same():
    wanted = feed("secret_address", secret_address=HIDDEN + "\n")
    assert to_secret(envelope(b"To: " + HIDDEN.encode() + b"\r\n"), wanted)


# Our own check of DKIM


def test_our_own_check_proves_where_the_mailbox_has_it():
    asked: list[str] = []
    assert doubt(FROM, "dkim", OWN, asked.append) is None
    assert asked == ["dealer.example"]


def test_our_own_check_is_not_asked_where_it_is_not_needed_or_not_wanted():
    def never(domain):
        raise AssertionError(domain)

    both = Authority("inventory", "rfc8601", ("mx.in.example",), check_dkim=True)
    assert doubt(DKIM + FROM, "dkim", both, never) is None
    assert doubt(FROM, "dkim", MX, never) is not None
    assert doubt(FROM, "dmarc", OWN, never) is not None
    assert doubt(FROM * 2, "dkim", OWN, never) is not None
    assert doubt(FROM, "dkim", OWN, None) is not None


def test_both_say_why_not():
    said = str(doubt(FROM, "dkim", OWN, lambda _: "it bears no signature"))
    assert "wrote no Authentication-Results" in said
    assert "it bears no signature" in said


# Crafted mail: whatever is done to a forger's header, it proves nothing

PIECES = [
    b"lot@dealer.example",
    b"x@evil.example",
    b"<lot@dealer.example>",
    b"<x@evil.example>",
    b'"lot@dealer.example"',
    b"(lot@dealer.example)",
    b"=?utf-8?q?lot=40dealer.example?=",
    b"lots:",
    b"The Lot",
    b"dealer.example",
    *(bytes([sign]) for sign in b'@<>(),;:"\\ .\x00\t[]'),
    b"\xe2\x80\xae",
    b"\xff",
]
RESULTS = [
    b"mx.in.example",
    b"mx.evil.example",
    b"dmarc=pass",
    b"dmarc=fail",
    b"dkim=pass",
    b"spf=pass",
    b"header.from=dealer.example",
    b"header.from=evil.example",
    b"header.d=evil.example",
    b"smtp.mailfrom=dealer.example",
    b"header.from",
    b"evil.example",
    b"none",
    *(bytes([sign]) for sign in b';=()"\\ ./12'),
]
froms = st.lists(st.sampled_from(PIECES), max_size=7).map(b"".join)
results = st.lists(st.sampled_from(RESULTS), max_size=12).map(b" ".join)


@given(st.lists(froms, min_size=1, max_size=3))
@settings(max_examples=300)
def test_crafted_from_headers_prove_only_the_domain_that_passed(values):
    head = b"".join(b"From: " + value + b"\r\n" for value in values)
    passed_for_evil = DMARC.replace(b"dealer", b"evil")
    mail = envelope(DATE + passed_for_evil + head)
    if proof(mail, MX, feed("dmarc"), CAME) is None:
        assert mail.sender is not None
        assert mail.sender.endswith("@evil.example")
        assert len(values) == 1


@given(st.lists(results, max_size=4))
@settings(max_examples=300)
def test_crafted_results_below_the_servers_own_prove_nothing(values):
    own = AR + b"spf=pass smtp.mailfrom=evil.example; dmarc=none\r\n"
    head = b"".join(b"Authentication-Results: " + value + b"\r\n" for value in values)
    assert doubt(own + head + FROM) is not None
    assert doubt(own + head + FROM, "dkim") is not None
    assert doubt(own + FROM + head) is not None


@given(results)
@settings(max_examples=300)
def test_crafted_results_of_other_servers_prove_nothing(value):
    for server in (b"", b"mx.evil.example; ", b"(mx.in.example) mx.evil.example; ", b'"mx" '):
        said = doubt(b"Authentication-Results: " + server + value + b"\r\n" + FROM)
        head = (server + value).split(b";")[0]
        if said is None:
            assert re.sub(rb'[\s"]|\([^)]*\)', b"", head).startswith(b"mx.in.example")


@given(
    st.sampled_from([b"", b" ", b"(c)", b"\r\n ", b"\t(a(b)c) "]),
    st.sampled_from([b"dmarc", b"DMARC", b"dMarc"]),
    st.sampled_from([b"dealer.example", b"DEALER.EXAMPLE", b'"dealer.example"']),
    st.sampled_from(
        [b"lot@dealer.example", b'"x" <LOT@dealer.example>', b"(c) <l@Dealer.Example>"]
    ),
)
def test_the_aligned_one_is_proven_however_it_is_dressed(gap, method, domain, author):
    results = gap.join((AR, method, b"=", b"pass ", b"header.from", b"=", domain, b""))
    assert doubt(results + b"\r\nFrom: " + author + b"\r\n") is None


@pytest.mark.parametrize("unit", [b"(", b"()", b"(\\", b'"', b"a@", b"=?utf-8?q?a?= ", b"\\", b";"])
def test_a_header_full_of_traps_takes_little_time(unit):
    field = unit * (16_000 // len(unit))
    names = (b"To", b"From", b"Subject", b"Authentication-Results", b"Auto-Submitted", b"Cc")
    head = b"".join(name + b": " + field + b"\r\n" for name in names * 2)
    began = time.process_time()
    doubt(head)
    assert time.process_time() - began < 1
