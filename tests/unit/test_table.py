import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.feed.heading import Layout, detect
from ingestd.feed.table import records

NAMES = {"vin", "stock", "year", "make", "model", "price", "description"}


def known(header):
    return header.casefold() in NAMES


def texts(text, size=1000):
    return lambda: (text[start : start + size] for start in range(0, len(text), size))


def layout_of(text):
    layout = detect(texts(text), known)
    assert isinstance(layout, Layout)
    return layout


def read(text, row_size=1 << 20, columns=500, size=1000):
    return list(records(texts(text, size), layout_of(text), row_size, columns))


def kinds(text, **more):
    return [(record.line, record.kind, record.reason) for record in read(text, **more)]


def rows(text, **more):
    return [record.cells for record in read(text, **more) if record.kind == "row"]


# The header


def test_a_quoted_header_may_hold_the_delimiter_and_line_ends():
    layout = layout_of('VIN,"Price, net","Stock\nNo",Year\nA,1,2,3\n')
    assert layout.headers == ("VIN", "Price, net", "Stock No", "Year")
    assert [record.kind for record in read('VIN,"Stock\nNo",Year\nA,1,2\n')] == ["header", "row"]


def test_titles_before_the_header_belong_to_it():
    text = "Inventory of today\nsep=;\nVIN;Year;Make;Model\nA;1;2;3\n"
    assert kinds(text) == [
        (1, "header", None),
        (2, "header", None),
        (3, "header", None),
        (4, "row", None),
    ]


def test_a_row_before_the_header_is_a_row():
    assert kinds("A\t1\tKia\nVIN\tYear\tMake\n")[0] == (1, "row", None)


def test_a_single_column_needs_one_known_name():
    assert layout_of("VIN\nA\nB\n").headers == ("VIN",)
    assert rows("VIN\nA\nB\n") == [("A",), ("B",)]


# Rows


def test_cells_come_as_they_are():
    assert rows("VIN\tYear\tMake\n A \t\t x\n\t\tx\n") == [(" A ", "", " x"), ("", "", "x")]


def test_records_do_not_depend_on_how_the_text_is_cut():
    text = 'VIN,Year\r\n"A, B",1\r\n"C\r\nD",2\r\nE,"3\n'
    assert read(text, size=1) == read(text, size=2) == read(text)


def test_a_last_line_without_line_end_is_a_row():
    assert kinds("VIN\tYear\nA\t1") == [(1, "header", None), (2, "row", None)]


@pytest.mark.parametrize("text", ["VIN\tYear\nA\t1", 'VIN,Year\nA,"1"', "VIN\tYear\t\nA\t1"])
def test_a_last_row_without_line_end_is_cut_off_where_the_feeds_files_always_have_one(text):
    (record,) = list(records(texts(text), layout_of(text), 1 << 20, 500, whole=True))[1:]
    assert (record.kind, record.reason, record.ended) == ("bad", "cut_off", False)
    (record,) = list(records(texts(text), layout_of(text), 1 << 20, 500))[1:]
    assert (record.kind, record.ended) == ("row", False)
    kept = records(texts(text + "\n"), layout_of(text), 1 << 20, 500, whole=True)
    assert [(record.kind, record.ended) for record in kept][1:] == [("row", True)]


def test_a_cut_off_last_line_is_noticed():
    assert kinds("VIN\tYear\tMake\nA\t1\tx\nB\t2")[-1] == (3, "bad", "cut_off")


def test_a_last_line_that_lacks_only_nameless_columns_is_not_cut_off():
    assert rows("VIN\tYear\t\nA\t1\tx\nB\t2")[-1] == ("B", "2", "")


def test_a_short_row_is_filled_up_if_it_has_half_of_the_cells():
    assert rows("VIN\tYear\tMake\tModel\nA\t1\n") == [("A", "1", "", "")]
    assert kinds("VIN\tYear\tMake\tModel\nB\n")[-1] == (2, "bad", "too_few_cells")


