from typing import Any

import pytest

from ingestd.config import TargetSettings
from ingestd.errors import Misconfigured
from ingestd.store.profile import WORDS, Profile, candidates, parse_profile

KNOWN = (
    Profile(
        "cents",
        "public.vehicles",
        "cents",
        {"price": "int4", "trim": "text"},
        {**WORDS, "active": "Available"},
        {"id": "id", "dealership": "dealership_id", "active": "is_active"},
        {"vin": "vin", "price": "price", "trim": "trim"},
    ),
    Profile("other", "public.cars", "dollars", {}, WORDS, {"id": "id"}, {"vin": "vin"}),
)
WHOLE: dict[str, Any] = {
    "columns": {"vin": "v", "make": "m", "model": "o", "year": "y", "price": "p", "status": "s"},
    "own": {"id": "i", "dealership": "d"},
    "status": {"active": "A", "pending": "P", "sold": "S"},
    "money": "cents",
}


def chosen(**settings) -> tuple[Profile, ...]:
    return candidates(TargetSettings(**settings), KNOWN)


def faults(**settings) -> dict[str, str]:
    with pytest.raises(Misconfigured) as caught:
        chosen(**settings)
    return {fault.path: fault.message for fault in caught.value.faults}


def test_a_profile_is_read_from_toml():
    text = """
name = "x"
table = "public.vehicles"
money = "cents"
types = { price = "int4" }
status = { active = "Available", pending = "Pending", sold = "Sold" }
own = { id = "id", dealership = "dealership_id" }
columns = { vin = "vin" }
"""
    read = parse_profile(text)
    assert (read.name, read.money, read.status["active"]) == ("x", "cents", "Available")


def test_without_a_word_every_known_profile_may_apply():
    assert chosen() == KNOWN
    assert chosen(distance="kilometers", settings={"a.b": "c"}) == KNOWN


def test_a_named_profile_is_the_only_one_and_binds_only_the_types_of_money():
    (found,) = chosen(profile="cents")
    assert (found.name, found.types) == ("cents", {"price": "int4"})


def test_a_name_that_is_not_known_is_told_with_the_near_one_or_all():
    assert 'did you mean "cents"' in faults(profile="cent")["target.profile"]
    assert "known are: cents, other" in faults(profile="zzz")["target.profile"]


def test_what_is_said_stands_over_the_profile():
    (found,) = chosen(
        profile="cents",
        table="lot.cars",
        gone_status="unlisted",
        status={"sold": "verkauft"},
        own={"active": ""},
        columns={"trim": "", "make": "brand"},
    )
    assert (found.table, found.money) == ("lot.cars", "cents")
    assert found.columns == {"vin": "vin", "price": "price", "make": "brand"}
    assert found.own["active"] == ""
    assert found.status == {
        "active": "Available",
        "pending": "pending",
        "sold": "verkauft",
        "gone": "unlisted",
    }


def test_words_alone_change_every_profile():
    assert [p.status["sold"] for p in chosen(status={"sold": "gone"})] == ["gone", "gone"]


def test_a_profiles_unit_of_money_is_not_carried_over_to_another_column():
    message = faults(profile="cents", columns={"price": "asking"})["target.money"]
    assert "19,995.50 is stored as in asking" in message
    (found,) = chosen(profile="cents", columns={"price": "asking"}, money="dollars")
    assert (found.money, found.types) == ("dollars", {})
    (bare,) = chosen(profile="cents", columns={"price": ""})
    assert "price" not in bare.columns


def test_a_table_may_be_described_all_by_itself():
    (found,) = chosen(**WHOLE)
    assert (found.name, found.table, found.money) == ("custom", "public.vehicles", "cents")
    assert found.columns == WHOLE["columns"]
    assert found.types == {}


def test_what_a_description_lacks_is_told_all_at_once():
    found = faults(table="public.cars", columns={"vin": "v", "msrp": "r", "status": "s"})
    assert "make, model, year" in found["target.columns"]
    assert "id, dealership" in found["target.own"]
    assert '"whole_dollars" (19996)' in found["target.money"]
    assert "active, pending, sold" in found["target.status"]


def test_without_status_and_prices_there_is_no_word_and_no_unit_to_give():
    columns = {key: WHOLE["columns"][key] for key in ("vin", "make", "model", "year")}
    (found,) = chosen(columns=columns, own=WHOLE["own"])
    assert found.status == WORDS
