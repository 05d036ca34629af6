import gzip
import io
import struct
import tarfile
import time
import tracemalloc
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.config import Limits
from ingestd.mail.archive import kind_of, members
from ingestd.mail.parts import Blocked, Member
from tests.unit import bombs

CAPS = Limits()
TABLE = b"VIN\tYear\nA\t2020\n"


def chunked(data, size=4096):
    return lambda: (data[start : start + size] for start in range(0, len(data), size))


def zipped(*files, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return out.getvalue()


def opened(data, kind="zip", name="lot.zip", caps=CAPS):
    return members(chunked(data), kind, name, caps)


def contents(found):
    assert all(isinstance(each, Member) for each in found)
    return [(each.name, b"".join(each.content())) for each in found]


def refusals(found):
    return [(each.name, each.reason) for each in found if isinstance(each, Blocked)]


@pytest.mark.parametrize(
    ("head", "name", "kind"),
    [
        (b"PK\x03\x04...", "lot.tsv", "zip"),
        (b"PK\x05\x06...", "lot.zip", "zip"),
        (b"\x1f\x8b\x08", "lot.tsv", "gzip"),
        (b"From: a@b.example\r\n", "mail.EML", "eml"),
        (b"From a@b.example Mon\r\nX-Y: 1\r\n", "mail.eml", "eml"),
        (b"From: a@b.example\r\n", "mail.txt", "plain"),
        (b"VIN\tYear\n", "mail.eml", "plain"),
        (TABLE, "lot.zip", "plain"),
        (b"", "empty.tsv", "plain"),
    ],
)
def test_a_file_is_what_its_first_bytes_say(head, name, kind):
    assert kind_of(head, name) == kind


def test_what_is_no_archive_is_its_own_member():
    (member,) = opened(TABLE, "plain", "lot.tsv")
    assert isinstance(member, Member)
    assert (member.name, member.size) == ("lot.tsv", len(TABLE))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_members_of_a_zip_come_out_in_order_and_twice(method):
    files = [("new.tsv", TABLE * 20_000), ("used.tsv", TABLE)]
    found = opened(zipped(*files, method=method))
    assert contents(found) == contents(found) == files
    assert [each.size for each in found if isinstance(each, Member)] == [320_000, 16]


def test_an_empty_member_is_a_member():
    assert contents(opened(zipped(("empty.tsv", b"")))) == [("empty.tsv", b"")]


def test_a_zip_without_files_has_no_members():
    assert opened(zipped(("folder/", b""))) == opened(zipped()) == ()


def test_hidden_files_and_directories_are_skipped():
    files = [(name, TABLE) for name in (".hidden", "a/.b/x.tsv", "__MACOSX/x.tsv", "a/", "a/x.tsv")]
    assert contents(opened(zipped(*files))) == [("x.tsv", TABLE)]


@pytest.mark.parametrize("name", ["../../etc/x.tsv", "/etc/x.tsv", "C:\\lots\\x.tsv", "./x.tsv"])
def test_a_path_is_only_a_name(name):
    assert contents(opened(zipped((name, TABLE)))) == [("x.tsv", TABLE)]


def test_a_name_in_utf8_is_read_whether_or_not_the_zip_says_so():
    said = zipped(("stöck.tsv", TABLE))
    unsaid = zipped(("stXXck.tsv", TABLE)).replace(b"stXXck", "stöck".encode())
    assert contents(opened(said)) == contents(opened(unsaid)) == [("stöck.tsv", TABLE)]


def test_a_name_in_the_old_code_page_is_read():
    data = zipped(("stXck.tsv", TABLE)).replace(b"stXck", b"st\x94ck")
    assert contents(opened(data)) == [("stöck.tsv", TABLE)]


def test_too_many_members_are_refused_as_a_whole():
    files = [(f"{n}.tsv", TABLE) for n in range(4)]
    found = opened(zipped(*files), caps=Limits(archive_members=3))
    assert refusals(found) == [("lot.zip", "too_many_members")]
    assert len(opened(zipped(*files), caps=Limits(archive_members=4))) == 4


def test_a_huge_directory_is_not_even_read():
    found = opened(b"PK\x03\x04" + b"PK\x01\x02" * 10_001)
    assert refusals(found) == [("lot.zip", "too_many_members")]


def test_a_member_that_is_too_large_is_refused_and_the_next_is_not():
    data = zipped(("big.tsv", bytes(range(256)) * 40), ("lot.tsv", TABLE))
    found = opened(data, caps=Limits(file_size=5000))
    assert refusals(found) == [("big.tsv", "archive_member_too_large")]
    assert contents(found[1:]) == [("lot.tsv", TABLE)]


def test_members_that_are_too_large_together_are_refused():
    data = zipped(("a.tsv", TABLE * 100), ("b.tsv", TABLE * 100))
    found = opened(data, caps=Limits(file_size=2000))
    assert refusals(found) == [("b.tsv", "archive_member_too_large")]


def test_a_member_that_inflates_beyond_the_ratio_is_refused():
    data = zipped(("bomb.tsv", bytes(2 << 20)), ("small.tsv", bytes(1 << 20)))
    assert refusals(opened(data)) == [("bomb.tsv", "archive_member_too_large")]


def test_a_size_that_the_archive_declares_is_not_believed():
    data = zipped(("lot.tsv", TABLE * 1000))
    size = struct.pack("<I", len(TABLE) * 1000)
    found = opened(data.replace(size, struct.pack("<I", 16)))
    assert contents(found) == [("lot.tsv", TABLE * 1000)]
    assert isinstance(found[0], Member)
    assert found[0].size == len(TABLE) * 1000


def test_an_archive_larger_than_a_file_may_be_is_refused():
    found = opened(zipped(("lot.tsv", TABLE)), caps=Limits(file_size=50))
    assert refusals(found) == [("lot.zip", "too_large")]


def test_an_encrypted_member_is_refused():
    data = bytearray(zipped(("lot.tsv", TABLE)))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    assert refusals(opened(bytes(data))) == [("lot.tsv", "encrypted_archive")]


def test_a_rare_method_is_refused():
    data = zipped(("lot.tsv", TABLE), method=zipfile.ZIP_BZIP2)
    assert refusals(opened(data)) == [("lot.tsv", "unreadable_archive")]


def test_a_wrong_checksum_is_refused():
    data = zipped(("lot.tsv", TABLE), method=zipfile.ZIP_STORED).replace(TABLE, TABLE[::-1])
    assert refusals(opened(data)) == [("lot.tsv", "unreadable_archive")]


def test_damaged_data_are_refused():
    data = bytearray(zipped(("lot.tsv", bytes(range(256)) * 9)))
    data[45] ^= 0xFF
    assert refusals(opened(bytes(data))) == [("lot.tsv", "unreadable_archive")]


def test_data_that_end_early_are_refused():
    data = zipped(("lot.tsv", TABLE * 9))
    size = zlib.compressobj(wbits=-15)
    length = len(size.compress(TABLE * 9) + size.flush())
    cut = data.replace(struct.pack("<I", length), struct.pack("<I", length - 5))
    assert refusals(opened(cut)) == [("lot.tsv", "unreadable_archive")]


@pytest.mark.parametrize("keep", [10, 60, -1, -30])
def test_a_truncated_zip_is_refused(keep):
    assert refusals(opened(zipped(("lot.tsv", TABLE))[:keep])) == [
        ("lot.zip", "unreadable_archive")
    ]


def test_members_that_overlap_are_refused():
    data = zipped(("a.tsv", TABLE), ("b.tsv", TABLE))
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 1)
    bomb = data[: second + 42] + struct.pack("<I", 0) + data[second + 46 :]
    found = opened(bomb)
    assert refusals(found) == [("lot.zip", "unreadable_archive")]
    assert "overlap" in found[0].message


