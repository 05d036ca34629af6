"""What these statements do is shown on real PostgreSQL; here, that they name what they must."""

from ingestd.store.overruled import fingerprint, not_overruled, remember

MERGED = [("a", "f.a", "v.a <> f.a"), ("b", "s.b", "v.b <> s.b")]


def test_a_fingerprint_is_of_all_values_in_their_order():
    assert fingerprint(["x", "y"]) == "md5(ROW(x, y)::text)"


def test_a_vehicle_is_left_alone_while_wish_and_fate_are_the_same():
    condition = not_overruled("v.id", ["v.a", "v.b"], MERGED)
    assert condition.startswith("NOT EXISTS")
    assert "o.wanted = md5(ROW(f.a, s.b)::text)" in condition
    assert "o.became = md5(ROW(v.a, v.b)::text)" in condition


def test_only_what_still_differs_is_remembered():
    statement = remember("c", "v.id", ["v.a", "v.b"], MERGED)
    assert "WHERE v.a <> f.a OR v.b <> s.b" in statement
