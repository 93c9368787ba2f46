"""Usage summed again from evidence, and which lines each event is behind.

records -> one per call -> sums by hour -> bound to the account -> the sums that were rated
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from metering.arrival import Arrival
from metering.band import NO_BANDS, Bands
from metering.identity import Identity, bind
from metering.rollup import METERS, REQUESTS, bill_records, fold, raw_key
from metering.usage import Usage, UsageKey, bound_usage
from pricing.proof.record import Record
from pricing.rating.charge import LineKey, Priced
from pricing.rating.inputs import Inputs
from pricing.rating.tokens import UsageLine, priced_lines
from pricing.rating.usage_match import Served, cuts, matched


@dataclass(frozen=True, slots=True)
class Binding:
    """What makes the usage of an account out of events."""

    account: str
    identities: tuple[Identity, ...]
    bands: Bands = NO_BANDS

    def owns(self, record: Record) -> bool:
        """Whether an event is the account's."""
        return bind(raw_key(record.event), self.identities).account == self.account


def resummed(records: Iterable[Record], binding: Binding) -> dict[UsageKey, int]:
    """Return an account's billable usage by hour, each call counted once."""
    arrivals = [Arrival(record.event, record.stored_at) for record in records]
    sums = fold(arrivals, bands=binding.bands)
    found: dict[UsageKey, int] = defaultdict(int)
    for key, quantity in bound_usage(sums, binding.identities).items():
        if key.account == binding.account and key.outcome.is_billable:
            found[replace(key, cluster="")] += quantity
    return dict(found)


def at_edges(usage: Mapping[UsageKey, int], inputs: Inputs) -> list[Usage]:
    """Return usage of hours as runs are told it: summed between the instants of price changes."""
    edges, to_date = cuts(inputs), inputs.to_date
    sums: dict[UsageKey, int] = defaultdict(int)
    for key, quantity in usage.items():
        if to_date.holds(key.hour):
            sums[replace(key, hour=_edge(edges, key.hour))] += quantity
    return [Usage(key, quantity) for key, quantity in sorted(sums.items()) if quantity]


def behind_lines(
    records: Sequence[Record], inputs: Inputs, binding: Binding
) -> dict[LineKey, list[Record]]:
    """Return the events behind each line, whatever its tier: those whose counts are on it."""
    lines = lines_of_usage(inputs)
    edges = cuts(inputs)
    known = {record.event.event_id: record for record in records}
    found: dict[LineKey, list[Record]] = defaultdict(list)
    for event in bill_records(record.event for record in records):
        raw = raw_key(event, binding.bands)
        if not inputs.to_date.holds(raw.hour) or not raw.outcome.is_billable:
            continue
        served = Served(
            bisect_right(edges, raw.hour) - 1, raw.pool, raw.resource,
            bind(raw, binding.identities).project, raw.provider, raw.model, raw.operation,
            raw.band, raw.tier, raw.spill_reason,
            "" if raw.quality.is_settled else raw.quality.value,
        )  # fmt: skip
        counts = {REQUESTS: 1, **dict(event.tokens.items())}
        for key in {lines[served, m] for m in METERS if counts[m] and (served, m) in lines}:
            found[key].append(known[event.event_id])
    return found


def lines_of_usage(inputs: Inputs) -> dict[tuple[Served, str], LineKey]:
    """Return the line of each meter of usage, whatever its tier."""
    return {
        (group.served, meter): key
        for group in matched(inputs).groups
        for meter, key in _keys(priced_lines(group, inputs, defaultdict(int)))
    }


def _keys(
    lines: Iterable[tuple[UsageLine, str, int, Priced]],
) -> Iterator[tuple[str, LineKey]]:
    for line, meter, _, _ in lines:
        yield meter, line.key


def _edge(edges: Sequence[datetime], hour: datetime) -> datetime:
    return edges[bisect_right(edges, hour) - 1]
