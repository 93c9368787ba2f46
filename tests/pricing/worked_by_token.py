"""Work out examples of tokens: from events or counts to the figures that an example may expect."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from builders import event

from collector.dialect.outcome import outcome_of
from collector.otlp import Record
from metering.arrival import Arrival
from metering.event import UsageEvent
from metering.identity import FOR_EVER, Identity, Kind
from metering.period import Period, month_at
from metering.rollup import REQUESTS, fold
from metering.usage import Usage, bound_usage
from pricing.bills.bill import context_of
from pricing.bills.part import FIRST, Before, Cutoffs, Part, Rating, part_of
from pricing.contracts.contract import Contract
from pricing.contracts.schemes import PerToken
from pricing.money import Rounding, plain, rounded
from pricing.rating.inputs import Inputs
from pricing.rating.rating import rate
from tests.pricing.month_notation import BEIJING, at, usage_of
from tests.pricing.worked_notation import (
    Figures,
    Given,
    bills_of,
    contract,
    fen,
    local,
    month,
    text,
)

ANY_HOUR = "2026-01-06T10:00:00+08:00"
ARRIVALS = ("arrived", "arrived_at", "received", "received_at", "stored", "stored_at")
CLOSED_AFTER = timedelta(days=2, hours=12)
"""A month is closed at noon of the third."""


def tokens(given: Given) -> Figures:
    """Work out requests of one size class, month by month and together."""
    usage = _usage(given)
    starts = sorted({month_at(row.key.hour, BEIJING).start for row in usage})
    many = [month(start, [_pool(given)], usage=usage) for start in starts]
    counted = [_counted_tokens(inputs) for inputs in many]
    requests = sum(u.quantity for u in usage if u.key.meter == REQUESTS)
    per_second = Fraction(requests, 60 * given.get("minutes", 1))
    found = bills_of(many)
    for figures, count in zip(found["months"].values(), counted, strict=True):
        figures |= {"tokens": count}
    return found | {
        "tokens": sum(counted),
        "billable_tokens": sum(counted),
        "requests": requests,
        "requests_per_second": f"{rounded(per_second, 2, Rounding.DOWN):f}",
    }


def late(given: Given) -> Figures:
    """Work out events that come in after their month was closed: they correct it in the next."""
    events = given["events"]
    own = min(month_at(at(said["end"]), BEIJING) for said in events)
    closed = at(given["closed_at"]) if "closed_at" in given else own.end + CLOSED_AFTER
    in_time = [said for said in events if _arrived(said) < closed]
    first = _posted(given, own, in_time, FIRST)
    lines, more = first.lines, _posted(given, own, events, _closed(first))
    corrections = [line.cells for line in more.lines if line.key]
    return tokens(given) | {
        "billed_cny": fen(Fraction(first.totals.payable, 100)),
        "closed_at": local(closed).isoformat(),
        "lines": len(lines),
        "adjustment_tokens": sum(int(row["ConsumedQuantity"]) for row in corrections),
        "adjustment_total_cny": text(
            sum((Fraction(r["BilledCost"]) for r in corrections), Fraction())
        ),
        "adjustment_cny": fen(Fraction(more.totals.payable, 100)),
        "adjustments": [
            {
                "period": f"{local(row['ChargePeriodStart']):%Y-%m}",
                "class": row["ChargeClass"],
                "cny": plain(row["BilledCost"]),
            }
            for row in corrections
        ],
    }


def token_figures_of(given: Given) -> Figures:
    """Work tokens out: of some size classes, of late events, or of plain ones."""
    classes = given.get("size_classes", given.get("tokens_by_class"))
    if classes:
        counts = classes if isinstance(classes, dict) else dict.fromkeys(classes, given["tokens"])
        each = {c: tokens({**given, "size_class": c, "tokens": n}) for c, n in counts.items()}
        return {"classes": each, **{f"{c}_cny": found["total_cny"] for c, found in each.items()}}
    if any(name in said for said in given.get("events", ()) for name in ARRIVALS):
        return late(given)
    return tokens(given)


def _posted(given: Given, whole: Period, events: Iterable[Given], before: Before) -> Part:
    """Return what a bill adds to a month after those before it."""
    usage = _usage({**given, "events": list(events)})
    inputs = month(whole.start, [_pool(given)], usage=usage)
    rating = Rating(inputs, "Acme Ltd", (), Cutoffs(whole.end, 7, 1), rate(inputs))
    return part_of(rating, before, context_of(rating, "b1", whole))


def _closed(part: Part) -> Before:
    return Before(1, "run 1", part.lines, part.totals, is_closed=True)


def _arrived(said: Given) -> datetime:
    return at(next((said[name] for name in ARRIVALS if name in said), said["end"]))


def _counted_tokens(inputs: Inputs) -> int:
    return sum(int(c.quantity) for c in rate(inputs).charges)


def _pool(given: Given) -> Contract:
    period = Period(at("2018-01-01"), FOR_EVER)
    pool = contract("t", PerToken(given["size_class"]), given, period)
    return replace(pool, pool="shared", factors=_factors(given))


def _factors(given: Given) -> dict[str, Decimal]:
    """Return what token classes and batches leave to pay: ``cached_factor``, or ``factors``."""
    said = {n.replace("_factor", ""): v for n, v in given.items() if n.endswith("_factor")}
    said |= given.get("factors", {})
    return {_CLASSES.get(name, name): Decimal(value) for name, value in said.items()}


def _usage(given: Given) -> list[Usage]:
    """Return usage rows, folded from events where an example gives single requests."""
    match given:
        case {"tokens": count}:
            return _counted(given, count)
        case {"requests_per_minute": rate_given, "minutes": minutes}:
            requests = rate_given * minutes
            count = requests * (given["prompt_tokens_each"] + given["completion_tokens_each"])
            return _counted(given, count, requests)
        case _:
            return _folded([_event(n, said) for n, said in enumerate(_requests(given))])


def _counted(given: Given, count: int, requests: int = 1) -> list[Usage]:
    said = {"fresh": f"{count}", "requests": f"{requests}", "tier": _tier(given)}
    when = f"{given['month']}-02T00:00" if "month" in given else given.get("end", ANY_HOUR)
    return usage_of(at(when).isoformat(), "shared", said)


def _requests(given: Given) -> Sequence[Given]:
    return [*given.get("requests", ()), *given.get("events", ())]


def _event(number: int, said: Given) -> UsageEvent:
    """Build a request's event: a completion holds its reasoning, a prompt what was cached."""
    counts: dict[str, int] = defaultdict(int, {k: v for k, v in said.items() if "tokens" in k})
    parts = {"cached": counts["cached_tokens"], "reasoning": counts["reasoning_tokens"]}
    parts |= {
        n: counts[f"{n}_tokens"] for n in ("written_5m", "written_1h") if f"{n}_tokens" in said
    }
    of_prompt = sum(count for name, count in parts.items() if name != "reasoning")
    return event(
        said.get("id", said.get("event_id", f"e{number}")),
        said.get("end", ANY_HOUR),
        tenant="acme",
        pool="shared",
        tier=_tier(said),
        fresh=counts["prompt_tokens"] + counts["tokens"] - of_prompt,
        output=counts["completion_tokens"] - parts["reasoning"],
        outcome=_outcome(said),
        **parts,
    )


def _tier(said: Given) -> str:
    return "batch" if said.get("batch") else said.get("service_tier", "")


def _outcome(said: Given) -> str:
    """Return how a request ended, told as a span would tell it."""
    finish = next((word for word in ("abort", "cancel") if word in said.get("finish", "")), "stop")
    told = {"http.response.status_code": said.get("status", 200), "llm.finish_reason": finish}
    return outcome_of(Record(told)).value


def _folded(events: Sequence[UsageEvent]) -> list[Usage]:
    """Return usage of events, the first of each identity."""
    sums = fold(Arrival(e, 1 + n) for n, e in enumerate(events))
    rows = bound_usage(sums, [Identity(Kind.TENANT, "acme", "acme")])
    return [Usage(key, quantity) for key, quantity in rows.items()]


_CLASSES = {"cache": "cached", "cache_hit": "cached", "cached_tokens": "cached"}
"""What examples call a class of tokens -> what contracts call it."""