def test_blank_cells_beyond_the_header_are_dropped_and_others_are_not():
    assert rows("VIN\tYear\nA\t1\t\t \n") == [("A", "1")]
    assert kinds("VIN\tYear\nA\t1\t\tx\n")[-1] == (2, "bad", "too_many_cells")


def test_a_bad_record_keeps_its_cells():
    assert read("VIN\tYear\nA\t1\t\tx\n")[-1].cells == ("A", "1", "", "x")
    assert read("VIN\tYear\nA\t1\t\tx\n", columns=2)[-1].cells == ("A", "1")


def test_a_header_wider_than_allowed_makes_no_row():
    assert kinds("VIN\tYear\tMake\nA\t1\tx\n", columns=2)[-1] == (2, "bad", "too_many_cells")


@pytest.mark.parametrize("line", ["", "\t", " \t\xa0", "\r", "\x1a", "\t\t\t\t"])
def test_a_line_of_delimiters_and_blanks_is_blank(line):
    assert kinds(f"VIN\tYear\n{line}\nA\t1\n")[1] == (2, "blank", None)


def test_quoted_nothing_is_blank():
    assert kinds('"VIN","Year"\n"",""\n')[1] == (2, "blank", None)


def test_a_header_repeated_in_the_body_is_no_row():
    text = "VIN\tYear\tDescription\nA\t1\tx\nvin\t year\tDESCRIPTION\t\nB\t2\tDescription\n"
    assert [kind for _, kind, _ in kinds(text)] == ["header", "row", "header", "row"]


def test_a_bare_cr_inside_a_line_is_a_space():
    assert rows("VIN\tYear\r\nA\rB\t1\r\n") == [("A B", "1")]


def test_a_file_of_cr_lines_is_read():
    assert rows("VIN\tYear\rA\t1\rB\t2") == [("A", "1"), ("B", "2")]


def test_other_line_separators_end_no_line():
    assert rows("VIN\tYear\nA\u2028B\x85\x0c\t1\n") == [("A\u2028B\x85\x0c", "1")]


@pytest.mark.parametrize("header", ["VIN,Year", '"VIN","Year"'])
def test_a_row_that_is_too_large_is_bad_and_the_next_is_read(header):
    text = f"{header}\nA,{'x' * 500}\nB,2\n"
    assert kinds(text, row_size=100)[1:] == [(2, "bad", "row_too_large"), (3, "row", None)]


def test_a_row_that_is_too_large_is_bad_wherever_the_text_is_cut():
    text = "VIN\tYear\nA\t" + "x" * 98 + "\rmore\n"
    assert read(text, row_size=100, size=1) == read(text, row_size=100, size=1000)


def test_a_last_line_is_not_cut_off_where_most_rows_are_short():
    text = "VIN\tYear\tMake\tModel\nA\t1\tx\nB\t2\tx\nC\t3\tx"
    assert kinds(text)[-1] == (4, "row", None)


@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.parametrize("line", ["Total: 140 vehicles", "Total,140,,", "-----", ",,Total,140"])
def test_a_footer_is_told_apart_and_is_not_cut_off(line, end):
    text = "VIN,Year,Make,Model,Price\nA,1,x,y,2\n" + line + end
    assert kinds(text)[-1] == (3, "bad", "footer")


def test_titles_repeated_in_the_body_belong_to_the_header():
    text = "Lot of today\nVIN\tYear\tMake\nA\t1\tx\nLot of today\nVIN\tYear\tMake\nB\t2\ty\n"
    assert [kind for _, kind, _ in kinds(text)] == [
        *("header", "header", "row"),
        *("header", "header", "row"),
    ]


