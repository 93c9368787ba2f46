"""Accounts, identities, orders, contracts and their changes, by routes and by commands."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import calls
import pytest
from conftest import Service, start_service, stop_service
from forking import run_command

GU20, GU49 = "polar.pg.g8.xlarge.gu20", "polar.pg.g8.2xlarge.gu49"
NODE = {"account": "acme", "region": "cn-hangzhou", "spec": GU20}
AGREED = {"account": "acme", "region": "cn-hangzhou", "pool": "dedicated", "spec": GU20}
START = "2026-10-01T00:00:00+08:00"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = start_service(tmp_path_factory.mktemp("api"))
    nodes = [NODE | {"id": name} for name in ("n1", "n2", "n3", "n4")]
    told = {"accounts": [{"id": "acme", "name": "Acme"}], "resources": nodes}
    assert calls.post(f"{service.address}/v1/setup", json=told, timeout=60).status_code == 200
    yield service
    stop_service(service)


def post(running: Service, path: str, said: Any, status: int = 200) -> Any:
    answer = calls.post(f"{running.address}/v1/{path}", json=said, timeout=30)
    assert answer.status_code == status, answer.text
    return answer.json()


def get(running: Service, path: str, **params: Any) -> Any:
    answer = calls.get(f"{running.address}/v1/{path}", params=params, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


def command(running: Service, *words: str) -> str:
    done = run_command(*words, "--url", running.address)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_accounts_are_added_renamed_and_come_in_pages(running: Service) -> None:
    for name in ("page-1", "page-2", "page-3"):
        post(running, "accounts", {"id": name, "name": "old"})
    assert post(running, "accounts", {"id": "page-2", "name": "new"})["name"] == "new"
    assert get(running, "accounts/page-2")["zone"] == "Asia/Shanghai"

    first = get(running, "accounts", after="page", limit=2)
    rest = get(running, "accounts", after=first["next"], limit=2)

    assert [a["id"] for a in first["rows"] + rest["rows"]] == ["page-1", "page-2", "page-3"]
    assert rest["next"] is None


def test_identities_are_bound_ended_and_come_in_pages(running: Service) -> None:
    bound = {"kind": "tenant", "account": "acme"}
    for value in ("t-1", "t-2", "t-3"):
        post(running, "identities", bound | {"value": value})
    until = "2026-11-01T00:00:00+00:00"
    post(running, "identities", bound | {"value": "t-2", "valid_to": until})

    rows, after = [], ""
    while after is not None:
        page = get(running, "identities", account="acme", limit=1, after=after)
        rows, after = rows + page["rows"], page["next"]

    assert [(r["value"], r["valid_to"]) for r in rows] == [
        ("t-1", None), ("t-2", until), ("t-3", None),
    ]  # fmt: skip
    later = get(running, "identities", kind="tenant", at="2026-11-01T00:00:00Z")["rows"]
    assert [r["value"] for r in later] == ["t-1", "t-3"]


def test_a_contract_is_tried_made_and_changed(running: Service) -> None:
    said = AGREED | {"id": "c1", "mode": "subscription", "start": START, "resource": "n1"}
    tried = post(running, "contracts", said | {"months": 3, "dry_run": True})
    assert (tried["due_now"], tried["is_made"]) == ("29060.85", False)
    assert get(running, "contracts", mode="subscription")["rows"] == []

    made = post(running, "contracts", said | {"months": 3})
    asked = {"kind": "to-hourly", "at": "2026-11-05T12:00:00+08:00", "reason": "less load"}
    would = post(running, "contracts/c1/changes", asked | {"dry_run": True})
    change = post(running, "contracts/c1/changes", asked)

    assert made["contracts"][0]["end"] == "2027-01-01T16:00:00+00:00"
    assert would | {"is_made": True} == change
    assert change["working"] == "56 of 92 days left x 29060.85 paid in cash = -17689.21"
    old, new = get(running, "contracts/c1"), get(running, "contracts/c1.2")
    assert (old["end"], new["start"], new["mode"]) == (change["at"], change["at"], "hourly")
    assert [s["amount"] for s in old["settlements"]] == ["-17689.21"]
    at = {"account": "acme", "at": "2026-11-06T00:00:00Z"}
    assert [c["id"] for c in get(running, "contracts", **at)["rows"]] == ["c1.2"]


@pytest.mark.parametrize(
    ("kind", "more", "field", "said"),
    [
        ("upgrade", {}, "spec", "must have spec, found none"),
        ("end", {"months": 2}, "months", "must not have months"),
        ("renew", {"months": 3}, "kind", "must be a subscription to be renewed"),
        ("upgrade", {"spec": "no.such"}, "spec", "no.such"),
        ("resize", {"kv_cache_gb": 20}, "kind", "must be for a KV-cache to be resized"),
        ("end", {"at": "2020-01-01T00:00:00Z"}, "at", "must be in force"),
        ("to-subscription", {"months": 10}, "months", "a term must be one of"),
    ],
)
def test_a_change_that_cannot_be_is_refused_in_one_sentence_that_names_the_field(
    running: Service, kind: str, more: dict[str, Any], field: str, said: str
) -> None:
    hourly = AGREED | {"id": "c2", "mode": "hourly", "start": START, "resource": "n2"}
    post(running, "contracts", hourly)
    answer = post(running, "contracts/c2/changes", {"kind": kind, "reason": "r"} | more, 422)

    assert said in answer["detail"]
    assert [one["field"] for one in answer["errors"]] == [field]
    assert get(running, "contracts/c2")["end"] is None


@pytest.mark.parametrize(
    ("kind", "more", "rule"),
    [
        ("upgrade", {"spec": GU49}, "R4 change of an hourly resource"),
        ("to-subscription", {"months": 1}, "R6 hourly to subscription"),
        ("to-tokens", {"size_class": "small"}, "R4 hourly to tokens"),
        ("to-tokens", {}, "R4 hourly to tokens"),
        ("end", {}, "R4 release"),
    ],
)
def test_every_change_of_an_hourly_node_names_its_rule(
    running: Service, kind: str, more: dict[str, Any], rule: str
) -> None:
    hourly = AGREED | {"id": "c3", "mode": "hourly", "start": START, "resource": "n3"}
    post(running, "contracts", hourly)
    asked = {"kind": kind, "at": "2026-10-05T12:00:00+08:00", "reason": "r", "dry_run": True}

    assert post(running, "contracts/c3/changes", asked | more)["rule"] == rule


@pytest.mark.parametrize(
    ("asked", "made"),
    [
        ({"at": "2026-10-05T12:00:01+08:00"}, "2026-10-05T05:00:00+00:00"),
        ({"at": "2026-10-05T12:00:00+08:00"}, "2026-10-05T04:00:00+00:00"),
        ({}, None),
    ],
)
def test_a_change_may_wait_for_the_next_whole_hour(
    running: Service, asked: dict[str, Any], made: str | None
) -> None:
    hourly = AGREED | {"id": "c3", "mode": "hourly", "start": START, "resource": "n3"}
    post(running, "contracts", hourly)
    said = {"kind": "to-tokens", "reason": "r", "dry_run": True, "next_hour": True}
    found = post(running, "contracts/c3/changes", said | asked)

    assert made is None or found["at"] == made
    assert found["at"] == found["contracts"][1]["start"]
    assert found["at"].endswith(":00:00+00:00")


def test_the_command_changes_on_the_next_whole_hour(running: Service) -> None:
    hourly = AGREED | {"id": "c3", "mode": "hourly", "start": START, "resource": "n3"}
    post(running, "contracts", hourly)
    words = ("contracts", "change", "c3", "to-tokens", "--reason", "r", "--dry-run", "--next-hour")

    assert "R4 hourly to tokens: 0 CNY would be due" in command(running, *words)


@pytest.mark.parametrize(
    ("kind", "more", "rule"),
    [
        ("to-hourly", {}, "R4 tokens to hourly"),
        ("to-subscription", {"months": 3}, "R6 tokens to subscription"),
    ],
)
def test_a_node_that_is_paid_per_token_becomes_charged_by_time(
    running: Service, kind: str, more: dict[str, Any], rule: str
) -> None:
    said = {key: value for key, value in AGREED.items() if key != "spec"}
    said |= {"id": "c5", "mode": "token", "size_class": "small", "start": START, "resource": "n10"}
    post(running, "setup", {"resources": [NODE | {"id": "n10"}]})
    post(running, "contracts", said | {"pool": "tokens"})
    asked = {"kind": kind, "at": "2026-10-05T12:00:00+08:00", "reason": "r", "dry_run": True} | more
    refused = post(running, "contracts/c5/changes", asked, 422)

    assert [one["field"] for one in refused["errors"]] == ["spec"]
    assert post(running, "contracts/c5/changes", asked | {"spec": GU20})["rule"] == rule


@pytest.mark.parametrize(
    ("kind", "more", "rule"),
    [
        ("upgrade", {"spec": GU49}, "R7 upgrade"),
        ("renew", {"months": 2}, "R6 renewal"),
        ("renew-to-day", {"day": 28}, "R7 renewal to a unified day"),
        ("end", {}, "R8 early end"),
    ],
)
def test_every_change_of_a_subscription_names_its_rule(
    running: Service, kind: str, more: dict[str, Any], rule: str
) -> None:
    bought = AGREED | {"id": "c4", "mode": "subscription", "start": START, "resource": "n4"}
    post(running, "contracts", bought)
    asked = {"kind": kind, "at": "2026-10-05T12:00:00+08:00", "reason": "r", "dry_run": True}

    assert post(running, "contracts/c4/changes", asked | more)["rule"] == rule


def test_every_problem_of_an_order_names_its_field(running: Service) -> None:
    order = {
        "id": "o1", "account": "acme", "resource": "n1", "start": START, "cluster": "pc-1",
        "cluster_region": "cn-shanghai", "region": "cn-hangzhou", "mode": "hourly",
        "spec": GU20, "model": "no-such-model", "kv_cache_gb": 5,
    }  # fmt: skip
    answer = post(running, "orders", order, 422)

    assert {"region", "model", "kv_cache_gb"} <= {e["field"] for e in answer["errors"]}
    assert all(e["message"] for e in answer["errors"])


def test_an_order_says_what_it_comes_to_before_it_is_taken(running: Service) -> None:
    post(running, "setup", {"resources": [NODE | {"id": "n5"}]})
    order = {
        "id": "o2", "account": "acme", "resource": "n5", "start": START, "cluster": "pc-2",
        "cluster_region": "cn-hangzhou", "region": "cn-hangzhou", "mode": "subscription",
        "spec": GU20, "months": 1,
    }  # fmt: skip
    tried = post(running, "orders", order | {"dry_run": True})
    taken = post(running, "orders", order)

    assert [c["id"] for c in taken["contracts"]] == ["o2"]
    assert taken["due_now"] != "0.00"
    assert tried == taken | {"is_made": False}
    assert get(running, "contracts/o2")["resource"] == "n5"


@pytest.mark.parametrize(
    ("path", "said", "fields"),
    [
        ("accounts", {"nme": "x", "zone": 3}, ["id", "name", "zone", "nme"]),
        ("contracts", [], [""]),
        ("contracts/c9/changes", {"kind": "sell", "reason": "r"}, ["kind"]),
        ("accounts", {"id": "a\0b", "name": "x"}, []),
        ("accounts", {"id": "half", "name": "\ud800"}, []),
    ],
)
def test_what_is_wrong_is_said_field_by_field(
    running: Service, path: str, said: Any, fields: list[str]
) -> None:
    headers = {"Content-Type": "application/json"}
    body = json.dumps(said)
    answer = calls.post(f"{running.address}/v1/{path}", content=body, headers=headers, timeout=60)

    problem = answer.json()
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [e["field"] for e in problem.get("errors", [])] == fields
    assert problem["type"].startswith("urn:tallystick:")
    assert (problem["title"], problem["status"]) == ("Unprocessable Entity", 422)
    assert problem["detail"] == problem["error"]


@pytest.mark.parametrize("path", ["accounts?limt=3", "contracts?colour=red", "identities?x=1"])
def test_an_unknown_parameter_is_refused_by_its_name(running: Service, path: str) -> None:
    answer = calls.get(f"{running.address}/v1/{path}", timeout=60)

    name = path.partition("?")[2].partition("=")[0]
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == name


def test_a_place_that_no_page_gave_is_refused(running: Service) -> None:
    answer = calls.get(f"{running.address}/v1/identities?after=nowhere", timeout=60)

    assert (answer.status_code, "next of the page" in answer.json()["detail"]) == (422, True)


def test_a_key_makes_a_post_once(running: Service) -> None:
    said = {"id": "g-1", "amount": "10.00", "reason": "paid"}
    headers = {"Idempotency-Key": "grant-1"}
    url = f"{running.address}/v1/wallets/acme/grants"
    answers = [calls.post(url, json=said, headers=headers, timeout=30) for _ in range(2)]

    assert [a.status_code for a in answers] == [200, 200]
    assert [a.headers.get("Idempotency-Replayed") for a in answers] == [None, "true"]
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize(
    ("more", "fields"),
    [
        ({"region": "mars"}, ["region"]),
        ({"account": "nobody"}, ["account"]),
        ({"spec": "no.such"}, ["spec"]),
        ({"resource": "n99"}, ["resource"]),
        ({"resource": ""}, ["resource"]),
        ({"months": 3, "auto_renew": True}, ["auto_renew", "months"]),
        ({"mode": "subscription", "months": 13}, ["months"]),
        ({"mode": "subscription", "discount": "1.5"}, ["discount"]),
        ({"mode": "subscription", "own_model": "b/p/m"}, ["mode"]),
        ({"window": "no-such"}, ["window"]),
        ({"spec": "", "kv_cache_gb": 100}, ["kv_cache_gb"]),
        ({"spec": "", "kv_cache_gb": None}, ["spec", "kv_cache_gb"]),
    ],
)
def test_a_contract_that_cannot_be_names_the_fields_at_fault(
    running: Service, more: dict[str, Any], fields: list[str]
) -> None:
    said = AGREED | {"id": "c9", "mode": "hourly", "start": START, "resource": "n4"}
    answer = post(running, "contracts", said | {"dry_run": True} | more, 422)

    assert [one["field"] for one in answer["errors"]] == fields


def test_orders_are_listed_with_what_holds_where_nothing_was_said(running: Service) -> None:
    post(running, "setup", {"resources": [NODE | {"id": "n8"}, NODE | {"id": "n9"}]})
    form = NODE | {"start": START, "cluster_region": "cn-hangzhou"}
    own = {"bucket": "b", "path": "p", "name": "m", "region": "cn-hangzhou"}
    own_model = {"own_model": own, "engine": "vLLM", "mode": "hourly"}
    post(running, "orders", form | own_model | {"id": "list-1", "resource": "n8", "cluster": "k1"})
    prepaid = {"id": "list-2", "resource": "n9", "cluster": "k2", "mode": "subscription"}
    post(running, "orders", form | prepaid)

    first = get(running, "orders", account="acme", after="list", limit=1)
    second = get(running, "orders", account="acme", after=first["next"], limit=1)
    listed = command(running, "contracts", "orders", "--after", "list-1", "--format", "csv")

    [hourly], [term] = first["rows"], second["rows"]
    assert (hourly["id"], hourly["max_access"], hourly["months"]) == ("list-1", 100, None)
    assert (term["id"], term["max_access"], term["months"]) == ("list-2", None, 1)
    assert (term["resource"], term["start"]) == ("n9", "2026-09-30T16:00:00+00:00")
    assert listed.splitlines()[1].startswith("list-2,acme,k2,model-operator,")


def test_a_term_that_ran_out_is_listed_with_its_lock_and_release(running: Service) -> None:
    post(running, "accounts", {"id": "late", "name": "Late"})
    post(running, "setup", {"resources": [NODE | {"id": "n7", "account": "late"}]})
    term = {"id": "c7", "mode": "subscription", "start": START, "resource": "n7"}
    post(running, "contracts", AGREED | term | {"account": "late"})
    asked = {"account": "late", "at": "2026-11-05T00:00:00+08:00"}

    [found] = get(running, "standings", **asked)["rows"]
    before = get(running, "standings", account="late", at=START)
    listed = command(
        running, "contracts", "standings", "--account", "late", "--at", asked["at"],
        "--format", "csv",
    )  # fmt: skip

    assert (found["contract"], found["why"], found["standing"]) == ("c7", "expired", "locked")
    assert found["locked_at"] == found["since"] == "2026-11-01T16:00:00+00:00"
    assert found["released_at"] == "2026-11-08T16:00:00+00:00"
    assert (before["rows"], before["next"]) == ([], None)
    assert listed.splitlines()[1].startswith("c7,late,n7,expired,locked,")


def test_commands_list_bind_show_and_change(running: Service) -> None:
    command(running, "accounts", "put", "shell", "--name", "Shell Ltd")
    bound = command(running, "identities", "bind", "tenant", "t-shell", "--account", "shell")
    accounts = json.loads(command(running, "accounts", "list", "--format", "json"))
    identities = command(running, "identities", "list", "--account", "shell", "--format", "csv")
    post(running, "setup", {"resources": [NODE | {"id": "n6", "account": "shell"}]})
    hourly = AGREED | {"id": "c6", "mode": "hourly", "start": START, "resource": "n6"}
    post(running, "contracts", hourly | {"account": "shell"})
    listed = command(running, "contracts", "list", "--account", "shell", "--format", "csv")
    changed = command(
        running, "contracts", "change", "c6", "upgrade", "--spec", GU49, "--reason", "load",
        "--at", "2026-10-05T12:00:00+08:00",
    )  # fmt: skip
    shown = command(running, "contracts", "show", "c6.2")

    assert "t-shell" in bound
    assert {"id": "shell", "name": "Shell Ltd", "zone": "Asia/Shanghai"} in accounts["rows"]
    assert identities.splitlines()[1].startswith("tenant,t-shell,shell")
    assert listed.splitlines()[1].startswith("c6,shell,hourly")
    assert "R4 change of an hourly resource: 0 CNY due" in changed
    assert GU49 in shown


def test_commands_show_documents_as_json(running: Service, tmp_path: Path) -> None:
    del tmp_path
    put = command(running, "accounts", "put", "acme", "--name", "Acme", "--format", "json")
    listed = command(running, "contracts", "list", "--limit", "1", "--format", "json")

    assert json.loads(put)["id"] == "acme"
    assert set(json.loads(listed)) == {"rows", "next"}
