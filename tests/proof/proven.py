"""Bundles of made-up months, for tests that check or break them."""

import json
from collections.abc import Sequence
from typing import Any

from metering.arrival import Arrival
from metering.identity import Identity, Kind
from pricing.bills.bill import Bill, bill_id, bill_of, context_of
from pricing.bills.part import FIRST, Cutoffs, Rating, part_of
from pricing.prices.book import PriceBook
from pricing.proof.bundle import BILL, Month, bundle_files, manifest
from pricing.proof.record import Record
from pricing.proof.resum import Binding, at_edges, resummed
from pricing.rating.rating import rate
from tests.builders import arrivals_of
from tests.pricing.month_notation import month_from, small_book

ACME = Binding("acme", (Identity(Kind.TENANT, "acme", "acme"),))
BEFORE = 2**62


def records_of(text: str) -> tuple[Record, ...]:
    """Read events in the notation of arrivals."""
    arrivals: Sequence[Arrival] = arrivals_of(text)
    return tuple(Record(a.event, a.stored_at) for a in arrivals)


def proven(month: str, events: str, book: PriceBook | None = None) -> tuple[Bill, Month]:
    """Rate a month by events, as the service would."""
    records = records_of(events)
    inputs = month_from(month, book or small_book())
    usage = resummed(records, ACME)
    rated = inputs.__class__(
        **{
            **{name: getattr(inputs, name) for name in inputs.__slots__},
            "usage": at_edges(usage, inputs),
        }
    )
    cutoffs = Cutoffs(inputs.service_to, BEFORE, 1)
    rating = Rating(rated, "Acme Ltd", (), cutoffs, rate(rated))
    name = bill_id("acme", inputs.month, inputs.zone)
    part = part_of(rating, FIRST, context_of(rating, name, inputs.month))
    return bill_of([part], name), Month(part, usage, records)


def files_of(month: str, events: str, book: PriceBook | None = None) -> dict[str, bytes]:
    """Return the bundle of a month."""
    bill, one = proven(month, events, book)
    return bundle_files(bill, [one], ACME)


def document(files: dict[str, bytes]) -> Any:
    """Return what bill.json says."""
    return json.loads(files[BILL])


def with_bill(files: dict[str, bytes], said: Any) -> dict[str, bytes]:
    """Return a bundle with another bill.json, hashed as if it had always been so."""
    changed = {**files, BILL: json.dumps(said, ensure_ascii=False).encode()}
    return {**changed, "manifest.json": manifest(changed)}


def with_events(files: dict[str, bytes], lines: Sequence[str]) -> dict[str, bytes]:
    """Return a bundle with other events, hashed as if they had always been so."""
    changed = {**files, "events-202610.ndjson": "".join(f"{x}\n" for x in lines).encode()}
    return {**changed, "manifest.json": manifest(changed)}
