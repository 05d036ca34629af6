from ingestd.feed.excerpt import pick

LINES = [(["VIN\tMake", "A\tKia\r", '"B'], True), (['b"\tKia', "C\tKia"], False)]


def test_the_lines_asked_for_are_given_as_they_stand():
    got = list(pick(LINES, {1: "line\treason\t", 2: "2\tbad\t", 5: "5\tcut\t"}, {}))
    assert got == ["line\treason\tVIN\tMake\n", "2\tbad\tA\tKia\n", "5\tcut\tC\tKia\n"]


def test_a_record_of_several_lines_is_given_whole():
    assert list(pick(LINES, {3: "3\tbad\t"}, {3: 2})) == ['3\tbad\t"B\n', 'b"\tKia\n']
