"""Each reason has a place in the pages for people."""

import re
from pathlib import Path

import pytest

from ingestd.tell import catalogue, reasons
from ingestd.tell.catalogue import document

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    "codes",
    [
        reasons.FILE_REASONS,
        reasons.HOLD_REASONS,
        reasons.ROW_REASONS,
        reasons.WARNING_REASONS,
    ],
)
def test_every_set_of_reasons_has_room_for_one_we_do_not_know(codes: tuple[str, ...]):
    assert codes[-1] == reasons.OTHER
    assert len(set(codes)) == len(codes)
    assert all(f"`{reason}`" in document() for reason in codes)


OPERATING = (ROOT / "docs" / "operating.md").read_text()


@pytest.mark.parametrize(
    ("heading", "codes"),
    [
        ("## Outcomes", catalogue.OUTCOMES),
        ("### Why a file is refused as a whole", reasons.FILE_REASONS),
        ("### Why a file is held as a whole", reasons.HOLD_REASONS),
        ("### Why a row is rejected", reasons.ROW_REASONS),
        ("### What is only a warning", reasons.WARNING_REASONS),
    ],
)
def test_the_page_for_operators_explains_every_code_and_no_other(
    heading: str, codes: tuple[str, ...]
):
    section = re.split(r"^#+ ", OPERATING.partition(f"{heading}\n")[2], flags=re.MULTILINE)[0]
    explained = re.findall(r"^\| `(\w+)` \| \S.* \| \S.* \|$", section, re.MULTILINE)

    assert sorted(explained) == sorted(codes)
