"""What requests about resources say, checked where it comes in; and rows as answers say them."""

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from metering.identity import FOR_EVER
from metering.interval import Interval, State
from metering.period import Period, as_utc, parse_instant
from metering.resources.comparison import DayRow, HourRow, Seconds
from metering.resources.inventory import Row
from metering.resources.schedule import DAY_MINUTES, EVER, WEEKDAYS, Schedule, Window, minutes_of
from metering.resources.state import StateEvent

MAX_ROWS = 10_000
"""How much one request may say; more comes in parts."""


MAX_WINDOWS = 100


def _instant(value: Any) -> Any:
    """Accept text with a zone, and nothing that leaves the zone open; kept to the second."""
    instant = as_utc(value) if isinstance(value, datetime) else parse_instant(str(value))
    return instant.replace(microsecond=0)


def _minutes(value: Any) -> Any:
    """Accept HH:MM; and minutes, as YAML reads an unquoted 21:00."""
    is_minutes = isinstance(value, int) and 0 <= value <= DAY_MINUTES
    return value if is_minutes else minutes_of(str(value))


def _listed(value: Any) -> Any:
    """Accept one where many may stand."""
    return value if isinstance(value, list) else [value]


def _without_nul(value: str) -> str:
    """Refuse the one character that PostgreSQL cannot keep in a text."""
    if "\0" in value:
        raise ValueError("must not hold a zero character")
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value


Instant = Annotated[datetime, BeforeValidator(_instant)]
Minutes = Annotated[int, BeforeValidator(_minutes)]
Plain = Annotated[str, Field(max_length=2000), AfterValidator(_without_nul)]
Text = Annotated[Plain, Field(max_length=200), AfterValidator(_not_blank)]


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StateTold(_Wire):
    """A state that a resource is in since an instant."""

    state: State
    at: Instant
    source: Text = "api"
    actor: Text = "operator"
    evidence: Plain = ""

    def event(self, resource: str) -> StateEvent:
        """Return the domain value."""
        return StateEvent(resource, self.at, self.state, self.source, self.actor, self.evidence)


StatesTold = Annotated[list[StateTold], BeforeValidator(_listed), Field(max_length=MAX_ROWS)]


class Beats(_Wire):
    """When a resource was alive."""

    at: Annotated[list[Instant], BeforeValidator(_listed), Field(max_length=MAX_ROWS)]


class RowTold(_Wire):
    """A row of an inventory file."""

    line: int
    cells: dict[str, Plain]


class InventoryTold(_Wire):
    """The rows of an inventory file."""

    rows: Annotated[list[RowTold], Field(max_length=MAX_ROWS)]
    actor: Text = "operator"
    dry_run: bool = False

    def as_rows(self) -> list[Row]:
        """Return the domain values."""
        return [Row(row.line, row.cells) for row in self.rows]


class WindowTold(_Wire):
    """A window of the wall clock; every day where no weekday is named."""

    start: Minutes
    end: Minutes
    weekdays: tuple[str, ...] = WEEKDAYS


class ScheduleTold(_Wire):
    """A schedule of one resource."""

    resource: Text
    name: Text
    windows: Annotated[tuple[WindowTold, ...], Field(max_length=MAX_WINDOWS)]
    zone: str = "Asia/Shanghai"
    valid_from: Instant = EVER.start
    valid_to: Instant = EVER.end
    holidays: tuple[date, ...] = ()
    workdays: tuple[date, ...] = ()

    def schedule(self) -> Schedule:
        """Return the domain value."""
        return Schedule(
            resource=self.resource,
            name=self.name,
            windows=tuple(Window(w.start, w.end, frozenset(w.weekdays)) for w in self.windows),
            zone=self.zone,
            valid=Period(self.valid_from, self.valid_to),
            holidays=frozenset(self.holidays),
            workdays=frozenset(self.workdays),
        )


class SchedulesTold(_Wire):
    """Schedules, and who decided on them."""

    schedules: Annotated[list[ScheduleTold], BeforeValidator(_listed), Field(max_length=MAX_ROWS)]
    actor: Text = "operator"


def interval_row(interval: Interval) -> dict[str, Any]:
    """Return an interval as answers say it; one that has not ended has no end."""
    end = interval.period.end
    return {
        "state": interval.state,
        "from": interval.period.start.isoformat(),
        "to": None if end == FOR_EVER else end.isoformat(),
    }


def hour_row(row: HourRow) -> dict[str, Any]:
    """Return an hour of the report as answers say it."""
    return {"resource": row.resource, "hour": row.hour.isoformat(), **_seconds(row.seconds)}


def day_row(row: DayRow) -> dict[str, Any]:
    """Return a day of the report as answers say it."""
    return {
        "resource": row.resource,
        "day": row.day.isoformat(),
        **_seconds(row.seconds),
        "failed_starts": row.faults.failed_starts,
        "late_starts": row.faults.late_starts,
        "failed_stops": row.faults.failed_stops,
    }


def _seconds(seconds: Seconds) -> dict[str, int]:
    return {
        "expected_seconds": seconds.expected,
        "observed_seconds": seconds.observed,
        "missing_seconds": seconds.missing,
        "extra_seconds": seconds.extra,
    }
