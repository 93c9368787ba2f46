"""A month of a real service, asked for in every way, has the totals of its bill."""

import csv
import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import calls
import pyarrow.parquet as pq
import pytest
from builders import T0, chat_span, traces
from conftest import Service
from forking import run_command

from metering.query.answer import FIGURES
from metering.report import DIMENSIONS

SETUP = {
    "accounts": [{"id": "acme", "name": "Acme"}],
    "identities": [{"kind": "tenant", "value": "t-acme", "account": "acme"}],
    "contracts": [
        {
            "id": "c-pool",
            "account": "acme",
            "mode": "token",
            "region": "cn-hangzhou",
            "pool": "shared",
            "size_class": "small",
            "start": "2026-09-01T00:00:00+08:00",
        }
    ],
}
MONTH = {"account": "acme", "month": "2026-09"}
HOUR_NS = 3600 * 10**9


def command(*words: str, service: Service) -> Any:
    """Run the command as a user would."""
    return run_command(*words, "--url", service.address)


@pytest.fixture(scope="module")
def month(shared_service: Service) -> Service:
    """A service with 60 requests over ten days of acme's month, and some of nobody's."""
    declared = calls.post(f"{shared_service.address}/v1/setup", json=SETUP, timeout=60)
    assert declared.status_code == 200, declared.text
    for tenant, first in (("t-acme", 1), ("=t-nobody", 100)):
        spans = [
            chat_span(
                first + n, 997 * (n + 1), T0 - n * 4 * HOUR_NS,
                gen_ai__response__model=f"m{n % 3}", gen_ai__response__id=f"r{first + n}",
                tallystick__pool="shared",
            )
            for n in range(60)
        ]  # fmt: skip
        body = traces(spans, tenant__id=tenant).SerializeToString()
        headers = {"Content-Type": "application/x-protobuf"}
        url = f"{shared_service.address}/v1/traces"
        assert calls.post(url, content=body, headers=headers, timeout=60).status_code == 200
    return shared_service


