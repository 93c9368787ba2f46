"""The schedule is only a tick: what is due is a query, so a restart loses nothing."""

import structlog
from apscheduler.schedulers.background import BackgroundScheduler

from tallystick.wiring import Parts

_log = structlog.get_logger("tallystick")


class Watch:
    """Says once what keeps usage from billing, and again whenever it grows."""

    def __init__(self) -> None:
        self._told: dict[str, int] = {}

    def look(self, parts: Parts) -> None:
        """Log a warning for each kind of trouble that has grown since the last look."""
        found = {
            f"held: {h.caveat or 'unknown counts'}": h.requests for h in parts.quarantine.held()
        }
        found["set aside: see tallystick quarantine"] = parts.quarantine.count()
        found["missing numbers: see tallystick gaps"] = len(parts.events.gaps())
        for what, count in found.items():
            if count > self._told.get(what, 0):
                _log.warning("usage_in_doubt", what=what, count=count)
            self._told[what] = count


def schedule(parts: Parts) -> BackgroundScheduler:
    """Start refreshing usage in the background, one run at a time."""
    scheduler = BackgroundScheduler(timezone="UTC")
    seconds = parts.settings.refresh_seconds
    scheduler.add_job(
        _refresh, "interval", [parts, Watch()], seconds=seconds, coalesce=True, max_instances=1
    )
    scheduler.start()
    return scheduler


def _refresh(parts: Parts, watch: Watch) -> None:
    try:
        changed = parts.refresh()
        watch.look(parts)
    except Exception as error:  # noqa: BLE001 - a tick's edge: the next one tries again
        _log.error("refresh_failed", kind=type(error).__name__, error=str(error))
    else:
        if changed:
            _log.info("usage_refreshed", rows=changed)
