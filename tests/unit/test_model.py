"""The nouns, and the few names they compute."""

import pytest

from ingestd import model
from ingestd.model import Column, Outcome, Target, worst


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ((), Outcome.REJECTED),
        ((Outcome.UNCHANGED,), Outcome.UNCHANGED),
        ((Outcome.IMPORTED, Outcome.UNCHANGED), Outcome.IMPORTED),
        ((Outcome.IMPORTED, Outcome.REJECTED, Outcome.HELD), Outcome.REJECTED),
        ((Outcome.FAILED, Outcome.REJECTED), Outcome.FAILED),
    ],
)
def test_a_delivery_is_as_bad_as_its_worst_import(outcomes, expected):
    assert worst(outcomes) is expected


def test_the_order_of_the_fields_is_that_of_the_keep_mask_for_ever():
    assert model.FIELDS.index("vin") == 0
    assert model.FIELDS.index("price") == 9
    assert model.FIELDS.index("image_type") == len(model.FIELDS) - 1 == 24


def test_the_stage_has_its_head_and_then_the_targets_columns():
    target = Target("p", (Column("vin", "vin", "text"), Column("images", "images", "jsonb")))

    assert target.stage() == (*model.STAGE_HEAD, ("vin", "text"), ("images", "jsonb"))
