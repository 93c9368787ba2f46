"""From a gateway's telemetry to a bill that adds up, through the real service and command."""

import csv
import json
from decimal import ROUND_DOWN, Decimal
from pathlib import Path
from typing import Any

import calls
import pytest
import yaml
from billed import SETUP, command, declared, send
from builders import chat_span, span
from conftest import Service


@pytest.fixture
def billed(service: Service, tmp_path: Path) -> Service:
    """A service of the test's own with one account, a node, and 1,234,567 tokens in a pool."""
    return declared(service, tmp_path)


@pytest.fixture(scope="module")
def billed_once(shared_service: Service, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """The same, shared by tests that change nothing."""
    return declared(shared_service, tmp_path_factory.mktemp("setup"))


def bill_of(service: Service) -> Any:
    return calls.get(f"{service.address}/v1/bills/acme/2026-09", timeout=60).json()


def test_the_bill_is_what_a_hand_would_work_out(billed_once: Service) -> None:
    done = command("bill", "acme", "--month", "2026-09", "--format", "json", service=billed_once)
    bill = json.loads(done.stdout)
    hours = Decimal("13.3456") * 6660 / 3600
    tokens = Decimal("0.075") * 1_234_567 / 10_000

    assert bill["state"] == "draft"
    assert bill["payable"] == str((hours + tokens).quantize(Decimal("0.01"), ROUND_DOWN))
    assert sum(Decimal(line["BilledCost"]) for line in bill["lines"]) == Decimal(bill["payable"])
    assert [line["BilledCost"] for line in bill["lines"][:3]] == [
        "0.1112133333",
        "13.3456",
        "11.2325466667",
    ]


def test_drafting_again_gives_the_same_bytes(billed_once: Service) -> None:
    bills = [bill_of(billed_once) for _ in range(2)]

    assert bills[0]["result_hash"] == bills[1]["result_hash"]
    assert bills[0]["lines"] == bills[1]["lines"]


def test_usage_of_nobody_is_visible_and_warned_of(billed: Service) -> None:
    send(billed, [chat_span(9, 7)], tenant__id="t-stranger")

    usage = command("usage", "--format", "csv", service=billed).stdout
    bill = command("bill", "acme", "--month", "2026-09", service=billed).stdout

    rows = {r["account"]: r for r in csv.DictReader(usage.splitlines())}
    assert rows["unattributed"]["input_tokens"] == "7"
    assert "warning: 1 requests of the month belong to no account" in bill


def test_unknown_counts_and_uncovered_usage_block_the_bill(billed: Service) -> None:
    silent = span(3, 3, gen_ai__operation__name="chat", tallystick__pool="shared")
    elsewhere = chat_span(4, 5, tallystick__pool="lab")
    send(billed, [silent, elsewhere], tenant__id="t-acme")

    bill = command("bill", "acme", "--month", "2026-09", service=billed).stdout

    assert "(blocked)" in bill
    assert "1 requests must have measured token counts, found unknown ones" in bill
    assert "1 requests in pool 'lab' must be under a contract, found none in force" in bill
    export = command("export", "focus", "--month", "2026-09", service=billed)
    assert "warning: blocked, so not complete yet: acme-202609" in export.stderr


def test_focus_rows_add_up_to_the_bill(billed_once: Service, tmp_path: Path) -> None:
    out = tmp_path / "focus.csv"
    words = ("export", "focus", "--version", "1.2", "--month", "2026-09", "--out", str(out))
    assert command(*words, service=billed_once).returncode == 0
    rows = list(csv.DictReader(out.read_text("utf-8").splitlines()))
    bill = bill_of(billed_once)

    assert sum(Decimal(r["BilledCost"]) for r in rows) == Decimal(bill["payable"])
    assert {r["x_LineId"] for r in rows} == {line["x_LineId"] for line in bill["lines"]}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"region": "mars-1"}, "the region must be one of cn-hangzhou"),
        ({"region": "cn-hongkong"}, "must have a tokens price for region=cn-hongkong"),
        (
            {"size_class": "huge"},
            "must have a tokens price for region=cn-hangzhou, size_class=huge",
        ),
        ({"start": "2026-09-01T00:00:00"}, "a time must carry its zone"),
        ({"start": "2026-09-01T00:30:00+08:00"}, "must start and end on a whole hour"),
        ({"discount": 0.85}, "a price must be decimal text in quotes"),
        ({"id": "c-other"}, "must be under one contract at a time"),
        ({"size_class": "medium"}, "must stay as it was but for its end"),
        (
            {"id": "c9", "pool": "x", "resource": "n9"},
            "must be for a declared resource (n1), found 'n9'",
        ),
        (
            {"id": "c9", "pool": "x", "resource": "n1", "region": "cn-beijing"},
            "must agree with n1 on account, region and spec",
        ),
        ({"account": "nobody"}, "an account must be declared under accounts, found 'nobody'"),
        ({"colour": "red"}, "contracts.0.colour"),
        ({"discount": "0.5"}, "a contract of mode token must not have discount"),
        ({"mode": "hourly", "months": 3}, "mode hourly must not have months, size_class"),
        ({"end": "2026-08-01T00:00:00+08:00"}, "a period must end after its start"),
    ],
)
def test_a_wrong_declaration_is_refused_in_one_sentence_and_changes_nothing(
    billed_once: Service, tmp_path: Path, change: dict[str, Any], sentence: str
) -> None:
    contract = yaml.safe_load(SETUP)["contracts"][1] | change
    setup = tmp_path / "wrong.yaml"
    newcomer = {"id": "newcomer", "name": "must not be stored"}
    setup.write_text(yaml.safe_dump({"accounts": [newcomer], "contracts": [contract]}))
    before = bill_of(billed_once)

    done = command("apply", str(setup), service=billed_once)

    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    assert bill_of(billed_once)["result_hash"] == before["result_hash"]
    page = calls.get(f"{billed_once.address}/v1/bills/newcomer/2026-09", timeout=60)
    assert page.status_code == 404


