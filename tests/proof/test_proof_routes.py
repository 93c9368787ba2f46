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
from pricing.proof.routes import routes
from pricing.proof.verification import checked
from tallystick.cli import app
from tests.pricing.office_notation import issued
from tests.proof.told import Told


@pytest.fixture
def http(told: Told) -> Iterator[TestClient]:
    """The routes over a made-up month."""
    service = FastAPI()
    service.include_router(_routes(told))
    with TestClient(service) as client:
        yield client


def _routes(told: Told) -> APIRouter:
    explanations = ExplanationStore(told.engine, told.office.billing)
    return routes(told.bundles, DifferenceStore(told.engine), explanations)


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
