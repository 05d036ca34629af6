import base64
import functools
import sys
import time

import dkim as library
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ingestd.mail.dkim import MISSING, Sealed, check
from ingestd.mail.parts import blocks

NAME = b"s1._domainkey.dealer.example."
CAME = time.time()
MAIL = (
    b"From: Lot <lot@dealer.example>\r\nTo: in@in.example\r\nSubject: lot \r\n  of today\r\n"
    b"\r\nVIN\tPrice \t \r\nA  1\r\n \r\n\r\n"
)


@functools.cache
def pair(bits):
    """Give a private key as PEM and the DNS record of its public one."""
    key = rsa.generate_private_key(65537, bits)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem, b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)


def signed(mail=MAIL, *, domain=b"dealer.example", bits=1024, **more):
    """Sign a mail with the library; the signature stands on top."""
    options = {"canonicalize": (b"relaxed", b"relaxed"), **more}
    return library.sign(mail, b"s1", domain, pair(bits)[0], **options) + mail


def asked(mail, *, txt=None, came=CAME, most=1 << 20, domain="dealer.example"):
    records = {NAME: pair(1024)[1]} if txt is None else txt
    return check(Sealed(blocks(mail), most, came, records.get), domain)


@pytest.mark.parametrize(
    "forms", [(head, body) for head in (b"simple", b"relaxed") for body in (b"simple", b"relaxed")]
)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\r\n",
        b"\r\n\r\n\r\n",
        b"text",
        b"text \t ",
        b"text\r\n",
        b" a \t b\t\r\n\r\n \r\n\r\n",
        b"a\r\r\n\r\n",
        b"a\r\n\r",
        b"\r\r\n",
        b"   \r\n  ",
        b"a\nb\n\n",
    ],
)
def test_what_a_domain_has_signed_is_its_own_in_every_canonical_form(forms, body):
    mail = b"From: lot@dealer.example\r\nSubject:  a \t b\r\n\r\n" + body
    assert asked(signed(mail, canonicalize=forms)) is None


def test_a_real_key_does():
    assert asked(signed(bits=2048), txt={NAME: pair(2048)[1]}) is None


def test_lines_that_end_with_lf_alone_are_the_same_mail():
    assert asked(signed().replace(b"\r\n", b"\n")) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"A  1", b"A  2"),
        (b"lot@dealer", b"LOT@dealer"),
        (b"Subject: lot", b"Subject: lots"),
        (b"\r\n\r\nVIN", b"\r\n\r\n\r\nVIN"),
        (b"From: Lot", b"From: Lot\r\nFrom: Lot"),
        (b"A  1\r\n", b"A  1\r\nB 1\r\n"),
    ],
)
def test_what_was_changed_on_the_way_is_noticed(old, new):
    mail = signed()
    assert old in mail
    assert "proves nothing" in str(asked(mail.replace(old, new)))


def test_a_from_that_is_added_on_top_is_noticed():
    mail = b"From: x@evil.example\r\n" + signed()
    assert "it does not fit the header" in str(asked(mail))


def test_the_signature_of_another_domain_or_of_a_parent_is_not_looked_at():
    asked_for: list[bytes] = []
    mail = signed(domain=b"example") + b""
    sealed = Sealed(blocks(mail), 1 << 20, CAME, asked_for.append)
    assert "no DKIM signature of 'dealer.example'" in str(check(sealed, "dealer.example"))
    assert asked_for == []


def test_a_domain_does_not_mind_case():
    assert (
        asked(
            signed(domain=b"Dealer.Example"),
            txt={NAME.replace(b"dealer.e", b"Dealer.E"): pair(1024)[1]},
        )
        is None
    )


def test_one_good_signature_among_bad_ones_is_enough():
    mail = signed()
    bad = mail[: mail.index(b"From")].replace(b"s=s1", b"s=s2")
    assert asked(b"DKIM-Signature: nonsense\r\n" + bad + mail) is None


