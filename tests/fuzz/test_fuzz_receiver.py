"""Damaged bodies through the real receiver and its stores: none is answered 5xx, none leaks."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import pytest
from fuzz.mutation import Sent, damaged

from collector.receive import Limits, Receiver, refusal_of
from tallystick import clock
from tallystick.settings import Settings
from tallystick.wiring import Parts, assemble

AT_ONCE = 50
"""Bodies under way, as from so many clients: their events are committed together."""
MIB = 1024 * 1024


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    joined = assemble(Settings(data=tmp_path))
    yield joined
    joined.close()


async def statuses_of(bodies: Sequence[Sent], receiver: Receiver) -> list[int]:
    """Return how each body is answered, sent all at once."""

    async def status(sent: Sent) -> int:
        try:
            await receiver.take(sent.raw, "", sent.signal, sent.encoding)
        except Exception as error:  # noqa: BLE001 - as at the edge of a request
            return refusal_of(error)[0].status
        return 200

    return await asyncio.gather(*(status(sent) for sent in bodies))


def memory_mib() -> int:
    """Return what this process holds of memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 // MIB


async def answers_of(count: int, seed: int, parts: Parts) -> tuple[Counter[int], list[int]]:
    """Send damaged bodies; return the answers, and how much memory was held along the way."""
    receiver = Receiver(parts.sinks, parts.decoder, lambda _: None, Limits(64 * MIB, clock.now_ns))
    bodies = damaged(count, seed)
    answers: Counter[int] = Counter()
    held = []
    while together := list(islice(bodies, AT_ONCE)):
        answers.update(await statuses_of(together, receiver))
        held.append(memory_mib())
    return answers, held


def test_five_hundred_damaged_bodies_are_each_answered_200_or_400(parts: Parts) -> None:
    answers, _ = asyncio.run(answers_of(500, 2026, parts))

    assert set(answers) == {200, 400}
    assert answers.total() == 500


@pytest.mark.slow
def test_ten_thousand_damaged_bodies_leave_no_memory_behind(parts: Parts) -> None:
    answers, held = asyncio.run(answers_of(10_000, 1123, parts))

    assert set(answers) == {200, 400}
    assert max(held[-20:]) - max(held[:50]) < 100