def test_a_header_repeated_with_other_marks_is_a_header():
    text = "Stock #\tYear\tMake\nA\t1\tx\nSTOCK\tyear*\t Make\nB\t2\ty\n"
    layout = Layout("\t", "none", 1, ("Stock #", "Year", "Make"), "")
    found = [record.kind for record in records(texts(text), layout, 1000, 10)]
    assert found == ["header", "row", "header", "row"]


def test_rows_below_the_header_of_another_table_are_bad_until_the_first_comes_again():
    text = "VIN,Year,Make\nA,1,x\nMake,Year,VIN\nx,1,B\nVIN,Year,Make\nC,2,y\n"
    assert kinds(text) == [
        (1, "header", None),
        (2, "row", None),
        (3, "header", None),
        (4, "bad", "other_columns"),
        (5, "header", None),
        (6, "row", None),
    ]


def test_a_row_that_begins_with_a_name_of_the_header_is_a_row():
    assert rows("Make,Year,VIN\nMake,1,A\n") == [("Make", "1", "A")]


def test_a_price_that_its_comma_cut_in_two_is_joined():
    text = "VIN,Price,Make\nA,$12,345.00,x\nB,900,y\n"
    assert rows(text) == [("A", "$12,345.00", "x"), ("B", "900", "y")]
    text = "VIN,Make,Price\nA,x, y,300\n"
    assert kinds(text)[-1] == (2, "bad", "too_many_cells")


# Quotes


def test_inch_marks_and_unclosed_quotes_swallow_no_line():
    text = 'VIN\tDescription\nA\t5\'7" box\nB\t"Loaded\nC\tx\n'
    assert rows(text) == [("A", "5'7\" box"), ("B", '"Loaded'), ("C", "x")]


def test_quoted_cells_are_read():
    text = '"VIN","Description"\n"A","x, ""y"""\n"B",z\nC,w\n"D",""\n'
    assert rows(text) == [("A", 'x, "y"'), ("B", "z"), ("C", "w"), ("D", "")]


def test_a_record_of_several_lines_counts_at_its_first():
    text = 'VIN,Description,Year\nA,"x\ny, z\n\nw",1\nB,v,2\n'
    record = read(text)[1]
    assert (record.line, record.raw_lines) == (2, 4)
    assert record.cells == ("A", "x\ny, z\n\nw", "1")
    assert read(text)[2].line == 6


def test_a_file_cut_inside_a_quoted_cell_ends_with_a_cut_off_record():
    record = read('"VIN","Description"\n"A","x"\n"B","y\nand so')[-1]
    assert (record.line, record.kind, record.reason, record.raw_lines) == (3, "bad", "cut_off", 2)


GOOD = 'G,"1, 2",3\n' * 40


def test_a_broken_line_is_a_row_if_it_has_the_width_of_the_header():
    text = 'VIN,Description,Year\nA,162" WB,1\n' + GOOD
    assert rows(text)[0] == ("A", '162" WB', "1")


def test_a_broken_line_of_another_width_is_bad():
    text = 'VIN,Description,Year\nA,162" WB, 83",1\n' + GOOD
    assert kinds(text)[1] == (2, "bad", "broken_quotes")
    text = 'VIN,Description,Year\nA,162" WB\n' + GOOD
    assert kinds(text)[1] == (2, "bad", "broken_quotes")


def test_a_broken_line_is_read_loosely_if_that_gives_the_width():
    text = '"VIN","Description","Year"\n"A","18" alloy, leather","1"\n' + GOOD
    assert rows(text)[0] == ("A", '18" alloy, leather', "1")


def test_an_unclosed_quote_does_not_take_the_lines_below():
    text = 'VIN,Description,Year\nA,"Loaded,1\nB,x,2\nC\n' + GOOD
    assert kinds(text)[1:5] == [
        (2, "row", None),
        (3, "row", None),
        (4, "bad", "too_few_cells"),
        (5, "row", None),
    ]


def test_an_unclosed_quote_near_the_end_does_not_take_the_lines_below():
    text = "VIN,Description,Year\n" + GOOD + 'A,"Loaded,1\nB,x,2\nC,y'
    assert kinds(text)[-3:] == [(42, "row", None), (43, "row", None), (44, "bad", "cut_off")]


