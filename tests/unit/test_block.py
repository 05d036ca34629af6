import tomllib

from ingestd.config import TargetSettings
from ingestd.store.block import proposal
from ingestd.store.layout import CatalogueColumn


def columns(*names: str) -> tuple[CatalogueColumn, ...]:
    return tuple(CatalogueColumn(name, "text", "text") for name in names)


def block(*found: CatalogueColumn, **settings) -> str:
    return proposal("public.cars", found, TargetSettings(**settings))


def test_columns_are_proposed_by_their_letters_and_digits():
    text = block(
        *columns("id", "dealershipId", "VIN", "Stock_No", "ext_color", "Sale Price", "lot")
    )
    target = tomllib.loads(text)["target"]
    assert target["columns"] == {
        "vin": "VIN",
        "stock_number": "Stock_No",
        "make": "",
        "model": "",
        "year": "",
        "exterior_color": "ext_color",
        "price": "Sale Price",
    }
    assert target["own"] == {"id": "id", "dealership": "dealershipId"}
    assert "# columns that no field fills: lot" in text
    assert (target["table"], target["money"]) == ("public.cars", "")


def test_a_fields_own_name_comes_before_what_others_call_it():
    target = tomllib.loads(block(*columns("sale_price", "price")))["target"]
    assert target["columns"]["price"] == "price"


def test_what_was_said_already_stays_said():
    text = block(
        *columns("asking", "state", "key"),
        columns={"price": "asking", "status": "state"},
        own={"id": "key"},
        money="cents",
        gone_status="weg",
        status={"sold": "verkauft"},
    )
    target = tomllib.loads(text)["target"]
    assert (target["money"], target["gone_status"]) == ("cents", "weg")
    assert target["status"] == {"active": "active", "pending": "pending", "sold": "verkauft"}
    assert target["own"] == {"id": "key", "dealership": ""}
    assert "that no field fills" not in text


def test_without_is_active_the_word_for_gone_is_asked_for():
    assert '# gone_status = "…"' in block(*columns("status"))
    assert "gone_status" not in block(*columns("status", "is_active"))
    assert "gone_status" not in block(*columns("vin"))


def test_words_are_an_enumerations_own_or_left_to_be_filled_in():
    status = CatalogueColumn("status", "s", "s", enum=True, labels=("SOLD", "FREE"))
    target = tomllib.loads(block(status))["target"]
    assert target["status"] == {"active": "", "pending": "", "sold": "SOLD"}
    assert "# one of: SOLD, FREE" in block(status)


def test_where_there_is_no_price_there_is_no_unit_to_tell():
    assert "money" not in block(*columns("vin"))
