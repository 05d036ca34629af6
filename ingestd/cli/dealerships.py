"""WIRE  ``ingestd dealerships``: who the vehicles belong to."""

import sys
from typing import Annotated

import typer

from ingestd.cli.codes import Usage
from ingestd.cli.setting import ConfigOption, EmbeddedOption, JsonOption, read_config, with_store
from ingestd.cli.terminal import print_json, print_table
from ingestd.model import Dealership
from ingestd.store.postgres import PostgresStore as Store

dealerships = typer.Typer(no_args_is_help=True, help="List and add dealerships.")


@dealerships.command(name="list")
def list_(
    config: ConfigOption = None, *, embedded: EmbeddedOption = False, as_json: JsonOption = False
) -> None:
    """List the dealerships, with the number of their vehicles."""

    async def work(store: Store) -> list[Dealership]:
        return list(await store.dealerships())

    found = with_store(read_config(config, embedded=embedded), work)
    if as_json:
        print_json([{"id": d.id, "name": d.name, "vehicles": d.vehicles} for d in found])
    else:
        print_table(("id", "name", "vehicles"), ((d.id, d.name, d.vehicles) for d in found))


@dealerships.command()
def add(  # noqa: PLR0913  one option for each column of the table
    name: str,
    config: ConfigOption = None,
    *,
    location: Annotated[str, typer.Option(help="Street address.")] = "",
    email: Annotated[str, typer.Option(help="Primary contact's address.")] = "",
    phone: Annotated[str, typer.Option(help="Primary contact's number.")] = "",
    domain: Annotated[str | None, typer.Option(help="Website domain.")] = None,
    handover_email: Annotated[str | None, typer.Option(help="Where leads are handed over.")] = None,
    embedded: EmbeddedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Add a dealership and print its id, for the feed's ``dealership = …``."""

    async def work(store: Store) -> int:
        same = [known.id for known in await store.dealerships() if known.name == name]
        if same:
            raise Usage(
                f"dealership {same[0]} has this name already; a feed could not tell them apart"
            )
        return await store.add_dealership(
            name,
            location=location,
            contact_email=email,
            contact_phone=phone,
            domain=domain,
            handover_email=handover_email,
        )

    number = with_store(read_config(config, embedded=embedded), work)
    if as_json:
        print_json({"id": number, "name": name})
    else:
        sys.stdout.write(f"{name} is dealership {number}\n")
