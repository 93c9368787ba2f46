"""The residual of a place and period, put into classes as far as there is evidence for them.

residual = engine - gateway -> each suspect takes what it can have made, in order -> unexplained

A class never takes more than its evidence holds, and all of them together never more than the
residual. What is left is unexplained.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from metering.reconcile.engine import EngineTotal
from metering.reconcile.gateway import Calls, Told
from metering.reconcile.measures import Measures


class Class(StrEnum):
    """Why engines and gateways may differ."""

    SEVERAL_CHOICES = "several_choices"
    """An engine counts the prompt for each of n choices; it is billed once."""
    CACHE_ACCOUNTING = "cache_accounting"
    """The gateway left out the cached part of the input, or counted it twice."""
    CORRECTED = "corrected"
    """Calls that an operator voided or amended: engines worked for them all the same."""
    MISSING_SEQUENCE = "missing_sequence"
    """Records that their producer numbered and nobody received."""
    UNMETERED_PATH = "unmetered_path"
    """Requests that reached an engine and that no gateway told of."""
    RETRIES = "retries"
    """Attempts without counts that were made again."""
    ABORTED = "aborted"
    """Calls that were given up, timed out or failed before their counts were told."""
    UNCOUNTED = "uncounted"
    """Calls that went well, and whose counts nobody told."""
    RESET = "reset"
    """Work in a time for which an engine's counters are lost."""
    STRADDLING = "straddling"
    """Calls at the bounds, which the two sides see at different instants."""


class How(StrEnum):
    """How a class's figure is known."""

    MEASURED = "measured"
    """Both its calls and their tokens were counted."""
    BOUNDED = "bounded"
    """Its calls were counted; their tokens are at most so many, by the mean of the engines or by
    what their gateway told."""


class Suspect(NamedTuple):
    """What a class can have made of a residual: between ``low`` (0 or less) and ``high``."""

    kind: Class
    how: How
    low: int = 0
    high: int = 0


class Part(NamedTuple):
    """What a class did make of a residual."""

    kind: Class
    tokens: int
    how: How


@dataclass(frozen=True, slots=True)
class Side:
    """Input or output of both sides: the parts and ``unexplained`` add up to the residual."""

    engine: int | None
    gateway: int
    slack: int = 0
    parts: tuple[Part, ...] = ()

    @property
    def residual(self) -> int:
        """What engines counted beyond what gateways told; 0 where no engine tells."""
        return 0 if self.engine is None else self.engine - self.gateway

    @property
    def unexplained(self) -> int:
        """The part of the residual that no class holds."""
        return self.residual - sum(part.tokens for part in self.parts)

    @property
    def whole(self) -> int:
        """The larger of the two sides: what a tolerance is a part of."""
        return max(self.engine or 0, self.gateway)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Both kinds of tokens of a place and period, compared."""

    input: Side
    output: Side

    @property
    def sides(self) -> tuple[Side, Side]:
        """Input and output."""
        return self.input, self.output


class Unaccounted(NamedTuple):
    """Requests that engines had and that no gateway's record is of."""

    missing: int
    """Those that a gap in a producer's numbers stands for."""
    unmetered: int
    """Those that nobody ever told of."""


def classify(measures: Measures) -> Reconciled:
    """Return both sides compared, with their residuals in classes."""
    return Reconciled(_side(measures, "input"), _side(measures, "output"))


def attributed(residual: int, suspects: Iterable[Suspect]) -> tuple[Part, ...]:
    """Return what each suspect, in order, takes of a residual; those that take nothing left out.

    >>> suspects = [Suspect(Class.RETRIES, How.BOUNDED, high=30), Suspect(Class.RESET, How.BOUNDED)]
    >>> [(part.kind.value, part.tokens) for part in attributed(100, suspects)]
    [('retries', 30)]
    """
    parts: list[Part] = []
    left = residual
    for kind, how, low, high in suspects:
        tokens = min(left, high) if left > 0 else max(left, low)
        if tokens:
            parts.append(Part(kind, tokens, how))
            left -= tokens
    return tuple(parts)


def unaccounted(measures: Measures) -> Unaccounted:
    """Return how many requests of engines no record of a gateway is of.

    Engines tell how many requests began and how many ended by themselves. Of the first, those are
    taken off that a gateway knows. A call that was given up ends at the engine as given up where
    engines tell of such; otherwise it may have run on to its end, unseen. No more is claimed than
    what neither this nor a call at a bound can be.
    """
    engine, calls = measures.engine, measures.calls
    if engine is None or engine.finished is None or engine.started is None:
        return Unaccounted(calls.missing, 0)
    gave_up = max(engine.started - engine.finished, 0)
    beyond = max(engine.finished - calls.ok - calls.choices, 0)
    known_given_up = min(calls.cut + calls.failed + calls.retried, gave_up)
    ran_on = min(_may_run_on(calls, known_given_up), beyond)
    strange = beyond - ran_on + gave_up - known_given_up
    doubt = measures.start.calls + measures.end.calls
    missing = min(calls.missing, strange + doubt)
    return Unaccounted(missing, max(strange - missing, 0) if strange > doubt else 0)


