"""What became of a file and of a delivery, as it is told."""

from dataclasses import replace
from datetime import UTC, datetime

from ingestd.model import Arrival, Delivery, Drift, File, FileReading, Finding, Outcome, State
from ingestd.report import Counts, Decision, Report, Settlement, refusal

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
        "warnings_list": [],
        "rejections": [{"line": 7, "column": "VIN", "reason": "no_identifier", "value": "TBD"}],
        "started_at": "2026-11-23T06:00:00Z",
        "seconds": 0.21,
    }


def test_a_refused_file_has_a_report_without_counts():
    file = File(2, "lot.bin", 9, None, "not_a_table", "it is a picture")
    made = refusal(9, file, REPORT.started_at)

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


ARRIVAL = Arrival("drop", "folder", "k", "lot.zip", "0" * 64, 1, REPORT.started_at)
WITHOUT = Delivery(9, ARRIVAL, State.DONE, 1)


def test_a_settlement_has_the_outcome_that_the_ledger_gave_it():
    quarantined = replace(WITHOUT, outcome=Outcome.FAILED)

    assert Settlement(quarantined, (REPORT,)).outcome is Outcome.FAILED


def test_a_settlement_without_one_is_as_bad_as_its_worst_import():
    bad = replace(REPORT, outcome=Outcome.REJECTED)

    assert Settlement(WITHOUT, (REPORT, bad, REPORT)).outcome is Outcome.REJECTED
    assert Settlement(WITHOUT, ()).outcome is Outcome.REJECTED


def test_headers_that_changed_are_in_the_report_and_none_where_none_did():
    drift = Drift(gone=("Price",), renamed=(("Stk", "Stock"),), lost=("price",))
    reading = FileReading(0, "lot.tsv", drift=drift)

    told = replace(REPORT, reading=reading).as_json()["drift"]
    assert told == {"gone": ["Price"], "renamed": [["Stk", "Stock"]], "lost": ["price"]}
    assert "drift" not in REPORT.as_json()


def test_a_group_files_report_has_the_counts_of_each_dealership():
    shares = ((1, Counts(added=2)), (7, Counts(rejected=1)))
    told = replace(REPORT, dealership_id=None, dealerships=shares).as_json()

    assert told["dealership_id"] is None
    assert [(share["id"], share["counts"]["added"]) for share in told["dealerships"]] == [
        (1, 2),
        (7, 0),
    ]
    assert "dealerships" not in REPORT.as_json()


HELD = replace(
    REPORT,
    outcome=Outcome.HELD,
    reason="price_jump",
    message="dear",
)


def test_what_is_held_is_told_with_what_can_be_done_about_it():
    approve = "`ingestd imports approve 12` loads it all the same, `deny` does not"
    assert HELD.advice() == approve
    assert HELD.told() == f"dear; nothing was changed; {approve}"
    assert HELD.as_json()["message"] == HELD.told()
    lost = replace(REPORT, message="36 are lost", held_deactivations=36)
    assert lost.told() == "36 are lost; `ingestd imports approve 12` says that they are gone"


def test_there_is_nothing_to_be_done_of_a_dry_run_or_what_is_decided():
    assert replace(HELD, import_id=None).told() == "dear; nothing was changed"
    assert replace(HELD, decided=Decision("approve")).advice() == ""
    # Its rows were approved; now its deactivations are held.
    assert replace(REPORT, held_deactivations=1, decided=Decision("approved")).advice()
    assert REPORT.advice() == ""


def test_what_is_held_of_a_file_that_is_cut_off_is_to_be_sent_anew():
    whole = replace(REPORT, reading=FileReading(0, "lot.tsv"))
    cut = replace(REPORT, reading=FileReading(0, "lot.tsv", cut_off=True))
    advice = "the file is cut off: have it sent anew rather than approve it"

    for number in (0, 36):
        held = replace(cut, outcome=Outcome.IMPORTED if number else Outcome.HELD)
        assert replace(held, held_deactivations=number).told().endswith(f"; {advice}")
    assert cut.told() == ""
    assert advice not in replace(whole, held_deactivations=36).told()
    assert not replace(REPORT, reading=None).cut_off


def test_it_holds_if_all_is_held_or_its_deactivations_are():
    assert HELD.holds
    assert replace(REPORT, held_deactivations=1).holds
    assert not REPORT.holds


def test_vehicles_that_no_row_tells_of_are_told_where_there_are_any():
    assert REPORT.switched() == ()
    both = replace(REPORT, deactivated=12, reactivated=3, held_deactivations=36)
    assert both.switched() == ("12 deactivated", "3 reactivated", "36 deactivations held")
    assert replace(REPORT, held_deactivations=1).switched() == ("1 deactivation held",)


def test_who_decided_and_when_is_told_as_far_as_it_is_known():
    at = REPORT.started_at
    decided = Decision("denied", "anna", at)
    assert str(decided) == "denied by anna at 2026-11-23 06:00:00 UTC"
    assert str(Decision("approve", at=at)) == "to be approved at 2026-11-23 06:00:00 UTC"
    assert str(Decision("approved")) == "approved"
    assert replace(REPORT, decided=decided).as_json()["decided"] == {
        "what": "denied",
        "by": "anna",
        "at": "2026-11-23T06:00:00Z",
    }
    silent = replace(REPORT, decided=Decision("approved")).as_json()["decided"]
    assert (silent["by"], silent["at"]) == (None, None)
    assert "decided" not in REPORT.as_json()


def test_counts_of_two_are_added_outcome_by_outcome():
    both = Counts(header=1, added=2, rejected=3) + Counts(blank=4, added=5)
    assert both == Counts(header=1, blank=4, added=7, rejected=3)
    assert both.total() == 15