def test_five_signatures_are_looked_at():
    mail = signed()
    bad = mail[: mail.index(b"From")].replace(b"s=s1", b"s=s2")
    assert asked(bad * 4 + mail) is None
    assert "the key at s2._domainkey.dealer.example is not there" in str(asked(bad * 5 + mail))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"v=1;", b"v=2;", "not of version 1"),
        (b"a=rsa-sha256", b"a=rsa-sha1", "algorithm is 'rsa-sha1'"),
        (b"a=rsa-sha256", b"a=x", "algorithm is 'x'"),
        (b"v=1;", b"v=1; l=5;", "only part of the mail"),
        (b"h=from", b"y=from", "does not cover From"),
        (b"s=s1", b"s=", "no selector"),
        (b"s=s1", b"s=a b", "no selector"),
        (b"q=dns/txt", b"q=x", "not in the DNS"),
        (b"bh=", b"xh=", "no sums"),
        (b"bh=", b"bh=A; xh=", "the body is not the one"),
        (b"v=1;", b"v=1; x=1000;", "ended before the mail came"),
        (b"v=1;", b"v=1; x=soon;", "ended before the mail came"),
        (b" t=", b" t=9", "made after the mail came"),
        (b" t=", b" t=x", "made after the mail came"),
        (b"i=@dealer", b"i=@xdealer", "for somebody else"),
        (b"i=@dealer", b"i=dealer", "for somebody else"),
        (b"c=relaxed/relaxed", b"c=odd", "canonical form is unknown"),
        (b"c=relaxed/relaxed", b"c=relaxed", "the body is not the one"),
        (b"c=relaxed/relaxed", b"c=relaxed/odd", "canonical form is unknown"),
    ],
)
def test_a_signature_that_promises_too_little_is_refused(old, new, said):
    mail = signed()
    assert old in mail
    assert said in str(asked(mail.replace(old, new, 1)))


@pytest.mark.parametrize("name", ["Subject", "Date"])
def test_what_a_mail_goes_by_must_be_signed_where_it_is_there(name):
    field = name.encode() + b": x\r\n"
    bare = field + b"From: lot@dealer.example\r\n\r\nVIN\r\n"
    unsigned = signed(bare, include_headers=[b"from"])
    assert f"proves nothing: it does not cover {name}" in str(asked(unsigned))
    assert asked(signed(bare, include_headers=[b"From", name.encode()])) is None
    assert asked(unsigned.replace(field, b"", 1)) is None


def test_all_that_is_not_signed_is_told():
    assert str(asked(signed(include_headers=[b"from"]))).endswith("does not cover Subject")


def test_a_subject_that_is_put_into_a_signed_mail_without_one_is_noticed():
    mail = signed(b"From: lot@dealer.example\r\n\r\nVIN\r\n", include_headers=[b"from"])
    assert asked(mail) is None
    assert "does not cover Subject" in str(asked(b"Subject: lot\r\n" + mail))


def test_a_time_is_judged_by_when_the_mail_came():
    mail = signed()
    assert asked(mail, came=CAME + 1e9) is None
    assert "made after" in str(asked(mail, came=CAME - 1e6))
    ended = mail.replace(b"v=1;", b"v=1; x=%d;" % (CAME + 60))
    assert "ended" in str(asked(ended, came=CAME + 1e6))
    assert "it does not fit the header" in str(asked(ended))


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (None, "the key at s1._domainkey.dealer.example is not there"),
        (b"", "withdrawn or cannot be read"),
        (b"v=DKIM1; p=", "withdrawn or cannot be read"),
        (b"nonsense", "withdrawn or cannot be read"),
        (b"p=a; p=b", "withdrawn or cannot be read"),
        (b"v=DKIM1; p=AAAA", "proves nothing"),
        (b"v=DKIM1; p=!", "proves nothing"),
        (b"v=DKIM2; p=AAAA", "proves nothing"),
        (b"k=odd; p=AAAA", "proves nothing"),
        (b"p=MAA=", "proves nothing"),
    ],
)
def test_a_key_must_be_there_and_be_one(record, said):
    assert said in str(asked(signed(), txt={} if record is None else {NAME: record}))


