"""The only place that reads the time."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return the present instant in UTC."""
    return datetime.now(UTC)


def now_ns() -> int:
    """Return nanoseconds since 1970 UTC."""
    return time.time_ns()
