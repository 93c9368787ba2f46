"""Who called whom inside one body, and which spans tell another's call once more."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from builders import T0
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.dialect.normalise import usage_events
from collector.otlp import Record
from metering.event import Role, UsageEvent
from metering.tree import Node, call_parents, repeated

UNHURRIED = settings(deadline=None)
TRACE = b"t" * 16


def key(name: str) -> bytes:
    return name.encode().ljust(8, b".") if name else b""


def node(name: str, parent: str = "", **said: object) -> Node:
    """A call with counts; ``call=b""`` makes it a span about no call."""
    fields = {"call": name.encode(), "may_bill": True, "has_counts": True, **said}
    return Node(TRACE, key(name), key(parent), **fields)  # type: ignore[arg-type]


def http(name: str, parent: str = "") -> Node:
    return Node(TRACE, key(name), key(parent))


def names(nodes: list[Node]) -> set[str]:
    return {nodes[i].span_id.decode().rstrip(".") for i in repeated(nodes)}


@pytest.mark.parametrize(
    ("nodes", "parents"),
    [
        ([node("a")], [""]),
        ([node("a"), node("b", "a")], ["", "a"]),
        ([node("b", "a"), node("a")], ["a", ""]),
        ([node("a"), http("h", "a"), http("i", "h"), node("b", "i")], ["", "a", "a", "a"]),
        ([http("h", "far"), node("b", "h")], ["far", "far"]),
        ([http("h"), node("b", "h")], ["", ""]),
        ([node("b", "far")], ["far"]),
        ([node("b", "b")], [""]),
        ([http("h", "i"), http("i", "h"), node("b", "h")], ["", "", ""]),
        ([node("a", "b"), node("b", "a")], ["", ""]),
        ([node("a", "b"), node("b", "a"), node("c", "b")], ["", "", "b"]),
    ],
)
def test_the_parent_of_a_span_is_the_nearest_call_above_it(
    nodes: list[Node], parents: list[str]
) -> None:
    assert [p.decode().rstrip(".") for p in call_parents(nodes)] == parents


@pytest.mark.parametrize(
    ("nodes", "repeating"),
    [
        ([node("a")], set()),
        ([node("agent"), node("a", "agent"), node("b", "agent")], {"agent"}),
        ([node("agent"), http("h", "agent"), node("a", "h")], {"agent"}),
        ([node("run"), node("agent", "run"), node("a", "agent")], {"run", "agent"}),
        ([node("outer", call=b"r1"), node("inner", "outer", call=b"r1")], set()),
        (
            [node("o", call=b"r1"), node("i", "o", call=b"r1"), node("j", "o", call=b"r2")],
            {"o"},
        ),
        ([node("sdk"), node("engine", "sdk", is_engine=True)], {"engine"}),
        ([node("engine", is_engine=True), node("sdk", "engine")], set()),
        ([node("gateway", is_gateway=True), node("sdk", "gateway")], {"sdk"}),
        ([node("sdk"), node("gateway", "sdk", is_gateway=True)], {"sdk"}),
        ([node("g", is_gateway=True), node("h", "g", is_gateway=True)], {"h"}),
        ([node("chat"), node("embed", "chat", kind="embeddings")], set()),
        ([node("agent", may_bill=False), node("a", "agent")], set()),
        ([node("a"), node("b", "a", may_bill=False)], set()),
        ([node("chain", has_counts=False), node("a", "chain")], {"chain"}),
        ([node("chain", has_counts=False, model="x"), node("a", "chain", model="y")], set()),
        ([node("chain", has_counts=False), node("a", "chain"), node("b", "chain")], set()),
        ([node("outer", has_counts=False), node("inner", "outer", has_counts=False)], {"inner"}),
        ([node("a"), node("broken", "a", has_counts=False)], set()),
        ([node("a", "b"), node("b", "a")], set()),
        ([node("a", "b"), node("b", "a"), node("c", "b")], {"b"}),
    ],
)
def test_what_repeats_another_call_is_known_by_its_place(
    nodes: list[Node], repeating: set[str]
) -> None:
    assert names(nodes) == repeating
    assert names(nodes[::-1]) == repeating


def test_spans_of_other_traces_are_never_related() -> None:
    other = replace(node("agent"), trace_id=b"o" * 16)

    assert repeated([other, node("a", "agent")]) == set()
    assert call_parents([other, node("a", "agent")]) == [b"", key("agent")]


@UNHURRIED
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.booleans()), max_size=12))
def test_any_shape_of_tree_has_an_answer_and_calls_never_vanish_whole(
    links: list[tuple[int, int, bool]],
) -> None:
    """Circles included: something near every repeated span still bills."""
    nodes = [node(f"s{a}", f"s{b}", has_counts=c) for a, b, c in links]
    telling = {i for i, n in enumerate(nodes) if n.has_counts}

    assert len(call_parents(nodes)) == len(nodes)
    assert not telling or telling - repeated(nodes)
    assert not nodes or set(range(len(nodes))) - repeated(nodes)


@pytest.mark.parametrize(
    ("parent_of", "repeating"),
    [
        (lambda i: i - 1, lambda size: size - 2),
        (lambda i: i + 1, lambda size: size - 2),
        (lambda _: 1, lambda _: 1),
    ],
)
def test_a_tree_as_deep_as_its_body_is_walked_in_linear_time(
    parent_of: Callable[[int], int], repeating: Callable[[int], int]
) -> None:
    """Anything but linear would not come to an end here, and recursion would fail."""
    size = 30_000
    nodes = [
        Node(TRACE, i.to_bytes(8), parent_of(i).to_bytes(8), str(i).encode(), may_bill=True,
             has_counts=True)
        for i in range(1, size)
    ]  # fmt: skip

    assert len(repeated(nodes)) == repeating(size)
    assert len(call_parents(nodes)) == size - 1


USAGE = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 2}


def record(name: str, parent: str = "", **said: object) -> Record:
    attributes = {k.replace("__", "."): v for k, v in said.items()}
    return Record(
        attributes=attributes, scope=str(attributes.pop("scope", "any.sdk")), trace_id=TRACE,
        span_id=key(name), parent_span_id=key(parent), started_at=T0 - 10**9, ended_at=T0,
    )  # fmt: skip


def told(events: list[UsageEvent]) -> dict[str, tuple[Role, str]]:
    return {
        e.span_id.decode().rstrip("."): (e.role, e.parent_span_id.decode().rstrip("."))
        for e in events
    }


def test_a_framework_over_a_client_bills_once_and_names_its_parent() -> None:
    body = [
        record("http", "far", http__method="POST"),
        record("chain", "http", **{**USAGE, "gen_ai.operation.name": "chat"}),
        record("tool", "chain", gen_ai__operation__name="other"),
        record("call", "tool", **{**USAGE, "gen_ai.operation.name": "chat"}),
    ]
    events, rejected = usage_events(body)

    assert rejected == []
    assert told(events) == {"chain": (Role.WITNESS, "far"), "call": (Role.BILL, "chain")}


def test_an_engine_below_its_caller_is_the_witness() -> None:
    body = [
        record("sdk", **USAGE),
        record("engine", "sdk", scope="vllm.llm_engine", **USAGE),
    ]
    events, _ = usage_events(body)

    assert told(events) == {"sdk": (Role.BILL, ""), "engine": (Role.WITNESS, "sdk")}


def test_a_rejected_span_is_no_ancestor_and_loses_no_neighbour() -> None:
    body = [
        replace(record("broken", "far", **USAGE), ended_at=1),
        record("call", "broken", **USAGE),
    ]
    events, rejected = usage_events(body)

    assert told(events) == {"call": (Role.BILL, "far")}
    assert len(rejected) == 1
