"""Advice by routes and commands, over a real service."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import calls
import pytest
from conftest import Service, start_service, stop_service
from forking import run_command

from tests.pricing.month_notation import SMALL_BOOK

SPEC = "polar.pg.g8.xlarge.gu20"
SETUP = {
    "accounts": [{"id": "acme", "name": "Acme"}],
    "resources": [
        {
            "id": "n1", "account": "acme", "region": "cn-hangzhou", "spec": SPEC,
            "states": [
                {"state": "running", "start": "2026-10-06T00:00:00Z", "end": "2026-10-06T10:00:00Z"}
            ],
        }
    ],
    "contracts": [
        {
            "id": "c1", "account": "acme", "mode": "hourly", "region": "cn-hangzhou",
            "pool": "dedicated", "resource": "n1", "spec": SPEC,
            "start": "2026-10-01T00:00:00+08:00",
        }
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = start_service(tmp_path_factory.mktemp("advice"))
    calls.post(f"{service.address}/v1/setup", json=SETUP, timeout=60).raise_for_status()
    yield service
    stop_service(service)


def command(running: Service, *words: str) -> str:
    done = run_command("advise", *words, "--url", running.address)
    assert done.returncode == 0, done.stderr
    return done.stdout


def get(running: Service, path: str, **params: str) -> Any:
    answer = calls.get(f"{running.address}/v1/advice/{path}", params=params, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_node_is_compared(running: Service) -> None:
    found = get(running, "comparison", account="acme", month="2026-10")
    shown = command(running, "compare", "acme", "--month", "2026-10")
    as_csv = command(running, "compare", "acme", "--month", "2026-10", "--format", "csv")

    [node] = found["rows"]
    assert (node["running_hours"], node["idle_hours"], node["tokens"]) == ("10.0", 10, 0)
    assert node["options"][0] == {
        "name": "subscription", "payable": "9686.95", "per_million_tokens": None,
    }  # fmt: skip
    assert node["cheapest"] in {option["name"] for option in node["options"]}
    assert "a subscription is cheaper from" in shown
    assert "c1: a month of a term costs, by its months, 1: 9686.95" in shown
    assert as_csv.splitlines()[1].startswith("c1,now,")


def test_what_left_a_reservation_is_set_against_one_more_node(running: Service) -> None:
    found = get(running, "hybrid", account="acme", month="2026-10")
    shown = command(running, "hybrid", "acme", "--month", "2026-10")
    as_csv = command(running, "hybrid", "acme", "--month", "2026-10", "--format", "csv")

    [node] = found["reservations"]
    assert (node["cost"], node["spilled_over_one_more"]) == ("201.811", "-9686.95")
    assert found["overflows"] == []
    assert found["per_million_tokens"] is None
    assert "9686.95 less than one more node like that of c1" in " ".join(shown.split())
    assert as_csv.splitlines()[1] == "c1,reserved,0,201.811"


def test_another_book_is_tried_by_name_and_by_its_files(running: Service, tmp_path: Path) -> None:
    for name, text in SMALL_BOOK.items():
        (tmp_path / name).write_text(text, "utf-8")
    same = json.loads(
        command(running, "simulate", "--month", "2026-10", "--book", "polardb-2026",
                "--format", "json")
    )  # fmt: skip
    other = command(running, "simulate", "--month", "2026-10", "--book", str(tmp_path))

    assert same["summary"]["difference"] == "0.00"
    assert same["rows"][0]["before"] == same["rows"][0]["after"]
    assert "1 accounts: 1 pay less, 0 more" in other  # the small book does not price its node


def test_a_contract_is_tried(running: Service) -> None:
    contract = SETUP["contracts"][0] | {"mode": "subscription"}
    asked = {"month": "2026-10", "account": "acme", "contracts": [contract]}
    answer = calls.post(f"{running.address}/v1/advice/simulation", json=asked, timeout=60).json()

    assert answer["rows"][0]["after"] == "9686.95"
    assert answer["summary"]["losers"] == 1


def test_contracts_are_tried_on_several_months_by_command(running: Service, tmp_path: Path) -> None:
    file = tmp_path / "other.yaml"
    file.write_text(json.dumps({"contracts": [SETUP["contracts"][0] | {"mode": "subscription"}]}))
    asked = ("simulate", "--month", "2026-09", "--until", "2026-11", "--contracts", str(file))
    found = json.loads(command(running, *asked, "--format", "json"))

    months = [row["month_end"][:7] for row in found["rows"]]
    assert months == ["2026-09", "2026-10", "2026-11"]
    assert found["summary"]["accounts"] == 1
    assert found["rows"][1]["after"] == "9686.95"
    answer = calls.post(
        f"{running.address}/v1/advice/simulation",
        json={"month": "2026-10", "until": "2026-09"},
        timeout=60,
    )
    assert answer.status_code == 422
    assert "must not be before 2026-10, found 2026-09" in answer.json()["detail"]


def test_a_month_is_forecast(running: Service) -> None:
    found = get(running, "forecast", account="acme", month="2026-10")
    shown = command(running, "forecast", "acme", "--month", "2026-10", "--format", "csv")

    assert found["low"] == found["expected"] == found["high"] == found["to_date"]
    assert found["to_date"] in shown
    assert get(running, "forecast", account="acme")["weeks"] == 0


def test_cost_is_set_beside_what_is_charged(running: Service) -> None:
    asked = ("margins", "--month", "2026-10", "--cost", "n1=5.25")
    [place] = json.loads(command(running, *asked, "--format", "json"))["places"]

    assert (place["hours"], place["idle_hours"], place["cost"]) == (744, 744, "3906.0")
    assert place["idle_cost"] == place["cost"]
    assert place["per_million_on_use"] is None
    assert "3906.0" in command(running, *asked)
    assert command(running, *asked, "--format", "csv").startswith("place,account,model,tokens")
    for costs, said in (({"n9": "1"}, "found 'n9'"), ({"n1": "-1"}, "n1"), ({}, "costs")):
        body = {"month": "2026-10", "costs": costs}
        answer = calls.post(f"{running.address}/v1/advice/margins", json=body, timeout=60)
        assert answer.status_code in {404, 422}
        assert said in answer.text


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("comparison?account=nobody&month=2026-10", "must be known"),
        ("comparison?account=acme&month=10", "YYYY-MM"),
        ("forecast?account=acme&month=soon", "YYYY-MM"),
    ],
)
def test_a_wrong_question_gets_one_sentence(running: Service, path: str, said: str) -> None:
    answer = calls.get(f"{running.address}/v1/advice/{path}", timeout=60)

    assert answer.status_code in {404, 422}
    assert said in answer.json()["detail"]
