"""The catalogue of metrics follows Prometheus' rules, and the page in docs/ is the catalogue."""

import re
from pathlib import Path

import pytest

from ingestd.model import Outcome
from ingestd.tell import catalogue
from ingestd.tell.catalogue import CATALOGUE, Declared, document

ROOT = Path(__file__).parent.parent.parent


def each(kind: str) -> list[Declared]:
    return [declared for declared in CATALOGUE if declared.kind == kind]


def test_the_page_in_docs_is_the_one_the_catalogue_prints():
    told = "python -m ingestd.tell.catalogue > docs/metrics.md"
    assert (ROOT / "docs" / "metrics.md").read_text() == document(), told


@pytest.mark.parametrize("declared", CATALOGUE, ids=lambda declared: declared.name)
def test_a_metric_has_our_prefix_a_meaning_and_documented_labels(declared: Declared):
    assert re.fullmatch(r"ingestd_[a-z_]+", declared.name)
    assert declared.meaning.endswith(".")
    assert f"| `{declared.name}` | {declared.kind} |" in document()
    for label in declared.labels:
        assert f"| `{label}` |" in document()


def test_no_metric_is_declared_twice():
    names = [declared.name for declared in CATALOGUE]
    assert len(set(names)) == len(names)


def test_counters_end_in_total_and_nothing_else_does():
    assert all(declared.name.endswith("_total") for declared in each("counter"))
    rest = each("gauge") + each("histogram")
    assert not any(declared.name.endswith("_total") for declared in rest)


def test_every_metric_declared_is_in_the_catalogue():
    declared = {thing for thing in vars(catalogue).values() if isinstance(thing, Declared)}
    assert declared == set(CATALOGUE)


def test_the_outcomes_are_those_of_the_model():
    assert set(catalogue.OUTCOMES) == {str(outcome) for outcome in Outcome}
