"""Threads are never more than their slots, even when nobody waits for them any more."""

import asyncio
import threading

import pytest

from collector.slots import Slots


def test_a_slot_returns_what_its_work_returns() -> None:
    assert asyncio.run(Slots(1).run(lambda: 7)) == 7


def test_an_error_is_the_callers_and_frees_the_slot() -> None:
    async def twice() -> None:
        slots = Slots(1)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await slots.run(lambda: 1 // 0)

    asyncio.run(twice())


def test_work_that_was_given_up_keeps_its_slot_until_it_ends() -> None:
    began, may_end = threading.Event(), threading.Event()

    def dawdle() -> None:
        began.set()
        may_end.wait(10)
        raise RuntimeError

    async def give_up_and_come_again() -> list[str]:
        slots, told = Slots(1), []
        first = asyncio.create_task(slots.run(dawdle))
        await asyncio.to_thread(began.wait, 10)
        first.cancel()
        second = asyncio.create_task(slots.run(lambda: told.append("second")))
        await asyncio.sleep(0.05)
        told.append("waited")
        may_end.set()
        await second
        return told

    assert asyncio.run(give_up_and_come_again()) == ["waited", "second"]


def test_a_loop_that_ends_ends_waiting_callers_too() -> None:
    async def end_early() -> None:
        slots = Slots(1)
        task = asyncio.create_task(slots.run(lambda: None))
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(end_early())
