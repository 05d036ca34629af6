import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.mail import authres
from ingestd.mail.authres import Result, Verdict, parse, trusted

SERVERS = ("mx.example.com", "MX2.example.com")
PASS = b"mx.example.com; dmarc=pass header.from=dealer.example"

GMAIL = (
    b"mx.google.com;       dkim=pass header.i=@dealer.example header.s=s1 header.b=AbC/d+9;"
    b"       spf=pass (google.com: domain of lot@dealer.example designates 192.0.2.1 as permitted"
    b" sender) smtp.mailfrom=lot@dealer.example;"
    b"       dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=dealer.example"
)
MICROSOFT = (
    b"spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=dealer.example; dkim=pass (signature was"
    b" verified) header.d=dealer.example;dmarc=pass action=none"
    b" header.from=dealer.example;compauth=pass reason=100"
)
YAHOO = (
    b"atlas1.free.mail.yahoo.com; dkim=pass header.i=@dealer.example header.s=x;"
    b" spf=pass smtp.mailfrom=dealer.example; dmarc=pass(p=NONE) header.from=dealer.example;"
)
OPENDMARC = b"mx.example.com; dmarc=pass (p=none dis=none) header.from=dealer.example"
OPENDKIM = (
    b"mx.example.com;\tdkim=pass (2048-bit key; unprotected) header.d=dealer.example"
    b" header.i=@dealer.example header.a=rsa-sha256 header.s=s1 header.b=Ab/9+x=="
)
FASTMAIL = (
    b"phl-mx-01.messagingengine.com; bimi=skipped (DMARC did not pass); arc=none (no signatures"
    b" found); dkim=pass (2048-bit rsa key sha256) header.d=dealer.example"
    b" header.i=@dealer.example header.b=abc header.a=rsa-sha256 header.s=s1 x-bits=2048;"
    b" dmarc=pass policy.published-domain-policy=none policy.applied-disposition=none"
    b" (p=none,d=none,d.eval=none) policy.policy-from=p header.from=dealer.example;"
    b" iprev=pass smtp.remote-ip=192.0.2.1 (mail.dealer.example); x-tls=pass"
    b" smtp.version=TLSv1.3 smtp.bits=256/256; x-ptr=pass smtp.helo=mail.dealer.example"
    b' policy.ptr=mail.dealer.example; spf=pass smtp.mailfrom="a;b"@dealer.example'
)

DRESSED = (
    b"(a (nested; x=y) \\) comment) mx.example.com (c) 1 (c) ; (c) dmarc (c) / (c) 1 (c) = (c) pass"
    b' (c) reason = "a; dmarc=fail" (c) header (c) . (c) from (c) = (c) dealer.example (c)'
)
ECHOED = (
    b'mx.example.com; spf=pass smtp.mailfrom="x; dmarc=fail"@evil; dmarc=pass'
    b" header.from=dealer.example"
)


@pytest.mark.parametrize(
    ("raw", "server"),
    [
        (GMAIL, "mx.google.com"),
        (MICROSOFT, None),
        (YAHOO, "atlas1.free.mail.yahoo.com"),
        (OPENDMARC, "mx.example.com"),
        (FASTMAIL, "phl-mx-01.messagingengine.com"),
    ],
)
def test_what_the_great_receivers_write_is_understood(raw, server):
    verdict = parse(raw)
    assert verdict is not None
    assert verdict.server == server
    assert authres.dmarc(verdict, "dealer.example") is None


@pytest.mark.parametrize("raw", [GMAIL, MICROSOFT, YAHOO, OPENDKIM, FASTMAIL])
def test_their_dkim_results_are_understood_too(raw):
    verdict = parse(raw)
    assert verdict is not None
    assert authres.dkim(verdict, "dealer.example") is None


@pytest.mark.parametrize(
    "raw",
    [
        b"MX.Example.COM;DMARC=Pass Header.From=Dealer.Example",
        b'"mx.example.com" 1; dmarc=pass header.from=dealer.example',
        DRESSED,
        b'mx.example.com; dmarc=pass header.from="dealer.example"',
        b"mx.example.com; none; dmarc=pass header.from=dealer.example;;",
        ECHOED,
    ],
)
def test_the_grammar_is_kept_whatever_its_dress(raw):
    verdict = parse(raw)
    assert verdict is not None
    assert verdict.server == "mx.example.com"
    assert authres.dmarc(verdict, "dealer.example") is None


