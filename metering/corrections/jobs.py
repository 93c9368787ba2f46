"""What commands start: try a correction, make it, take it back.

A correction is first tried: what usage it would change is worked out as the next close would.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from metering.corrections.correction import Correction
from metering.corrections.store import CorrectionStore, Marked, Withdrawal
from metering.event_store import EventStore
from metering.store import MeterStore
from metering.usage import Usage, UsageKey, bound_usage


@dataclass(frozen=True, slots=True)
class Effect:
    """What a correction is about, and the usage rows that it changes, by how much."""

    events: int
    changes: tuple[Usage, ...]
    """Quantities are differences, and may be negative."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Where corrections are made: both stores, and the ledger's decisions."""

    events: EventStore
    meter: MeterStore
    corrections: CorrectionStore
    now: Callable[[], datetime]

    def tried(self, correction: Correction) -> Effect:
        """Return what a correction would change; nothing is kept.

        One that is made already changes nothing more.

        Raises:
            UnknownFilterError: events cannot be asked for this.
            NoEventsError: it is about no stored event.
            OtherCorrectionError: its id names another.
        """
        known = self.corrections.known(correction)
        if known:
            return Effect(known.events, ())
        trial = replace(correction, id=f"tried {uuid.uuid4().hex}")
        before = self.events.cutoff()
        try:
            count = self._marked(trial, before)
            hours = sorted(self.events.hours_corrected(trial.id))
            return Effect(count, self._difference(trial, hours, before))
        finally:
            self.events.corrected.unmark(trial.id)

    def make(self, correction: Correction) -> Correction:
        """Keep a correction; usage heeds it from the next refresh on.

        Raises:
            UnknownFilterError, NoEventsError, OtherCorrectionError: nothing is kept.
        """

        def mark() -> Marked:
            before = self.events.cutoff()
            self.events.corrected.unmark(correction.id)  # of an attempt that was killed
            count = self._marked(correction, before)
            return Marked(before, count, sorted(self.events.hours_corrected(correction.id)))

        return self.corrections.add(correction, mark, self.now())

    def withdraw(self, correction: str, actor: str, reason: str) -> None:
        """Take a correction back.

        Raises:
            UnknownCorrectionError: there is none of this id.
        """
        hours = sorted(self.events.hours_corrected(correction))
        withdrawal = Withdrawal(actor, reason, self.now(), self.events.cutoff())
        self.corrections.withdraw(correction, withdrawal, hours)

    def _marked(self, correction: Correction, before: int) -> int:
        count = self.events.corrected.mark(correction, before)
        if not count:
            raise NoEventsError(correction)
        return count

    def _difference(
        self, trial: Correction, hours: Sequence[datetime], before: int
    ) -> tuple[Usage, ...]:
        heeded = self.corrections.heeded(before)
        changes: dict[UsageKey, int] = {}
        for hour in hours:
            was = self._usage([hour], before, heeded)
            would = self._usage([hour], before, [*heeded, trial])
            changes |= dict(_changed(was, would))
        return tuple(Usage(key, changes[key]) for key in sorted(changes))

    def _usage(
        self, hours: Sequence[datetime], before: int, heeded: Sequence[Correction]
    ) -> dict[UsageKey, int]:
        return bound_usage(self.events.sums(hours, before, heeded), self.meter.identities())


def _changed(
    was: Mapping[UsageKey, int], would: Mapping[UsageKey, int]
) -> Iterator[tuple[UsageKey, int]]:
    for key in was.keys() | would.keys():
        difference = would.get(key, 0) - was.get(key, 0)
        if difference:
            yield key, difference


class NoEventsError(LookupError):
    """A correction of nothing."""

    def __init__(self, correction: Correction) -> None:
        super().__init__(
            f"a correction must be about stored events, found none for {correction.target}"
        )
