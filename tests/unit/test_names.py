"""Names of files on their way through a watched folder."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from ingestd.sources import names

MOMENT = datetime(2026, 11, 23, 6, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"lot.tsv", "lot.tsv"),
        ("größe.tsv".encode(), "größe.tsv"),
        ("gro\u0308ße.tsv".encode(), "größe.tsv"),
        (b"gr\xf6\xdfe.tsv", "gr\ufffd\ufffde.tsv"),
        (b"a\nb\x1b[31m.tsv", "a\ufffdb\ufffd[31m.tsv"),
        ("lot\u202evst.tsv".encode(), "lot\ufffdvst.tsv"),
        ("zero\u200bwidth".encode(), "zero\ufffdwidth"),
        (b"..%2f..%2fetc", "..%2f..%2fetc"),
    ],
)
def test_a_name_is_shown_without_anything_that_could_mislead(raw, shown):
    assert names.clean(raw) == shown


def test_a_long_name_is_cut_before_its_extension():
    name = names.clean(b"x" * 251 + b".tsv")
    assert name == "x" * 196 + ".tsv"


def test_a_long_name_is_never_cut_within_a_character():
    name = names.clean(("ä" * 125 + ".tsv").encode())
    assert name == "ä" * 98 + ".tsv"
    assert len(name.encode()) == 200


@pytest.mark.parametrize("raw", [b"matte\x01son", b"matte\xffson", "\u212aia".encode()])
def test_a_strange_folder_name_never_becomes_that_of_a_feed(raw):
    name = names.clean_folder(raw)
    assert not name.isascii()
    assert len(name.encode()) <= 255


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("lot.tsv", ("lot", ".tsv")),
        ("lot.2026.tsv", ("lot.2026", ".tsv")),
        ("lot", ("lot", "")),
        (".lot", (".lot", "")),
        ("lot v1. of the last week", ("lot v1. of the last week", "")),
        ("lot.averyverylongextension", ("lot.averyverylongextension", "")),
    ],
)
def test_the_extension_is_what_looks_like_one(name, parts):
    assert names.split(name) == parts


def test_a_claim_is_read_back_from_its_name_alone():
    claim = names.claim("matteson", MOMENT, "0123abcd", "lot.tsv")
    assert claim.file == "20261123T060000.123456Z-0123abcd-lot.tsv"
    assert claim.key == "matteson/" + claim.file
    assert names.parse_claim("matteson", claim.file) == claim


def test_a_claim_outside_the_feeds_folders_has_its_name_as_key():
    claim = names.claim(None, MOMENT, "0123abcd", "lot.tsv")
    assert claim.key == claim.file


def test_a_claim_tells_the_time_in_utc_whatever_zone_it_came_in():
    elsewhere = MOMENT.astimezone(timezone(timedelta(hours=-7)))
    assert names.claim(None, elsewhere, "0123abcd", "x").file.startswith("20261123T060000.123456Z")


@pytest.mark.parametrize(
    "name", ["lot.tsv", "20261123T060000.123456Z-lot.tsv", "20261323T060000.123456Z-0123abcd-x"]
)
def test_a_file_that_nobody_claimed_is_not_taken_for_a_claim(name):
    assert names.parse_claim(None, name) is None


def test_a_settled_name_carries_time_and_delivery():
    assert names.settled(MOMENT, 9, "lot.tsv") == "20261123T060000Z-9-lot.tsv"
    assert names.settled(MOMENT, 9, "lot.tsv", 2) == "20261123T060000Z-9-2-lot.tsv"


@pytest.mark.parametrize(
    ("settled", "paper"),
    [
        ("20261123T060000Z-9-lot.tsv", "20261123T060000Z-9-lot.report.json"),
        ("20261123T060000Z-9-lot.tsv.gz", "20261123T060000Z-9-lot.tsv.report.json"),
        ("20261123T060000Z-9-lot", "20261123T060000Z-9-lot.report.json"),
    ],
)
def test_a_paper_lies_on_the_stem_of_the_settled_file(settled, paper):
    assert names.paper(settled, ".report.json") == paper


@pytest.mark.parametrize("raw", [b"x" * 255, b"\xff" * 255, b"y" * 251 + b".tsv"])
def test_no_name_on_the_way_passes_what_file_systems_allow(raw):
    title = names.clean(raw)
    claim = names.claim(None, MOMENT, "0123abcd", title)
    settled = names.settled(MOMENT, 2**63 - 1, title, 2)
    for name in (claim.file, settled, names.paper(settled, ".rejected.tsv")):
        assert len(name.encode()) <= 255
