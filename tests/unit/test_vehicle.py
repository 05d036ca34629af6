"""A vehicle's fields, and the stage."""

from ingestd.vehicle import FIELDS, STAGE_HEAD, Column, Target


def test_the_order_of_the_fields_is_that_of_the_keep_mask_for_ever():
    assert FIELDS.index("vin") == 0
    assert FIELDS.index("price") == 9
    assert FIELDS.index("image_type") == len(FIELDS) - 1 == 24


def test_the_stage_has_its_head_and_then_the_targets_columns():
    target = Target("p", (Column("vin", "vin", "text"), Column("images", "images", "jsonb")))

    assert target.stage() == (*STAGE_HEAD, ("vin", "text"), ("images", "jsonb"))
