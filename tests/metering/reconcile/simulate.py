"""A made-up hour of a gateway and its engines, with faults put in: what was done is known.

calls -> faults -> what engines count, sampled every 15 s -> readings
                -> what the gateway tells -> events, in batches as they would arrive
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise

from metering.event import (
    Call,
    Outcome,
    Qualities,
    Quality,
    Role,
    Source,
    Tokens,
    UsageEvent,
    source_identity,
)
from metering.histogram import Buckets
from metering.reconcile.place import Pair
from metering.signal import Origin, Reading

SECOND = 1_000_000_000
POOL, MODEL = "shared", "qwen3"
FIRST_DAY = datetime(2026, 10, 1, 9, tzinfo=UTC)
LEAD, HOUR = 120.0, 3600.0
"""Seconds simulated before and after the hour, and of the hour."""
STEPS = 5
"""Parts in which the output of a call grows."""


@dataclass(frozen=True)
class Made:
    """One attempt as it truly was; times in seconds from the start of the hour."""

    number: int
    started: float
    first: float
    ended: float
    prompt: int
    cached: int
    output: int
    engine: int = 0
    choices: int = 1
    request: str = ""
    attempt: int = 0
    outcome: Outcome = Outcome.OK
    is_counted: bool = True
    """Whether its gateway could count its tokens."""
    is_told: bool = True
    """Whether a record of it arrived."""
    is_metered: bool = True
    """Whether it went through a gateway at all."""

    @property
    def engine_tokens(self) -> Pair:
        """What engines count of it."""
        return Pair(self.prompt * self.choices, self.output * self.choices)


@dataclass(frozen=True)
class World:
    """An hour with its faults."""

    day: int
    calls: tuple[Made, ...]
    engines: int = 2
    restarts: tuple[tuple[int, float, float], ...] = ()
    """(engine, second from which it was not scraped, second at which it began anew)."""
    skew: float = 0.0
    """Seconds by which the gateway's clock is ahead."""
    tells_cached: bool = True
    """Whether the gateway's input holds the cached part of it."""
    roles: tuple[str, ...] = field(default=())
    """Prefill and decode engines, each of which sees every call."""
    tells_starts: bool = True
    touched: frozenset[int] = frozenset()
    """Calls that a fault befell; the next one takes others."""

    @property
    def start(self) -> datetime:
        """When the hour begins."""
        return FIRST_DAY + timedelta(days=self.day)

    @property
    def start_ns(self) -> int:
        """The same in nanoseconds."""
        return int(self.start.timestamp()) * SECOND


def traffic(seed: int, day: int, every: float = 8.0) -> World:
    """Return an hour without faults."""
    draw = random.Random(seed)
    calls: list[Made] = []
    clock = -LEAD
    while clock < HOUR + LEAD:
        clock += draw.uniform(0.2, 2 * every)
        calls.append(call(draw, len(calls), clock))
    return World(day, tuple(calls))