def test_a_member_that_spans_the_next_is_refused():
    data = zipped(("a.tsv", TABLE), ("b.tsv", TABLE), method=zipfile.ZIP_STORED)
    first = data.index(b"PK\x01\x02")
    bomb = data[: first + 20] + struct.pack("<I", 60) + data[first + 24 :]
    assert "overlap" in opened(bomb)[0].message


@pytest.mark.parametrize("offset", [5, 0xFFFFFF])
def test_a_member_that_is_not_where_the_directory_says_is_refused(offset):
    data = zipped(("a.tsv", TABLE))
    entry = data.index(b"PK\x01\x02")
    wrong = data[: entry + 42] + struct.pack("<I", offset) + data[entry + 46 :]
    assert "not where" in opened(wrong)[0].message


def test_a_directory_that_begins_before_the_file_is_refused():
    data = bytearray(zipped(("a.tsv", TABLE)))
    end = data.index(b"PK\x05\x06")
    data[end + 16 : end + 20] = struct.pack("<I", 5000)
    assert refusals(opened(bytes(data))) == [("lot.zip", "unreadable_archive")]


def tar():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("lot.tsv"))
    return out.getvalue()


@pytest.mark.parametrize(
    "inner", [zipped(("a.tsv", TABLE)), gzip.compress(TABLE), tar()], ids=["zip", "gzip", "tar"]
)
def test_an_archive_inside_an_archive_is_not_opened(inner):
    assert refusals(opened(zipped(("a", inner), ("b.tsv", TABLE)))) == [("a", "nested_archive")]
    assert refusals(opened(gzip.compress(inner), "gzip", "a.gz")) == [("a", "nested_archive")]


