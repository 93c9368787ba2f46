"""Usage as people read it: rows by the dimensions they ask for, meters as columns."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from metering.event import Quality
from metering.rollup import REQUESTS
from metering.usage import Usage, UsageKey

DIMENSIONS: tuple[str, ...] = (
    "hour",
    "account",
    "project",
    "cluster",
    "resource",
    "pool",
    "model",
    "operation",
    "outcome",
    "quality",
    "band",
    "provider",
    "tier",
    "spill_reason",
)
DEFAULT_BY: tuple[str, ...] = ("account", "pool", "model", "operation")

INPUT = frozenset({"fresh", "cached", "written_5m", "written_1h"})
WRITTEN = frozenset({"written_5m", "written_1h"})
OUTPUT = frozenset({"output", "reasoning"})


@dataclass(slots=True)
class Figures:
    """Requests and tokens. Totals include their details: cached is inside input."""

    requests: int = 0
    requests_failed: int = 0
    """Refused or failed, and free."""
    requests_unknown: int = 0
    """Went well, but nobody told their token counts. They are not zero."""
    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0

    def count(self, usage: Usage) -> None:
        """Add one usage row."""
        key, quantity = usage.key, usage.quantity
        if key.meter == REQUESTS:
            self.requests += quantity
            self.requests_failed += quantity * (not key.outcome.is_billable)
            is_unknown = key.outcome.is_billable and key.quality is Quality.UNKNOWN
            self.requests_unknown += quantity * is_unknown
        self.input_tokens += quantity * (key.meter in INPUT)
        self.cached_tokens += quantity * (key.meter == "cached")
        self.cache_write_tokens += quantity * (key.meter in WRITTEN)
        self.output_tokens += quantity * (key.meter in OUTPUT)
        self.reasoning_tokens += quantity * (key.meter == "reasoning")


@dataclass(frozen=True, slots=True)
class Report:
    """Figures by group, and their total."""

    by: tuple[str, ...]
    rows: dict[tuple[str, ...], Figures]
    totals: Figures


def report(usage: Iterable[Usage], by: Sequence[str]) -> Report:
    """Return figures grouped by dimensions, groups in order.

    Raises:
        UnknownDimensionError: there is no such dimension.
    """
    for name in by:
        if name not in DIMENSIONS:
            raise UnknownDimensionError(name)
    rows: dict[tuple[str, ...], Figures] = defaultdict(Figures)
    totals = Figures()
    for row in usage:
        rows[tuple(_shown(row.key, name) for name in by)].count(row)
        totals.count(row)
    return Report(tuple(by), dict(sorted(rows.items())), totals)


def _shown(key: UsageKey, name: str) -> str:
    return key.hour.isoformat() if name == "hour" else str(getattr(key, name))


class UnknownDimensionError(ValueError):
    """Usage cannot be grouped by this."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"usage must be grouped by some of {', '.join(DIMENSIONS)}, found {name!r}"
        )