def call(draw: random.Random, number: int, started: float) -> Made:
    """Return one call like any other."""
    prompt = draw.randint(800, 1200)
    first = started + draw.uniform(0.1, 1.0)
    return Made(
        number=number,
        started=started,
        first=first,
        ended=first + draw.uniform(0.5, 8.0),
        prompt=prompt,
        cached=draw.randint(0, prompt // 2),
        output=draw.randint(150, 210),
        engine=number % 2,
        request=f"req-{number}",
    )


Change = Callable[[Made], Iterable[Made]]


def changed(world: World, count: int, change: Change) -> tuple[World, list[Made]]:
    """Change so many calls in the middle of the hour; return what stands in their place too."""
    untouched = [c for c in world.calls if c.number not in world.touched]
    middle = [c for c in untouched if 300 < c.started < HOUR - 300]
    step = max(len(middle) // count, 1)
    chosen = {c.number for c in middle[::step][:count]}
    new = {c.number: list(change(c)) for c in world.calls if c.number in chosen}
    calls = [made for c in world.calls for made in new.get(c.number, [c])]
    made = [made for some in new.values() for made in some]
    touched = world.touched | {c.number for c in made}
    return replace(world, calls=tuple(calls), touched=touched), made


def aborts(made: Made) -> Iterable[Made]:
    """The client goes away half way; the gateway knows no counts."""
    half = made.first + (made.ended - made.first) / 2
    cut = replace(made, outcome=Outcome.ABORTED, is_counted=False)
    yield replace(cut, ended=half, output=made.output // 2)


def retries(made: Made) -> Iterable[Made]:
    """A first attempt times out and is made again."""
    cut = replace(made, outcome=Outcome.TIMEOUT, is_counted=False, output=made.output // 2)
    yield cut
    yield again(made)


def retries_unseen(made: Made) -> Iterable[Made]:
    """As above, by a gateway that tells of the last attempt only."""
    first, second = retries(made)
    yield replace(first, is_metered=False, is_told=False)
    yield second


def again(made: Made) -> Made:
    """Return the second attempt."""
    length = made.ended - made.started
    return replace(
        made,
        number=made.number + 1_000_000,
        attempt=1,
        started=made.ended,
        first=made.ended + 0.2,
        ended=made.ended + length,
    )


def bypass(made: Made) -> Iterable[Made]:
    """Somebody calls the engine directly."""
    yield made
    yield replace(made, number=made.number + 2_000_000, is_metered=False, is_told=False)


def several(made: Made) -> Iterable[Made]:
    """A call for three choices."""
    yield replace(made, choices=3)


def lost(made: Made) -> Iterable[Made]:
    """A record that was numbered and never arrived."""
    yield replace(made, is_told=False)


def uncounted(made: Made) -> Iterable[Made]:
    """A call that goes well, and whose client asks for no counts."""
    yield replace(made, is_counted=False)


def readings(world: World, seed: int = 7, model: str = MODEL) -> list[Reading]:
    """Return what a scraper reads of the engines."""
    draw = random.Random(seed)
    found: list[Reading] = []
    for number, role in enumerate(world.roles or ("",) * world.engines):
        served = [c for c in world.calls if world.roles or c.engine == number]
        origin = Origin("vllm", f"10.0.0.{number}:8000", "0", role, model=model, pool=POOL)
        gaps = [(begin, end) for engine, begin, end in world.restarts if engine == number]
        times = [t * 15.0 + draw.uniform(0, 2) - LEAD for t in range(int((HOUR + 2 * LEAD) / 15))]
        seen = [t for t in times if not any(begin <= t < end for begin, end in gaps)]
        lives = [-LEAD, *(end for _, end in gaps), float("inf")]
        for born, died in pairwise(lives):
            within = [t for t in seen if born <= t < died]
            begun = world.start_ns + round(born * SECOND) if world.tells_starts else 0
            for signal, steps in _growth(served, born, died).items():
                found += _samples(signal, steps, within, (world.start_ns, begun, origin))
    return found


def _growth(calls: Sequence[Made], born: float, died: float) -> dict[str, list[tuple[float, int]]]:
    """Return when an engine counted how much in one life, by signal."""
    steps: dict[str, list[tuple[float, int]]] = {
        name: []
        for name in (
            "prompt_tokens", "cached_tokens", "generation_tokens", "requests_finished",
            "ttft_seconds",
        )
    }  # fmt: skip
    for made in calls:
        total = made.engine_tokens
        steps["prompt_tokens"].append((made.first, total.input))
        steps["cached_tokens"].append((made.first, made.cached * made.choices))
        steps["ttft_seconds"].append((made.first, made.choices))
        for part in range(STEPS):
            at = made.first + (made.ended - made.first) * part / STEPS
            rest = total.output - total.output // STEPS * (STEPS - 1)
            steps["generation_tokens"].append((at, total.output // STEPS if part else rest))
        if made.outcome is Outcome.OK:
            steps["requests_finished"].append((made.ended, made.choices))
    return {n: sorted(s for s in some if born <= s[0] < died) for n, some in steps.items()}


def _samples(
    signal: str,
    steps: Sequence[tuple[float, int]],
    times: Sequence[float],
    told: tuple[int, int, Origin],
) -> list[Reading]:
    start_ns, begun, origin = told
    totals = list(accumulate((count for _, count in steps), initial=0))
    found: list[Reading] = []
    position = 0
    for time in times:
        while position < len(steps) and steps[position][0] <= time:
            position += 1
        at_ns = start_ns + round(time * SECOND)
        total = totals[position]
        buckets = Buckets((), (total,)) if signal == "ttft_seconds" else None
        found.append(Reading(signal, at_ns, float(total), origin, (), begun, buckets=buckets))
    return found


def batches(world: World) -> list[tuple[int, list[UsageEvent]]]:
    """Return the gateway's records in batches, each with the instant at which it arrived."""
    ordered = sorted((c for c in world.calls if c.is_metered), key=lambda c: c.ended)
    told = [
        (made.ended, event)
        for sequence, made in enumerate(ordered, start=1)
        for event in _records(world, made, sequence)
        if made.is_told
    ]
    found = []
    for at in range(0, len(told), 400):
        some = told[at : at + 400]
        arrived = world.start_ns + round((max(ended for ended, _ in some) + 0.3) * SECOND)
        found.append((arrived, [event for _, event in some]))
    return found


def _records(world: World, made: Made, sequence: int) -> list[UsageEvent]:
    """Return what is told of a call: the gateway's record, and an engine's of each choice."""
    shift = world.start_ns + round(world.skew * SECOND)
    quality = Quality.MEASURED if made.is_counted else Quality.UNKNOWN
    cached = made.cached if world.tells_cached else 0
    tokens = Tokens(
        fresh=made.prompt - made.cached, cached=cached, output=made.engine_tokens.output
    )
    told = UsageEvent(
        event_id=source_identity(f"gateway-{world.day}", str(made.number)),
        started_at=shift + round(made.started * SECOND),
        ended_at=shift + round(made.ended * SECOND),
        source=Source(tenant="acme", pool=POOL, gateway="gw"),
        call=Call(
            model=MODEL,
            requested_model=MODEL,
            response_id=f"r-{world.day}-{made.number}",
            request_id=f"{world.day}-{made.request}",
            attempt=made.attempt,
            outcome=made.outcome,
        ),
        tokens=tokens if made.is_counted else Tokens(),
        qualities=Qualities(fresh=quality, output=quality),
        producer=f"gw-{world.day}",
        sequence=sequence,
    )
    choices = [
        replace(
            told,
            event_id=source_identity(f"engine-{world.day}", f"{made.number}.{choice}"),
            source=Source(),
            call=Call(response_id=told.call.response_id),
            tokens=Tokens(fresh=made.prompt, output=made.output),
            role=Role.WITNESS,
            rank=40,
            is_choice=True,
            producer="",
            sequence=0,
        )
        for choice in range(made.choices if made.choices > 1 else 0)
    ]
    return [told, *choices]
