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
    draft = Draft("lot.tsv", 100, positions=("vin", "price"), words=["x"], make=False, cents=True)
    assert max(map(len, propose(draft).splitlines())) < 80


def test_at_most_ten_words_for_a_status_are_shown():
    text = propose(Draft("lot.tsv", words=[f"w{number}" for number in range(20)]))
    assert text.count(' = "active"') == 10


def test_a_file_without_makes_is_offered_a_default():
    assert "# make =" in propose(Draft("lot.tsv", make=False))
    assert "# make =" not in propose(Draft("lot.tsv"))


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
