"""Small bodies that wait to be decoded are decoded together: a hundred cost little more than one.

bodies -> waiting -> groups of small ones -> decoded in a thread -> committed -> each one's sender

Whoever arrives first is decoded at once; others gather behind it. What cannot be read as one, or is
not stored as one, is done over one by one: no body suffers from its neighbours.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

from collector.batch.fast import Decoded
from collector.otlp import Encoding, Signal
from collector.slots import Slots

Item = TypeVar("Item")

SMALL_BODY = 256 * 1024
"""Bytes, inflated, of a body that is decoded together with others."""
MAX_BUNDLE = 256
"""Bodies that are decoded together at most."""
MAX_BUNDLE_BYTES = 1024 * 1024
"""Bytes, inflated, at which a bundle is full: ten milliseconds of decoding."""


class Sent(NamedTuple):
    """A body as it came."""

    body: bytes
    compression: str
    signal: Signal
    encoding: Encoding

    @property
    def is_small(self) -> bool:
        """Whether it may be decoded with others, as far as can be told before it is inflated."""
        return (
            len(self.body) <= SMALL_BODY
            and self.encoding is Encoding.PROTOBUF
            and self.signal is not Signal.METRICS
        )


class Work(NamedTuple):
    """What is done with bodies."""

    decode: Callable[[Sent], Decoded]
    inflate: Callable[[Sent], bytes | None]
    """None where more than ``SMALL_BODY`` comes out, or nothing that can be read."""
    decode_together: Callable[[Sequence[bytes], Signal], Decoded | None]
    """None where each must be decoded alone."""
    store: Callable[[Decoded], Awaitable[None]]


class _Waiting(NamedTuple):
    sent: Sent
    done: "asyncio.Future[None]"


_Found = tuple[Sequence[_Waiting], Decoded | Exception]
"""Bodies, and what they say together or why that cannot be read."""


class Bundler:
    """Takes bodies one by one and works on as many at a time as wait."""

    def __init__(self, work: Work, slots: Slots, at_once: int) -> None:
        """``slots`` bound what is decoded at a time, here and elsewhere; ``at_once``, here."""
        self._work = work
        self._slots = slots
        self._idle = at_once
        self._waiting: deque[_Waiting] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(self, sent: Sent) -> None:
        """Return when a body was stored.

        Raises:
            Exception: what decoding or storing it raised.
        """
        one = _Waiting(sent, asyncio.get_running_loop().create_future())
        self._waiting.append(one)
        if self._idle:
            self._idle -= 1
            self._start(self._drain())
        await one.done

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drain(self) -> None:
        try:
            while self._waiting:
                decode = partial(self._decoded, self._next_group())
                for members, decoded in await self._slots.run(decode):
                    self._start(self._stored(members, decoded))
        finally:
            self._idle += 1

    def _next_group(self) -> list[_Waiting]:
        """Take the body that waits longest, and if it is small, others like it."""
        group = [self._waiting.popleft()]
        if not group[0].sent.is_small:
            return group
        rest: deque[_Waiting] = deque()
        size = len(group[0].sent.body)
        while self._waiting and len(group) < MAX_BUNDLE and size < MAX_BUNDLE_BYTES:
            one = self._waiting.popleft()
            is_alike = one.sent.is_small and one.sent.signal is group[0].sent.signal
            (group if is_alike else rest).append(one)
            size += len(one.sent.body) if is_alike else 0
        self._waiting.extendleft(reversed(rest))
        return group

    def _decoded(self, group: Sequence[_Waiting]) -> list[_Found]:
        small = self._inflated(group) if len(group) > 1 else []
        taken = {id(one) for one, _ in small}
        found = self._one_by_one([one for one in group if id(one) not in taken])
        for bundle in bundles(small, lambda one: len(one[1])):
            members = [one for one, _ in bundle]
            together = self._together(bundle, group[0].sent.signal)
            found += [(members, together)] if together else self._one_by_one(members)
        return found

    def _inflated(self, group: Sequence[_Waiting]) -> list[tuple[_Waiting, bytes]]:
        inflated = ((one, self._work.inflate(one.sent)) for one in group)
        return [(one, body) for one, body in inflated if body is not None]

    def _together(self, bundle: Sequence[tuple[_Waiting, bytes]], signal: Signal) -> Decoded | None:
        if len(bundle) < 2:
            return None
        try:
            return self._work.decode_together([body for _, body in bundle], signal)
        except Exception:  # noqa: BLE001 - one is at fault, or all are: alone, each is told so
            return None

    def _one_by_one(self, group: Sequence[_Waiting]) -> list[_Found]:
        return [([one], self._alone(one.sent)) for one in group]

    def _alone(self, sent: Sent) -> Decoded | Exception:
        try:
            return self._work.decode(sent)
        except Exception as error:  # noqa: BLE001 - its sender must hear of any failure
            return error

    async def _stored(self, group: Sequence[_Waiting], decoded: Decoded | Exception) -> None:
        """Store what a group says; where that fails, each one's own part of it."""
        error = decoded if isinstance(decoded, Exception) else await self._failure(decoded)
        if error and len(group) > 1:
            for one in group:
                alone = await self._slots.run(partial(self._alone, one.sent))
                self._start(self._stored([one], alone))
            return
        for one in group:
            if one.done.done():  # the sender has given up
                continue
            if error:
                one.done.set_exception(error)
            else:
                one.done.set_result(None)

    async def _failure(self, decoded: Decoded) -> Exception | None:
        try:
            await self._work.store(decoded)
        except Exception as error:  # noqa: BLE001 - its sender must hear of any failure
            return error
        return None


def bundles(items: Iterable[Item], size_of: Callable[[Item], int]) -> list[list[Item]]:
    """Cut items, in order, into bundles that are full at ``MAX_BUNDLE_BYTES``.

    >>> [len(one) for one in bundles([400_000] * 7, lambda size: size)]
    [3, 3, 1]
    """
    found: list[list[Item]] = []
    size = MAX_BUNDLE_BYTES
    for item in items:
        if size >= MAX_BUNDLE_BYTES:
            found.append([])
            size = 0
        found[-1].append(item)
        size += size_of(item)
    return found
