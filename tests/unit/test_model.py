"""The nouns, and the few names they compute."""

from datetime import UTC, datetime

import pytest

from ingestd import model
from ingestd.model import Column, Counts, FileReading, Finding, Outcome, Report, Target, worst

REPORT = Report(
    import_id=12,
    delivery_id=9,
    file="lot.tsv",
    file_index=0,
    dealership_id=1,
    feed="matteson",
    outcome=Outcome.IMPORTED,
    reason=None,
    message="",
    lines=146,
    counts=Counts(header=1, blank=1, added=3, updated=5, unchanged=132, duplicate=1, rejected=3),
    reading=FileReading(
        file=0,
        name="lot.tsv",
        encoding="utf-8",
        delimiter="\t",
        quoting="none",
        mapping={"vin": ("VIN",), "price": ("Price", "Formatted Price")},
        unmapped=("Advertiser Name",),
        warnings=4,
    ),
    rejections=(Finding(7, "VIN", "no_identifier", "TBD"),),
    started_at=datetime(2026, 11, 23, 6, 0, tzinfo=UTC),
    seconds=0.21,
)


def test_a_report_is_the_documented_object():
    given = REPORT.as_json()

    assert given.pop("message") == ""
    assert given == {
        "import_id": 12,
        "delivery_id": 9,
        "file": "lot.tsv",
        "dealership_id": 1,
        "feed": "matteson",
        "outcome": "imported",
        "reason": None,
        "lines": 146,
        "counts": {
            "header": 1,
            "blank": 1,
            "added": 3,
            "updated": 5,
            "unchanged": 132,
            "duplicate": 1,
            "rejected": 3,
        },
        "deactivated": 0,
        "reactivated": 0,
        "held_deactivations": 0,
        "warnings": 4,
        "encoding": "utf-8",
        "delimiter": "\t",
        "quoting": "none",
        "mapping": {"vin": ["VIN"], "price": ["Price", "Formatted Price"]},
        "unmapped": ["Advertiser Name"],
        "rejections": [{"line": 7, "column": "VIN", "reason": "no_identifier", "value": "TBD"}],
        "started_at": "2026-11-23T06:00:00Z",
        "seconds": 0.21,
    }


def test_a_refused_file_has_a_report_without_counts():
    file = model.File(2, "lot.bin", 9, None, "not_a_table", "it is a picture")
    made = model.refusal(9, file, REPORT.started_at)

    assert (made.outcome, made.reason, made.message) == ("rejected", "not_a_table", file.message)
    assert (made.file_index, made.delivery_id, made.counts, made.lines) == (2, 9, None, None)


def test_counts_add_up_to_the_lines():
    assert REPORT.counts is not None
    assert REPORT.counts.total() == REPORT.lines


def test_a_report_without_a_reading_says_so_by_nulls():
    bare = Report(
        **{f: getattr(REPORT, f) for f in REPORT.__slots__} | {"reading": None, "counts": None}
    )

    assert (bare.as_json()["encoding"], bare.as_json()["counts"]) == (None, None)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ((), Outcome.REJECTED),
        ((Outcome.UNCHANGED,), Outcome.UNCHANGED),
        ((Outcome.IMPORTED, Outcome.UNCHANGED), Outcome.IMPORTED),
        ((Outcome.IMPORTED, Outcome.REJECTED, Outcome.HELD), Outcome.REJECTED),
        ((Outcome.FAILED, Outcome.REJECTED), Outcome.FAILED),
    ],
)
def test_a_delivery_is_as_bad_as_its_worst_import(outcomes, expected):
    assert worst(outcomes) is expected


def test_the_order_of_the_fields_is_that_of_the_keep_mask_for_ever():
    assert model.FIELDS.index("vin") == 0
    assert model.FIELDS.index("price") == 9
    assert model.FIELDS.index("image_type") == len(model.FIELDS) - 1 == 24


def test_the_stage_has_its_head_and_then_the_targets_columns():
    target = Target("p", (Column("vin", "vin", "text"), Column("images", "images", "jsonb")))

    assert target.stage() == (*model.STAGE_HEAD, ("vin", "text"), ("images", "jsonb"))