def _may_run_on(calls: Calls, known_given_up: int) -> int:
    """Return how many calls that their gateway gave up an engine may have finished unseen."""
    all_of_them = calls.cut + calls.failed + calls.retried
    return min(calls.cut + calls.retried, all_of_them - known_given_up)


def _side(measures: Measures, name: str) -> Side:
    engine: int | None = getattr(measures.engine, name) if measures.engine else None
    gateway: int = getattr(measures.told, name) if measures.told else 0
    if engine is None or measures.engine is None:
        return Side(None, gateway)
    suspects = _suspects(measures, name)
    if name == "input":
        suspects = _with_cache(measures, engine - gateway, suspects)
    slack: int = getattr(measures.engine.slack, name)
    return Side(engine, gateway, slack, attributed(engine - gateway, suspects))


def _suspects(measures: Measures, name: str) -> list[Suspect]:
    """Return what there is evidence of, the surest first; calls at the bounds come last."""
    calls, strange = measures.calls, unaccounted(measures)
    choices = calls.choices_input if name == "input" else 0
    made_by = _by_mean(measures, name)
    return [
        Suspect(Class.SEVERAL_CHOICES, How.MEASURED, high=choices),
        Suspect(Class.CORRECTED, How.BOUNDED, high=getattr(calls, f"corrected_{name}")),
        Suspect(Class.MISSING_SEQUENCE, How.BOUNDED, high=made_by(strange.missing)),
        Suspect(Class.UNMETERED_PATH, How.BOUNDED, high=made_by(strange.unmetered)),
        Suspect(Class.RETRIES, How.BOUNDED, high=getattr(calls, f"retried_{name}")),
        Suspect(Class.ABORTED, How.BOUNDED, high=made_by(calls.cut_uncounted)),
        Suspect(Class.UNCOUNTED, How.BOUNDED, high=made_by(calls.uncounted)),
        Suspect(Class.RESET, How.BOUNDED, low=-getattr(measures.blind, name)),
        _straddling(measures, name),
    ]


def _straddling(measures: Measures, name: str) -> Suspect:
    """Return what the calls at the two bounds can have made.

    At the start the engine may have counted part of what ends after it before, and counts what
    ended after its last sample; at the end it is the other way round.
    """
    start_before, end_before = (
        getattr(edge, f"before_{name}") for edge in (measures.start, measures.end)
    )
    start_across, end_across = (
        getattr(edge, f"across_{name}") for edge in (measures.start, measures.end)
    )
    return Suspect(
        Class.STRADDLING,
        How.BOUNDED,
        low=-start_across - end_before,
        high=start_before + end_across,
    )


def _by_mean(measures: Measures, name: str) -> Callable[[int], int]:
    """Return how many tokens so many requests made, if they were like the engines' others."""
    engine = measures.engine
    tokens = getattr(engine, name) or 0
    requests = (engine.started if engine else 0) or measures.calls.ok

    def made_by(count: int) -> int:
        return -(-tokens * count // requests) if requests else tokens * bool(count)

    return made_by


def _with_cache(measures: Measures, residual: int, suspects: Sequence[Suspect]) -> list[Suspect]:
    """Return the suspects with cache accounting, where nothing but it fits the residual.

    A gateway that does not tell its cached tokens apart counts them all the same: their absence
    proves nothing. So the residual must be out of reach of the other suspects, and within it once
    exactly the cached tokens are taken off; and these must be more than what calls of the others
    had in the cache.
    """
    low, high = sum(s.low for s in suspects), sum(s.high for s in suspects)
    engine, told = measures.engine or EngineTotal(), measures.told or Told()
    cached = engine.cached or 0
    for taken in (cached - told.cached, -told.cached):
        is_needed = residual > high if taken > 0 else residual < low
        reach = high if taken > 0 else -low
        is_its_own = abs(taken) * (engine.input or 0) > 2 * cached * reach
        if taken and is_needed and is_its_own and low <= residual - taken <= high:
            found = Suspect(Class.CACHE_ACCOUNTING, How.MEASURED, min(taken, 0), max(taken, 0))
            return [found, *suspects]
    return list(suspects)
