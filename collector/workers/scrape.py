"""Scrape GPU workers: one task per target, its state kept, whatever the target does.

targets -> GET /metrics (deadline, size limit, gzip) -> points -> readings + load -> commit

A target that does not answer is a reading (``up`` = 0) and a reason in its state, never an error
of ours.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import NamedTuple

import httpx2
import structlog

from collector.inflate import BodyTooLargeError, inflate
from collector.slots import Slots
from collector.workers.engines import Heard, Vocabulary, hear
from collector.workers.exposition import read_page
from collector.workers.load import pool_loads, with_load
from collector.workers.nvml import read_gpus
from collector.workers.target_list import TargetList
from collector.workers.targets import NVML, Target, wait_ns
from metering.signal import SIGNALS, UP, Kind, Reading

Submit = Callable[[Sequence[Reading]], "Future[int]"]

_HEADERS = {
    "Accept": "text/plain;version=0.0.4,application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1",
    "Accept-Encoding": "gzip",
}
_SECOND = 1_000_000_000
_PAGES_AT_ONCE = 2
"""Pages that are read at a time: reading takes a processor."""
_MAX_REASON = 300
"""Characters kept of why a scrape failed."""

_log = structlog.get_logger("collector")


class Plan(NamedTuple):
    """How to scrape."""

    targets: str
    """A file of targets, or addresses with commas between; empty for none."""
    interval: float = 15.0
    """Seconds between scrapes of a target that does not say itself."""
    limit: int = 16 * 1024 * 1024
    """Bytes that a page may have, as sent and once inflated."""
    reload: float = 5.0
    """Seconds between looks at the file of targets."""


@dataclass(frozen=True, slots=True)
class TargetState:
    """What is known of a target's scrapes."""

    target: Target
    ok: bool | None = None
    """Whether the last scrape succeeded; None before the first."""
    scraped_ns: int = 0
    ok_ns: int = 0
    """When it last succeeded; 0 for never."""
    seconds: float = 0.0
    """How long the last scrape took."""
    error: str = ""
    """Why the last scrape failed."""
    failures: int = 0
    """Failed scrapes since the last success."""
    systems: tuple[str, ...] = ()
    """The kinds of software recognised on the page."""
    readings: int = 0
    broken_lines: int = 0
    unknown_series: int = 0


class _Sent(NamedTuple):
    """A page as it came."""

    body: bytes
    encoding: str


