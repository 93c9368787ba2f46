"""Decisions about usage through the real service: tried, made, taken back, and seen on bills."""

import json
from typing import Any

import calls
import httpx2
import pytest
from billed import command, declared, send
from builders import T0, chat_span
from conftest import Service

YEAR_NS = 365 * 86_400 * 10**9
COUNTS = ("requests", "input_tokens", "output_tokens")


@pytest.fixture(scope="module")
def service(shared_service: Service, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """A service with an account that pays per token, shared by the tests of this file."""
    return declared(shared_service, tmp_path_factory.mktemp("setup"))


def usage(service: Service) -> dict[str, int]:
    found = calls.get(f"{service.address}/v1/usage", timeout=60).json()
    return {name: found["totals"][name] for name in COUNTS}


def correct(service: Service, **asked: Any) -> httpx2.Response:
    body = {"reason": "a test", **asked}
    return calls.post(f"{service.address}/v1/corrections", json=body, timeout=60)


def told(service: Service, *words: str) -> Any:
    done = command(*words, "--format", "json", service=service)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_usage_is_corrected_explained_and_put_back(service: Service) -> None:
    spent = chat_span(41, 1_000_000, tallystick__pool="shared", gen_ai__response__id="call-1")
    send(service, [spent], tenant__id="t-acme")
    before = usage(service)

    tried = correct(service, kind="void", requests=["call-1"], dry_run=True).json()
    assert (tried["is_made"], tried["events"], tried["totals"]["requests"]) == (False, 1, -1)
    assert usage(service) == before

    made = correct(service, kind="void", requests=["call-1"], id="c-1").json()
    again = correct(service, kind="void", requests=["call-1"], id="c-1").json()
    assert made["id"] == again["id"] == "c-1"
    assert usage(service)["requests"] == before["requests"] - 1
    [record] = told(service, "explain", "request", "call-1")["records"]
    assert record["why"] == "a correction took it out, as if it had never been sent"

    undone = command("correct", "withdraw", "c-1", "--reason", "it was real", service=service)
    assert undone.returncode == 0
    assert usage(service) == before
    [row] = told(service, "correct", "list")
    assert (row["id"], row["withdrawn_because"]) == ("c-1", "it was real")


def test_a_trial_says_what_it_would_do_to_the_bill(service: Service) -> None:
    spent = chat_span(42, 5_000_000, tallystick__pool="shared", gen_ai__response__id="call-2")
    send(service, [spent], tenant__id="t-acme")
    usage(service)

    words = ("correct", "void", "--request", "call-2", "--reason", "a load test", "--dry-run")
    [bill] = told(service, *words)["bills"]
    month = f"{bill['month_start'][:4]}-09"
    drafted = told(service, "bill", "acme", "--month", month)["payable"]

    assert bill["account"] == "acme"
    assert bill["payable_before"] == drafted
    assert bill["difference"].startswith("-")


def test_a_refused_correction_says_why(service: Service) -> None:
    wrong: dict[str, dict[str, Any]] = {
        "must name requests or a period": {"kind": "void"},
        "must be about stored events": {"kind": "void", "requests": ["nobody"]},
        "events are chosen by": {"kind": "void", "requests": ["x"], "where": {"colour": "red"}},
        "an amendment changes some of": {"kind": "amend", "requests": ["x"]},
        "reason": {"kind": "void", "requests": ["x"], "reason": " "},
    }
    for said, asked in wrong.items():
        answer = correct(service, **asked)
        assert answer.status_code == 422
        assert said in answer.json()["error"]


def test_what_was_set_aside_is_entered_or_discarded(service: Service) -> None:
    late = T0 + 90 * YEAR_NS
    send(service, [chat_span(51, at=late), chat_span(52, at=late + 1)])
    before = usage(service)
    first, second = sorted(row["key"] for row in told(service, "quarantine")["rows"])

    discard = ("quarantine", "discard", first, "--reason", "a clock test")
    enter = (
        "quarantine", "enter", second, "--model", "qwen3-14b", "--count", "fresh=900",
        "--ended-at", "2026-10-01T08:00:00+08:00", "--tenant", "t-acme", "--reason", "broken clock",
    )  # fmt: skip
    for words in (discard, enter, enter):
        assert command(*words, service=service).returncode == 0

    assert told(service, "quarantine")["count"] == 0
    assert usage(service)["input_tokens"] == before["input_tokens"] + 900
    refused = command("quarantine", "discard", second, "--reason", "x", service=service)
    assert "is decided about once" in refused.stderr


def test_a_refused_entry_stores_nothing(service: Service) -> None:
    late = T0 + 91 * YEAR_NS
    send(service, [chat_span(61, at=late), chat_span(62, at=late + 1)])
    first, second = sorted(row["key"] for row in told(service, "quarantine")["rows"])
    before = usage(service)
    said = ["--model", "qwen3-14b", "--count", "fresh=900", "--tenant", "t-acme", "--reason", "x"]
    ended = ["--ended-at", "2026-10-01T08:00:00+08:00"]

    def entered(key: str, *words: str) -> str:
        return command("quarantine", "enter", key, *said, *words, service=service).stderr

    assert command("quarantine", "discard", first, "--reason", "x", service=service).returncode == 0
    assert "is decided about once" in entered(first, *ended)
    assert "say when it ended" in entered(second)
    assert usage(service) == before

    assert "error" not in entered(second, *ended)
    assert "another stored under it" in entered(second, *ended, "--count", "output=5")
    assert usage(service)["input_tokens"] == before["input_tokens"] + 900


def test_watermarks_say_how_far_each_source_has_come(service: Service) -> None:
    rows = told(service, "watermarks")["rows"]

    assert sum(row["records"] for row in rows) >= 4
    assert all(row["last_stored_at"] > "2026" and row["silent_seconds"] < 600 for row in rows)