@pytest.mark.parametrize(
    ("account", "sentence"),
    [
        ({"id": "a/b", "name": "A"}, "accounts.0.id"),
        ({"id": "unattributed", "name": "A"}, "an account must not be called 'unattributed'"),
        ({"id": "acme", "name": "A", "zone": "UTC"}, "must stay Asia/Shanghai, found UTC"),
        ({"id": "a", "name": "A", "zone": "Mars/Base"}, "a zone must be an IANA name"),
        ({"id": "a", "name": "A", "zone": "Asia/Kolkata"}, "must be whole hours away from UTC"),
    ],
)
def test_a_wrong_account_is_refused(
    billed_once: Service, account: dict[str, str], sentence: str
) -> None:
    answer = calls.post(f"{billed_once.address}/v1/setup", json={"accounts": [account]}, timeout=60)

    assert answer.status_code == 422
    assert sentence in answer.json()["error"]


def test_the_first_page_names_every_account_safely(service: Service) -> None:
    hostile = {"id": "evil", "name": "<script>alert(1)</script>"}
    calls.post(f"{service.address}/v1/setup", json={"accounts": [hostile]}, timeout=60)

    page = calls.get(f"{service.address}/", timeout=60)

    assert page.headers["content-type"].startswith("text/html")
    assert "&lt;script&gt;" in page.text
    assert "<script" not in page.text
    assert "/v1/bills/evil/" in page.text


def test_without_a_service_the_command_opens_the_stores_itself(tmp_path: Path) -> None:
    setup = tmp_path / "setup.yaml"
    setup.write_text(SETUP)
    own = {"TALLYSTICK_DATA": str(tmp_path / "data"), "TALLYSTICK_PORT": "1"}

    applied = command("apply", str(setup), **own)
    usage = command("usage", "--format", "json", **own)

    assert applied.stdout.strip() == (
        "1 accounts, 1 identities, 1 resources, 1 states, 2 contracts"
    )
    assert json.loads(usage.stdout)["totals"]["requests"] == 0
    assert "no service answers" in usage.stderr


def test_a_second_service_on_the_same_stores_is_refused(service: Service) -> None:
    done = command("serve", "--port", "0", "--grpc-port", "0", "--data", str(service.data))

    assert done.returncode == 1
    assert "must be free, found it open in another process" in done.stderr
    assert "Traceback" not in done.stderr