class Scraper:
    """Scrapes every target at its own pace until it is stopped."""

    def __init__(
        self, plan: Plan, words: Vocabulary, submit: Submit, now_ns: Callable[[], int]
    ) -> None:
        """Store readings through ``submit``; ``now_ns`` gives nanoseconds since 1970 UTC."""
        self._plan = plan
        self._words = words
        self._submit = submit
        self._now_ns = now_ns
        self._states: dict[str, TargetState] = {}
        self._latest: dict[str, list[Reading]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._reading = Slots(_PAGES_AT_ONCE)
        self.targets = TargetList(plan.targets, plan.interval)

    @property
    def states(self) -> list[TargetState]:
        """The state of every target, by address."""
        return [self._states[address] for address in sorted(self._states)]

    async def run(self) -> None:
        """Scrape until cancelled; then end every task before returning."""
        limits = httpx2.Limits(max_keepalive_connections=256)
        async with httpx2.AsyncClient(
            headers=_HEADERS, follow_redirects=False, trust_env=False, limits=limits
        ) as client:
            try:
                await asyncio.gather(self._follow_targets(client), self._follow_pools())
            finally:
                for task in self._tasks.values():
                    task.cancel()
                await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def scrape(self, client: httpx2.AsyncClient, target: Target) -> None:
        """Scrape a target once: store its readings, or that it is down, and keep its state."""
        began = self._now_ns()
        before = self._states.get(target.address, TargetState(target))
        state = replace(before, target=target, scraped_ns=began)
        try:
            async with asyncio.timeout(target.deadline):
                readings, state = await self._read(client, state)
        except Exception as error:  # noqa: BLE001 - whatever a target does is about the target
            readings = [Reading(UP, began, 0.0, target.origin)]
            why = _reason(error, target)
            state = replace(state, ok=False, error=why, failures=before.failures + 1)
        state = replace(state, seconds=(self._now_ns() - began) / _SECOND)
        self._note(before, state)
        self._states[target.address] = state
        self._latest[target.address] = [r for r in readings if SIGNALS[r.signal].kind is Kind.GAUGE]
        await self._store(readings)

    async def _read(
        self, client: httpx2.AsyncClient, state: TargetState
    ) -> tuple[list[Reading], TargetState]:
        target, at_ns = state.target, state.scraped_ns
        if target.address == NVML:
            found = await asyncio.to_thread(read_gpus, at_ns)
            heard = Heard([_here(r, target) for r in found], Counter())
            broken = 0
        else:
            sent = await _get(client, target.url, self._plan.limit)
            heard, broken = await self._reading.run(lambda: self._hear(sent, target, at_ns))
        up = Reading(UP, at_ns, 1.0, target.origin)
        readings = [*with_load(heard.readings, target.declared), up]
        return readings, replace(
            state,
            ok=True,
            ok_ns=at_ns,
            error="",
            failures=0,
            systems=tuple(heard.systems),
            readings=len(readings),
            broken_lines=broken,
            unknown_series=heard.unknown.total(),
        )

    def _hear(self, sent: _Sent, target: Target, at_ns: int) -> tuple[Heard, int]:
        body = inflate(sent.body, sent.encoding, self._plan.limit)
        page = read_page(body.decode("utf-8", "replace"), at_ns)
        if not page.points:
            raise NoPageError(page.reasons[0] if page.reasons else "an empty page")
        return hear(page.points, self._words, target.origin), page.broken

    def _note(self, before: TargetState, after: TargetState) -> None:
        """Log a target's change from up to down or back, and nothing in between."""
        if after.ok is False and before.ok is not False:
            _log.warning("target_down", target=after.target.address, error=after.error)
        elif after.ok and before.ok is False:
            _log.info("target_up", target=after.target.address, failures=before.failures)

    async def _store(self, readings: Sequence[Reading]) -> None:
        try:
            await asyncio.wrap_future(self._submit(readings))
        except Exception as error:  # noqa: BLE001 - a tick's edge: the next scrape tries again
            _log.error("readings_lost", kind=type(error).__name__, error=str(error))

    async def _follow_targets(self, client: httpx2.AsyncClient) -> None:
        """Keep one task per target, as the list of targets changes."""
        while True:
            wanted = await asyncio.to_thread(self.targets.changed)
            if wanted is not None:
                await self._apply(client, wanted)
            await asyncio.sleep(self._plan.reload)

    async def _apply(self, client: httpx2.AsyncClient, wanted: Iterable[Target]) -> None:
        """Start, stop and restart what differs; targets that stay as they were keep their pace."""
        listed = {target.address: target for target in wanted}
        for address, state in list(self._states.items()):
            if listed.get(address) != state.target:
                self._tasks.pop(address).cancel()
                del self._states[address]
                self._latest.pop(address, None)
        for address, target in listed.items():
            if address not in self._tasks:
                self._states[address] = TargetState(target)
                self._tasks[address] = asyncio.create_task(self._follow(client, target))

    async def _follow(self, client: httpx2.AsyncClient, target: Target) -> None:
        """Scrape a target at its turns. A turn that comes too soon after a scrape is left out."""
        least = round(target.interval * _SECOND) // 4
        pause = wait_ns(target, self._now_ns())
        while True:
            await asyncio.sleep(pause / _SECOND)
            await self.scrape(client, target)
            pause = least + wait_ns(target, self._now_ns() + least)

    async def _follow_pools(self) -> None:
        """Compute the load of pools from the latest pages of their replicas."""
        while True:
            await asyncio.sleep(self._plan.interval)
            latest = (reading for readings in self._latest.values() for reading in readings)
            readings = pool_loads(latest, self._now_ns())
            if readings:
                await self._store(readings)


async def _get(client: httpx2.AsyncClient, url: str, limit: int) -> _Sent:
    """Return a page, and read no more of it than the limit."""
    parts: list[bytes] = []
    left = limit
    async with client.stream("GET", url, timeout=None) as response:
        if response.status_code != 200:
            raise PageStatusError(response.status_code)
        async for part in response.aiter_raw():
            left -= len(part)
            if left < 0:
                raise BodyTooLargeError(limit)
            parts.append(part)
        encoding = response.headers.get("content-encoding", "")
    return _Sent(b"".join(parts), encoding)


def _here(reading: Reading, target: Target) -> Reading:
    return replace(reading, origin=replace(target.origin, system=NVML, gpu=reading.origin.gpu))


def _reason(error: Exception, target: Target) -> str:
    if isinstance(error, TimeoutError):
        return f"the target must answer within {target.deadline:g} s, found it had not"
    said = " ".join(str(error).split()) or type(error).__name__
    return said[:_MAX_REASON]


class PageStatusError(RuntimeError):
    """An answer that is no page. Redirects are not followed: they lead to other targets."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the target must answer 200, found {status}")


class NoPageError(ValueError):
    """A page without a single sample."""

    def __init__(self, found: str) -> None:
        super().__init__(f"the page must hold metrics, found {found}")