def test_a_workbook_is_told_from_an_archive():
    found = opened(zipped(("[Content_Types].xml", b"<x/>"), ("xl/workbook.xml", b"<x/>")))
    assert refusals(found) == [("lot.zip", "not_a_table")]


@pytest.mark.parametrize(
    ("name", "inner"), [("lot.tsv.gz", "lot.tsv"), ("LOT.GZ", "LOT"), (".gz", ".gz"), ("x", "x")]
)
def test_a_gzip_is_one_member_named_without_its_ending(name, inner):
    found = opened(gzip.compress(TABLE * 9999), "gzip", name)
    assert contents(found) == contents(found) == [(inner, TABLE * 9999)]


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_gzip_members_in_a_row_are_one_file_and_padding_is_none(size):
    data = gzip.compress(TABLE) + gzip.compress(b"B\t2021\n") + bytes(50)
    (member,) = members(chunked(data, size), "gzip", "lot.gz", CAPS)
    assert isinstance(member, Member)
    assert b"".join(member.content()) == TABLE + b"B\t2021\n"


def test_one_byte_after_a_gzip_is_padding():
    assert contents(opened(gzip.compress(TABLE) + b"\x1f", "gzip", "a")) == [("a", TABLE)]


@pytest.mark.parametrize("keep", [5, 25, -1])
def test_a_truncated_gzip_is_refused(keep):
    found = opened(gzip.compress(TABLE)[:keep], "gzip", "lot.gz")
    assert refusals(found) == [("lot", "unreadable_archive")]


def test_gzip_members_in_a_row_are_read_up_to_a_number():
    data = gzip.compress(b"", 9) * 100_000
    begin = time.process_time()
    assert contents(opened(data, "gzip", "a")) == [("a", b"")]
    assert refusals(opened(data * 2, "gzip", "a")) == [("a", "unreadable_archive")]
    assert time.process_time() - begin < 3


# Bombs


@pytest.mark.parametrize("name", bombs.ALL)
def test_a_bomb_is_refused_in_no_time_and_little_memory(name):
    make, reason = bombs.ALL[name]
    data = make()
    kind = kind_of(data, "")
    begin = time.process_time()
    found = members(chunked(data, 1 << 18), kind, "lot.zip", CAPS)
    assert time.process_time() - begin < 1
    assert [each.reason for each in found if isinstance(each, Blocked)] == [reason]
    tracemalloc.start()
    members(chunked(data, 1 << 18), kind, "lot.zip", CAPS)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < len(data) * 9 // 8 + (4 << 20)


def test_a_zip_is_held_in_memory_once():
    data = zipped(("lot.tsv", bytes(range(256)) * (32 << 10)), method=zipfile.ZIP_STORED)
    content = chunked(data, 1 << 18)
    tracemalloc.start()
    (member,) = members(content, "zip", "lot.zip", CAPS)
    assert isinstance(member, Member)
    assert sum(map(len, member.content())) == 8 << 20
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 11 << 20


def test_a_member_may_be_thin_where_it_begins():
    noise = b"".join(zlib.crc32(b"%d" % n).to_bytes(4, "big") for n in range(20_000))
    data = zipped(("lot.tsv", bytes(5 << 20) + noise))
    assert contents(opened(data)) == [("lot.tsv", bytes(5 << 20) + noise)]


@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=8),
    st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
)
def test_a_zip_with_any_bytes_changed_gives_members_or_reasons(changes, method):
    data = bytearray(zipped(("new.tsv", TABLE), ("stöck.tsv", TABLE * 3), method=method))
    for position, value in changes:
        data[position % len(data)] = value
    for each in opened(bytes(data)):
        if isinstance(each, Member):
            assert sum(map(len, each.content())) == each.size


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=4))
def test_a_gzip_with_any_bytes_changed_gives_its_member_or_a_reason(changes):
    data = bytearray(gzip.compress(TABLE))
    for position, value in changes:
        data[position % len(data)] = value
    (each,) = opened(bytes(data), "gzip", "lot.gz")
    assert isinstance(each, Blocked) or b"".join(each.content()) == TABLE
