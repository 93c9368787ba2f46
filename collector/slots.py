"""Work in threads, so much at a time, however its callers end."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

_Result = TypeVar("_Result")


class Slots:
    """A number of threads. One whose caller gave up is taken until its work is really over.

    A thread cannot be stopped: were its slot free at once, callers that give up and come again
    would leave any number of them behind.
    """

    def __init__(self, count: int) -> None:
        """Let ``count`` run at a time; others wait for their turn."""
        self._free = asyncio.Semaphore(count)

    async def run(self, work: Callable[[], _Result]) -> _Result:
        """Return what the work returns, once a slot was free and it has ended."""
        await self._free.acquire()
        running = asyncio.ensure_future(asyncio.to_thread(work))
        running.add_done_callback(self._ended)
        return await asyncio.shield(running)

    def _ended(self, running: "asyncio.Future[_Result]") -> None:
        self._free.release()
        if not running.cancelled():
            running.exception()  # perhaps nobody waits for it any more
