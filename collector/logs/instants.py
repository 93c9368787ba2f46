"""Instants as other producers write them -> nanoseconds since 1970 UTC."""

from datetime import UTC, datetime, timedelta

from metering.event import MAX_INSTANT_NS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST = 40


def nanoseconds_of(text: object) -> int | None:
    """Return the instant of an RFC 3339 text with a zone; None for anything else.

    Kept to the microsecond. Before 1970 and from 2100 on there are no usage events.

    >>> nanoseconds_of("1970-01-01T08:00:00.25+08:00"), nanoseconds_of("1970-01-01T00:00:00")
    (250000000, None)
    """
    if not isinstance(text, str) or len(text) > _LONGEST:
        return None
    try:
        since = datetime.fromisoformat(text.upper()) - _EPOCH
    except (ValueError, TypeError):
        return None
    nanoseconds = since // timedelta(microseconds=1) * 1000
    return nanoseconds if 0 < nanoseconds < MAX_INSTANT_NS else None
