"""A machine that tells stories nobody thought of: store and oracle must agree after each step.

    INGESTD_MACHINE_EXAMPLES   how many stories (500)
    INGESTD_MACHINE_SEED       other stories than the usual ones

``pytest -m machine`` runs it alone.  It fails with the shortest story that goes wrong.
"""

import asyncio
import os
from collections.abc import Coroutine, Iterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from tests.integration.lot import opened
from tests.meaning import strategies
from tests.meaning.both import Both
from tests.meaning.nouns import Agreement, Sheet
from tests.meaning.real import Real
from tests.meaning.steps import Deliver, Edit, Spell, Step, Store, shortest

_EXAMPLES = int(os.environ.get("INGESTD_MACHINE_EXAMPLES", "500"))
_SEED = os.environ.get("INGESTD_MACHINE_SEED")
_STEPS = 30

_Delivered = tuple[int, tuple[Sheet, ...]]
_DELIVERY = strategies.deliveries()
#: Which feeds never list the whole lot is told to the store.
_CONFIG = {"feed": [{"name": "north-changes", "dealership": 1, "mode": "delta"}]}
_FEED = st.integers(0, 3)
_PLACE = st.integers(0, 7)


class Rig:
    """The store for all stories, and the loop in which it lives."""

    def __init__(self, runner: asyncio.Runner, real: Real, feeds: tuple[Agreement, ...]) -> None:
        self.runner, self.real, self.feeds = runner, real, feeds
        self.story: list[Step] = []

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    async def fault(self, story: list[Step]) -> str | None:
        """Tell a story from the beginning; give what goes wrong in it."""
        await self.real.forget()
        both = Both(self.real)
        for step in story:
            try:
                await step.act(both, self.feeds)
            except Exception as error:  # noqa: BLE001  whatever it is, it is the story's fault
                return f"{type(error).__name__}: {error}"
        return None

    async def shortest(self) -> str:
        async def fails(story: list[Step]) -> bool:
            return await self.fault(story) is not None

        story = await shortest(self.story, fails)
        told = "\n".join(map(str, story))
        return f"{await self.fault(story)}\n\n{told}"


class Machine(RuleBasedStateMachine):
    """One story."""

    rig: Rig

    def __init__(self) -> None:
        super().__init__()
        self.rig.run(self.rig.real.forget())
        self.both = Both(self.rig.real)
        self.rig.story = []
        self.last: dict[int, tuple[Sheet, ...]] = {}

    @initialize(delivery=_DELIVERY)
    def begin(self, delivery: _Delivered) -> None:
        self.deliver(delivery, timedelta(0))

    @rule(delivery=_DELIVERY, after=strategies.TIMES)
    def deliver(self, delivery: _Delivered, after: timedelta) -> None:
        feed, sheets = delivery
        self.last[feed] = sheets
        self._tell(Deliver(feed, sheets, after))

    @rule(delivery=strategies.lots(), after=strategies.TIMES)
    def deliver_a_lot(self, delivery: _Delivered, after: timedelta) -> None:
        self.deliver(delivery, after)

    @rule(data=st.data(), after=strategies.TIMES)
    def deliver_much_the_same_again(self, data: st.DataObject, after: timedelta) -> None:
        feed = data.draw(st.sampled_from(sorted(self.last)))
        self.deliver((feed, data.draw(strategies.again(self.last[feed]))), after)

    @rule(data=st.data(), after=strategies.TIMES)
    def replay(self, data: st.DataObject, after: timedelta) -> None:
        feed = data.draw(st.sampled_from(sorted(self.last)))
        self._tell(Deliver(feed, self.last[feed], after))

    @rule(delivery=_DELIVERY, back=strategies.TIMES)
    def deliver_an_older_one(self, delivery: _Delivered, back: timedelta) -> None:
        feed, sheets = delivery
        self._tell(Deliver(feed, sheets, back=back))

    @rule(place=_PLACE, edit=st.sampled_from(strategies.EDITS))
    def a_person_edits(self, place: int, edit: dict[str, Any]) -> None:
        self._tell(Edit(place, edit))

    @rule(place=_PLACE)
    def a_person_spells_a_vin_in_small_letters(self, place: int) -> None:
        self._tell(Spell(place))

    @rule(
        feed=_FEED,
        number=st.sampled_from([None, 1, 2]),
        stock=st.sampled_from(["S1", "S2", None]),
    )
    def somebody_stores_a_vehicle(self, feed: int, number: int | None, stock: str | None) -> None:
        self._tell(Store(feed, number, stock))

    def _tell(self, step: Step) -> None:
        self.rig.story.append(step)
        self.rig.run(step.act(self.both, self.rig.feeds))


@pytest.fixture
def rig(database) -> Iterator[Rig]:
    with asyncio.Runner() as runner:
        admin = runner.run(asyncpg.connect(database.url))
        context = opened(database.ingestd_url, config=_CONFIG)
        store = runner.run(context.__aenter__())
        real = Real(store, admin, briefly=True)
        yield Rig(runner, real, _feeds(runner, real))
        runner.run(context.__aexit__(None, None, None))
        runner.run(admin.close())


def _feeds(runner: asyncio.Runner, real: Real) -> tuple[Agreement, ...]:
    north = runner.run(real.dealership("North"))
    south = runner.run(real.dealership("South"))
    return (
        Agreement("north", north),
        Agreement("north-changes", north, mode="delta", missing="keep", blank="keep"),
        Agreement("south", south, missing_after=1),
        Agreement("south-keeps", south, missing="keep", vin_conflict="never"),
    )


@pytest.mark.machine
def test_store_and_oracle_agree_after_every_step_of_any_story(rig):
    Machine.rig = rig
    factory = seed(int(_SEED))(Machine) if _SEED else Machine
    stories = settings(
        max_examples=_EXAMPLES,
        stateful_step_count=_STEPS,
        derandomize=_SEED is None,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    try:
        run_state_machine_as_test(factory, settings=stories)
    except Exception:  # noqa: BLE001  whatever it is, it is told with the story
        raise AssertionError(rig.run(rig.shortest())) from None
