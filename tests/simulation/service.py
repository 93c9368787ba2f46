"""The service put through a world: in memory, and with both of its stores."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache

from simulation.oracle import Heard, listened
from simulation.told import (
    BANDS,
    Bind,
    Bond,
    Decide,
    Decision,
    Line,
    Refresh,
    Send,
    Step,
    Told,
    Withdraw,
)
from simulation.world import FAR
from sqlalchemy import Engine
from sqlmodel import Session

from metering.arrival import Arrival
from metering.band import Bands
from metering.corrections.correction import Correction, Kind, Target
from metering.corrections.jobs import Desk
from metering.corrections.store import CorrectionStore
from metering.event import Call, Outcome, Qualities, Quality, Role, Source, Tokens, UsageEvent
from metering.event_store import EventStore
from metering.identity import FOR_EVER, Identity
from metering.identity import Kind as IdentityKind
from metering.jobs import tick
from metering.period import Period
from metering.rollup import fold
from metering.store import Account, MeterStore
from metering.usage import Usage, UsageKey, bound_usage

MS = 1_000_000
ALL = Period(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


@cache
def event_of(told: Told) -> UsageEvent:
    """Return a record as the service holds it."""
    inputs, outputs = Quality(told.input_quality), Quality(told.output_quality)
    return UsageEvent(
        event_id=told.identity.encode(),
        started_at=told.started * MS,
        ended_at=told.ended * MS,
        trace_id=told.trace.encode(),
        span_id=told.span.encode(),
        parent_span_id=told.parent.encode(),
        source=Source(
            tenant=told.tenant,
            project=told.project,
            api_key=told.api_key,
            gateway="gw",
            spill_reason=told.spill,
        ),
        call=Call(
            provider=told.provider,
            tier=told.tier,
            requested_model=told.requested,
            model=told.model,
            operation=told.operation,
            response_id=told.response,
            outcome=Outcome(told.outcome),
        ),
        tokens=Tokens(
            fresh=told.fresh, cached=told.cached, output=told.output, reasoning=told.reasoning
        ),
        qualities=Qualities(fresh=inputs, output=outputs),
        role=Role(told.role),
        dialect=told.dialect,
        rank=told.rank,
        is_choice=told.is_choice,
    )


def arrivals_of(steps: Iterable[Step]) -> list[Arrival]:
    """Return what arrives, stamped 1, 2, 3 ..."""
    records = [told for step in steps if isinstance(step, Send) for told in step.records]
    return [Arrival(event_of(told), number) for number, told in enumerate(records, 1)]


def in_memory(steps: Sequence[Step]) -> dict[Line, int]:
    """Return what the core alone makes of a world."""
    return of_arrivals(arrivals_of(steps), listened(steps))


def of_arrivals(arrivals: Iterable[Arrival], heard: Heard) -> dict[Line, int]:
    """Return what the core makes of arrivals, under the bindings and decisions that were heard."""
    listed = list(arrivals)
    first_of = {a.event: a.stored_at for a in sorted(listed, key=lambda a: -a.stored_at)}
    about: dict[bytes, list[Correction]] = {}
    for decision, marks in heard.decisions.values():
        for identity, taken in marks.items():
            stamp = first_of[event_of(taken)]
            about.setdefault(identity.encode(), []).append(_correction(decision, stamp))
    identities = [_identity(bond) for bond in heard.bonds.values()]
    return lines(bound_usage(fold(listed, about, Bands(BANDS)), identities))


def lines(usage: Mapping[UsageKey, int]) -> dict[Line, int]:
    """Return usage as the oracle states it."""
    found: dict[Line, int] = {}
    for key, quantity in usage.items():
        hour = int(key.hour.timestamp()) * 1_000
        line = Line(hour, key.account, key.model, key.outcome, key.quality, key.meter,
                    key.provider, key.tier, key.spill_reason, key.band)  # fmt: skip
        found[line] = found.get(line, 0) + quantity
    return found


def _identity(bond: Bond) -> Identity:
    valid = Period(_instant(bond.start), FOR_EVER if bond.end == FAR else _instant(bond.end))
    return Identity(IdentityKind(bond.kind), bond.value, bond.account, valid=valid)


def _correction(decision: Decision, stamp: int) -> Correction:
    """Return a decision as the service holds it; ``stamp`` is of the arrival that is taken."""
    start, end = decision.period
    named = decision.identity.encode().hex() or decision.response
    return Correction(
        id=decision.id,
        kind=Kind(decision.kind),
        target=Target(
            requests=(named,) if named else (),
            period=Period(_instant(start), _instant(end)) if end else None,
            where=decision.where,
        ),
        actor="li",
        reason="a simulation",
        changes=(("stored_at", stamp),) if decision.kind == "take" else decision.changes,
    )


def _instant(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1_000, UTC)


@dataclass
class Stored:
    """The stores of a service, which any step is put to."""

    events: EventStore
    ledger: Engine
    past: dict[int, list[Usage]] = field(default_factory=dict)
    """Close run -> the usage it left."""

    def __post_init__(self) -> None:
        self.meter = MeterStore(self.ledger)
        self._now = datetime(2026, 10, 1, tzinfo=UTC)
        self.desk = Desk(self.events, self.meter, CorrectionStore(self.ledger), lambda: self._now)

    def do(self, step: Step) -> None:
        """Put one step to it."""
        match step:
            case Send(records):
                self.events.record([event_of(told) for told in records])
            case Bind(bonds):
                self.meter.put_accounts(Account(bond.account, bond.account) for bond in bonds)
                self.meter.put_identities([_identity(bond) for bond in bonds])
            case Decide(decision):
                self.desk.make(_correction(decision, self._contradicting(decision)))
            case Withdraw(name):
                self.desk.withdraw(name, "li", "a simulation")
            case Refresh(is_lost=True):
                self._refresh_and_lose_it()
            case Refresh():
                self.refresh()

    def refresh(self) -> int:
        """Bring usage up to date, remember it, and return the rows changed."""
        changed = self._tick(self.meter)
        self.past[self.meter.last_close().run] = self.meter.usage(ALL)
        return changed

    def usage(self) -> dict[Line, int]:
        """Return what usage now is."""
        return lines({usage.key: usage.quantity for usage in self.meter.usage(ALL)})

    def usage_as_of(self, run: int) -> list[Usage]:
        """Return what usage was after a past close run."""
        return self.meter.usage(ALL, as_of=run)

    def _tick(self, meter: MeterStore) -> int:
        return tick(self.events, meter, self._now, self.desk.corrections.heeded)

    def _refresh_and_lose_it(self) -> None:
        def fail(_session: Session) -> None:
            raise PowerCutError

        with contextlib.suppress(PowerCutError):
            self._tick(MeterStore(self.ledger, may_close=fail))

    def _contradicting(self, decision: Decision) -> int:
        """Return the stamp of the arrival that a decision takes."""
        if decision.kind != "take":
            return 0
        found = {c.event_id.decode(): c.stored_at for c in self.events.conflicts()}
        return found[decision.identity]


class PowerCutError(RuntimeError):
    """The machine fails before a refresh is kept."""
