from ingestd.feed.books import MOST_WARNINGS, Books
from ingestd.feed.encode import Encoded
from ingestd.model import FileReading, Finding

NOTE = Finding(2, "Price", "unreadable_number", "x")


def encoded(rejection=None, warnings=()):
    return Encoded("", "V", None, None, None, None, rejection, warnings)


def test_every_line_is_counted_once():
    books = Books()
    for kind in ("header", "blank", "blank"):
        books.count(kind)
    books.take(encoded())
    books.take(encoded(warnings=(NOTE, NOTE)))
    books.take(encoded(Finding(4, None, "too_few_cells", "")))
    got = books.closed(FileReading(0, "lot.tsv"), rejected=1)
    assert (got.lines, got.header, got.blank, got.rows, got.rejected) == (6, 1, 2, 1, 2)
    assert (got.warnings, got.warnings_list, got.cut_off) == (2, (NOTE, NOTE), False)


def test_a_line_cut_off_is_remembered():
    books = Books()
    books.take(encoded(Finding(4, None, "cut_off", "")))
    books.take(encoded(Finding(5, None, "too_few_cells", "")))
    assert books.closed(FileReading(0, "lot.tsv"), 0).cut_off


def test_all_warnings_are_counted_and_the_first_thousand_kept():
    books = Books()
    books.warn([NOTE] * (MOST_WARNINGS - 1))
    books.warn([NOTE] * 10)
    books.warn([NOTE])
    got = books.closed(FileReading(0, "lot.tsv"), 0)
    assert got.warnings == MOST_WARNINGS + 10
    assert len(got.warnings_list) == MOST_WARNINGS


def test_of_a_refused_file_nothing_counts():
    books = Books()
    books.count("header")
    refused = FileReading(0, "lot.tsv", reason="no_usable_row")
    assert books.closed(refused, 0) is refused
