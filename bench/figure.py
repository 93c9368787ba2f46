"""What was found beside what was asked."""

import statistics
from collections.abc import Iterable
from typing import Any

Entry = dict[str, Any]
"""A part of the report, as it is written in JSON."""


def at_least(asked: float, found: float) -> Entry:
    """Return an entry for a figure that must not be lower.

    >>> at_least(0.15, 0.2)
    {'found': 0.2, 'asked': 'at least 0.15', 'reached': True}
    """
    return _entry(f"at least {asked:g}", found, is_reached=found >= asked)


def at_most(asked: float, found: float) -> Entry:
    """Return an entry for a figure that must not be higher."""
    return _entry(f"at most {asked:g}", found, is_reached=found <= asked)


def missed(report: Any, path: str = "") -> list[str]:
    """Return where in a report something was asked for and not reached.

    >>> missed({"gzip": at_least(0.5, 0.4), "plain": at_least(0.5, 0.6)})
    ['gzip: asked at least 0.5, found 0.4']
    """
    if not isinstance(report, dict):
        return []
    if report.get("reached") is False:
        return [f"{path}: asked {report['asked']}, found {report['found']}"]
    return [
        line for name, part in report.items() for line in missed(part, f"{path}.{name}"[not path :])
    ]


def median(values: Iterable[float], digits: int = 0) -> float:
    """Return the middle value, rounded."""
    found = round(statistics.median(values), digits)
    return found if digits else int(found)


def _entry(asked: str, found: float, *, is_reached: bool) -> Entry:
    return {"found": found, "asked": asked, "reached": is_reached}
