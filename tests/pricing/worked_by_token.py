"""Work out examples of tokens: from events or counts to the figures that an example may expect."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from builders import T0, event

from metering.arrival import Arrival
from metering.event import Outcome, UsageEvent
from metering.identity import FOR_EVER, Identity, Kind
from metering.period import Period
from metering.rollup import REQUESTS, fold
from metering.usage import Usage, bound_usage
from pricing.contracts.contract import Contract, TermError, check_contract
from pricing.contracts.schemes import PerToken, Scheme, Subscription
from pricing.money import Rounding, rounded
from pricing.prices.book import MissingPriceError
from pricing.prices.rate import Item
from tests.pricing.month_notation import at, bill_of, shipped, usage_of
from tests.pricing.worked_by_time import Figures, Given, contract, local, month, totals

ANY_HOUR = "2026-01-06T10:00:00+08:00"
REFUSALS = {TermError: "InvalidTerm", MissingPriceError: "PriceNotFound"}
OUTCOMES = {200: "ok", 429: "throttled", 500: "server_error"}


def tokens(given: Given) -> Figures:
    """Work out requests of one size class, in the month in which the first one ends."""
    usage = _usage(given)
    inputs = month(usage[0].key.hour, [_pool(given)], usage=usage)
    bill = bill_of(inputs)
    counted = sum(int(row["ConsumedQuantity"] or 0) for row in bill.lines)
    requests = sum(u.quantity for u in usage if u.key.meter == REQUESTS)
    per_second = Fraction(requests, 60 * given.get("minutes", 1))
    return totals(inputs, bill) | {
        "tokens": counted,
        "billable_tokens": counted,
        "requests": requests,
        "requests_per_second": f"{rounded(per_second, 2, Rounding.DOWN):f}",
        "month": f"{local(inputs.month.start):%Y-%m}",
    }


def months(given: Given) -> Figures:
    """Work out events on both sides of a month's end, each in its own month."""
    found = [tokens({**given, "events": [said]}) for said in given["events"]]
    return {"months": {f["month"]: {k: f[k] for k in ("tokens", "total_cny")} for f in found}}


def refused(given: Given) -> Figures:
    """Work out why a contract is refused, and what would be accepted."""
    scheme: Scheme = (
        Subscription(given["spec"], given["months"])
        if given["mode"] == "subscription"
        else PerToken(given["size_class"])
    )
    period = Period(at(ANY_HOUR), FOR_EVER)
    with pytest.raises(tuple(REFUSALS)) as refusal:
        check_contract(contract("c", scheme, given, period, "n1"), shipped())
    priced = {dict(r.dimensions)["region"] for r in shipped().rates if r.item is Item.TOKENS}
    return {
        "error": REFUSALS[type(refusal.value)],
        "allowed_months": list(shipped().terms),
        "mainland_regions": sorted(priced),
    }


def _pool(given: Given) -> Contract:
    period = Period(at("2026-01-01"), FOR_EVER)
    pool = contract("t", PerToken(given["size_class"]), given, period)
    return replace(pool, pool="shared", factors=_factors(given))


def _factors(given: Given) -> dict[str, Decimal]:
    """Return what token classes and batches leave to pay, as in ``cached_factor``."""
    named = {name.removesuffix("_factor"): said for name, said in given.items()}
    return {name: Decimal(said) for name, said in named.items() if f"{name}_factor" in given}


def _usage(given: Given) -> list[Usage]:
    """Return usage rows, folded from events where an example gives single requests."""
    match given:
        case {"tokens": count}:
            return _counted(at(ANY_HOUR), count, "shared")
        case {"requests_per_minute": rate_given, "minutes": minutes}:
            requests = rate_given * minutes
            count = requests * (given["prompt_tokens_each"] + given["completion_tokens_each"])
            return _counted(at(ANY_HOUR), count, "shared", requests)
        case _:
            return _folded([_event(n, said) for n, said in enumerate(_requests(given))])


def _counted(when: datetime, count: int, pool: str, requests: int = 1) -> list[Usage]:
    return usage_of(when.isoformat(), pool, {"fresh": f"{count}", "requests": f"{requests}"})


def _requests(given: Given) -> Sequence[Given]:
    events: Sequence[Given] = given.get("events", ())
    return given.get("requests") or [{**e, "prompt_tokens": e["tokens"]} for e in events]


def _event(number: int, said: Given) -> UsageEvent:
    """Build a request's event: a completion holds its reasoning, a prompt what was cached."""
    reasoning, cached = said.get("reasoning_tokens", 0), said.get("cached_tokens", 0)
    outcome = OUTCOMES[said.get("status", 200)]
    return event(
        said.get("id", f"e{number}"),
        said.get("end", ANY_HOUR),
        tenant="acme",
        pool="shared",
        tier="batch" if said.get("batch") else "",
        fresh=said["prompt_tokens"] - cached,
        cached=cached,
        output=said.get("completion_tokens", 0) - reasoning,
        reasoning=reasoning,
        outcome=Outcome.ABORTED if said.get("finish") == "client_abort" else outcome,
    )


def _folded(events: Sequence[UsageEvent]) -> list[Usage]:
    sums = fold(Arrival(e, T0 + n) for n, e in enumerate(events))
    rows = bound_usage(sums, [Identity(Kind.TENANT, "acme", "acme")])
    return [Usage(key, quantity) for key, quantity in rows.items()]