def test_a_key_on_trial_proves_nothing():
    assert "trial" in str(asked(signed(), txt={NAME: b"t=s : y; " + pair(1024)[1]}))
    assert asked(signed(), txt={NAME: b"t=s; " + pair(1024)[1].removeprefix(b"v=DKIM1; ")}) is None


def test_a_key_for_other_services_proves_nothing():
    assert asked(signed(), txt={NAME: b"s=telephone; " + pair(1024)[1]}) is not None


def tlv(tag, content):
    return bytes((tag, 0x82)) + len(content).to_bytes(2, "big") + content


def der(*numbers):
    """Write an ASN.1 sequence of numbers."""
    whole = [number.to_bytes(number.bit_length() // 8 + 1, "big") for number in numbers]
    return tlv(0x30, b"".join(tlv(0x02, each) for each in whole))


def test_a_key_below_1024_bits_proves_nothing():
    p, q, e = 2**521 - 1, 2**127 - 1, 65537  # both prime; 648 bits together
    d = pow(e, -1, (p - 1) * (q - 1))
    private = der(0, p * q, e, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p))
    pem = b"--\n" + base64.b64encode(private) + b"\n--"
    mail = library.sign(MAIL, b"s1", b"dealer.example", pem) + MAIL
    record = b"v=DKIM1; p=" + base64.b64encode(der(p * q, e))
    assert library.verify(mail, minkey=512, dnsfunc=lambda *_, **__: record)
    assert "too small" in str(asked(mail, txt={NAME: record}))


def test_another_key_does_not_fit():
    assert "it does not fit the header" in str(asked(signed(), txt={NAME: pair(2048)[1]}))


def test_ed25519_needs_a_package_more(monkeypatch):
    monkeypatch.delattr(library, "nacl", raising=False)
    mail = signed().replace(b"a=rsa-sha256", b"a=ed25519-sha256")
    assert "pip install pynacl" in str(asked(mail, txt={NAME: b"k=ed25519; p=AAAA"}))


def test_a_mail_without_a_signature_that_can_be_read_has_none():
    mail = signed()
    for head in (b"", b"DKIM-Signature: a=b; a=b; d=dealer.example\r\n"):
        assert "no DKIM signature" in str(asked(head + MAIL))
    for old, new in ((b"v=1;", b"v=1;" + b" " * 90), (b"v=1;", b"v=1; z=" + b"a" * 5000 + b";")):
        assert "no DKIM signature" in str(asked(mail.replace(old, new, 1)))


def test_a_header_that_the_library_reads_otherwise_proves_nothing():
    mail = signed().replace(b"DKIM-Signature:", b"DKIM-Signature :", 1)
    assert "proves nothing" in str(asked(mail))


def test_what_is_too_large_is_not_looked_into():
    assert "too large" in str(asked(signed(), most=100))
    assert "too large" in str(asked(b"X: " + b"a" * 20_000 + b"\r\n" + MAIL))


def test_without_the_package_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "dkim", None)
    assert asked(signed()) == MISSING


@pytest.mark.parametrize("unit", [b" ", b"\t", b"\r", b"\n", b"\r\n", b" \r\n", b"\r\r\n", b" a"])
def test_a_large_body_takes_time_in_proportion_to_its_length(unit):
    mail = signed().replace(b"A  1", b"A  1" + unit * 1_000_000 + b"x")
    began = time.process_time()
    assert asked(mail, most=1 << 30) is not None
    assert time.process_time() - began < 3


@pytest.mark.parametrize("unit", [b" ", b"\r\n ", b"b=", b"; b =", b": ", b";", b"a", b"a:"])
def test_a_hostile_signature_takes_time_in_proportion_to_its_length(unit):
    mail = signed().replace(b"v=1;", b"v=1; z=" + unit * (3900 // len(unit)) + b";", 1)
    began = time.process_time()
    assert asked(mail) is not None
    assert time.process_time() - began < 1
