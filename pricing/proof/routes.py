"""GET /v1/bundles/{bill}: a bill with all that proves it, as one archive."""

import io
import zipfile
from typing import Any

from fastapi import APIRouter, Response

from pricing.proof.bundle import Files, seal
from pricing.proof.bundle_store import BundleStore
from pricing.proof.difference import difference
from pricing.proof.difference_store import DifferenceStore
from pricing.proof.explanation import Explanation
from pricing.proof.explanation_store import ExplanationStore

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The only instant that archives know here: the same bill gives the same bytes."""


def routes(
    bundles: BundleStore, differences: DifferenceStore, explanations: ExplanationStore
) -> APIRouter:
    """Build the routes over what gathers proof."""
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
        found = explanations.found(asked)
        is_one = asked != found.bill
        return {
            "bill": found.bill,
            "currency": found.currency,
            "lines": [_explained(one, with_rates=is_one) for one in found.lines],
        }

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
        "rates": [
            {"rate": rate.about, "price": f"{rate.price:f}", "per": rate.per, "why": why}
            for rate, why in rates
        ],
        "hours": [{"hour": at.isoformat(), "quantity": count} for at, count in one.hours],
        "requests": one.requests,
    }


def archive(files: Files) -> bytes:
    """Return files as a zip archive."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as target:
        for name in sorted(files):
            target.writestr(zipfile.ZipInfo(name, _EPOCH), files[name], zipfile.ZIP_DEFLATED)
    return held.getvalue()
