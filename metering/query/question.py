"""A question about usage: which rows, cut how, grouped by what; checked before it is asked.

parameters -> Question -> one GROUP BY in the ledger -> Answer -> JSON, CSV or Parquet
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from metering.period import (
    PartHourZoneError,
    Period,
    billing_zone,
    day_of,
    hour_of,
    month_at,
    zone_of,
)
from metering.report import DIMENSIONS, UnknownDimensionError

START = "start"
"""The column that tells when a row's hour, day or month begins."""
HOUR = "hour"
FILTERS: tuple[str, ...] = tuple(name for name in DIMENSIONS if name != HOUR)
"""What usage can be narrowed by; a period narrows hours."""

Where = tuple[tuple[str, tuple[str, ...]], ...]
"""(dimension, values of which one must be met); all of them must hold."""
Key = tuple[datetime | str, ...]
"""What tells a row from the others: its start, then its dimensions."""


class Granularity(StrEnum):
    """How long the stretch of time is that one row is of."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, without the page."""

    period: Period
    by: tuple[str, ...]
    granularity: Granularity | None = None
    """None for the period as a whole."""
    zone: str = "Asia/Shanghai"
    """Where days and months turn."""
    where: Where = ()

    def __post_init__(self) -> None:
        for name in self.by:
            if name not in DIMENSIONS:
                raise UnknownDimensionError(name)
        if len(set(self.by)) < len(self.by):
            raise RepeatedDimensionError(self.by)
        for instant in (self.period.start, self.period.end):
            if instant != hour_of(instant):
                raise PartHourError(instant)
        try:
            billing_zone(self.zone)
        except PartHourZoneError:
            raise PartHourDaysError(self.zone) from None

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of a row's key."""
        return (START, *self.by) if self.granularity else self.by

    def shown(self, key: Key) -> tuple[str, ...]:
        """Return a key as people read it: starts by the clock of the zone, hours in UTC."""
        return tuple(
            self._shown(name, value) for name, value in zip(self.columns, key, strict=True)
        )

    def _shown(self, name: str, value: datetime | str) -> str:
        if isinstance(value, str):
            return value
        return (value.astimezone(zone_of(self.zone)) if name == START else value).isoformat()


def stretches(within: Period, granularity: Granularity, zone: str) -> Iterator[Period]:
    """Yield the whole days or months of a zone that have a part in a period, in order.

    >>> hour = datetime.fromisoformat
    >>> october = Period(hour("2026-10-01T00:00+02:00"), hour("2026-11-01T00:00+01:00"))
    >>> days = list(stretches(october, Granularity.DAY, "Europe/Berlin"))
    >>> len(days), days[24].seconds // 3600
    (31, 25)
    """
    at = day_of if granularity is Granularity.DAY else month_at
    start = within.start
    while start < within.end:
        stretch = at(start, zone)
        yield stretch
        start = stretch.end


class PartHourError(ValueError):
    """A question about part of an hour."""

    def __init__(self, instant: datetime) -> None:
        super().__init__(
            f"usage is kept by the UTC hour: from and to must be whole hours, "
            f"found {instant.isoformat()}"
        )


class PartHourDaysError(ValueError):
    """A question for the days of a zone that cut an hour in two."""

    def __init__(self, zone: str) -> None:
        super().__init__(
            f"usage is kept by the UTC hour: the zone must be whole hours away from UTC, "
            f"found {zone}"
        )


class RepeatedDimensionError(ValueError):
    """A question that names a dimension twice."""

    def __init__(self, by: tuple[str, ...]) -> None:
        super().__init__(f"usage must be grouped by a dimension once, found {','.join(by)}")
