"""What GET /healthz says: ok, degraded or failing, and what is wrong."""

from typing import Any, NamedTuple

from metering.engine_store import StoreUnavailableError
from metering.keeping.damage import StoreDamagedError, damage_in
from tallystick.wiring import Parts


class Health(NamedTuple):
    """An HTTP status and what is said with it."""

    status: int
    said: dict[str, Any]


def health_of(parts: Parts) -> Health:
    """Ask the event store and the disks.

    Degraded is 200: the service answers, and starting it again would mend nothing. Failing, where
    not even the event store answers, is 503.
    """
    role = parts.settings.role
    wrong = [*parts.room.wrong(), *_journal(parts.events.wrong()), *parts.refreshing.wrong()]
    try:
        stored = parts.events.arrivals()
    except StoreUnavailableError as error:
        wrong.insert(0, sentence_of_fault(error))
        return Health(503, {"status": "failing", "role": role, "wrong": wrong})
    waiting = parts.commit.rows_waiting
    status = "degraded" if wrong else "ok"
    said: dict[str, Any] = {"status": status, "role": role, "wrong": wrong}
    said |= {"arrivals_stored": stored, "events_waiting": waiting}
    if role.ticks:
        said["holds_lease"] = parts.lease.is_held
    return Health(200, said)


def _journal(found: str) -> list[str]:
    if not found:
        return []
    why = damage_in(found) or "the service's log says why"
    return [f"the event store must take what the journal holds, found it failing: {why}"]


def sentence_of_fault(error: Exception) -> str:
    """Return what may be said of a fault of our own; its log tells the rest."""
    if isinstance(error, StoreUnavailableError) and (damage := damage_in(str(error))):
        return str(StoreDamagedError(damage))
    return "the service must be able to answer, found a fault of its own: its log says which"
