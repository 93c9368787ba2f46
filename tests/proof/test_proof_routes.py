"""Bundles and differences over HTTP, and the commands that use them."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from pricing.proof.difference_store import CurrencyMismatchError, DifferenceStore
from pricing.proof.explanation_store import ExplanationStore, NothingToExplainError
from pricing.proof.request_price_store import RequestPriceStore
from pricing.proof.routes import Proving, routes
from pricing.proof.verification import checked
from tallystick.cli import app
from tests.builders import arrivals_of
from tests.pricing.office_notation import LATER, issued
from tests.proof.told import Told


@pytest.fixture
def http(told: Told) -> Iterator[TestClient]:
    """The routes over a made-up month."""
    service = FastAPI()
    service.include_router(_routes(told))
    with TestClient(service) as client:
        yield client


def _routes(told: Told) -> APIRouter:
    return routes(
        Proving(
            told.bundles,
            DifferenceStore(told.engine),
            ExplanationStore(told.engine, told.office.billing),
            RequestPriceStore(told.engine, told.bundles),
            lambda: LATER,
        )
    )


def test_a_bundle_comes_as_an_archive_that_checks_out(
    told: Told, http: TestClient, tmp_path: Path
) -> None:
    bill = issued(told.office)

    found = http.get(f"/v1/bundles/{bill.id}")

    with zipfile.ZipFile(io.BytesIO(found.content)) as archive:
        archive.extractall(tmp_path)
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert checked(files, found.headers["X-Tallystick-Seal"]).faults == ()
    assert http.get(f"/v1/bundles/{bill.id}").content == found.content
    bill_json, events = str(tmp_path / "bill.json"), tmp_path / "events-202610.ndjson"
    good = CliRunner().invoke(app, ["verify", bill_json, "--events", str(tmp_path)])
    assert good.exit_code == 0
    assert f"bill {bill.id} comes to {bill.payable} CNY" in good.output
    events.write_text(events.read_text("utf-8").replace("1234567", "1234568"), "utf-8")
    bad = CliRunner().invoke(app, ["verify", bill_json])
    assert bad.exit_code == 1
    assert "must be as it was billed" in " ".join(bad.output.split())


def test_a_bill_differs_from_itself_in_nothing(told: Told, http: TestClient) -> None:
    bill = issued(told.office)

    found = http.get("/v1/bill-differences", params={"a": bill.id, "b": bill.id}).json()

    assert found["difference"] == "0.00"
    assert {one["amount"] for one in found["effects"]} == {"0.0000000000"}
    assert found["effects"][0]["effect"] == "volume"


def test_a_line_is_explained_down_to_its_hours_and_requests(told: Told, http: TestClient) -> None:
    bill = issued(told.office)
    line = next(row for row in bill.lines if row["ConsumedQuantity"] == 1235076)

    found = http.get(f"/v1/explanations/{line['x_LineId']}").json()

    [one] = found["lines"]
    assert one["arithmetic"] == "1235076 Tokens x 0.075 / 10000 Tokens = 9.26307"
    assert one["hours"] == [{"hour": "2026-10-06T02:00:00+00:00", "quantity": 1235076}]
    assert one["rates"][0]["price"] == "0.075"
    assert len(one["rates"]) == 2
    assert one["requests"].startswith("/v1/requests?account=acme&from=2026-10-05T16%3A00")
    whole = http.get(f"/v1/explanations/{bill.id}").json()
    assert len(whole["lines"]) == len(bill.lines)
    assert {len(one["rates"]) for one in whole["lines"]} == {0, 1}
    with pytest.raises(NothingToExplainError, match="found 'nothing'"):
        http.get("/v1/explanations/nothing")


def test_bills_in_different_currencies_are_not_compared(told: Told) -> None:
    store = DifferenceStore(told.engine)
    one = store.bill(issued(told.office).id)
    other = type(one)(one.id, "USD", one.payable, one.lines)

    with pytest.raises(CurrencyMismatchError, match="in CNY and acme-202610 in USD"):
        store.common_currency(one, other)


def test_a_request_is_priced_down_to_the_lines_that_hold_it(told: Told, http: TestClient) -> None:
    bill = issued(told.office)

    [one] = http.get("/v1/requests/r2/price").json()["prices"]

    assert (one["account"], one["amount"], one["currency"]) == ("acme", "0.0038025", "CNY")
    fresh, cached = one["meters"]
    assert fresh["arithmetic"] == "500 Tokens x 0.075 / 10000 Tokens = 0.00375"
    assert (cached["quantity"], cached["amount"]) == (7, "0.0000525")
    assert fresh["rates"][0]["why"] == "applies"
    assert len(fresh["rates"]) == 2
    [line] = fresh["lines"]
    assert line["bill"] == bill.id
    row = next(row for row in bill.lines if row["x_LineId"] == line["line"])
    assert row["ConsumedQuantity"] == 1235076


@pytest.mark.parametrize(
    ("request_id", "why"),
    [
        ("r6", "it belongs to no account: bind its identity"),
        ("r7", "a request that ends in server_error is free"),
    ],
)
def test_a_request_that_costs_nothing_says_why(http: TestClient, request_id: str, why: str) -> None:
    [one] = http.get(f"/v1/requests/{request_id}/price").json()["prices"]

    assert (one["amount"], one["why"], one["meters"]) == ("0", [why], [])


def test_what_no_record_bills_has_no_price(http: TestClient) -> None:
    assert http.get("/v1/requests/r8/price").json()["prices"] == []


def test_a_request_is_priced_before_any_bill_has_it(told: Told, http: TestClient) -> None:
    issued(told.office)
    [late] = arrivals_of("e99 2026-10-06T02:00Z tenant=acme pool=shared fresh=1000 call=r99")
    told.events.record([late.event])

    [one] = http.get("/v1/requests/r99/price").json()["prices"]

    assert one["amount"] == "0.0075"
    assert one["why"] == ["it was stored after usage was last summed: no bill has it yet"]
    assert one["meters"][0]["lines"] == []
