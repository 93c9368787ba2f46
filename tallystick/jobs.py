"""The schedule is only a tick: what is due is a query, so a restart loses nothing."""

import structlog
from apscheduler.schedulers.background import BackgroundScheduler

from tallystick.wiring import Parts

_log = structlog.get_logger("tallystick")


def schedule(parts: Parts) -> BackgroundScheduler:
    """Start refreshing usage in the background, one run at a time."""
    scheduler = BackgroundScheduler(timezone="UTC")
    seconds = parts.settings.refresh_seconds
    scheduler.add_job(
        _refresh, "interval", [parts], seconds=seconds, coalesce=True, max_instances=1
    )
    scheduler.start()
    return scheduler


def _refresh(parts: Parts) -> None:
    try:
        changed = parts.refresh()
    except Exception as error:  # noqa: BLE001 - a tick's edge: the next one tries again
        _log.error("refresh_failed", kind=type(error).__name__, error=str(error))
    else:
        if changed:
            _log.info("usage_refreshed", rows=changed)
