"""Sheets as bytes: what a dealer's program would write of the same cells."""

import io
import zipfile
from collections.abc import Sequence

from tests.meaning.nouns import BLANK, UNREADABLE, WORDS, Cell, Footer, Row, Sheet

HEADERS = {
    "vin": "VIN",
    "stock_number": "Stock Number",
    "make": "Make",
    "model": "Model",
    "year": "Year",
    "trim": "Trim",
    "mileage": "Mileage",
    "price": "Price",
    "status": "Sale State",
    "rooftop": "DealerID",
}
#: A header that could mean several things is decided by its cells; here it shall not be.
CONFIGURED = {"status": ("Sale State",)}
_UNREADABLE = {
    "vin": "AB-12",
    "stock_number": "STEPS",
    "year": "20x4",
    "mileage": "12,3x5",
    "price": "12,3x5",
    "status": "zebra",
}
_WORDS = {"price": "Call"}
_BROKEN = "Alpha\tBeta\none\ttwo\n"


def content(sheets: Sequence[Sheet]) -> tuple[str, bytes]:
    """Give the delivery's name and bytes: one file, or a zip of several."""
    if len(sheets) == 1:
        return sheets[0].name, written(sheets[0])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for sheet in sheets:
            archive.writestr(sheet.name, written(sheet))
    return "lot.zip", packed.getvalue()


def written(sheet: Sheet) -> bytes:
    """Write a sheet; if it is cut off, it ends within the third cell of its last line."""
    if sheet.broken:
        return _BROKEN.encode()
    lines = ["\t".join(HEADERS[name] for name in sheet.columns)]
    lines += [_line(row, sheet.columns) for row in sheet.rows]
    if not sheet.cut_off:
        return ("\n".join(lines) + "\n").encode()
    *whole, last = lines
    return "\n".join([*whole, "\t".join(last.split("\t")[:3])[:-1]]).encode()


def _line(row: Row | Footer, columns: Sequence[str]) -> str:
    if isinstance(row, Footer):
        return row.text
    return "\t".join(_cell(name, row.get(name, BLANK)) for name in columns)


def _cell(name: str, cell: Cell) -> str:
    if cell is BLANK:
        return ""
    if cell is UNREADABLE:
        return _UNREADABLE[name]
    return _WORDS[name] if cell is WORDS else str(cell)
