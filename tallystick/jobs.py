"""The schedule is only a tick: what is due is a query, so a restart loses nothing."""

from datetime import timedelta

import structlog
from apscheduler.schedulers.background import BackgroundScheduler

from collector.trouble import Trouble
from metering.days.store import DayStore
from metering.keeping.retention import still_kept
from metering.reconcile import jobs as reconcile_jobs
from metering.reconcile.call_store import nanoseconds
from metering.resources import jobs as resource_jobs
from metering.scale.store import LeaseStore
from pricing import jobs as billing_jobs
from tallystick.wiring import Parts

_log = structlog.get_logger("tallystick")

_BILLING_SECONDS = 600
"""How often is asked which bills are due; an open month's is once an hour."""


_LATELY = timedelta(days=3)
"""How far back each look for missing numbers goes: it is taken every minute, over all producers."""


class Watch:
    """Says once what keeps usage from billing, and again whenever it grows."""

    def __init__(self) -> None:
        self._told: dict[str, int] = {}
        self.trouble = Trouble()

    def look(self, parts: Parts) -> None:
        """Log a warning for each kind of trouble that has grown since the last look."""
        found = {f"held: {h.caveat or 'unknown counts'}": h.requests for h in parts.aside.held()}
        found["set aside: see tallystick quarantine"] = parts.aside.count()
        stale = parts.meter.stale_hours()
        out_of_reach = stale - still_kept(stale, parts.retention.oldest(), parts.tally.lost)
        found["changed bindings of hours whose events are gone: usage stays"] = len(out_of_reach)
        found["events that came after their day was dropped"] = parts.retention.late_rows()
        found["missing numbers: see tallystick gaps"] = len(
            parts.events.gaps(since=nanoseconds(parts.now() - _LATELY))
        )
        for what, count in found.items():
            if count > self._told.get(what, 0):
                _log.warning("usage_in_doubt", what=what, count=count)
            self._told[what] = count


def schedule(parts: Parts) -> BackgroundScheduler:
    """Start refreshing usage and listening for heartbeats, each one run at a time."""
    scheduler = BackgroundScheduler(timezone="UTC")
    once = {"coalesce": True, "max_instances": 1}
    settings, seconds = parts.settings, parts.settings.refresh_seconds
    if settings.role.ticks:
        renew_seconds = settings.lease_seconds / 3
        scheduler.add_job(_refresh, "interval", [parts, Watch()], seconds=seconds, **once)
        scheduler.add_job(_bill, "interval", [parts], seconds=_BILLING_SECONDS, **once)
        scheduler.add_job(_listen, "interval", [parts], seconds=seconds, **once)
        scheduler.add_job(_renew, "interval", [parts, Tenure()], seconds=renew_seconds, **once)
    if settings.role.collects and not settings.is_embedded:
        scheduler.add_job(_compare_clocks, "interval", [parts], seconds=seconds, **once)
    scheduler.start()
    return scheduler


def _bill(parts: Parts) -> None:
    """Sum days that are over, draft the bills that are due, and issue those whose time has come."""
    try:
        if parts.lease.hold() is None:
            return
        DayStore(parts.engine).sum_due(parts.now())
        done = billing_jobs.tick(parts.office, parts.now())
    except Exception as error:  # noqa: BLE001 - a tick's edge: the next one tries again
        _log.error("billing_failed", kind=type(error).__name__, error=str(error))
        return
    for sentence in done.failed:
        _log.warning("bill_failed", what=sentence)
    if done.did_something:
        _log.info("billed", drafted=done.drafted, issued=done.issued, expired=done.expired)


class Tenure:
    """Says when the lease becomes ours, and when it is lost."""

    def __init__(self) -> None:
        self._told = False

    def look(self, lease: LeaseStore) -> None:
        """Log a change since the last look."""
        if lease.is_held != self._told:
            _log.info("lease_taken" if lease.is_held else "lease_lost", holder=lease.holder)
        self._told = lease.is_held


def _renew(parts: Parts, tenure: Tenure) -> None:
    """Keep the lease while a long tick runs, or take it when nobody has it."""
    try:
        parts.lease.hold()
        tenure.look(parts.lease)
    except Exception as error:  # noqa: BLE001 - a tick's edge: the next one tries again
        _log.error("lease_failed", kind=type(error).__name__, error=str(error))


def _compare_clocks(parts: Parts) -> None:
    try:
        parts.events.stamps.check_clock()
    except Exception as error:  # noqa: BLE001 - a tick's edge: the next one tries again
        _log.warning("clock_skew", kind=type(error).__name__, error=str(error))


def _listen(parts: Parts) -> None:
    """Take heartbeats, and say which resources have fallen silent."""
    try:
        if parts.lease.hold() is None:
            return
        lost = resource_jobs.tick(parts.readings, parts.resources.states, parts.now())
    except Exception as error:  # noqa: BLE001 - a tick's edge: the next one tries again
        _log.error("listen_failed", kind=type(error).__name__, error=str(error))
    else:
        for resource in lost:
            _log.warning("resource_lost", resource=resource)


def _refresh(parts: Parts, watch: Watch) -> None:
    try:
        changed = parts.refresh()
        if not parts.lease.is_held:
            return
        reconcile_jobs.tick(parts.reconciliation, parts.now())
        watch.look(parts)
        parts.room.wrong()
        dropped = parts.drop_old_events()
    except Exception as error:  # noqa: BLE001 - a tick's edge: the next one tries again
        kind = type(error).__name__
        if watch.trouble.is_new(kind):
            _log.error("refresh_failed", kind=kind, error=str(error))
    else:
        if failures := watch.trouble.ended():
            _log.info("refreshing_again", failures=failures)
        if changed:
            _log.info("usage_refreshed", rows=changed)
        if dropped:
            _log.info("events_dropped", first=str(dropped[0]), last=str(dropped[-1]))