@pytest.mark.parametrize(
    "raw",
    [
        b"mx.example.com 2; dmarc=pass header.from=dealer.example",
        b"mx.example.com 1 2; dmarc=pass header.from=dealer.example",
        b"mx.example.com; dmarc/2=pass header.from=dealer.example",
        b"mx.example.com; dmarc=pass header.from=dealer.example (",
        b"mx.example.com; dmarc=pass header.from=dealer.example)",
        b'mx.example.com; dmarc=pass header.from="dealer.example',
        b"mx.example.com; dmarc=pass header.from=dealer.example \\",
        b"mx.example.com; dmarc=pass or so",
        b"mx.example.com; dmarc",
        b"mx.example.com; =pass",
        b'mx.example.com; dmarc=pass"x',
        b"mx.example.com other.example; dmarc=pass header.from=dealer.example",
    ],
)
def test_what_keeps_no_grammar_or_has_another_version_is_not_read(raw):
    assert parse(raw) is None
    assert "cannot be read" in str(trusted([raw], "rfc8601", SERVERS))


def test_a_header_without_results_has_none():
    assert parse(b"") == Verdict(None, ())
    assert parse(b"mx.example.com; none") == Verdict("mx.example.com", ())


def test_a_property_that_is_told_twice_and_differently_is_not_told():
    verdict = parse(b"a; dmarc=pass header.from=A header.from=a; x=y p.q=1 p.q=2")
    assert verdict is not None
    assert verdict.results == (
        Result("dmarc", "pass", {"header.from": "a"}),
        Result("x", "y", {"p.q": ""}),
    )


# Whose header counts


@pytest.mark.parametrize("name", [b"mx.example.com", b"MX.EXAMPLE.COM", b"mx2.Example.com"])
def test_the_topmost_header_of_a_trusted_server_counts(name):
    verdict = trusted([name + b"; dmarc=pass"], "rfc8601", SERVERS)
    assert isinstance(verdict, Verdict)


@pytest.mark.parametrize(
    ("raws", "said"),
    [
        ([], "wrote no Authentication-Results"),
        ([b"evil.example; dmarc=pass", PASS], "signed by 'evil.example'"),
        ([b"mx.example.com.evil.example; dmarc=pass", PASS], "trusted_authserv_ids"),
        ([b"xmx.example.com; dmarc=pass", PASS], "only if it is your own"),
        (["mx.e\u0445ample.com; dmarc=pass".encode(), PASS], "which trusted_authserv_ids"),
        ([b"dmarc=pass header.from=dealer.example", PASS], "bears no server's name"),
        ([b"; dmarc=pass header.from=dealer.example", PASS], "bears no server's name"),
        ([b"mx.example.com (", PASS], "cannot be read: 'mx.example.com ('"),
        ([PASS, b"mx2.example.com; dmarc=fail"], "one says dmarc=fail"),
        ([PASS, b"(", b"x; dmarc=fail", PASS, b"mx.example.com; dmarc=fail"], "dmarc=fail"),
    ],
)
def test_no_other_header_counts(raws, said):
    verdict = trusted(raws, "rfc8601", SERVERS)
    assert isinstance(verdict, str)
    assert said in verdict


def test_what_strangers_say_below_takes_nothing_away():
    below = [b"evil.example; dmarc=fail", b"(", b"dmarc=fail", b"mx.example.com; spf=fail"]
    assert trusted([PASS, *below], "rfc8601", SERVERS) == parse(PASS)


def test_headers_are_never_added_up():
    verdict = trusted([b"mx.example.com; spf=pass", PASS], "rfc8601", SERVERS)
    assert isinstance(verdict, Verdict)
    assert authres.dmarc(verdict, "dealer.example") is not None


def test_nobody_is_trusted_from_the_start():
    assert isinstance(trusted([PASS], "rfc8601", ()), str)


