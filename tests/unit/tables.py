"""Vehicles tables for the tests of what is made of them."""

from ingestd.store.layout import CatalogueColumn, Facts, Layout, lay_out
from ingestd.store.profile import Profile
from ingestd.vehicle import FIELDS

_TYPES = {
    "year": ("int4", "integer"),
    "mileage": ("int4", "integer"),
    "doors": ("int4", "integer"),
    "price": ("numeric", "numeric(12,2)"),
    "msrp": ("numeric", "numeric(12,2)"),
    "features": ("jsonb", "jsonb"),
    "images": ("jsonb", "jsonb"),
}
_REQUIRED = ("make", "model", "year")
OWN = {
    "id": "id",
    "dealership": "dealership_id",
    "active": "is_active",
    "created": "created_at",
    "updated": "updated_at",
}


def profile(*, leave_out: tuple[str, ...] = (), **own: str) -> Profile:
    return Profile(
        name="ours",
        table="public.vehicles",
        money="dollars",
        types={"price": "numeric"},
        status={"active": "active", "pending": "pending", "sold": "it's sold"},
        own={**OWN, **own},
        columns={field: field for field in FIELDS if field not in leave_out},
    )


def catalogue(*changed: CatalogueColumn) -> tuple[CatalogueColumn, ...]:
    """The columns of our own table, some of them replaced."""
    own = (
        CatalogueColumn(
            "id", "int4", "integer", not_null=True, default="nextval('v_seq'::regclass)"
        ),
        CatalogueColumn("dealership_id", "int4", "integer", not_null=True),
        CatalogueColumn("is_active", "bool", "boolean", not_null=True, default="true"),
        CatalogueColumn(
            "created_at", "timestamp", "timestamp without time zone", not_null=True, default="now()"
        ),
        CatalogueColumn(
            "updated_at", "timestamp", "timestamp without time zone", not_null=True, default="now()"
        ),
    )
    fields = (
        CatalogueColumn(field, *_TYPES.get(field, ("text", "text")), not_null=field in _REQUIRED)
        for field in FIELDS
    )
    columns = {column.name: column for column in (*own, *fields)}
    return tuple((columns | {column.name: column for column in changed}).values())


def layout(
    *changed: CatalogueColumn,
    keys: tuple[frozenset[str], ...] = (frozenset({"vin"}),),
    leave_out: tuple[str, ...] = (),
    **own: str,
) -> Layout:
    facts = Facts(keys)
    return lay_out(profile(leave_out=leave_out, **own), "miles", catalogue(*changed), facts)