def asked(service: Service, **params: Any) -> Any:
    answer = calls.get(f"{service.address}/v1/usage", params=MONTH | params, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()


def total_of(rows: Any) -> dict[str, int]:
    return {name: sum(int(row[name]) for row in rows) for name in FIGURES}


def test_every_way_of_cutting_a_month_has_the_tokens_of_its_bill(month: Service) -> None:
    bill = calls.get(f"{month.address}/v1/bills/acme/2026-09", timeout=60).json()
    billed = sum(
        Decimal(line["ConsumedQuantity"])
        for line in bill["lines"]
        if "oken" in (line["ConsumedUnit"] or "")
    )
    totals = asked(month)["totals"]

    assert totals["requests"] == 60
    assert totals["input_tokens"] + totals["output_tokens"] == billed > 0
    ways = [{"by": name} for name in ("", *DIMENSIONS, "model,pool")]
    ways += [
        {"by": by, "granularity": granularity}
        for by in ("", "model", ",".join(DIMENSIONS))
        for granularity in ("hour", "day", "month")
    ]
    for way in ways:
        found = asked(month, **way)
        assert found["totals"] == totals == total_of(found["rows"])


def test_every_format_tells_the_same(month: Service) -> None:
    params = {"granularity": "day", "by": "model"}
    rows = asked(month, **params)["rows"]
    answers = {
        name: calls.get(
            f"{month.address}/v1/usage",
            params=MONTH | params,
            headers={"Accept": media},
            timeout=60,
        )
        for name, media in {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}.items()
    }
    as_csv = list(csv.DictReader(io.StringIO(answers["csv"].text)))
    as_parquet = pq.read_table(io.BytesIO(answers["parquet"].content)).to_pylist()

    assert [{k: str(v) for k, v in row.items()} for row in rows] == as_csv
    assert [row["input_tokens"] for row in rows] == [row["input_tokens"] for row in as_parquet]
    assert len({row["start"] for row in rows}) >= 10
    assert answers["csv"].headers["x-tallystick-as-of"] == str(asked(month)["as_of"])


def test_pages_of_one_cursor_are_of_one_run(month: Service) -> None:
    params = {"granularity": "day", "by": "model", "limit": 7}
    whole = asked(month, granularity="day", by="model")
    pages = [asked(month, **params)]
    late = traces([chat_span(999, 10**6, T0)], tenant__id="t-acme").SerializeToString()
    headers = {"Content-Type": "application/x-protobuf"}
    calls.post(f"{month.address}/v1/traces", content=late, headers=headers, timeout=60)
    while cursor := pages[-1]["next_cursor"]:
        pages.append(asked(month, **params, cursor=cursor))

    assert [row for page in pages for row in page["rows"]] == whole["rows"]
    assert {page["as_of"] for page in pages} == {whole["as_of"]}
    assert all(page["totals"] == whole["totals"] for page in pages)
    assert asked(month)["totals"]["requests"] == whole["totals"]["requests"] + 1
    assert asked(month, as_of=whole["as_of"])["totals"] == whole["totals"]


def test_hours_that_ended_are_closed(month: Service) -> None:
    found = asked(month)

    assert found["closed_before"] > "2026-09-30"
    assert found["closed_before"].endswith(":00:00+00:00")


@pytest.mark.parametrize(
    ("path", "code", "sentence"),
    [
        ("/v1/usage?colour=red", 422, "colour"),
        ("/v1/usage?zone=Asia/Kolkata", 422, "zone must be whole hours away from UTC"),
        ("/v1/usage?zone=Mars/Base", 422, "a zone must be an IANA name"),
        ("/v1/usage?granularity=week", 422, "granularity"),
        ("/v1/usage?as_of=999999", 422, "as_of must be a close run, 0 to"),
        ("/v1/usage?cursor=x", 422, "a cursor must be the next_cursor"),
        ("/v1/usage?by=model,model", 422, "grouped by a dimension once"),
        ("/v1/requests?colour=red", 422, "colour"),
        ("/v1/requests?account=nobody", 404, "the account must be known"),
        ("/v1/requests?cursor=x", 422, "a cursor must be the next_cursor"),
        ("/v1/requests?limit=1001", 422, "limit"),
    ],
)
def test_a_question_that_makes_no_sense_gets_one_sentence(
    month: Service, path: str, code: int, sentence: str
) -> None:
    answer = calls.get(month.address + path, timeout=60)

    assert answer.status_code == code
    assert sentence in answer.json()["error"]


def test_requests_are_listed_page_by_page(month: Service) -> None:
    params: dict[str, Any] = {"account": "acme", "model": "m1", "limit": 8}
    url = f"{month.address}/v1/requests"
    pages = [calls.get(url, params=params, timeout=60).json()]
    while cursor := pages[-1]["next_cursor"]:
        pages.append(calls.get(url, params=params | {"cursor": cursor}, timeout=60).json())
    rows = [row for page in pages for row in page["rows"]]

    assert [len(page["rows"]) for page in pages] == [8, 8, 4]
    assert [row["response_id"] for row in rows] == [f"r{n + 1}" for n in range(60) if n % 3 == 1]
    assert all(row["bills"] for row in rows)


def test_the_commands_ask_the_same(month: Service, tmp_path: Path) -> None:
    words = ("--account", "acme", "--month", "2026-09", "--granularity", "day", "--by", "model")
    narrowed = ("--where", "model=m1", "--where", "model=m2")
    out = tmp_path / "usage.parquet"
    table = command("usage", *words, *narrowed, service=month)
    as_csv = command("usage", *words, *narrowed, "--format", "csv", service=month)
    written = command(
        "usage", *words, *narrowed, "--format", "parquet", "--out", str(out), service=month
    )
    rows = list(csv.DictReader(as_csv.stdout.splitlines()))

    assert "total" in table.stdout
    assert {row["model"] for row in rows} == {"m1", "m2"}
    assert written.returncode == 0
    assert pq.read_table(out).num_rows == len(rows)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("usage", "--where", "model"), "--where must be dimension=value, found 'model'"),
        (("usage", "--format", "parquet"), "parquet must go to a file, found no --out"),
    ],
)
def test_a_command_that_cannot_be_meant_is_refused(
    month: Service, words: tuple[str, ...], sentence: str
) -> None:
    done = command(*words, service=month)

    assert done.returncode == 1
    assert sentence in done.stderr


def test_requests_are_listed_by_the_command(month: Service) -> None:
    words = ("requests", "--where", "tenant==t-nobody", "--limit", "2")
    table = command(*words, service=month)
    rows = list(
        csv.DictReader(command(*words, "--format", "csv", service=month).stdout.splitlines())
    )

    assert "there is more: --cursor" in table.stderr
    assert [row["tenant"] for row in rows] == ["'=t-nobody", "'=t-nobody"]
