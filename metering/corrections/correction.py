"""Corrections: who decided what about which stored events, and what the events then say.

arrivals -> the first of each identity, or the one that was taken -> amended -> void or not
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, assert_never

from metering.arrival import Arrival, first_arrivals
from metering.event import (
    MAX_COUNT,
    TOKEN_CLASSES,
    Call,
    Outcome,
    Qualities,
    Quality,
    Source,
    UsageEvent,
)
from metering.period import Period

ACCEPT = "accept"
"""The change that accepts counts as they are told, however they came to be known."""

_SOURCE = frozenset({"tenant", "project", "api_key", "cluster", "resource", "pool", "spill_reason"})
_CALL = frozenset({"model", "operation", "outcome", "provider", "tier"})
CHANGEABLE = (*sorted(_SOURCE), *sorted(_CALL), *TOKEN_CLASSES, ACCEPT)
"""What an amendment may change: whom and what usage is billed to, its counts, their acceptance."""


class Kind(StrEnum):
    """What a correction does to each event that it is about."""

    VOID = "void"
    """It is as if the event had never been sent."""
    AMEND = "amend"
    """Some of what it says is replaced."""
    TAKE = "take"
    """Of contradicting arrivals under its identity another than the first counts."""


@dataclass(frozen=True, slots=True)
class Target:
    """Which events: those of some requests, those of a period, or both; of them, those alike."""

    requests: tuple[str, ...] = ()
    """Response, request, trace, span or event ids (the last three in hex)."""
    period: Period | None = None
    where: tuple[tuple[str, str], ...] = ()
    """(dimension, value), all of which hold for what was received under an identity."""

    def __post_init__(self) -> None:
        if not self.requests and not self.period:
            raise EmptyTargetError


@dataclass(frozen=True, slots=True)
class Correction:
    """One decision, kept for ever."""

    id: str
    kind: Kind
    target: Target
    actor: str
    reason: str
    changes: tuple[tuple[str, str | int], ...] = ()
    """(what, new value) of an amendment; the arrival stamp to take under ``stored_at``."""
    stamp: int = 0
    """Sums of arrivals stored before an instant above this one heed it."""

    def __post_init__(self) -> None:
        if not self.reason.strip() or not self.actor.strip():
            raise UnsignedError
        names = [name for name, _ in self.changes]
        match self.kind:
            case Kind.VOID if names:
                raise ChangeError(", ".join(names), "a void changes nothing else")
            case Kind.AMEND if not names:
                raise ChangeError("nothing", f"an amendment changes some of {_known()}")
            case Kind.TAKE if names != ["stored_at"] or not self.target.requests:
                raise ChangeError(", ".join(names) or "nothing", "stored_at of one event is taken")
            case Kind.TAKE if type(self.changes[0][1]) is not int:
                raise ChangeError(repr(self.changes[0][1]), "stored_at is a number of nanoseconds")
            case Kind.AMEND:
                for name, value in self.changes:
                    _check_change(name, value)
            case _:
                pass

    @property
    def taken(self) -> int:
        """The stamp of the arrival that a ``take`` takes."""
        return int(dict(self.changes)["stored_at"])

    @property
    def settles(self) -> bool:
        """Whether counts of its events are in doubt no more."""
        decided = {ACCEPT, *TOKEN_CLASSES}
        return self.kind is Kind.VOID or any(name in decided for name, _ in self.changes)


Corrections = Mapping[bytes, Sequence[Correction]]
"""Identity -> the corrections about it, the oldest first."""
NONE: Corrections = {}


def effective(arrivals: Iterable[Arrival], corrections: Corrections = NONE) -> list[UsageEvent]:
    """Return what is taken to have been sent: the first arrival of each identity, corrected."""
    listed = list(arrivals)
    firsts = first_arrivals(listed)
    if not corrections:
        return [first.event for first in firsts]
    taken = {(a.event.event_id, a.stored_at): a.event for a in listed}
    found = (_corrected(f.event, corrections.get(f.event.event_id, ()), taken) for f in firsts)
    return [event for event in found if event]


def _corrected(
    event: UsageEvent,
    corrections: Sequence[Correction],
    taken: Mapping[tuple[bytes, int], UsageEvent],
) -> UsageEvent | None:
    """Return an event after its corrections; None where one of them takes it out."""
    for correction in corrections:
        match correction.kind:
            case Kind.VOID:
                return None
            case Kind.AMEND:
                event = amended(event, dict(correction.changes))
            case Kind.TAKE:
                event = taken.get((event.event_id, correction.taken), event)
            case _:
                assert_never(correction.kind)
    return event


def amended(event: UsageEvent, changes: Mapping[str, Any]) -> UsageEvent:
    """Return an event that says other things; counts that someone decided are accepted ones."""
    counts = {n: v for n, v in changes.items() if n in TOKEN_CLASSES}
    call = {n: v for n, v in changes.items() if n in _CALL}
    if "outcome" in call:
        call["outcome"] = Outcome(call["outcome"])
    return replace(
        event,
        source=replace(event.source, **{n: v for n, v in changes.items() if n in _SOURCE}),
        call=replace(event.call, **call),
        tokens=replace(event.tokens, **counts),
        qualities=_accepted(event.qualities, set(counts), everything=bool(changes.get(ACCEPT))),
    )


def _accepted(qualities: Qualities, decided: set[str], *, everything: bool) -> Qualities:
    doubtful = {
        f.name for f in fields(qualities) if getattr(qualities, f.name) is not Quality.MEASURED
    }
    names = decided | (doubtful if everything else set())
    return replace(qualities, **dict.fromkeys(names, Quality.ACCEPTED))


def _check_change(name: str, value: Any) -> None:
    if name not in CHANGEABLE:
        raise ChangeError(name, f"an amendment changes some of {_known()}")
    if name in TOKEN_CLASSES:
        if type(value) is not int or not 0 <= value < MAX_COUNT:
            raise ChangeError(f"{name}={value!r}", "a token count is 0 to 2^40 - 1")
    elif name == "outcome" and value not in set(Outcome):
        raise ChangeError(f"outcome={value!r}", f"an outcome is one of {', '.join(Outcome)}")
    elif name == ACCEPT and value != 1:
        raise ChangeError(f"accept={value!r}", "accept is 1")
    elif name in _SOURCE | _CALL and not isinstance(value, str):
        raise ChangeError(f"{name}={value!r}", f"{name} is a text")


def _known() -> str:
    return ", ".join(CHANGEABLE)


assert {f.name for f in fields(Source)} >= _SOURCE
assert {f.name for f in fields(Call)} >= _CALL


class EmptyTargetError(ValueError):
    """A correction of everything that was ever stored."""

    def __init__(self) -> None:
        super().__init__("a correction must name requests or a period, found neither")


class UnsignedError(ValueError):
    """A decision that nobody made, or for no reason."""

    def __init__(self) -> None:
        super().__init__("a correction must carry an actor and a reason, found one empty")


class ChangeError(ValueError):
    """An amendment of what cannot be amended."""

    def __init__(self, found: str, rule: str) -> None:
        super().__init__(f"{rule}, found {found}")
