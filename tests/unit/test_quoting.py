import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.feed.quoting import alone, judge, lines, newline_of, quotes, straight


def texts(text, size=1000):
    return lambda: (text[start : start + size] for start in range(0, len(text), size))


def verdict(text, delimiter=","):
    return judge(texts(text), "\n", delimiter, text.split("\n")[0])


def test_a_text_with_lf_ends_its_lines_with_lf():
    assert newline_of(texts("a\rb\nc", 1)) == "\n"


def test_a_text_that_has_only_cr_ends_its_lines_with_cr():
    assert newline_of(texts("a\rb\rc")) == "\r"


@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_text_that_begins_with_cr_lines_ends_its_lines_with_cr(size):
    assert newline_of(texts('a,b\r1,"x\ny"\r2,z\r', size)) == "\n"
    assert newline_of(texts('a,b\r1,2\r3,"x\ny"\r2,z\r', size)) == "\r"
    assert newline_of(texts("a,b\r\n1,x\ry\rz\r\n", size)) == "\n"
    assert newline_of(texts("a\rb", size)) == "\r"
    assert newline_of(texts("a\r\r", size)) == "\r"


def test_a_single_line_ends_with_lf():
    assert newline_of(texts("abc")) == "\n"


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_lines_are_the_same_however_the_text_is_cut(size):
    batches = list(lines(texts("a\nbb\n\nccc", size), "\n", 10))
    assert [line for batch, _ in batches for line in batch] == ["a", "bb", "", "ccc"]
    assert [ended for _, ended in batches][-1] is False


def test_a_text_that_ends_with_a_line_end_has_no_line_without():
    assert list(lines(texts("a\nb\n"), "\n", 10)) == [(["a", "b"], True)]


def test_what_is_beyond_the_longest_line_is_not_kept():
    ((batch, ended),) = lines(texts("x" * 10_000, 3), "\n", 10)
    assert 10 < len(batch[0]) < 20
    assert not ended


def test_a_bare_cr_is_a_space_and_that_of_crlf_is_dropped():
    assert straight("a\rb\tc\r") == "a b\tc"


@pytest.mark.parametrize(
    ("line", "shape"),
    [
        ("a,b", "closed"),
        ('"a","b"', "closed"),
        ('"a ""b"", c",d', "closed"),
        ('"",', "closed"),
        ("", "closed"),
        ('a,"b', "open"),
        ('a,"', "open"),
        ('a,"b""', "open"),
        ("6'7\" box,b", "broken"),
        ('"a"b,c', "broken"),
        ('a, "b" ,"c"', "closed"),
        ('a, "b', "open"),
        ('a,"b" c,d', "broken"),
    ],
)
def test_the_shape_of_a_line_is_told(line, shape):
    assert quotes(",").shape(line) == shape


@pytest.mark.parametrize(
    ("line", "shape"), [('b",c', "closed"), ("b,c", "open"), ('b"c', "broken"), ('b","', "open")]
)
def test_the_shape_of_a_line_inside_an_open_cell_is_told(line, shape):
    assert quotes(",").shape(line, inside=True) == shape


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        ('"a, b",c', ["a, b", "c"]),
        ('"say ""x""",', ['say "x"', ""]),
        ('"",""', ["", ""]),
        ("6'7\" box,b", ["6'7\" box", "b"]),
        ('"a"b,c', ['"a"b', "c"]),
    ],
)
def test_cells_lose_the_quotes_that_are_well_formed(line, cells):
    assert quotes(",").cells(line) == cells


def test_a_text_without_quotes_has_none():
    assert verdict("a,b\n1,2\n") == ("none", "no quotes")


def test_quotes_around_all_cells_are_meant():
    assert verdict('"a","b"\n"1","2, 3"\n')[0] == "rfc4180"


def test_quotes_around_a_cell_with_a_delimiter_are_meant():
    assert verdict('a,b\n1,"2, 3"\n')[0] == "rfc4180"


def test_quotes_that_make_no_difference_are_meant():
    assert verdict('a\tb\n1\t"2"\n', "\t")[0] == "rfc4180"


def test_a_quoted_cell_may_hold_line_ends():
    assert verdict('a,b,c\n1,"2\n2\n2",3\n4,5,6\n')[0] == "rfc4180"


def test_inch_marks_are_letters_and_the_line_is_named():
    quoting, why = verdict("a\tb\n1\t5'7\" box\n2\tx\n", "\t")
    assert quoting == "none"
    assert "line 2" in why


def test_two_quotes_that_meet_across_full_rows_are_letters():
    text = 'a\tb\tc\n1\t"Loaded\tx\n2\ty\tz\n3\tnice"\tw\n'
    assert verdict(text, "\t")[0] == "none"


