from ingestd.feed.memo import Memo


def test_short_cells_are_read_once_and_no_more_are_remembered_than_was_said():
    read: list[str] = []

    def count(cell: str) -> int:
        read.append(cell)
        return len(cell)

    memo = Memo(count, most=2, longest=3)
    for cell in ("a", "a", "long", "long", "bb", "ccc", "ccc", "bb"):
        assert memo[cell] == len(cell)
    assert read == ["a", "long", "long", "bb", "ccc", "ccc"]
    assert memo == {"a": 1, "bb": 2}