def test_microsofts_header_bears_no_name():
    assert isinstance(trusted([MICROSOFT], "microsoft365", ()), Verdict)
    assert "Microsoft's bears no name" in str(trusted([PASS, MICROSOFT], "microsoft365", SERVERS))
    assert "dmarc=fail" in str(trusted([MICROSOFT, b"spf=x; dmarc=fail"], "microsoft365", ()))


# What it proves


@pytest.mark.parametrize(
    ("results", "said"),
    [
        (b"spf=pass smtp.mailfrom=dealer.example", "no dmarc result"),
        (b"dkim=pass header.d=dealer.example header.from=dealer.example", "no dmarc result"),
        (b"x-dmarc=pass header.from=dealer.example", "no dmarc result"),
        (b"dmarc=fail header.from=dealer.example", "dmarc=fail"),
        (b"dmarc=bestguesspass header.from=dealer.example", "dmarc=bestguesspass"),
        (b"dmarc=none header.from=dealer.example", "dmarc=none"),
        (b"dmarc=pass", "is for ''"),
        (b"dmarc=pass header.from=evil.example", "for 'evil.example', not for 'dealer.example'"),
        (b"dmarc=pass header.from=mail.dealer.example", "for 'mail.dealer.example'"),
        (b"dmarc=pass header.from=example", "for 'example'"),
        (b"dmarc=pass (header.from=dealer.example)", "is for ''"),
        (b'dmarc=pass reason="header.from=dealer.example"', "is for ''"),
        (b"dmarc=pass smtp.mailfrom=dealer.example", "is for ''"),
        (b"dmarc=pass header.from=dealer.example header.from=evil.example", "is for ''"),
        (b"dmarc=pass header.from=dealer.example; dmarc=fail", "dmarc=fail"),
        (b"dmarc=pass header.from=dealer.example; dmarc=pass header.from=evil", "for 'evil'"),
    ],
)
def test_dmarc_proves_only_the_domain_that_it_passed_for(results, said):
    verdict = parse(b"mx.example.com; " + results)
    assert verdict is not None
    assert said in str(authres.dmarc(verdict, "dealer.example"))


@pytest.mark.parametrize(
    "results",
    [
        b"dkim=pass header.d=dealer.example",
        b"dkim=fail header.d=dealer.example; dkim=pass header.d=DEALER.example; dmarc=none",
        b"dkim=pass header.d=other.example; dkim=pass header.i=lot@dealer.example",
    ],
)
def test_one_aligned_signature_that_passed_is_enough(results):
    verdict = parse(b"mx.example.com; " + results)
    assert verdict is not None
    assert authres.dkim(verdict, "dealer.example") is None


@pytest.mark.parametrize(
    ("results", "said"),
    [
        (b"spf=pass smtp.mailfrom=dealer.example", "no dkim result"),
        (b"dkim=none", "dkim=none"),
        (b"dkim=fail header.d=dealer.example", "dkim=fail"),
        (b"dkim=pass", "is for ''"),
        (b"dkim=pass header.d=evil.example", "for 'evil.example', not for 'dealer.example'"),
        (b"dkim=pass header.d=example", "for 'example'"),
        (b"dkim=pass header.d=x.dealer.example", "for 'x.dealer.example'"),
        (b"dkim=pass header.d=evil.example header.i=@dealer.example", "for 'evil.example'"),
        (b"dkim=pass header.i=@x.dealer.example", "for 'x.dealer.example'"),
        (b"dkim=pass header.d=dealer.example; dmarc=fail", "dmarc=fail"),
    ],
)
def test_dkim_proves_only_the_domain_that_signed(results, said):
    verdict = parse(b"mx.example.com; " + results)
    assert verdict is not None
    assert said in str(authres.dkim(verdict, "dealer.example"))


@given(st.text(alphabet='mx.;=()"\\/ dmarcps1', max_size=60))
def test_nothing_is_raised_whatever_is_written(value):
    parse(value.encode())


@pytest.mark.parametrize(
    "unit", [b"(", b"()", b'"', b"\\", b";", b"=", b"a=b ", b"a.", b" ", b"a=b;", b"a / ", b'""']
)
def test_long_headers_take_time_in_proportion_to_their_length(unit):
    began = time.process_time()
    for start in (b"", b"mx.example.com; ", b"mx.example.com; a=b "):
        parse(start + unit * 20_000)
    assert time.process_time() - began < 2
