"""A bundle checks out as it was made, and whatever is touched is found and named."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricing.proof.bundle import manifest, seal
from pricing.proof.verification import checked
from tests.pricing.month_notation import small_book
from tests.proof.proven import document, files_of, with_bill, with_events

MONTH = """
sub   s1 n1 g4.xlarge.gu10 2026-10-07
hour  h1 n2 g4.xlarge.gu10 2026-10-01
ran   n2 2026-10-06T10:59:30 2026-10-06T12:50:30
token t1 shared small 2026-10-01
"""
EVENTS = """
e1 2026-10-06T02:00Z tenant=acme pool=shared fresh=1234567 output=20
e2 2026-10-06T02:30Z tenant=acme pool=shared fresh=500 cached=7 call=r2
e3 2026-10-09T02:30Z tenant=acme pool=shared model=m2 fresh=90000
e4 2026-10-09T02:31Z tenant=acme pool=shared model=m2 fresh=10 outcome=throttled
"""
FILES = files_of(MONTH, EVENTS)
NAMED = sorted(name for name in FILES if name != "manifest.json")
OCTOBER = "events-202610.ndjson"
LINES = FILES[OCTOBER].decode().splitlines()


def named(files: dict[str, bytes], expected_seal: str = "") -> set[str]:
    """Return what checking a bundle finds touched."""
    return {fault.what for fault in checked(files, expected_seal).faults}


def test_a_bundle_checks_out() -> None:
    found = checked(FILES, seal(FILES))

    assert found.faults == ()
    assert (found.bill, found.events, found.lines) == ("acme-202610", 4, len(_lines()))


def test_a_bundle_of_graduated_prices_and_bands_checks_out() -> None:
    book = small_book(
        tokens="size_class,cny_per_10k_tokens,where\nsmall,0.1,mainland\nmedium,0.15,mainland\n"
    )

    assert checked(files_of(MONTH, EVENTS, book)).faults == ()


@pytest.mark.parametrize("name", NAMED)
def test_a_changed_file_breaks_the_manifest(name: str) -> None:
    changed = {**FILES, name: FILES[name].replace(b"2", b"3", 1)}

    assert "manifest.json" in named(changed)


def test_a_bundle_made_anew_has_another_seal() -> None:
    other = files_of(MONTH, EVENTS.replace("1234567", "1234568"))

    assert named(other) == set()
    assert named(other, seal(FILES)) == {"seal"}


def test_a_bundle_without_its_manifest_or_a_file_says_so() -> None:
    without = {name: text for name, text in FILES.items() if name != "manifest.json"}

    assert named(without) == {"manifest.json"}
    for name in NAMED:
        rest = {k: v for k, v in FILES.items() if k != name}
        assert named({**rest, "manifest.json": manifest(rest)}) == {name}


@given(st.sampled_from(range(len(LINES))), st.sampled_from(["fresh", "output", "time", "model"]))
@settings(max_examples=30, deadline=None)
def test_a_changed_event_is_named(place: int, what: str) -> None:
    said = json.loads(LINES[place])
    match what:
        case "time":
            said["ended_at"] += 10**9
        case "model":
            said["call.model"] = "m9"
        case _:
            said[f"tokens.{what}"] = said.get(f"tokens.{what}", 0) + 1
    changed = [*LINES[:place], json.dumps(said), *LINES[place + 1 :]]

    assert f"event {said['event_id']}" in named(with_events(FILES, changed))


@given(st.sampled_from(range(len(LINES))))
@settings(max_examples=10, deadline=None)
def test_an_event_that_is_gone_or_told_twice_is_named(place: int) -> None:
    event = f"event {json.loads(LINES[place])['event_id']}"

    assert event in named(with_events(FILES, [*LINES[:place], *LINES[place + 1 :]]))
    assert event in named(with_events(FILES, [*LINES, LINES[place]]))


def test_an_added_event_is_named_with_the_usage_and_the_line_that_it_moves() -> None:
    said = json.loads(LINES[0])
    said["event_id"] = "ab" * 16

    found = checked(with_events(FILES, [*LINES, json.dumps(said)]))

    whats = {fault.what.split()[0] for fault in found.faults}
    assert f"event {'ab' * 16}" in {fault.what for fault in found.faults}
    assert {"event", "events", "usage", "line"} <= whats
    by = [f.sentence for f in found.faults if "when rated again" in f.sentence]
    assert any("more)" in sentence for sentence in by)


def test_evidence_that_was_made_to_fit_does_not_fit_the_bill() -> None:
    evidence = "evidence-202610.txt"
    changed = {**FILES, evidence: FILES[evidence].replace(b"a", b"b", 1)}

    assert "evidence of 202610" in named({**changed, "manifest.json": manifest(changed)})


def test_a_month_under_another_name_is_named() -> None:
    said = document(FILES)
    said["months"][0]["month"] = "202609"
    moved = {name.replace("202610", "202609"): text for name, text in FILES.items()}

    assert "month 202609" in named(with_bill(moved, said))


@pytest.mark.parametrize("name", [name for name in NAMED if name != "evidence-202610.txt"])
def test_a_file_that_is_something_else_is_named(name: str) -> None:
    changed = {**FILES, name: b"[1]\n"}

    assert named({**changed, "manifest.json": manifest(changed)}) == {name}


def test_an_event_of_another_month_moves_no_line() -> None:
    later = EVENTS + "e9 2026-11-02T02:30Z tenant=acme pool=shared fresh=1\n"

    assert checked(files_of(MONTH, later)).payable == checked(FILES).payable


def test_somebody_elses_event_does_not_belong() -> None:
    said = json.loads(LINES[0])
    said["source.tenant"] = "other"

    assert f"event {said['event_id']}" in named(with_events(FILES, [json.dumps(said), *LINES[1:]]))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda d: _rate(d, "price", "0.08"), "price"),
        (lambda d: d["months"][0]["book"]["rates"].pop(), "number of prices"),
        (lambda d: _contract(d, "t1")["of"].update(pool="dedicated"), "contract t1"),
        (lambda d: _kept(d, "contracts").pop(), "number of contracts"),
        (lambda d: _kept(d, "intervals").pop(), "number of intervals"),
        (lambda d: d["months"][0]["cutoffs"].update(stored_before=5), "cutoffs"),
        (lambda d: d["months"][0].update(month="202609"), "usage-202609.ndjson"),
        (lambda d: d["months"][0]["before"].update(runs=3), "before"),
        (lambda d: d["identities"].pop(), "identities"),
        (lambda d: d.update(number="INV-1"), "number"),
        (lambda d: d.update(payable="1"), "payable"),
        (lambda d: d.update(result_hash="ab"), "result_hash"),
        (lambda d: d.update(format="other"), "bill.json"),
        (lambda d: d["months"][0]["evidence"].update(root="ab"), "evidence of 202610"),
        (lambda d: _contract(d, "t1")["of"].update(region="nowhere"), "bill.json"),
        (lambda d: d.pop("currency"), "bill.json"),
    ],
    ids=[
        "price", "price gone", "contract", "contract gone", "interval gone", "cutoffs",
        "another month", "before", "identity", "number", "payable", "hash", "format", "root",
        "no price", "no currency",
    ],
)  # fmt: skip
def test_what_was_touched_in_the_bill_is_named(change: Callable[[Any], None], what: str) -> None:
    said = document(FILES)
    change(said)

    assert any(found.startswith(what) for found in named(with_bill(FILES, said)))


@pytest.mark.parametrize("how", ["cost", "word", "amounts", "evidence", "gone", "twice"])
@pytest.mark.parametrize("place", [0, -1])
def test_a_touched_line_is_named(how: str, place: int) -> None:
    said = document(FILES)
    lines = said["months"][0]["lines"]
    line = lines[place]
    name = f"line {line['row']['x_LineId']}"
    match how:
        case "cost":
            line["row"]["BilledCost"] = "12345.67"
        case "word":
            line["row"]["ChargeDescription"] = "something else"
        case "amounts":
            line["amounts"] = "9 9 9 9 9"
        case "evidence":
            line["evidence"] = {"root": "ab", "events": 1}
        case "gone":
            lines.remove(line)
        case _:
            lines.append(line)

    assert name in named(with_bill(FILES, said))


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_whatever_is_touched_in_the_bill_is_found(data: st.DataObject) -> None:
    said = document(FILES)
    place: Any = said
    inner: Any = said
    while isinstance(inner, dict | list) and inner:
        place = inner
        keys = list(place) if isinstance(place, dict) else range(len(place))
        key: Any = data.draw(st.sampled_from(keys))
        inner = place[key]
    place[key] = {str: f"{inner}1", int: 7 if inner != 7 else 8}.get(type(inner), "1")  # type: ignore[call-overload]

    assert named(with_bill(FILES, said))


def test_an_invented_line_is_named() -> None:
    said = document(FILES)
    line = json.loads(json.dumps(said["months"][0]["lines"][0]))
    line["row"]["x_LineId"] = "invented"
    said["months"][0]["lines"].append(line)

    assert "line invented" in named(with_bill(FILES, said))


def _lines() -> list[Any]:
    found: list[Any] = document(FILES)["months"][0]["lines"]
    return found


def _rate(said: Any, name: str, value: str) -> None:
    rate = said["months"][0]["book"]["rates"][0]
    at = next(i for i, one in enumerate(rate) if isinstance(one, str) and one[:1].isdigit())
    assert name == "price"
    rate[at] = value


def _kept(said: Any, what: str) -> Any:
    return dict(said["months"][0]["told"][2]["of"])[what]


def _contract(said: Any, contract: str) -> Any:
    return next(c for c in _kept(said, "contracts") if c["of"]["id"] == contract)
