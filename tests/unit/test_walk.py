import base64
import binascii
import email
import time
import tracemalloc
from email import policy
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestd.mail import walk as walking
from ingestd.mail.headers import BLOCK
from ingestd.mail.parts import Blocked
from ingestd.mail.walk import DEPTH, HEAD, PARTS, walk
from tests.unit.mails import LOT, NOTE, TABLE, chunked, forwarded, mail, named, nested, part

NAMES = ["lot.tsv", "stöck.tsv", "在庫.tsv", 'a"b;c.tsv', "x" * 90 + ".tsv"]


def found(raw, size=1000, most=1 << 30):
    return walk(chunked(raw, size), "mail.eml", most)


def bodies(raw, size=1000):
    return [b"".join(leaf.content()) for leaf in found(raw, size).leaves]


def names(raw):
    return [leaf.entity.name for leaf in found(raw).leaves]


def reasons(raw, **more):
    return [each.reason for each in found(raw, **more).blocked]


def everything(raw, size):
    """Give all that a walk finds, however the bytes are cut."""
    seen = found(raw, size)
    leaves = [(leaf.entity, b"".join(leaf.content()), leaf.size, leaf.head) for leaf in seen.leaves]
    return leaves, list(seen.blocked), seen.parts


# What is a part


def test_the_parts_come_in_their_order_without_what_stands_around_them():
    raw = mail(NOTE, LOT, part([], b"last"))
    assert bodies(raw) == [b"Dear all, find it attached", TABLE, b"last"]


def test_a_message_that_has_no_parts_is_one():
    assert bodies(LOT) == [TABLE]
    assert bodies(b"") == [b""]


@pytest.mark.parametrize(
    "raw",
    [
        mail(),
        part([b"Content-Type: multipart/mixed; boundary=x"], TABLE),
        part([b"Content-Type: multipart/mixed; boundary=x"], b" --x\r\n--xx\r\n--x y\r\nx--x\r\n"),
    ],
)
def test_without_a_boundary_line_there_is_no_part(raw):
    assert bodies(raw) == []


def test_a_multipart_without_boundary_is_a_part_like_another():
    assert bodies(part([b"Content-Type: multipart/mixed"])) == [TABLE]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_lines_may_end_with_one_of_three(end):
    raw = mail(part([b"X: y"], b"a\r\n\r\nb"), part([b""], b"c")).replace(b"\r\n", end)
    ending = b"\n" if end == b"\r" else end
    assert bodies(raw) == [b"a" + ending * 2 + b"b", ending + b"c"]


def test_a_carriage_return_alone_is_no_line_end_where_there_are_others():
    assert bodies(mail(part([b"X: y"], b"a\r--=_x\rb\r"))) == [b"a\r--=_x\rb\r"]


def test_a_very_long_message_without_lines_has_no_lines():
    assert bodies(b"x" * (BLOCK + 9)) == [b"x" * (BLOCK + 9)]
    raw = b"a: b\r\r" + b"x" * BLOCK
    assert bodies(raw) == [b"x" * BLOCK]


def test_the_first_line_of_an_mbox_is_passed_over():
    assert names(b"From a@b.example Mon Nov 23 10:00:00 2026\n" + mail(LOT)) == ["lot.tsv"]


@pytest.mark.parametrize("blanks", [b" ", b"\t \t", b" " * 256])
def test_blanks_may_follow_a_boundary(blanks):
    raw = part([b'Content-Type: multipart/mixed; boundary="x "'], b"--x" + blanks + b"\r\n" + LOT)
    assert bodies(raw + b"\r\n--x--" + blanks + b"\r\nepilogue") == [TABLE]


@pytest.mark.parametrize("boundary", [b"(a+)+$", b".*", b"a|b", b"\\", b"=_:x", b"[x]", b"x--"])
def test_a_boundary_is_no_pattern(boundary):
    quoted = b'"' + boundary.replace(b"\\", b"\\\\") + b'"'
    head = b"Content-Type: multipart/mixed; boundary=" + quoted
    border = b"\r\n--" + boundary
    body = border + b"\r\n\r\na" + border + b"\r\n\r\nb" + border + b"--\r\n"
    assert bodies(part([head], body)) == [b"a", b"b"]


