"""Feeds as they come from systems that nobody here has seen: layouts.txt has their header lines."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from ingestd import onefile
from ingestd.config import Feed, Limits
from ingestd.feed import identity
from ingestd.feed.copytext import fields
from ingestd.feed.encode import own_target, rejection
from ingestd.mail.parts import Member
from ingestd.model import File, FileReading, ReadJob
from ingestd.vehicle import STAGE_HEAD
from tests.dialects import VINS

DELIMITERS = {"tab": "\t", "comma": ",", "pipe": "|", "semicolon": ";"}
TARGET = own_target()
ROWS = 3
CELLS = {
    "vin": VINS,
    "stock_number": ("A1001", "B2002X", "C3003"),
    "make": ("Honda", "Ford", "Toyota"),
    "model": ("Accord", "F-150", "RAV4"),
    "year": ("2024", "2023", "2024"),
    "mileage": ("23,411", "61022", "12"),
    "price": ("24995", "31,500", "$38,900"),
    "msrp": ("28000", "41000", "40210"),
    "body_style": ("4D Sedan", "Crew Cab Pickup", "SUV"),
    "engine": ("1.5L I4", "3.5L V6", "2.5L I4"),
    "images": ("https://img.example.com/1.jpg", "https://img.example.com/2.jpg", ""),
    "status": ("In Stock", "Available", "Sold"),
    "url": ("https://www.example.com/v/1", "https://www.example.com/v/2", ""),
    "doors": ("4", "2", "4"),
    "condition": ("Used", "Used", "New"),
    "": ("x1", "y2", "z3"),
}


class Layout(NamedTuple):
    """A header line, the headers that each field must take, and a table below it."""

    name: str
    mapping: dict[str, set[str]]
    text: bytes


def layouts() -> Iterator[Layout]:
    sections = (Path(__file__).parent / "layouts.txt").read_text().split("\n[")[1:]
    for section in sections:
        title, _, body = section.partition("]\n")
        name, _, delimiter = title.rpartition(", ")
        columns = body.replace("/\n", "/ ").strip().split(" / ")
        yield layout(name, DELIMITERS[delimiter], columns)


def layout(name: str, delimiter: str, columns: list[str]) -> Layout:
    mapping: dict[str, set[str]] = {}
    table = []
    for column in columns:
        header, _, spec = column.partition(" =")
        known, given, cells = spec.partition(":")
        for field in filter(None, known.split("+")):
            mapping.setdefault(field, set()).add(header)
        of = known.partition("+")[0]
        below = tuple(cells.split("~")) if given else CELLS.get(of, CELLS[""])
        table.append((header, *(below[row % len(below)] for row in range(ROWS))))
    lines = (delimiter.join(map(quoted, row)) for row in zip(*table, strict=True))
    return Layout(name, mapping, "\n".join(lines).encode() + b"\n")


def quoted(cell: str) -> str:
    special = any(mark in cell for mark in '",;|\t')
    return '"' + cell.replace('"', '""') + '"' if special else cell


def read(text: bytes) -> tuple[list[str], FileReading]:
    files = (File(0, "lot.csv", 1, "lot"),)
    job = ReadJob("0", "folder", "lot.csv", files, 1, "2026-11-23", TARGET)
    feed = Feed(name="lot", dealership=1, mode="full")
    reader = onefile.FileReader(files[0], job, feed, Limits())
    lines = list(reader.lines(Member("lot.csv", len(text), lambda: iter((text,))), identity.Rows()))
    return lines, reader.closed(0)


LAYOUTS = tuple(layouts())


@pytest.mark.parametrize("layout", LAYOUTS, ids=[layout.name for layout in LAYOUTS])
def test_each_column_of_a_layout_fills_its_field_and_no_other(layout):
    lines, reading = read(layout.text)
    found = {field: set(headers) for field, headers in reading.mapping.items()}
    assert (found, reading.reason) == (layout.mapping, None)
    assert [rejection(line) for line in lines] == [None] * ROWS


@pytest.mark.parametrize("layout", LAYOUTS, ids=[layout.name for layout in LAYOUTS])
def test_each_field_of_a_layout_gets_a_value(layout):
    lines, reading = read(layout.text)
    names = [column.field for column in TARGET.columns]
    rows = [dict(zip(names, fields(line)[len(STAGE_HEAD) :], strict=True)) for line in lines]
    empty = {field for field in reading.mapping if all(row[field] is None for row in rows)}
    blank = {
        finding.column for finding in reading.warnings_list if finding.reason == "blank_column"
    }
    assert all(layout.mapping[field] & (blank | UNTOLD) for field in empty), empty


#: Columns whose words are the system's own: they fill nothing.
UNTOLD = {"Status"}


def test_there_are_many_layouts():
    assert len(LAYOUTS) > 120
    assert len({layout.name for layout in LAYOUTS}) == len(LAYOUTS)
