"""GET /v1/quarantine and its ways out, /v1/gaps, /v1/watermarks and /v1/requests/{id}."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, StringConstraints

from metering.corrections.decision_store import Decision, DecisionStore
from metering.corrections.entry import EnteredError, Entry, Fate, entered
from metering.corrections.jobs import Desk
from metering.event import Outcome
from metering.event_store import EventStore, Watermark
from metering.explain import UnknownRequestError, row_of
from metering.period import iso_of, parse_instant
from metering.quarantine import Held, Quarantined
from metering.quarantine_store import QuarantineStore

Limit = Annotated[int, Query(ge=1, le=100_000)]
Key = Annotated[str, Path(pattern="^[0-9a-f]{16}$")]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


class Signed(BaseModel):
    """Who decides, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    actor: Text = "operator"
    reason: Text


class Entering(Signed):
    """What a record set aside lacks."""

    model: Text
    counts: Mapping[str, int]
    ended_at: str = ""
    tenant: str = ""
    project: str = ""
    api_key: str = ""
    pool: str = ""
    resource: str = ""
    operation: str = "chat"
    outcome: Outcome = Outcome.OK

    def entry(self) -> Entry:
        """Return it as the core takes it."""
        said = self.model_dump(exclude={"actor", "reason", "ended_at"})
        ended_at = _nanoseconds(parse_instant(self.ended_at)) if self.ended_at else 0
        return Entry(**said, ended_at=ended_at)


@dataclass(frozen=True, slots=True)
class Aside:
    """What stands beside the bill, and the desk at which it is decided about."""

    quarantine: QuarantineStore
    decisions: DecisionStore
    events: EventStore
    desk: Desk
    now: Callable[[], datetime]

    def held(self) -> list[Held]:
        """Return stored usage that does not bill as it stands."""
        heeded = self.desk.corrections.heeded(self.events.cutoff())
        return self.quarantine.held([c.id for c in heeded if c.settles])

    def count(self) -> int:
        """Return how many records are set aside about which nothing is decided."""
        return self.quarantine.count(self.decisions.decided())

    def discard(self, key: str, signed: Signed) -> None:
        """Keep the decision that a record set aside is no usage."""
        self.decisions.decide(self._decision(key, Fate.DISCARDED, signed))

    def enter(self, key: str, entering: Entering) -> bytes:
        """Store the event that a record should have been, and return its identity.

        Raises:
            EnteredError: another event has this identity.
        """
        now_ns = _nanoseconds(self.now())
        event = entered(self.quarantine.one(int(key, 16)), entering.entry(), now_ns)

        def store() -> None:
            known = self._stored(event.event_id)
            if known and event.content_hash not in known:
                raise EnteredError(key)
            self.events.record([event])

        self.decisions.decide(self._decision(key, Fate.ENTERED, entering), store)
        return event.event_id

    def _decision(self, key: str, fate: Fate, signed: Signed) -> Decision:
        record = self.quarantine.one(int(key, 16))
        return Decision(record.key, fate, signed.actor, signed.reason, self.now())

    def _stored(self, event_id: bytes) -> set[int]:
        """Return the hashes of all that was stored under an identity."""
        try:
            told = self.events.explained(event_id.hex())
        except UnknownRequestError:
            return set()
        events = [one.verdict.event for one in told]
        return {event.content_hash for event in events if event.event_id == event_id}


def routes(aside: Aside) -> APIRouter:
    """Build the routes over what stands beside the bill."""
    router = APIRouter()
    events = aside.events

    @router.get("/v1/quarantine", summary="Usage that was set aside or is held")
    def set_aside(limit: Limit = 1000) -> dict[str, Any]:
        """Return records that could not become events, and stored usage that does not bill."""
        decided = aside.decisions.decided()
        return {
            "count": aside.quarantine.count(decided),
            "rows": [_row(one) for one in aside.quarantine.newest(limit, decided)],
            "held": [_held(one) for one in aside.held()],
        }

    @router.post("/v1/quarantine/{key}/discard", summary="Leave a record out for good")
    def discard(key: Key, signed: Signed) -> dict[str, Any]:
        """Decide that a record set aside is no usage."""
        aside.discard(key, signed)
        return {"key": key, "fate": Fate.DISCARDED.value}

    @router.post("/v1/quarantine/{key}/entry", summary="Enter a record into its hour")
    def enter(key: Key, entering: Entering) -> dict[str, Any]:
        """Store the event that a record set aside should have been; its counts are accepted."""
        event_id = aside.enter(key, entering)
        return {"key": key, "fate": Fate.ENTERED.value, "event_id": event_id.hex()}

    @router.get("/v1/gaps", summary="Numbers that producers gave and nobody received")
    def gaps(limit: Limit = 1000) -> dict[str, Any]:
        """Return gaps in the numbers of producers: records that are lost, or still on their way."""
        return {
            "rows": [
                {
                    "producer": g.producer,
                    "first_missing": g.first,
                    "last_missing": g.last,
                    "after": iso_of(g.after_ns),
                }
                for g in events.gaps(limit)
            ]
        }

    @router.get("/v1/watermarks", summary="How far each source has come")
    def watermarks(days: Annotated[int, Query(ge=1, le=400)] = 7) -> dict[str, Any]:
        """Return the last event of each source that sent any within some days, and its lag."""
        since = aside.now() - timedelta(days=days)
        now_ns = int(aside.now().timestamp() * 1000) * 1_000_000
        found = events.watermarks(int(since.timestamp()) * 1_000_000_000)
        return {"rows": [_watermark(one, now_ns) for one in found]}

    @router.get("/v1/requests/{request}", summary="Which record of a request bills, and why")
    def explain(request: str) -> dict[str, Any]:
        """Return every record of a request, by its response, request, trace, span or event id."""
        heeded = aside.desk.corrections.heeded(events.cutoff())
        found = events.explained(request, heeded)
        return {"request": request, "records": [row_of(one) for one in found]}

    return router


def _nanoseconds(instant: datetime) -> int:
    return round(instant.timestamp() * 1_000_000) * 1000


def _row(one: Quarantined) -> dict[str, Any]:
    return {
        "key": f"{one.key:016x}",
        "reason": one.reason,
        "service": one.service,
        "scope": one.scope,
        "name": one.name,
        "trace_id": one.trace_id.hex(),
        "span_id": one.span_id.hex(),
        "ended_at_ns": str(one.ended_at),
    }


def _held(one: Held) -> dict[str, Any]:
    return {
        "caveat": one.caveat,
        "requests": one.requests,
        "first_ended_at": iso_of(one.first_ended_at),
        "last_ended_at": iso_of(one.last_ended_at),
    }


def _watermark(one: Watermark, now_ns: int) -> dict[str, Any]:
    return {
        "service": one.service,
        "producer": one.producer,
        "records": one.records,
        "last_ended_at": iso_of(one.last_ended_at),
        "last_stored_at": iso_of(one.last_stored_at),
        "last_sequence": one.last_sequence,
        "silent_seconds": max((now_ns - one.last_stored_at) // 1_000_000_000, 0),
        "slowest_ms": one.slowest_ns // 1_000_000,
    }
