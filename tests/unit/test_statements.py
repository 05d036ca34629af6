from ingestd.store.statements import build
from tests.unit.tables import layout


def test_temporary_tables_stay_with_the_connection_unless_a_pooler_takes_it():
    assert build(layout()).create.count("ON COMMIT DELETE ROWS") == 7
    assert build(layout(), drop=True).create.count("ON COMMIT DROP") == 7


def test_the_stage_has_the_columns_of_the_stream():
    ours = layout()
    statements = build(ours)
    assert statements.stage_columns == tuple(name for name, _ in ours.target.stage())
    assert all(f'"{name}"' in statements.create for name in statements.stage_columns)
