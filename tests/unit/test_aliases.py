from ingestd.feed import aliases
from ingestd.feed.spelling import normalise
from ingestd.vehicle import FIELDS


def test_every_field_has_names_and_no_other():
    assert set(aliases.ALIASES) == set(FIELDS)


def test_every_name_is_in_normal_form_and_given_once_a_field():
    for names in aliases.ALIASES.values():
        assert len(names) == len(set(names))
        assert all(name == normalise(name) for name in names)


def test_a_name_that_several_fields_share_is_decided_by_values():
    owners: dict[str, list[str]] = {}
    for field, names in aliases.ALIASES.items():
        for name in names:
            owners.setdefault(name, []).append(field)
    shared = {name for name, fields in owners.items() if len(fields) > 1}
    assert shared == {
        *("type", "status", "inventorystatus", "vehiclestatus", "stockstatus", "vehicletype"),
        *("style", "title", "category"),
    }


def test_what_a_dealer_paid_is_no_price():
    dangerous = {"cost", "unitcost", "invoice", "bookvalue", "wholesaleprice", "mmr", "listprice"}
    assert dangerous.isdisjoint(aliases.ALIASES["price"])


def test_weak_identifiers_are_left_to_the_configuration():
    assert {"id", "vehicleid", "lotnumber"}.isdisjoint(aliases.ALIASES["stock_number"])


def test_numbered_image_columns_are_known_by_their_form():
    for name in ("image0url", "photo1", "image12uri", "img3", "imageurl2", "photourl01"):
        assert aliases.NUMBERED_IMAGE.match(name)
    for name in ("photocount", "image", "photo1234", "imagetype", "image360"):
        assert not aliases.NUMBERED_IMAGE.match(name)


def test_what_a_header_line_is_known_by_is_in_normal_form():
    every = (*aliases.KNOWN, *aliases.COMBINED, *aliases.WEAK_IDENTIFIERS, *aliases.LIKELY_PRICES)
    assert all(name == normalise(name) for name in every)
