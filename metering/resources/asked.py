"""Which period a question about resources is about: past, and not too long to list by the hour."""

from datetime import datetime, timedelta

from metering.period import Period, parse_instant

MAX_SPAN = timedelta(days=366)


def asked_period(start: str | None, end: str | None, now: datetime, usual: timedelta) -> Period:
    """Return a period that ends by now: what a resource will do, nobody has measured.

    Without a start it is of the usual length.

    Raises:
        TooLongError: more than a year.
        PeriodError: it has not begun, or ends before its start.
    """
    present = now.replace(microsecond=0)
    until = min(parse_instant(end), present) if end else present
    since = parse_instant(start) if start else until - usual
    if until - since > MAX_SPAN:
        raise TooLongError(until - since)
    return Period(since.replace(microsecond=0), until.replace(microsecond=0))


class TooLongError(ValueError):
    """A question about more than a year."""

    def __init__(self, span: timedelta) -> None:
        super().__init__(f"a period must be at most {MAX_SPAN.days} days long, found {span.days}")
