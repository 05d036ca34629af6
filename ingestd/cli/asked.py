"""WIRE  What several commands ask of the store, and how a command ends that leaves work behind."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from rich.text import Text

from ingestd.cli.terminal import console, give_up, print_json
from ingestd.report import Report
from ingestd.store.decisions import Decided
from ingestd.store.postgres import PostgresStore as Store


class Done(NamedTuple):
    """What was decided, what was loaded at once, and whether a daemon runs that does the rest.

    ``attended`` is None where nothing is left to be done.
    """

    decided: Decided
    reports: tuple[Report, ...] = ()
    attended: bool | None = None


async def sought(store: Store, number: int) -> tuple[Report | None, str]:
    """Give an import, or None and the sentence that says that there is none.

    The files in held/ bear the numbers of deliveries: who reads one there means its imports.
    """
    report = await store.report(number)
    if report is not None:
        return report, ""
    brought = await store.imports_of(number)
    message = f"there is no import {number}; "
    if not brought:
        return None, message + "`ingestd imports list` shows the latest"
    held = [it for it in brought if it.holds]
    named = ", ".join(f"import {it.import_id} ({it.outcome})" for it in held or brought)
    return None, f"{message}delivery {number} brought {named}; `ingestd deliveries show {number}`"


def tell(
    done: Done, told: str, state: Mapping[str, Any] | None, left: str = "it will be done"
) -> None:
    """Say why it cannot be, and end; or that it is done, as JSON where ``state`` is given.

    ``left``: what a daemon is to do, told where none seems to run.
    """
    if done.decided.refusal is not None:
        give_up(done.decided.refusal)
    if state is not None:
        print_json(state)
        return
    console().print(Text(told))
    if done.attended is False:
        lacking = f"no daemon seems to be running: {left} when one is (`ingestd run`)"
        console().print(Text(lacking))
