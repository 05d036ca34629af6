"""What these statements do is shown on real PostgreSQL; here, that they follow the layout."""

from dataclasses import replace

from ingestd.store.layout import CatalogueColumn
from ingestd.store.merge import Merge
from tests.unit.tables import layout


def column(merge: Merge, name: str) -> tuple[str, str]:
    return next((value, differs) for found, value, differs in merge.merged() if found == name)


def test_an_identity_is_completed_and_never_cleared():
    merge = Merge(layout())
    assert column(merge, "make")[0] == 'coalesce(f.make, v."make")'
    assert column(merge, "vin")[0].startswith("CASE WHEN f.keep & 1 <> 0 THEN")


def test_a_column_that_may_be_null_is_kept_by_its_bit():
    assert "f.keep & 512 <> 0" in column(Merge(layout()), "price")[0]


def test_a_column_that_must_not_be_null_is_never_cleared():
    merge = Merge(layout(CatalogueColumn("trim", "text", "text", not_null=True, default="'-'")))
    assert column(merge, "trim")[0] == 'coalesce(s."trim", v."trim")'


def test_json_is_compared_as_jsonb():
    merge = Merge(layout(CatalogueColumn("features", "json", "json")))
    assert 'v."features"::jsonb IS DISTINCT FROM' in column(merge, "features")[1]


def test_an_update_writes_only_what_ingestd_may_write():
    update = Merge(layout()).update()
    assert '"updated_at" = timezone' in update
    assert '"dealership_id" =' not in update.partition("FROM pg_temp")[0]
    assert '"created_at" =' not in update
    assert '"updated_at" =' not in Merge(layout(updated="")).update()


def test_a_table_may_lack_status_or_is_active():
    bare = Merge(layout(leave_out=("status",), active=""))
    assert [name for name, _, _ in bare.merged()][-1] == "image_type"
    assert '"is_active"' not in bare.insert()


def test_a_first_value_is_what_the_next_load_would_leave():
    merge = Merge(
        layout(
            CatalogueColumn("trim", "text", "text", default="'T'"),
            CatalogueColumn("engine", "text", "text", not_null=True, default="'E'"),
        )
    )
    insert = merge.insert()
    assert """CASE WHEN n.keep & 32 <> 0 THEN 'T' ELSE s."trim" END""" in insert
    assert """coalesce(s."engine", 'E')""" in insert
    assert "n.make" in insert


def test_an_identity_column_takes_the_number_that_was_drawn():
    number = CatalogueColumn(
        "id", "int8", "bigint", not_null=True, default="nextval('s')", identity=True
    )
    assert "OVERRIDING SYSTEM VALUE" in Merge(layout(number)).insert()
    assert "OVERRIDING" not in Merge(layout()).insert()


def test_columns_without_default_get_the_transactions_time():
    stamp = CatalogueColumn("created_at", "timestamptz", "timestamp with time zone", not_null=True)
    assert '"created_at"' in Merge(layout(stamp)).insert()
    assert '"created_at"' not in Merge(layout()).insert()


def test_a_twin_is_switched_off_by_what_the_table_has():
    assert '"is_active" = false' in Merge(layout()).twins()
    assert "\"status\" = 'it''s sold'" in Merge(layout(active="", updated="")).twins()
    assert Merge(layout(active="", leave_out=("status",))).twins() == ""


def test_rows_are_locked_in_the_order_of_their_ids():
    assert Merge(layout()).lock_changed().endswith('ORDER BY v."id" FOR NO KEY UPDATE OF v')


def test_extras_junk_and_what_is_on_again_name_their_tables():
    merge = Merge(layout())
    assert "ingest.vehicle_extras" in merge.extras()
    assert "ingest.junk_vins" in merge.junk()
    assert "ingest.provisional_vins" in merge.remember()
    assert "ingest.deactivations" in merge.on_again()


def test_every_column_that_an_update_may_write_is_noted_before():
    merge = Merge(layout())
    noted = merge.note()

    assert all(f"'{name}'::text" in noted for name, _, _ in merge.merged())
    assert "'updated_at'" not in noted


def test_the_history_says_why_a_vin_or_a_state_is_another():
    noted = Merge(layout()).note()

    assert noted.count("'vin_replaced'") == 1
    assert noted.count("THEN 'sold' WHEN") == 2
    bare = Merge(layout(leave_out=("status",), active="")).note()
    assert "'returned'" not in bare


def test_only_where_triggers_may_overrule_is_it_remembered_that_they_did():
    plain = Merge(layout())
    assert "ingest.overruled" not in plain.lock_changed()
    assert plain.overruled() == ""
    busy = Merge(replace(layout(), triggers=("touch",)))
    assert "NOT EXISTS (SELECT FROM ingest.overruled" in busy.lock_changed()
    assert "INSERT INTO ingest.overruled" in busy.overruled()
