"""Bodies share one room, come in within their time, and give back what they held."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.bodies import WHOLE_BODIES, Bodies, NoBodyRoomError, SlowBodyError
from collector.inflate import BodyTooLargeError


async def in_pieces(*pieces: bytes, pause: float = 0.0) -> AsyncIterator[bytes]:
    for piece in pieces:
        await asyncio.sleep(pause)
        yield piece


async def read(bodies: Bodies, *pieces: bytes, pause: float = 0.0) -> bytes:
    async with bodies.whole(in_pieces(*pieces, pause=pause)) as body:
        assert bodies.held >= len(body)
        return body


@given(st.lists(st.binary(max_size=20), max_size=8), st.integers(0, 100))
def test_a_body_is_read_up_to_its_limit(pieces: list[bytes], limit: int) -> None:
    bodies = Bodies(limit)
    whole = b"".join(pieces)
    if len(whole) <= limit:
        assert asyncio.run(read(bodies, *pieces)) == whole
    else:
        with pytest.raises(BodyTooLargeError):
            asyncio.run(read(bodies, *pieces))

    assert bodies.held == 0


def test_a_body_over_its_limit_is_refused_and_gives_its_room_back() -> None:
    bodies = Bodies(9)

    with pytest.raises(BodyTooLargeError):
        asyncio.run(read(bodies, b"01234", b"56789"))

    assert bodies.held == 0


def test_bodies_that_are_held_leave_no_room_for_others() -> None:
    async def crowd() -> None:
        bodies = Bodies(10)
        held = [bodies.whole(in_pieces(b"0123456789")) for _ in range(WHOLE_BODIES)]
        for one in held:
            await one.__aenter__()
        with pytest.raises(NoBodyRoomError, match="at most 80 bytes"):
            await read(bodies, b"x")
        await held.pop().__aexit__(None, None, None)
        assert await read(bodies, b"x") == b"x"
        for one in held:
            await one.__aexit__(None, None, None)
        assert bodies.held == 0

    asyncio.run(crowd())


def test_a_body_that_does_not_end_is_given_up() -> None:
    bodies = Bodies(100, seconds=0.05)

    with pytest.raises(SlowBodyError, match=r"within 0\.05 s"):
        asyncio.run(read(bodies, *[b"x"] * 50, pause=0.02))
    assert bodies.held == 0


async def _time_out(_: bytes) -> None:
    raise TimeoutError


async def _take_long(_: bytes) -> None:
    await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("work", "error"), [(_time_out, TimeoutError), (_take_long, None)], ids=["fails", "is slow"]
)
def test_only_coming_in_is_timed(
    work: Callable[[bytes], Coroutine[Any, Any, None]], error: type[Exception] | None
) -> None:
    async def taken(bodies: Bodies) -> None:
        async with bodies.whole(in_pieces(b"x")) as body:
            await work(body)

    bodies = Bodies(100, seconds=0.05)
    if error:
        with pytest.raises(error):
            asyncio.run(taken(bodies))
    else:
        asyncio.run(taken(bodies))
    assert bodies.held == 0
