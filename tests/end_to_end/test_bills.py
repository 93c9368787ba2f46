"""The commands of a bill's life, over a real service."""

import csv
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import calls
import pytest
from billed import declared
from conftest import Service, start_service, stop_service
from pyarrow import parquet
from typer.testing import CliRunner

from tallystick.cli import app

BILL = "acme-202609"


@pytest.fixture(scope="module")
def billed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = start_service(tmp_path_factory.mktemp("service"))
    yield declared(running, tmp_path_factory.mktemp("setup"))
    stop_service(running)


def run(service: Service, *words: str) -> str:
    """Run a command that must succeed, as a user would, and return what it prints."""
    done = CliRunner().invoke(app, [*words, "--url", service.address], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output + str(done.exception)
    return done.output


def refused(service: Service, *words: str) -> str:
    done = CliRunner().invoke(app, [*words, "--url", service.address])
    assert done.exit_code != 0
    return str(done.exception)


def test_a_bill_is_drafted_issued_credited_settled_and_verified(billed: Service) -> None:
    run(billed, "wallet", "grant", "acme", "--id", "g1", "--amount", "5.00", "--reason", "paid in")
    drafted = run(billed, "bill", "acme", "--month", "2026-09")
    issued = run(billed, "bill", "issue", BILL)
    again = run(billed, "bill", "issue", BILL)
    shown = run(billed, "bill", "show", BILL)
    credited = run(
        billed, "bill", "credit", BILL, "--id", "cn-1", "--amount", "1.50", "--reason", "slow"
    )
    settled = run(billed, "bill", "settle", BILL, "--reason", "bank transfer 4711")
    listed = json.loads(run(billed, "bill", "list", "--account", "acme", "--format", "json"))
    left = json.loads(run(billed, "wallet", "show", "acme", "--format", "json"))
    [sums] = json.loads(run(billed, "balances", "acme", "--format", "json"))

    assert f"bill {BILL} (draft)" in drafted
    assert "payable 33.94 CNY" in drafted
    assert issued == again == f"bill {BILL} INV-2026-000001 is issued: 28.94 CNY\n"
    assert f"bill {BILL} (issued, INV-2026-000001)" in shown
    assert "Prepaid credit, grant g1" in shown
    assert credited == "credit-note cn-1 CN-2026-000001 is issued: -1.50 CNY\n"
    assert settled == f"bill {BILL} INV-2026-000001 is settled: 28.94 CNY\n"
    assert [(b["id"], b["state"]) for b in listed] == [(BILL, "settled"), ("cn-1", "issued")]
    assert [(g["id"], g["left"]) for g in left] == [("g1", "0.00")]
    assert (sums["cash"], sums["receivable"], sums["revenue"]) == ("32.44", "0.00", "-32.45")
    assert "comes out the same" in run(billed, "bill", "verify", BILL)
    assert BILL in run(billed, "bill", "runs", "acme")


def test_a_closed_month_is_rated_again_by_decision(billed: Service) -> None:
    words = ("bill", "rerate", "acme", "--month", "2026-09", "--reason", "as agreed")

    shown = run(billed, *words, "--as-of", "0")
    made = run(billed, *words, "--as-of", "0", "--apply", "--format", "json")
    october = run(billed, "bill", "acme", "--month", "2026-10")

    assert "payable 33.94 -> 24.68: the next bill would carry -9.26 CNY" in shown
    assert json.loads(made)["difference"] == "-9.26"
    assert "payable -9.26 CNY" in october
    assert "must be draft to be issued" not in run(billed, "bill", "issue", "acme-202610")
    note = run(billed, "bill", "void", "acme-202610", "--reason", "not as agreed")
    assert note == "credit-note acme-202610-void CN-2026-000002 is issued: 9.26 CNY\n"


def test_all_documents_of_a_month_are_exported(billed: Service) -> None:
    address = f"{billed.address}/v1/exports/focus"
    rows = calls.get(address, params={"month": "2026-09", "format": "json"}, timeout=60).json()

    assert {(r["x_BillId"], r["InvoiceId"]) for r in rows} == {
        (BILL, "INV-2026-000001"), ("cn-1", "CN-2026-000001"),
    }  # fmt: skip


def test_an_export_is_written_as_it_comes_in_every_format(billed: Service, tmp_path: Path) -> None:
    words = ("export", "focus", "--month", "2026-09", "--account", "acme")
    files = [tmp_path / f"focus.{ending}" for ending in ("csv", "json", "parquet")]
    for file in files:
        run(billed, *words, "--format", file.suffix[1:], "--out", str(file))

    text = files[0].read_bytes().decode()
    lines = list(csv.DictReader(io.StringIO(text, newline="")))
    told = json.loads(files[1].read_bytes())
    cells = parquet.read_table(files[2]).to_pylist()
    costs = [[str(row["BilledCost"]) for row in rows] for rows in (lines, told)]
    assert costs[0] == costs[1]
    assert [Decimal(cost) for cost in costs[0]] == [row["BilledCost"] for row in cells]
    assert run(billed, *words).splitlines() == text.splitlines()
    assert f" {Decimal(costs[0][0]):f} " in run(billed, *words, "--format", "table")


def test_an_export_that_is_refused_says_why(billed: Service) -> None:
    assert "nobody" in refused(
        billed, "export", "focus", "--month", "2026-09", "--account", "nobody"
    )


def test_what_may_not_be_done_is_refused_with_a_sentence(billed: Service, tmp_path: Path) -> None:
    del tmp_path
    assert "found settled" in refused(billed, "bill", "void", BILL, "--reason", "no")
    assert "must be one that was drafted" in refused(billed, "bill", "issue", "nobody-202609")
    assert "must be parked" in refused(billed, "bill", "release", BILL, "--reason", "no")
    assert "found 100" in refused(
        billed, "bill", "credit", BILL, "--id", "cn-9", "--amount", "100", "--reason", "no"
    )


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("bills/x/issue", {"interim": "perhaps"}, "interim"),
        ("bills/x/void", {}, "reason"),
        ("bills/x/credit-notes", {"id": "a", "amount": 1.5, "reason": "r"}, "amount"),
        ("bills/x/credit-notes", {"id": "a/b", "amount": "1.5", "reason": "r"}, "id"),
        ("wallets/acme/grants", {"id": "g", "amount": "0.001", "reason": "r"}, "2 decimals"),
        (
            "wallets/acme/grants",
            {"id": "g", "amount": "1", "reason": "r", "expires_at": "x"},
            "ISO",
        ),
        ("reratings", {"account": "acme", "month": "2026", "reason": "r"}, "YYYY-MM"),
        ("reratings", {"account": "acme", "month": "2026-08", "reason": "r"}, "closed by a bill"),
    ],
)
def test_a_request_that_is_wrong_names_what(
    billed: Service, path: str, body: dict[str, object], said: str
) -> None:
    answer = calls.post(f"{billed.address}/v1/{path}", json=body, timeout=60)

    assert answer.status_code == 422
    assert said in answer.json()["error"]


def test_bills_come_in_pages(billed: Service) -> None:
    first = calls.get(f"{billed.address}/v1/bills", params={"limit": 1}, timeout=60).json()
    second = calls.get(
        f"{billed.address}/v1/bills", params={"limit": 1, "after": first["next"]}, timeout=60
    ).json()

    assert [r["id"] for page in (first, second) for r in page["rows"]] == [BILL, "acme-202610"]
    assert (
        calls.get(f"{billed.address}/v1/bills", params={"month": "2026-09"}, timeout=60).json()[
            "next"
        ]
        is None
    )