@pytest.mark.parametrize("keep", range(1, 60))
def test_a_mail_cut_off_anywhere_gives_what_is_there(keep):
    raw = mail(LOT)
    cut = raw[: raw.index(TABLE) + keep]
    assert bodies(cut)[0] in (cut[raw.index(TABLE) :], TABLE)


def test_base64_cut_off_decodes_as_far_as_it_goes():
    head = [named(b"lot.tsv"), b"Content-Transfer-Encoding: base64"]
    (leaf,) = found(mail(part(head, b"YWJjZGV")).partition(b"\r\n--=_x--")[0]).leaves
    assert (leaf.size, leaf.head, b"".join(leaf.content())) == (5, b"abcde", b"abcde")


def test_a_part_may_be_empty_or_have_headers_only():
    raw = mail(b"", b"\r\n", b"X: y", b"X: y\r\n", part([b"X: y"], b""))
    assert bodies(raw) == [b""] * 5


def test_a_boundary_line_ends_a_header_block():
    assert bodies(mail(b"X: y\r\n--=_x:\r\nZ: 1", LOT)) == [b"", TABLE]
    raw = part([b"Content-Type: multipart/x; boundary=a:b"], b"--a:b\r\nX: y\r\n--a:b\r\n\r\nc")
    assert bodies(raw) == [b"", b"c"]


def test_the_line_of_an_outer_boundary_ends_what_is_inside():
    inner = part([b"Content-Type: multipart/mixed; boundary=in"], b"--in\r\n\r\na")
    assert bodies(mail(inner, LOT)) == [b"a", TABLE]


def test_boundaries_of_which_one_begins_with_the_other_are_two():
    inner = mail(part([], b"a"), part([], b"b"), boundary=b"=_x.1")
    assert bodies(mail(inner, LOT)) == [b"a", b"b", TABLE]


def test_one_boundary_for_two_multiparts_loses_no_part():
    assert bodies(mail(mail(part([], b"a")), LOT)) == [b"a", TABLE]


def test_what_follows_the_last_boundary_is_no_part():
    assert bodies(mail(NOTE) + b"\r\n--=_x\r\n" + LOT) == [b"Dear all, find it attached"]


# Messages in messages


@pytest.mark.parametrize(
    "headers",
    [
        [b"Content-Type: message/rfc822"],
        [b"Content-Type: application/octet-stream; name=forwarded.EML"],
    ],
)
@pytest.mark.parametrize("encoding", [b"7bit", b"base64"])
def test_a_message_in_a_message_is_walked(headers, encoding):
    inner = mail(NOTE, LOT, boundary=b"inner")
    body = base64.encodebytes(inner) if encoding == b"base64" else inner
    raw = mail(NOTE, part([*headers, b"Content-Transfer-Encoding: " + encoding], body), LOT)
    assert names(raw) == ["", "", "lot.tsv", "lot.tsv"]
    assert bodies(raw)[2] == bodies(raw)[3] == TABLE


def test_a_message_in_quoted_printable_is_walked():
    inner = binascii.b2a_qp(mail(LOT), istext=False, quotetabs=True)
    assert bodies(mail(forwarded(inner, b"quoted-printable"))) == [TABLE]


def test_encoded_messages_are_walked_three_deep():
    raw = mail(LOT)
    for _ in range(3):
        raw = forwarded(raw)
    assert bodies(raw) == [TABLE]
    assert reasons(forwarded(raw)) == ["too_large"]


def test_what_lies_in_encoded_messages_has_its_cost():
    costs = [found(raw).leaves[0].cost for raw in (LOT, forwarded(LOT), forwarded(forwarded(LOT)))]
    assert costs == [0, len(LOT), 2 * len(LOT)]