def test_quotes_that_join_two_cells_of_a_full_row_are_letters():
    assert verdict('a\tb\tc\n1\t"Loaded\tGreat"\n', "\t")[0] == "none"


def test_an_unclosed_quote_above_other_rows_is_a_letter():
    assert verdict('a\tb\n1\t"Loaded\n2\tx\n3\ty\n', "\t")[0] == "none"


def test_an_unclosed_quote_alone_in_its_file_is_a_letter():
    assert verdict('a,b\n1,2\n3,"4', ",")[0] == "none"


def test_a_quoted_file_cut_inside_a_cell_is_still_quoted():
    assert verdict('"a","b"\n"1","2"\n"3","4\nand more')[0] == "rfc4180"


def test_a_few_broken_lines_do_not_take_the_quotes_from_a_file_that_needs_them():
    good = '1,"2, 3"\n' * 40
    assert verdict('a,b\n1,4WD 162" WB\n' + good)[0] == "rfc4180"
    assert "1 lines break them" in verdict('a,b\n1,4WD 162" WB\n' + good)[1]


def test_any_number_of_inch_marks_in_bare_cells_do_not():
    assert verdict("a,b\n" + '1,162" WB\n1,"2, 3"\n' * 10)[0] == "rfc4180"


def test_more_lines_that_fit_neither_way_than_quotes_that_are_meant_do():
    bad = '1,2" x, 3\n'
    assert verdict("a,b\n" + '1,"2, 3"\n' * 3 + bad * 3)[0] == "rfc4180"
    assert verdict("a,b\n" + '1,"2, 3"\n' * 3 + bad * 4)[0] == "none"


@pytest.mark.parametrize(
    ("line", "width", "cells"),
    [
        ('1,162" WB', 2, ["1", '162" WB']),
        ('"18" alloy, leather",x', 2, ['18" alloy, leather', "x"]),
        ('"A","5\'7" box", "say ""x"""', 3, ["A", "5'7\" box", 'say "x"']),
        ('"5\\" lift, black","x"', 2, ['5" lift, black', "x"]),
        ('1,"2" x, 3', 2, None),
    ],
)
def test_a_broken_line_is_read_if_one_way_gives_the_width(line, width, cells):
    assert quotes(",").shape(line) == "broken"
    assert alone(quotes(","), line, width) == cells


def test_a_long_line_full_of_broken_quotes_is_read_strictly():
    line = 'a" b,' * 5000
    assert quotes(",").loose_cells(line) == quotes(",").cells(line)


def test_a_broken_line_takes_the_quotes_from_a_tab_file_with_a_bare_header():
    assert verdict('a\tb\n1\t162" WB\n' + '1\t"2\t3"\n' * 40, "\t")[0] == "none"


def test_a_tab_file_with_a_quoted_header_may_have_a_broken_line():
    assert verdict('"a"\t"b"\n1\t162" WB\n' + '"1"\t"2"\n' * 40, "\t")[0] == "rfc4180"


def test_an_unclosed_quote_does_not_hide_the_quotes_below_it():
    good = '1,"2, 3"\n' * 40
    quoting, why = verdict('a,b\n1,"Loaded\n2,x\n' + good)
    assert quoting == "rfc4180"
    assert "1 lines" in why


def test_a_quote_that_stays_open_too_long_is_a_letter():
    filler = ("y" * 1000 + "\n") * 2000
    assert (
        verdict('a,b,c,d,e,f,g\n1,"2, 3",3,4,5,6,7\n1,"x\n' + filler + '",3,4,5,6,7')[0] == "none"
    )


@pytest.mark.parametrize("piece", ['"', '""', '",', ',"', '"a,', '"a,""', "a" * 10, '"a"b,'])
def test_no_line_makes_the_patterns_slow(piece):
    line = piece * ((1 << 20) // len(piece))
    begin = time.process_time()
    grammar = quotes(",")
    grammar.shape(line)
    grammar.shape(line, inside=True)
    grammar.cells(line)
    grammar.loose_cells(line)
    grammar.loose_cells(line[:2000])
    assert time.process_time() - begin < 2


@given(st.text(alphabet='a",\n\r', max_size=60))
def test_any_text_gets_a_verdict(text):
    assert verdict(text)[0] in ("none", "rfc4180")


@given(st.lists(st.text(alphabet='a", \n', max_size=6), min_size=1, max_size=5))
def test_a_quoted_line_gives_the_cells_it_was_made_of(cells):
    line = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)
    assert quotes(",").shape(line) == "closed"
    assert quotes(",").cells(line) == cells
