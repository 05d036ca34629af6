import pytest

from ingestd.feed.engine import engine
from ingestd.feed.values import BLANK


@pytest.mark.parametrize(
    ("displacement", "block", "cylinders", "text"),
    [
        ("2.4L", "I", "4", "2.4L I4"),
        ("2.4", "", "4", "2.4L 4-Cylinder"),
        ("2.40", "", "4.0", "2.4L 4-Cylinder"),
        ("5", "V", "8", "5.0L V8"),
        ("3.5 Liters", "V", "6", "3.5L V6"),
        ("1998", "Inline", "4 cyl", "1998cc I4"),
        ("1998 cc", "?", "4", "1998cc 4-Cylinder"),
        ("2.4L", "", "I4", "2.4L I4"),
        ("", "V", "6", "V6"),
        ("2.0L", "I", "", "2.0L"),
        ("2.0L", "I", "0", "2.0L"),
        ("3.0L Turbo", "Flat", "6 Cylinders", "3.0L Turbo H6"),
        ("350 ci", "", "", "350 ci"),
        ("99", "", "", "99"),
    ],
)
def test_an_engine_is_made_of_its_parts(displacement, block, cylinders, text):
    assert engine(displacement, block, cylinders) == text


@pytest.mark.parametrize("displacement", ["", "0", "0.0", "N/A"])
@pytest.mark.parametrize("cylinders", ["", "0", "-"])
def test_without_displacement_and_cylinders_there_is_no_engine(displacement, cylinders):
    assert engine(displacement, "I", cylinders) is BLANK
