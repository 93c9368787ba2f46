"""What to scrape: an operator's list or a file of targets, and when each has its turn."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.workers.targets import Target, TargetsError, parse_targets, static_targets, wait_ns
from metering.signal import Origin

FILE = """
- targets: ["10.0.0.1:8000", "10.0.0.2:8000"]
  labels: {pool: dedicated, node: gpu-1, team: search, slots: "256", capacity: "2.5"}
- targets: ["https://gpu-2/metrics/all"]
- targets: ["10.0.0.3:9400"]
  labels: {__scheme__: https, __metrics_path__: /m, __scrape_interval__: 1m, __scrape_timeout__: 2s}
"""


def test_a_file_of_targets_says_where_and_how() -> None:
    first, second, third, fourth = parse_targets(FILE, 15.0)

    assert (first.url, second.url) == (
        "http://10.0.0.1:8000/metrics",
        "http://10.0.0.2:8000/metrics",
    )
    assert (first.interval, first.deadline) == (15.0, 10.0)
    assert first.origin == Origin(target="10.0.0.1:8000", pool="dedicated", node="gpu-1")
    assert first.declared == {"slots": 256.0, "capacity": 2.5}
    assert first.labels["team"] == "search"
    assert (third.url, third.declared) == ("https://gpu-2/metrics/all", {})
    assert (fourth.url, fourth.interval, fourth.deadline) == ("https://10.0.0.3:9400/m", 60.0, 2.0)
    assert fourth.labels == {}


def test_json_is_read_as_yaml_is() -> None:
    text = json.dumps([{"targets": ["a:1"], "labels": {"pool": "p"}}])

    assert parse_targets(text, 15.0)[0].origin.pool == "p"


def test_a_target_named_twice_is_scraped_once_as_named_first() -> None:
    found = parse_targets("[{targets: [a], labels: {pool: x}}, {targets: [a]}]", 15.0)

    assert [t.origin.pool for t in found] == ["x"]


def test_a_label_cannot_rename_the_target() -> None:
    assert parse_targets("[{targets: [a], labels: {target: b}}]", 15.0)[0].origin.target == "a"


def test_a_list_may_stand_in_the_setting_itself() -> None:
    found = static_targets("10.0.0.1:8000, nvml,,https://b/m ", 5.0)

    assert [(t.address, t.url) for t in found] == [
        ("10.0.0.1:8000", "http://10.0.0.1:8000/metrics"),
        ("nvml", ""),
        ("https://b/m", "https://b/m"),
    ]
    assert static_targets("", 5.0) == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "while parsing"),
        ("[" * 600, "recursion"),
        ("a: b", "a dict"),
        ("", "a NoneType"),
        ("[a]", "a group without a list"),
        ("[{targets: a}]", "a group without a list"),
        ("[{targets: [a], labels: [b]}]", "labels that are no mapping"),
        ("[{targets: ['user:key@a:1']}]", "the address"),
        ("[{targets: ['ftp://a']}]", "the address"),
        ("[{targets: ['a:99999']}]", "the address"),
        ("[{targets: ['a b']}]", "the address"),
        ("[{targets: ['']}]", "the address"),
        ("[{targets: [a], labels: {__scrape_interval__: soon}}]", "the duration 'soon'"),
        ("[{targets: [a], labels: {__scrape_interval__: 0s}}]", "the duration '0s'"),
        ("[{targets: [a], labels: {slots: many}}]", "slots 'many'"),
        ("[{targets: [a], labels: {capacity: '0.0'}}]", "capacity '0.0'"),
    ],
)
def test_targets_that_cannot_be_used_say_why(text: str, why: str) -> None:
    with pytest.raises(TargetsError, match=why):
        parse_targets(text, 15.0)


@given(st.text(min_size=1), st.floats(0.001, 3600), st.integers(0, 2**62))
def test_a_turn_comes_within_an_interval_and_they_are_an_interval_apart(
    address: str, interval: float, now_ns: int
) -> None:
    target = Target(address, interval=interval)
    turn = now_ns + wait_ns(target, now_ns)

    assert 0 <= turn - now_ns < round(interval * 1e9)
    assert wait_ns(target, turn) == 0
    assert wait_ns(target, turn + 1) == round(interval * 1e9) - 1


def test_turns_of_many_targets_are_spread() -> None:
    waits = sorted(wait_ns(Target(f"10.0.0.{i}:8000"), 0) / 15e9 for i in range(256))

    assert all(abs(wait - i / 256) < 0.1 for i, wait in enumerate(waits))
