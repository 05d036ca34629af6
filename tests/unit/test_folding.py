from ingestd.folding import fold


def test_only_letters_and_digits_of_a_name_are_compared_and_not_their_case():
    assert fold(" Stock_No. #2\u00a0") == fold("STOCKNO2") == "stockno2"
    assert fold("Stra\u00dfe") == "strasse"
    assert fold("* - *") == ""
