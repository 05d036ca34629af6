import pytest

from ingestd.config import parse
from ingestd.feed.proposal import Draft, Guess, propose


def proposed(file="lot.tsv", **given):
    return parse(propose(Draft(file, **given)), {}).feed[0]


def uncommented(text):
    return "\n".join(line.removeprefix("# ") for line in text.splitlines())


def test_the_proposal_is_a_valid_feed_as_it_stands():
    feed = proposed()
    assert (feed.name, feed.file, feed.mode, feed.dealership) == ("lot", ("lot.tsv",), "full", 1)


@pytest.mark.parametrize(
    ("file", "name", "pattern"),
    [
        ("10_15_2025, 12_19_40 PM.csv", "pm", "* PM.csv"),
        ("inventory_2026-11-23.tsv", "inventory", "inventory_*.tsv"),
        ("_Inventory   - Sheet1.tsv", "inventory-sheet", "_Inventory   - Sheet*.tsv"),
        ("20261123.txt", "lot", "*.txt"),
        ("lot", "lot", "lot"),
        ('a"b[x].tsv', "a-b-x", 'a"b[[]x].tsv'),
        ("x" * 100 + ".tsv", "x" * 40, "x" * 100 + ".tsv"),
    ],
)
def test_dates_and_numbers_in_the_name_may_differ_next_time(file, name, pattern):
    feed = proposed(file)
    assert (feed.name, feed.file) == (name, (pattern,))


def test_headers_that_are_likely_are_suggested_as_comments_with_the_reason():
    guesses = [Guess("Milage", "mileage", "near"), Guess("Odomter", "mileage", "near")]
    text = propose(Draft("lot.tsv", guesses=[*guesses, Guess("When", "year", "its cells")]))
    assert '# mileage = ["Milage", "Odomter"]   # near\n' in text
    assert '# year = ["When"]   # its cells\n' in text
    assert "[feed.columns]" not in propose(Draft("lot.tsv"))


def test_what_is_commented_is_valid_where_it_is_meant():
    draft = Draft(
        "lot.tsv",
        guesses=[Guess('A "b"', "price", "x")],
        words=['Needs "Work"'],
        reason="prices_alike",
    )
    feed = parse(uncommented(propose(draft)), {}).feed[0]
    assert feed.columns == {"price": ('A "b"',)}
    assert feed.status == {'Needs "Work"': "active"}
    assert feed.accept == ("prices_alike",)
    assert (feed.sender_proof, feed.senders) == ("dmarc", ("*@dealer.example",))


def test_a_line_is_not_broken_on_a_terminal_of_80_columns():
    draft = Draft(
        "lot.tsv",
        100,
        positions=("vin", "price"),
        words=["x"],
        absent=("make", "model"),
        cents=True,
    )
    assert max(map(len, propose(draft).splitlines())) < 80


def test_at_most_ten_words_for_a_status_are_shown():
    text = propose(Draft("lot.tsv", words=[f"w{number}" for number in range(20)]))
    assert text.count(' = "active"') == 10


def test_a_needed_field_without_a_column_is_asked_for_and_a_default_is_offered_where_it_may_be():
    feed = parse(uncommented(propose(Draft("lot.tsv", absent=("make", "year")))), {}).feed[0]
    assert feed.columns == {"make": ("…",), "year": ("…",)}
    assert feed.defaults == {"make": "…"}
    assert "# make =" not in propose(Draft("lot.tsv"))


def test_a_header_that_may_be_a_needed_field_is_asked_for_by_its_name():
    guesses = [Guess("Modl", "model", "near")]
    text = propose(Draft("lot.tsv", guesses=guesses, absent=("model",)))
    assert parse(uncommented(text), {}).feed[0].columns == {"model": ("Modl",)}


def test_unknown_headers_that_were_guessed_are_lines_for_without_them_nothing_is_read():
    headers = {"vin": ("FIN",), "images": ("Bild A", "Bild B")}
    draft = Draft("lot.tsv", reason="no_header", headers=headers, absent=["model"])
    feed = parse(propose(draft), {}).feed[0]
    assert feed.columns == {"vin": ("FIN",), "images": ("Bild A", "Bild B")}
    assert parse(uncommented(propose(draft)), {}).feed[0].columns["model"] == ("…",)


def test_a_file_of_several_dealers_is_offered_a_map_of_all_of_them():
    feed = proposed(dealer="Dealer ID", rooftops={"7": 1, 'N"S': 2})
    assert feed.rooftops is not None
    assert (feed.rooftops.column, feed.rooftops.map) == ("Dealer ID", {"7": 1, 'N"S': 2})
    assert proposed(dealer="Dealer ID").rooftops is None


def test_a_map_that_may_be_cut_says_so():
    said = "# 100 are listed, and there may be more: complete it"
    for number in (99, 100):
        rooftops = {str(value): 1 for value in range(number)}
        assert (said in propose(Draft("lot.tsv", rooftops=rooftops))) == (number == 100)
        assert len(proposed(dealer="ID", rooftops=rooftops).rooftops.map) == number


def test_a_map_stands_below_all_lines_of_the_feed_itself():
    text = propose(
        Draft(
            "lot.tsv",
            guesses=[Guess("Cost", "price", "x")],
            dealer="Dealer ID",
            rooftops={"7": 1, "8": 2},
            absent=("make",),
            words=["x"],
            cents=True,
        )
    )
    feed = parse(uncommented(text), {}).feed[0]
    assert (feed.prices_in, feed.columns["price"], feed.dealership) == ("cents", ("Cost",), 1)


@pytest.mark.parametrize("reason", ["no_table", "empty", "no_header", "no_usable_row"])
def test_where_no_line_would_let_a_file_be_read_none_is_proposed(reason):
    assert propose(Draft("lot.tsv", reason=reason)) == ""


@pytest.mark.parametrize("reason", ["no_identifier_column", "rows_alike"])
def test_lines_that_wait_for_a_persons_judgement_say_so_first(reason):
    text = propose(Draft("lot.tsv", reason=reason))
    assert text.startswith(f"[[feed]]   # refused still ({reason})")
    assert parse(text, {}).feed[0].name == "lot"


def test_where_no_column_identifies_one_is_asked_for_unless_one_is_likely():
    assert '# stock_number = ["…"]' in propose(Draft("x.tsv", reason="no_identifier_column"))
    guesses = [Guess("Lot Ref", "vin", "x")]
    likely = propose(Draft("x.tsv", reason="no_identifier_column", guesses=guesses))
    assert '["…"]' not in likely


def test_positions_that_were_guessed_are_proposed():
    assert proposed("lot.csv", positions=("vin", "", "price")).positions == ("vin", "", "price")


def test_prices_in_cents_are_said_to_be_so():
    assert proposed(cents=True).prices_in == "cents"


def test_a_whole_lot_is_offered_to_have_what_is_missing_deactivated():
    assert '# missing = "deactivate"' in propose(Draft("lot.tsv", 10))
    assert "missing" not in propose(Draft("lot.tsv", 9))


def test_a_file_whose_name_tells_of_changes_is_a_delta():
    assert proposed("lot_delta_1.tsv", rows=100).mode == "delta"
    assert "missing" not in propose(Draft("lot_delta_1.tsv", 100))
