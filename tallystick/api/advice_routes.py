"""Advice over HTTP: compare, simulate, forecast. Nothing is posted."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from fastapi import APIRouter
from pydantic import Field

from metering.period import Period, month_at, month_of, months_of
from metering.store import MeterStore
from pricing.advice.advice_store import Adviser, Forecast, Otherwise
from pricing.advice.comparison import Comparison, Option
from pricing.advice.simulation import Outcome, Summary, summary
from pricing.money import plain, shown
from pricing.prices.book import PriceBook
from pricing.prices.file import parse_book
from pricing.rating.spill import Overflow, Reservation, SpillReport
from tallystick.declared import Wire
from tallystick.declared_contract import ContractDeclared


class Simulated(Wire):
    """What is to be tried out on a month."""

    month: str
    until: str = ""
    """The last of several months; empty for the one."""
    account: str = ""
    """Empty for all."""
    book: str = ""
    """The name of a book; empty for the one in force."""
    files: dict[str, str] = Field(default_factory=dict)
    """A book that is not imported: name and text of its files."""
    contracts: tuple[ContractDeclared, ...] = ()
    """In place of those with the same id, or beside the others."""


@dataclass(frozen=True, slots=True)
class Advising:
    """What the routes use."""

    adviser: Adviser
    meter: MeterStore
    book: Callable[[str], PriceBook]
    """Name -> the newest version of a book; the one in force for an empty name."""
    refresh: Callable[[], int]
    now: Callable[[], datetime]


def routes(by: Advising) -> APIRouter:
    """Build the routes over one adviser."""
    router = APIRouter()
    router.include_router(_hybrid(by))

    @router.get("/v1/advice/comparison", summary="What each node would cost in every other way")
    def compare(account: str, month: str) -> dict[str, Any]:
        """Rate a month's usage and running time of each node under every scheme of the book."""
        by.refresh()
        owner = by.meter.account(account)
        book = by.book("")
        found = by.adviser.compared(owner, month_of(month, owner.zone), by.now())
        return {
            "account": account,
            "currency": book.currency,
            "book_hash": book.digest,
            "rows": [_comparison(one) for one in found],
        }

    @router.get("/v1/advice/forecast", summary="What an open month will come to")
    def forecast(account: str, month: str = "") -> dict[str, Any]:
        """Fill the rest of a month from the weeks before it, and rate it whole."""
        by.refresh()
        owner, now = by.meter.account(account), by.now()
        period = month_of(month, owner.zone) if month else month_at(now, owner.zone)
        return _forecast(by.adviser.forecast(owner, period, now)) | {
            "currency": by.book("").currency
        }

    @router.post("/v1/advice/simulation", summary="What a month would come to otherwise")
    def simulate(asked: Simulated) -> dict[str, Any]:
        """Rate months of one account or of all by another book, or with other contracts."""
        by.refresh()
        accounts = [by.meter.account(asked.account)] if asked.account else by.meter.accounts()
        book = parse_book(asked.files) if asked.files else by.book(asked.book)
        otherwise = Otherwise(book, tuple(c.contract(book) for c in asked.contracts))
        outcomes = [
            outcome
            for account in accounts
            for month in months_of(asked.month, asked.until or asked.month, account.zone)
            for outcome in by.adviser.simulated([account], month, otherwise, by.now())
        ]
        return {
            "currency": book.currency,
            "book_hash": book.digest,
            "rows": [_outcome(one) for one in outcomes],
            "summary": _summary(summary(outcomes)),
        }

    return router


def _hybrid(by: Advising) -> APIRouter:
    router = APIRouter()

    @router.get("/v1/advice/hybrid", summary="What overflowed, against one more node")
    def hybrid(account: str, month: str) -> dict[str, Any]:
        """Set what reservations cost and served beside what overflowed, by its reason."""
        by.refresh()
        owner = by.meter.account(account)
        period = month_of(month, owner.zone)
        found = by.adviser.spilled(owner, period, by.now())
        told = {"account": account, **_period(period), "currency": by.book("").currency}
        return told | _spilled(found)

    return router


def _spilled(found: SpillReport) -> dict[str, Any]:
    return {
        "reservations": [_reservation(found, one) for one in found.reservations],
        "overflows": [_overflow(one) for one in found.overflows],
        "reserved": _text(found.fee),
        "spilled": _text(found.spilled),
        "tokens": found.tokens,
        "per_million_tokens": _text(found.blended_per_million),
    }


def _reservation(found: SpillReport, one: Reservation) -> dict[str, Any]:
    return {
        "contract": one.contract,
        "cost": _text(one.fee),
        "tokens": one.tokens,
        "node_month": _text(one.node_month),
        "node_hour": _text(one.node_hour),
        "spilled_over_one_more": _text(found.over_one_more(one)),
    }


def _overflow(one: Overflow) -> dict[str, Any]:
    return {
        "contract": one.contract,
        "reason": one.reason,
        "tokens": one.tokens,
        "amount": _text(one.amount),
    }


def _comparison(found: Comparison) -> dict[str, Any]:
    return {
        "contract": found.contract,
        "spec": found.spec,
        "region": found.region,
        "running_hours": _text(found.hours),
        "idle_hours": found.idle_hours,
        "tokens": found.tokens,
        "now": _option(found.now),
        "options": [_option(one) for one in found.options],
        "cheapest": found.cheapest.name if found.options else None,
        "saving": plain(found.saving) if found.options else None,
        "break_even_hours": _text(found.break_even_hours),
        "break_even_tokens": dict(found.break_even_tokens),
        "terms": {str(months): _text(amount) for months, amount in found.terms},
        "quotes": {load: _text(price) for load, price in found.quotes},
        "missing": list(found.missing),
    }


def _option(option: Option) -> dict[str, Any]:
    return {
        "name": option.name,
        "payable": f"{option.payable:f}",
        "per_million_tokens": _text(option.per_million),
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "account": outcome.account,
        **_period(outcome.month),
        "before": f"{outcome.before:f}",
        "after": f"{outcome.after:f}",
        "difference": f"{outcome.difference:f}",
        "blockers": list(outcome.blockers),
    }


def _summary(all_of_them: Summary) -> dict[str, Any]:
    return {
        "accounts": all_of_them.accounts,
        "winners": all_of_them.winners,
        "losers": all_of_them.losers,
        "blocked": all_of_them.blocked,
        "before": _money(all_of_them.before),
        "after": _money(all_of_them.after),
        "difference": _money(all_of_them.difference),
    }


def _forecast(found: Forecast) -> dict[str, Any]:
    return {
        "account": found.account,
        **_period(found.month),
        "to_date": f"{found.to_date:f}",
        "low": f"{found.low:f}",
        "expected": f"{found.expected:f}",
        "high": f"{found.high:f}",
        "weeks": found.weeks,
    }


def _period(month: Period) -> dict[str, str]:
    return {"month_start": month.start.isoformat(), "month_end": month.end.isoformat()}


def _money(amount: Decimal) -> str:
    return f"{amount:f}"


def _text(exact: Fraction | None) -> str | None:
    return None if exact is None else plain(shown(exact))
