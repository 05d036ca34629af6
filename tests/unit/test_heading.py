import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.feed.heading import Layout, NoTable, detect, looks

NAMES = {"vin", "stock", "year", "make", "model", "price", "description"}


def known(header):
    return header.casefold() in NAMES


def texts(text, size=1000):
    return lambda: (text[start : start + size] for start in range(0, len(text), size))


def layout_of(text, positions=()):
    layout = detect(texts(text), known, positions)
    assert isinstance(layout, Layout)
    return layout


def refused(text, positions=()):
    answer = detect(texts(text), known, positions)
    assert isinstance(answer, NoTable)
    return answer


@pytest.mark.parametrize("delimiter", ["\t", ",", ";", "|", "~", "^"])
def test_the_delimiter_is_the_one_that_makes_known_names(delimiter):
    layout = layout_of(delimiter.join(["VIN", "Year", "Other thing"]) + "\n")
    assert layout.delimiter == delimiter
    assert layout.headers == ("VIN", "Year", "Other thing")


def test_commas_in_a_tab_file_do_not_mislead():
    text = "VIN\tMake, really\tYear\nA\t1, 2, 3\t2020\n"
    assert layout_of(text).delimiter == "\t"


def test_headers_lose_marks_blanks_and_quotes_but_keep_their_letters():
    layout = layout_of('\ufeff"VIN", "Stock ""No""" ,\xa0Year\xa0, Price\xa0€\n')
    assert layout.headers == ("VIN", 'Stock "No"', "Year", "Price €")


@pytest.mark.parametrize("rest", ["", "\nA,1\n" + "B,2\n" * 9])
def test_a_header_with_an_unclosed_quote_is_read_as_it_stands(rest):
    assert layout_of('VIN,Year,"Other' + rest).headers == ("VIN", "Year", '"Other')


def test_blank_lines_before_the_header_are_counted():
    layout = layout_of("\n\t\t\n \r\nVIN\tYear\nA\t1\n")
    assert (layout.header_line, layout.leading) == (4, 3)


def test_of_two_headers_the_first_counts():
    assert layout_of("VIN\tYear\nVIN\tYear\n").header_line == 1


def test_the_header_is_looked_for_in_the_first_twenty_lines():
    assert layout_of("x\n" * 19 + "VIN\tYear\n").header_line == 20
    assert isinstance(detect(texts("x\n" * 20 + "VIN\tYear\n"), known), NoTable)


def test_one_known_name_among_others_is_no_header():
    answer = detect(texts("VIN,Foo,Bar\n"), known)
    assert isinstance(answer, NoTable)
    assert answer.reason == "no_header"
    assert '"VIN", "Foo", "Bar"' in answer.message
    assert "[feed.columns]" in answer.message


def test_text_without_columns_is_no_table():
    answer = detect(texts("Dear friend\nno list today\n"), known)
    assert isinstance(answer, NoTable)
    assert answer.reason == "no_table"


def test_blank_lines_alone_are_empty():
    answer = detect(texts("\n \t\n\ufeff\n"), known)
    assert isinstance(answer, NoTable)
    assert answer.reason == "empty"


def test_nameless_headers_at_the_end_stay_only_as_far_as_rows_have_cells():
    assert layout_of("VIN,Year,,,\nA,1,,,\n").headers == ("VIN", "Year")
    assert layout_of("VIN,Year,,,\nA,1,x,,\n").headers == ("VIN", "Year", "")
    assert layout_of("VIN,Year,,\n").headers == ("VIN", "Year")


@given(st.text(max_size=80))
def test_any_text_is_a_table_or_is_told_why_not(text):
    answer = detect(texts(text, 7), known)
    assert isinstance(answer, Layout) or answer.message


def test_a_header_beyond_the_twentieth_line_is_not_seen():
    assert refused("x\n" * 20 + "VIN\tYear\n").reason == "no_table"


# Files without a header

ROWS = "1ZZEA11B4RZ000001,2024,Kia,,$9000\n1ZZEA11B6RZ000002,2023,Ford,x,$8000\n"


def test_a_file_without_header_is_refused_with_the_line_to_write():
    answer = refused(ROWS)
    assert answer.reason == "no_header"
    assert answer.positions == ("vin", "year", "make", "", "price")
    assert 'positions = ["vin", "year", "make", "", "price"]' in answer.message


def test_a_file_without_header_and_vins_gives_no_guess():
    assert refused("a,b,2024\nc,d,2023\n").positions == ()


def test_each_field_but_pictures_is_guessed_once_and_ragged_rows_are_guessed_too():
    picture = "https://a.example/1.jpg"
    text = ROWS.replace("$", f"2024,{picture},{picture},$") + "1ZZEA11B8RZ000003,2024\n"
    assert refused(text).positions == (
        *("vin", "year", "make", "", ""),
        *("images", "images", "price"),
    )


def test_headers_that_are_not_known_are_guessed_by_the_cells_below_them():
    text = "Fahrgestell;Nr;Hst;Foto;Foto 2;Nr\n" + "".join(
        f"1ZZEA11B4RZ00000{at};7{at};Kia;https://x.example/{at}.jpg;https://x.example/b{at}.jpg;x\n"
        for at in range(1, 4)
    )
    answer = refused(text)
    assert dict(answer.headers) == {
        "vin": ("Fahrgestell",),
        "make": ("Hst",),
        "images": ("Foto", "Foto 2"),
    }
    assert '[feed.columns] vin = ["Fahrgestell"]; make = ["Hst"]; images =' in answer.message


@pytest.mark.parametrize(
    "text",
    [
        "Nr;x\n1ZZEA11B4RZ000001;a\n1ZZEA11B4RZ000002;b\n",
        "Nr;Nr;x\n1ZZEA11B4RZ000001;2024;a\n1ZZEA11B4RZ000002;2023;b\n",
        "Nr;Bj\na;2024\nb;2023\n",
        "Nr;Bj\n",
    ],
)
def test_headers_are_not_guessed_where_one_alone_or_no_vin_can_be_told(text):
    assert dict(refused(text).headers) == {}


def test_positions_make_the_headers_of_a_file_without():
    layout = layout_of(ROWS, ("vin", "year", "", ""))
    assert (layout.header_line, layout.delimiter) == (0, ",")
    assert layout.headers == ("vin", "year", "", "", "")
    assert "by position" in layout.why


def test_positions_hold_even_where_a_line_of_names_stands_above():
    layout = layout_of("\nVIN;Year\nA;1\n", ("vin", "year", "make"))
    assert (layout.header_line, layout.leading, layout.delimiter) == (2, 1, ";")
    assert layout.headers == ("vin", "year", "make")


def test_positions_beyond_every_line_are_refused():
    answer = refused("A,1\nB,2\n", ("vin", "year", "make"))
    assert answer.reason == "no_header"
    assert "3 columns, and no line has more than 2" in answer.message


@pytest.mark.parametrize(
    ("name", "cell"), [("year", "2024"), ("images", "https://a.example/1"), ("price", "$9,000")]
)
def test_a_share_of_the_cells_may_be_of_a_kind(name, cell):
    assert looks(name, [cell] * 4 + ["x"], 0.8)
    assert not looks(name, [cell] * 3 + ["x"], 0.8)
    assert not looks(name, [], 0.8)
