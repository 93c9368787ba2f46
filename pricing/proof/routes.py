"""What shows that a bill is right: its bundle, why it differs, what is behind its lines."""

import io
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Response

from pricing.prices.lookup import Explained
from pricing.proof.bundle import Files, seal
from pricing.proof.bundle_store import BundleStore
from pricing.proof.difference import difference
from pricing.proof.difference_store import DifferenceStore
from pricing.proof.explanation import Explanation, figure
from pricing.proof.explanation_store import ExplanationStore
from pricing.proof.request_price_store import PricedRecord, RequestPriceStore

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The only instant that archives know here: the same bill gives the same bytes."""


@dataclass(frozen=True, slots=True)
class Proving:
    """What gathers proof."""

    bundles: BundleStore
    differences: DifferenceStore
    explanations: ExplanationStore
    requests: RequestPriceStore
    now: Callable[[], datetime]


def routes(proving: Proving) -> APIRouter:
    """Build the routes over what gathers proof."""
    bundles, differences = proving.bundles, proving.differences
    router = APIRouter()

    @router.get("/v1/bundles/{bill}", summary="A bill with all that proves it")
    def bundle(bill: str) -> Response:
        """Return a zip of the bill's own events, usage, contracts, prices and rows.

        The header ``X-Tallystick-Seal`` tells the one hash that the bundle is known by.
        """
        files = bundles.files(bill)
        headers = {"X-Tallystick-Seal": seal(files)}
        return Response(archive(files), headers=headers, media_type="application/zip")

    @router.get("/v1/bill-differences", summary="Why two bills differ")
    def compared(a: str, b: str) -> dict[str, Any]:
        """Return the effects that lead from what bill ``a`` asks to what ``b`` asks, in order."""
        before, after = differences.bill(a), differences.bill(b)
        found = difference(before.lines, after.lines)
        return {
            "a": {"bill": before.id, "payable": f"{before.payable:f}"},
            "b": {"bill": after.id, "payable": f"{after.payable:f}"},
            "currency": differences.common_currency(before, after),
            "difference": f"{after.payable - before.payable:f}",
            "effects": [{"effect": one.effect.value, "amount": one.shown, "exact": str(one.amount)}
                        for one in found],
        }  # fmt: skip

    @router.get("/v1/explanations/{asked}", summary="What is behind a line or a bill")
    def explained(asked: str) -> dict[str, Any]:
        """Return price, arithmetic, hours and the question that lists the requests, line by line.

        ``asked`` is a bill's id, or that of one line (``x_LineId``), which also tells of the
        prices that lost.
        """
        found = proving.explanations.found(asked)
        is_one = asked != found.bill
        return {
            "bill": found.bill,
            "currency": found.currency,
            "lines": [_explained(one, with_rates=is_one) for one in found.lines],
        }

    @router.get("/v1/requests/{request}/price", summary="What a request costs, and why")
    def priced(request: str) -> dict[str, Any]:
        """Return what each record that bills costs, meter by meter, and on which lines.

        ``request`` is a response, request, trace, span or event id. Amounts are those before
        what a bill takes off or adds as a whole: discounts, commitments, tax, rounding.
        """
        found = proving.requests.priced(request, proving.now())
        return {"request": request, "prices": [_priced(one) for one in found]}

    return router


def _explained(one: Explanation, *, with_rates: bool) -> dict[str, Any]:
    cells = one.line.cells
    rates = one.rates if with_rates else one.rates[:1]
    return {
        "line": cells["x_LineId"],
        "description": cells["ChargeDescription"],
        "start": cells["ChargePeriodStart"].isoformat(),
        "end": cells["ChargePeriodEnd"].isoformat(),
        "billed": f"{cells['BilledCost']:f}",
        "arithmetic": one.arithmetic,
        "rule": one.rule,
        "rates": _rates(rates),
        "hours": [{"hour": at.isoformat(), "quantity": count} for at, count in one.hours],
        "requests": one.requests,
    }


def _priced(one: PricedRecord) -> dict[str, Any]:
    return {
        "event": one.event.event_id.hex(),
        "account": one.account,
        "month_start": one.month.start.isoformat() if one.month else None,
        "currency": one.currency,
        "amount": figure(one.price.amount),
        "why": list(one.price.why),
        "meters": [
            {
                "meter": meter.meter,
                "quantity": meter.quantity,
                "contract": meter.contract,
                "amount": figure(meter.amount),
                "arithmetic": meter.arithmetic,
                "rule": meter.rule,
                "rates": _rates(meter.rates),
                "lines": [
                    {"bill": line.bill, "line": line.line}
                    for key in meter.charges
                    for line in one.lines.get(key, ())
                ],
            }
            for meter in one.price.meters
        ],
    }


def _rates(rates: Iterable[Explained]) -> list[dict[str, Any]]:
    return [
        {"rate": rate.about, "price": f"{rate.price:f}", "per": rate.per, "why": why}
        for rate, why in rates
    ]


def archive(files: Files) -> bytes:
    """Return files as a zip archive."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as target:
        for name in sorted(files):
            target.writestr(zipfile.ZipInfo(name, _EPOCH), files[name], zipfile.ZIP_DEFLATED)
    return held.getvalue()