def test_an_encoded_message_that_is_cut_off_gives_the_parts_that_are_there():
    inner = mail(LOT, part([named(b"used.tsv")]))
    coded = base64.b64encode(inner)[: len(inner) * 4 // 3 - 34]
    raw = part([b"Content-Type: message/rfc822", b"Content-Transfer-Encoding: base64"], coded)
    assert bodies(raw)[0] == TABLE
    assert TABLE.startswith(bodies(raw)[1])


# The same as others find


def built(draw, depth):
    message = EmailMessage(policy=draw(st.sampled_from([policy.SMTP, policy.default])))
    message["From"] = "a@dealer.example"
    message.set_content(draw(st.sampled_from(["hello\n", "--\nsignature\n", "ä" * 90 + "\n"])))
    for _ in range(draw(st.integers(0, 3))):
        if depth < 3 and draw(st.booleans()):
            message.add_attachment(built(draw, depth + 1))
        else:
            data, name = draw(st.binary(max_size=200)), draw(st.sampled_from(NAMES))
            message.add_attachment(data, maintype="a", subtype="b", filename=name)
    return message


@settings(deadline=None)
@given(st.data(), st.integers(1, 200))
def test_a_mail_of_the_standard_library_has_the_parts_that_it_was_given(data, size):
    raw = built(data.draw, 0).as_bytes()
    theirs = [each for each in email.message_from_bytes(raw).walk() if not each.is_multipart()]
    assert bodies(raw, size) == [each.get_payload(decode=True) for each in theirs]


@settings(deadline=None)
@given(st.data(), st.integers(1, 200))
def test_any_mail_with_any_damage_has_the_same_parts_however_it_is_cut(data, size):
    raw = mail(NOTE, built(data.draw, 1).as_bytes(), forwarded(mail(LOT, boundary=b"in")), LOT)
    for _ in range(data.draw(st.integers(0, 4))):
        place, length = data.draw(st.integers(0, len(raw))), data.draw(st.integers(0, 40))
        noise = data.draw(st.sampled_from([b"\r", b"\n\n", b"--", b"=", b"\0", raw[:90], b"--=_x"]))
        raw = raw[:place] + noise + raw[place + length :]
    seen = everything(raw, size)
    assert seen == everything(raw, 1 << 20)
    for _, body, length, head in seen[0]:
        assert (len(body), body[:HEAD]) == (length, head)


@given(st.binary(max_size=300), st.integers(1, 50))
def test_any_bytes_are_walked_the_same_however_they_are_cut(data, size):
    for raw in (data, b"Content-Type: multipart/x; boundary=a\n" + data.replace(b"x", b"\n--a")):
        assert everything(raw, size) == everything(raw, 1 << 20)


# Caps


def test_a_message_that_is_too_large_has_no_parts():
    raw = mail(LOT)
    assert reasons(raw, most=len(raw)) == []
    assert reasons(raw, most=len(raw) - 1) == ["too_large"]
    assert found(raw, most=len(raw) - 1).leaves == []


def test_of_a_message_that_is_too_large_no_more_is_read():
    def endless():
        while True:
            yield b"x\n" * 5000

    assert [each.reason for each in walk(endless, "mail.eml", 1 << 20).blocked] == ["too_large"]


@pytest.mark.parametrize(
    "big", [part([b"X-%d: y" % n for n in range(60_000)]), part([b"X:" + b"y" * 20_000])]
)
def test_a_header_block_that_is_too_large_is_refused_and_the_next_part_is_read(big):
    raw = mail(big, LOT)
    assert reasons(raw) == ["too_large"]
    assert names(raw) == ["lot.tsv"]


def test_a_header_block_that_may_be_long_is_read():
    headers = [b"X: " + b"y" * 10_000] * 25
    assert names(part([*headers, named(b"lot.tsv")])) == ["lot.tsv"]


def test_more_parts_than_allowed_are_not_read():
    assert len(bodies(mail(*[LOT] * (PARTS - 1)))) == PARTS - 1
    begin = time.process_time()
    raw = mail(LOT, *[b"\r\n"] * 100_000)
    assert reasons(raw) == ["too_many_members"]
    assert names(raw)[:1] == ["lot.tsv"]
    assert len(names(raw)) == PARTS - 1
    assert time.process_time() - begin < 1


def test_more_parts_than_allowed_in_an_encoded_message_are_not_read_and_the_others_are():
    raw = mail(forwarded(mail(*[LOT] * 300, boundary=b"in")), LOT)
    assert reasons(raw) == ["too_many_members"]
    assert set(bodies(raw)) == {TABLE}


def test_parts_may_be_nested_but_not_without_end():
    assert bodies(nested(DEPTH - 1, LOT)) == [TABLE]
    assert reasons(nested(DEPTH, LOT)) == ["too_large"]
    assert reasons(nested(2000, LOT)) == ["too_large"]


def test_parts_with_one_boundary_may_be_nested_but_not_without_end():
    level = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n"
    assert bodies(level * (DEPTH - 1) + LOT) == [TABLE]
    assert reasons(level * 2000 + LOT) == ["too_large", "too_many_members"]


def test_messages_may_be_nested_but_not_without_end():
    level = b"Content-Type: message/rfc822\r\n\r\n"
    assert bodies(level * (DEPTH - 1) + LOT) == [TABLE]
    assert reasons(level * 2000 + LOT) == ["too_large"]


def test_what_is_refused_twice_is_told_once():
    deep = nested(DEPTH - 1, LOT)
    (one,) = found(mail(deep, deep)).blocked
    assert one == Blocked("mail.eml", "too_large", one.message)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(nested(19, LOT + b"\n--b" * 1_000_000), id="lines-like-boundaries"),
        pytest.param(nested(19, LOT + b"\n--b1 " * 500_000), id="boundaries-and-blanks"),
        pytest.param(
            nested(19, LOT + (b"\n--" + b"b" * 250) * 30_000, b"b" * 250 + b"%d"), id="long"
        ),
        pytest.param(mail(LOT, boundary=b'"(a+)+$"') + b"\n--" + b"a" * (8 << 20), id="pattern"),
        pytest.param(mail(*[part([b"a:"] * 1_999, b"") for _ in range(30)]), id="many-headers"),
        pytest.param(mail(*[b"a:\r\n" * 60_000 for _ in range(15)]), id="too-many-headers"),
        pytest.param(mail(LOT + b"\n" * (8 << 20)), id="empty-lines"),
        pytest.param(mail(LOT + b"\r" * (8 << 20)), id="carriage-returns"),
        pytest.param(b"a: b\r\r" + b"x\r" * (4 << 20), id="carriage-returns-alone"),
        pytest.param(b"x" * (8 << 20), id="no-lines"),
        pytest.param(forwarded(forwarded(forwarded(mail(LOT + b"x" * (4 << 20))))), id="encoded"),
    ],
)
def test_time_and_memory_are_bounded(raw):
    content = chunked(raw, 1 << 18)
    begin = time.process_time()
    walk(content, "mail.eml", 1 << 30)
    assert time.process_time() - begin < 1
    tracemalloc.start()
    walk(content, "mail.eml", 1 << 30)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12 << 20


def test_a_part_is_never_held_whole():
    data = bytes(range(256)) * (32 << 10)
    raw = mail(part([named(b"lot.tsv"), b"Content-Transfer-Encoding: base64"], b""))
    raw = raw.replace(b"\r\n\r\n\r\n--", b"\r\n\r\n" + base64.encodebytes(data) + b"\r\n--")
    content = chunked(raw, 1 << 18)
    tracemalloc.start()
    (leaf,) = walk(content, "mail.eml", 1 << 30).leaves
    assert leaf.size == sum(map(len, leaf.content())) == len(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 << 20


def test_the_caps_are_those_of_the_design():
    assert (PARTS, DEPTH, walking._LINE) == (200, 20, 520)
