"""The papers beside a settled file say what became of it, in the words others build on."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from ingestd.model import Delivery, Outcome, Paper
from ingestd.report import Counts, Report, Settlement
from ingestd.tell.receipts import clean, papers
from tests.integration.settlements import refused, report, settlement


async def excerpts(delivery: Delivery, made: Report) -> AsyncIterator[bytes]:
    yield b"line\treason\tVIN\n"
    for finding in made.rejections:
        told = f"{finding.line}\t{finding.reason}\tfile {made.file_index} of {delivery.id}\n"
        yield told.encode()


async def text(paper: Paper) -> str:
    return b"".join([block async for block in paper.blocks()]).decode()


async def written(done: Settlement) -> dict[str, str]:
    return {paper.suffix: await text(paper) for paper in papers(done, excerpts)}


async def test_one_import_gives_its_own_object():
    made = report()
    receipt = (await written(settlement(made)))[".report.json"]
    assert json.loads(receipt) == made.as_json()
    assert receipt.endswith("}\n")
    assert '\n  "counts": {\n' in receipt


async def test_the_rejected_lines_lie_beside_the_report():
    found = await written(settlement(report()))
    assert list(found) == [".report.json", ".rejected.tsv"]
    assert found[".rejected.tsv"].split("\n")[1] == "90\tno_identifier\tfile 0 of 9"
    assert found[".rejected.tsv"].split("\n")[2] == "153\tmodel_missing\tfile 0 of 9"


async def test_without_rejections_there_is_only_the_report():
    made = report(counts=Counts(header=1, added=3), rejections=())
    assert list(await written(settlement(made))) == [".report.json"]


async def test_several_files_give_a_list_and_an_excerpt_for_each_that_has_rejections():
    new = report("new.tsv")
    used = replace(report("used cars.tsv"), file_index=1, import_id=13)
    notes = refused(file="notes.txt")
    found = await written(settlement(new, used, notes, name="lot.zip"))
    assert list(found) == [
        ".report.json",
        ".new.tsv.rejected.tsv",
        ".used_cars.tsv.rejected.tsv",
    ]
    assert "file 1" in found[".used_cars.tsv.rejected.tsv"]
    receipt = json.loads(found[".report.json"])
    assert {key: receipt[key] for key in ("delivery_id", "file", "outcome", "reason")} == {
        "delivery_id": 9,
        "file": "lot.zip",
        "outcome": "rejected",
        "reason": None,
    }
    assert receipt["imports"] == [new.as_json(), used.as_json(), notes.as_json()]


async def test_a_delivery_without_a_file_has_the_keys_of_an_import_and_says_why():
    receipt = json.loads((await written(settlement(reason="no_table")))[".report.json"])
    assert set(receipt) == set(report().as_json())
    assert (receipt["import_id"], receipt["counts"]) == (None, None)
    assert (receipt["outcome"], receipt["reason"]) == ("rejected", "no_table")
    assert receipt["delivery_id"] == 9
    assert receipt["message"].startswith("lot.tsv: no table was found")


async def test_what_the_source_said_of_a_delivery_it_refused_is_told():
    done = settlement(reason="too_large")
    arrival = replace(done.delivery.arrival, message="lot.tsv has 2 GiB, the limit is 1 GiB")
    refused_ = replace(done, delivery=replace(done.delivery, arrival=arrival))
    receipt = json.loads((await written(refused_))[".report.json"])
    assert receipt["message"] == "lot.tsv has 2 GiB, the limit is 1 GiB"


async def test_a_reason_we_have_no_words_for_is_still_told():
    receipt = json.loads((await written(settlement(reason="brand_new")))[".report.json"])
    assert (receipt["reason"], receipt["message"]) == (
        "brand_new",
        "lot.tsv: it was rejected as a whole",
    )


async def test_an_excerpt_is_passed_on_block_by_block():
    given: list[int] = []

    async def endless(_delivery: Delivery, _report: Report) -> AsyncIterator[bytes]:
        while True:
            given.append(1)
            yield b"x" * 65_536

    blocks = papers(settlement(report()), endless)[1].blocks()
    assert len(await anext(blocks)) == 65_536
    assert len(given) == 1


async def test_a_paper_can_be_written_again_after_a_failure():
    excerpt = papers(settlement(report()), excerpts)[1]
    assert await text(excerpt) == await text(excerpt)


async def test_names_from_anywhere_make_valid_json():
    name = 'Citro\u00ebn "\\ \t\u202e\udcff.tsv'
    receipt = (await written(settlement(report(name), name=name)))[".report.json"]
    assert json.loads(receipt)["file"] == name
    assert "Citroën" in receipt


@pytest.mark.parametrize(
    ("name", "harmless"),
    [
        ("lot.tsv", "lot.tsv"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        (".hidden.tsv", "hidden.tsv"),
        ("-rf.tsv", "rf.tsv"),
        ("a\0b\n\u202ec.tsv", "a_b_c.tsv"),
        ("Citroën été.tsv", "Citro_n_t_.tsv"),
        ("/", "file"),
        ("...", "file"),
        ("", "file"),
    ],
)
def test_a_sender_s_name_becomes_harmless(name: str, harmless: str):
    assert clean(name) == harmless


async def test_files_with_one_name_get_papers_of_their_own():
    first, second = report("a/lot.tsv"), replace(report("b/LOT.tsv"), file_index=1)
    found = await written(settlement(first, second, name="lot.zip"))
    assert list(found)[1:] == [".1-lot.tsv.rejected.tsv", ".2-LOT.tsv.rejected.tsv"]


@pytest.mark.parametrize("length", [1, 130, 180, 200])
async def test_papers_fit_beside_the_longest_names(length: int):
    """A settled file's name is time and delivery id (38 bytes) and the delivery's name."""
    done = settlement(
        *(replace(report("u" * 300), file_index=index) for index in range(50)), name="z" * length
    )
    suffixes = [paper.suffix for paper in papers(done, excerpts)]
    assert len(set(suffixes)) == 51
    assert max(38 + length + len(suffix) for suffix in suffixes) <= 255


async def test_an_outcome_that_the_ledger_left_open_is_the_worst_of_the_imports():
    done = settlement(report("a.tsv"), report("b.tsv", Outcome.FAILED))
    unset = replace(done, delivery=replace(done.delivery, outcome=None))
    assert json.loads((await written(unset))[".report.json"])["outcome"] == "failed"