def test_an_unclosed_quote_before_a_line_that_is_too_large_is_given_up():
    text = 'VIN,Description,Year\nA,"x,1\n' + "y" * 300 + "\n" + GOOD
    assert kinds(text, row_size=100)[1:4] == [
        (2, "row", None),
        (3, "bad", "row_too_large"),
        (4, "row", None),
    ]


def test_a_quoted_record_that_is_too_large_is_one_bad_record_if_its_end_is_near():
    text = 'VIN,Description,Year\nA,"' + "y" * 90 + '\nyyyyyyyyyyyy",1\n' + GOOD
    assert kinds(text, row_size=100)[1:3] == [(2, "bad", "row_too_large"), (4, "row", None)]


def test_a_quoted_record_that_stays_open_too_long_is_given_up_line_by_line():
    text = 'VIN,Description,Year\nA,"' + ("y" * 60 + "\n") * 3 + '",1\n' + GOOD
    assert kinds(text, row_size=100)[1:6] == [
        (2, "bad", "row_too_large"),
        (3, "bad", "too_few_cells"),
        (4, "bad", "too_few_cells"),
        (5, "bad", "broken_quotes"),
        (6, "row", None),
    ]


# Everything


def spread(text, layout):
    """Give the physical lines that the records of a text cover."""
    found = list(records(texts(text, 7), layout, 40, 10))
    assert [record.line for record in found] == sorted({record.line for record in found})
    return [line for r in found for line in range(r.line, r.line + r.raw_lines)]


LINES = st.lists(st.text(alphabet='VA"1,\t \r', max_size=12), max_size=12)


@given(LINES, st.sampled_from(["VIN,Year", '"VIN","Year"', "VIN\tYear", "VIN,Year,Make,Model"]))
def test_every_line_is_in_exactly_one_record(body, header):
    text = header + "\n" + "\n".join(body)
    layout = layout_of(text)
    count = len(text.removesuffix("\n").split("\n")) if body != [] else 1
    if text.endswith("\n\n"):
        count = text.count("\n")
    assert spread(text, layout) == list(range(1, count + 1))


@given(LINES, st.sampled_from(["\t", ","]), st.sampled_from(["none", "rfc4180"]))
def test_any_text_is_read_by_any_layout(body, delimiter, quoting):
    layout = Layout(delimiter, quoting, 2, ("VIN", "Year", "Make"), "")
    text = "\n".join([*body, ""])
    assert spread(text, layout) == list(range(1, len(body) + 1))
    for record in records(texts(text), layout, 40, 10):
        assert len(record.cells) <= 10
        assert record.kind != "row" or len(record.cells) == 3
        assert (record.kind == "bad") == (record.reason is not None)


@given(st.lists(st.lists(st.text(alphabet="Ab \",\n'", max_size=6), min_size=3, max_size=3)))
def test_a_quoted_table_is_read_as_it_was_written(cells):
    def quoted(row):
        return ",".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\n"

    text = quoted(["VIN", "Year", "Make"]) + "".join(map(quoted, cells))
    wanted = [tuple(row) for row in cells if "".join(row).strip()]
    assert rows(text) == wanted


def test_fifty_thousand_rows_are_read_in_well_under_two_seconds():
    line = "\t".join(["1HGCM82633A004352", "Hyundai", "x" * 200, *["abc"] * 20])
    text = "\t".join(["VIN", "Make", *[f"c{n}" for n in range(21)]]) + "\n" + f"{line}\n" * 50_000
    content = texts(text, 1 << 18)
    begin = time.process_time()
    layout = detect(content, known)
    assert isinstance(layout, Layout)
    assert sum(1 for _ in records(content, layout, 1 << 20, 500)) == 50_001
    assert time.process_time() - begin < 2
