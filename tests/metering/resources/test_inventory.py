"""Inventory files: every row is taken, or its line is named."""

from datetime import timedelta

import pytest
from builders import hour

from metering.interval import Resource, ResourceKind, State
from metering.resources.inventory import (
    Change,
    Entry,
    InventoryFileError,
    Known,
    Problem,
    changes_of,
    entries_of,
    rows_of,
)
from metering.resources.state import StateEvent

NOON = hour("2026-10-01T12")
N1 = Resource("n1", "acme", "cn-hangzhou", "gu20", "first")
KNOWN = Known({"n1": N1}, {"acme", "borealis"}, ["cn-hangzhou"], NOON, "ann")

CSV = """\
id,account,region,spec,kind,name,heartbeat_seconds,state,at
kv1,acme,cn-hangzhou,gu20,kv_cache,cache,60,creating,2026-10-01T10:00:00+08:00
kv1,,,,,,,running,2026-10-01T10:05:00+08:00
n1,,,,,,,,
"""
YAML = """\
# one entry a resource and state
- id: kv1
  account: acme
  region: cn-hangzhou
  spec: gu20
  kind: kv_cache
  name: cache
  heartbeat_seconds: 60
  state: creating
  at: 2026-10-01T10:00:00+08:00

- {id: kv1, name: null, state: running, at: 2026-10-01T10:05:00+08:00}
- id: n1
"""


def problems(text: str, name: str = "a.csv") -> list[Problem]:
    return entries_of(rows_of(name, text), KNOWN)[1]


def entries(text: str, name: str = "a.csv") -> list[Entry]:
    found, wrong = entries_of(rows_of(name, text), KNOWN)
    assert wrong == []
    return found


def test_csv_and_yaml_say_the_same() -> None:
    one, other = entries(CSV), entries(YAML, "a.yaml")

    assert [(e.resource, e.event) for e in one] == [(e.resource, e.event) for e in other]
    assert [e.line for e in one] == [2, 3, 4]
    assert [e.line for e in other] == [2, 12, 13]


def test_a_row_is_a_resource_and_the_state_it_names() -> None:
    first, second, third = entries("\ufeff" + CSV)

    kv1 = Resource("kv1", "acme", "cn-hangzhou", "gu20", "cache", ResourceKind.KV_CACHE, 60)
    assert (first.resource, second.resource, third.resource) == (kv1, kv1, N1)
    assert second.event == StateEvent(
        "kv1", hour("2026-10-01T02") + timedelta(minutes=5), State.RUNNING, "inventory", "ann"
    )
    assert third.event is None


def test_what_changes_is_told_line_by_line() -> None:
    said = entries(CSV + "n1,,,,,renamed,,,\n")

    assert changes_of(said, KNOWN.resources, ()) == [
        Change(2, "kv1", "new kv_cache of acme"),
        Change(2, "kv1", "creating from 2026-10-01T02:00:00+00:00"),
        Change(3, "kv1", "running from 2026-10-01T02:05:00+00:00"),
        Change(5, "n1", "name 'first' becomes 'renamed'"),
    ]


def test_what_is_known_changes_nothing() -> None:
    said = entries(CSV + CSV.partition("\n")[2])
    resources = {e.resource.id: e.resource for e in said}
    keys = [e.event.key for e in said if e.event]

    assert changes_of(said, resources, keys) == []
    assert len(changes_of(said, {}, ())) == 4


BAD_ROWS = """
,acme,cn-hangzhou,gu20,,,,, -> a row must have an id, found none
n2,,cn-hangzhou,gu20,,,,, -> a new resource 'n2' must have a cell account, found none
n2,nobody,cn-hangzhou,gu20,,,,, -> account must be one of acme, borealis, found 'nobody'
n2,acme,mars,gu20,,,,, -> region must be one of cn-hangzhou, found 'mars'
n2,acme,cn-hangzhou,,,,,, -> a new resource 'n2' must have a cell spec, found none
n1,borealis,,,,,,, -> the account of 'n1' must stay acme, found 'borealis'
n1,,,,endpoint,,,, -> the kind of 'n1' must stay node, found 'endpoint'
n1,,,,pod,,,, -> kind must be one of node, kv_cache, endpoint, found 'pod'
n1,,,,,,1.5,, -> heartbeat_seconds must be 0 to 86400, found '1.5'
n1,,,,,,86401,, -> heartbeat_seconds must be 0 to 86400, found '86401'
n1,,,,,,,running, -> a row with the cell state must have at, found none
n1,,,,,,,,2026-10-01T10:00:00Z -> a row with the cell at must have state, found none
n1,,,,,,,asleep,2026-10-01T10:00:00Z -> state must be one of creating, running, stopped, released
n1,,,,,,,running,2026-10-01T10:00:00 -> a time must carry its zone
n1,,,,,,,running,yesterday -> a time must be ISO 8601 with its zone
n1,,,,,,,running,2026-10-03T10:00:00Z -> a state or heartbeat must be at most 86400 s ahead
"""


@pytest.mark.parametrize("case", BAD_ROWS.strip().splitlines())
def test_a_row_that_cannot_be_taken_is_named_with_its_line(case: str) -> None:
    row, _, sentence = case.partition(" -> ")
    (problem,) = problems(CSV + row + "\n")

    assert problem.line == 5
    assert problem.sentence.startswith(sentence)


def test_every_problem_is_named_and_costs_no_other_row() -> None:
    found, wrong = entries_of(rows_of("a.csv", CSV + "n9,,,,,,,,\n,,,,,,,,\nn1,,,,,x,,,\n"), KNOWN)

    assert [p.line for p in wrong] == [5, 6]
    assert [e.line for e in found] == [2, 3, 4, 7]


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("a.txt", "", "line 1: .* found a file called a.txt"),
        ("a.csv", "", "line 1: .* found no id"),
        ("a.csv", "id,colour\nn1,red\n", "line 1: .* found 'colour'"),
        ("a.csv", "id,name\nn1,x\nn1,x,y\n", "line 3: .* found more cells than columns"),
        ("a.csv", 'id,name\nn1,"x\n', "line 2: .* found unexpected end of data"),
        ("a.yaml", "id: n1", "line 1: .* found no list"),
        ("a.yaml", "", "line 1: .* found no list"),
        ("a.yaml", "- id: n1\n- n2\n", "line 2: .* found an entry that is no mapping"),
        ("a.yml", "- id: n1\n  name: [a]\n", "line 1: .* found a value that is no text"),
        ("a.yml", "- id: n1\n- id: n1\n  size: 3\n", "line 2: .* found 'size'"),
        ("a.yml", "- name: n1\n", "line 1: .* found no id"),
        ("a.yml", "- id: 'n1\n", "line 2: .* found found unexpected end of stream"),
        ("a.yml", "- id: \x00\n", "line 1: .* found "),
    ],
)
def test_a_file_whose_rows_cannot_be_told_is_refused(name: str, text: str, found: str) -> None:
    with pytest.raises(InventoryFileError, match=found):
        rows_of(name, text)
