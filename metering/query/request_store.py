"""Single requests, straight from the event store, with what became of each."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from metering.corrections.correction import Correction
from metering.event_store import EventStore
from metering.explain import Explained
from metering.identity import Identity
from metering.query.request_sql import ARRIVED, Listed, Listing, listing

Heeded = Callable[[int], Sequence[Correction]]


class RequestStore:
    """Stored requests, page by page. Safe to use from several threads."""

    def __init__(self, events: EventStore, heeded: Heeded) -> None:
        """Ask an event store; ``heeded`` returns the corrections up to a stamp."""
        self._events = events
        self._heeded = heeded

    def has_arrivals(self, since: int, before: int) -> bool:
        """Whether anything was stored between two stamps."""
        return bool(self._events.rows(ARRIVED, {"since": since, "before": before}))

    def listed(
        self,
        asked: Listing,
        identities: Sequence[Identity],
        after: tuple[int, str] | None,
        limit: int,
    ) -> list[Listed]:
        """Return the next records, newest first."""
        query, parameters = listing(asked, identities, after, limit)
        rows = self._events.rows(query, parameters)
        return [Listed(bytes.fromhex(row[0]), *row[1:]) for row in rows]

    def explained(self, listed: Sequence[Listed]) -> list[Explained]:
        """Return what became of records, in their order.

        Of records that claim one identity only the one that counts is shown.
        """
        if not listed:
            return []
        hours = [datetime.fromtimestamp(one.hour, UTC) for one in listed]
        before = self._events.cutoff()
        judged = self._events.judged({one.key for one in listed}, hours, self._heeded(before))
        found = [(one, judged.get(one.event_id)) for one in listed]
        return [it for one, it in found if it and it.verdict.event.ended_at == one.ended_at]
