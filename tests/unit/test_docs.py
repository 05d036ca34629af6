"""The pages that are made from the code say what the code says."""

import re
from pathlib import Path

from ingestd.config import TargetSettings, parse
from ingestd.feed.aliases import ALIASES
from ingestd.vehicle import FIELDS

ROOT = Path(__file__).parents[2]
COLUMNS = ROOT / "docs" / "columns.md"

HEAD = """\
# Columns: which headers fill which field

A header matches when its letters and digits, without regard to case, are one of these names:
`Stock #`, `stock` and `STOCK` are the same; `VIN Leads` and `Unit Cost` match nothing. The first
name whose cell is usable wins, row by row. A feed adds its own names, which come first, under
`[feed.columns]`, and keeps headers out by `exclude`. What matches nothing is kept beside the
vehicle (`ingest.vehicle_extras`).

Some headers mean different things in different files and are judged by their values: `Type`
(body style, or new/used), `Condition`, `Status`, `Title`, `Photos` (addresses, or a count),
`Series`, `Style`. Columns with one picture each (`image[0].url`, `Photo Url 1`) are all taken, in
the order of their numbers. An engine that no column describes is made of displacement, block and
cylinders; year, make, model and trim are read from one cell (`Vehicle`, `Title`) only where a file
has no column for the make and the cells begin with a year and a make. `Serial #`, `Unit #`,
`Inventory #` and `Sale Status` are taken only where the cells can be nothing else.

Before any of the names but `title` may stand `vehicle`, `veh`, `car` or `unit` (`Unit Color`), or
what nested data call the vehicle (`build.year`, `g:price`); behind those of words `name`, `desc`,
`description` or `text`, behind a mileage its unit (`current_mileage_km`), behind a price `USD`,
`CAD`, `AUD` or `NZD`; `colour` and `clr` are `color`. `Model #` is the number of a model, not the
model.

Columns of yes and no speak of a field: `is_new` and `is_used` of the condition, `deleted` and
`sold` of the status (yes: sold, whatever another column says). Words for a status that are not
known are added by `[feed.status]`. Prices are in dollars unless the feed says `prices_in =
"cents"`, or the layout does (Kijiji's: `vendorId`, `categoryId`, `priceType`, `price`). Rows wider
than the header are read up to the last column whose values prove its name.

`Price` falls back to `MSRP` only where a file has no other price column; list and retail prices,
cost, invoice and book values are never taken for the price unless they are configured.

| field | names, strongest first |
|---|---|
"""


def page() -> str:
    rows = (f"| `{field}` | {', '.join(ALIASES.get(field, ()))} |\n" for field in FIELDS)
    return HEAD + "".join(rows)


def test_the_page_of_columns_names_every_alias():
    assert COLUMNS.read_text() == page()


def test_every_link_in_the_documents_leads_somewhere():
    for document in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for link in re.findall(r"\]\(([^)#]+)", document.read_text()):
            assert link.startswith("https://") or (document.parent / link).exists(), (
                f"{document.name}: {link}"
            )


def test_every_command_of_the_readme_exists():
    readme = (ROOT / "README.md").read_text()
    makefile = (ROOT / "Makefile").read_text()

    for target in set(re.findall(r"`?make (\w+)", readme)):
        assert f"\n{target}:" in makefile, target


def test_every_block_about_the_target_is_a_configuration_without_a_fault():
    page = (ROOT / "docs" / "target.md").read_text()
    blocks = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        assert parse(block, {}).target != TargetSettings()
