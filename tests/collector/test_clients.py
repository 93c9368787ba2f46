"""Clients of which no capture is kept: spans as they write them, and what the server counted."""

from typing import Any

import pytest
from builders import span, traces
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from seen_clients import CHAT, CLAUDE, MEASURED, UNTOLD, Seen, usage

from collector.batch.fast import FastDecoder
from collector.dialect.normalise import usage_events
from collector.otlp import Encoding, Signal, decode
from metering.event import Quality, Role, UsageEvent
from metering.rollup import bill_records
from metering.schema import batch_of


def body_of(seen: Seen) -> bytes:
    return written(span(1, 1, **seen.said), seen.scope)


def written(one: Span, scope: str) -> bytes:
    body: bytes = traces([one], scope=scope).SerializeToString()
    return body


def events_of(body: bytes) -> list[UsageEvent]:
    """Decode a body, and make sure that the fast decoder does so alike."""
    events, rejected = usage_events(decode(body, Signal.TRACES, Encoding.PROTOBUF))
    fast = FastDecoder(seed=7)
    for _ in range(2):
        found = fast.decode(body, Signal.TRACES, Encoding.PROTOBUF)
        assert rows_of(found.batch.table) == rows_of(batch_of(events).table)
    assert not rejected
    return events


def rows_of(table: Any) -> list[dict[str, Any]]:
    instants = [n for n in table.column_names if n in {"started_at", "ended_at"}]
    for name in instants:
        at = table.column_names.index(name)
        table = table.set_column(at, name, table[name].cast("int64"))
    return sorted(table.to_pylist(), key=lambda row: row["event_id"])


def counted(event: UsageEvent) -> tuple[int, int, int, int, int]:
    t = event.tokens
    return t.total_input, t.total_output, t.cached, t.written_5m + t.written_1h, t.reasoning


@pytest.mark.parametrize("seen", MEASURED, ids=lambda seen: seen.client)
def test_a_client_that_tells_all_is_read_to_the_last_token(seen: Seen) -> None:
    [event] = events_of(body_of(seen))

    assert counted(event) == seen.counted
    assert (event.quality, event.caveat, event.role) == (Quality.MEASURED, "", Role.BILL)


@pytest.mark.parametrize("seen", UNTOLD, ids=lambda seen: seen.client)
def test_counts_that_may_leave_out_details_are_estimates(seen: Seen) -> None:
    [event] = events_of(body_of(seen))

    assert counted(event) == seen.counted
    assert (event.quality, event.caveat) == (Quality.ESTIMATED, "details untold")


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        ("some.sdk", {"gen_ai.system": "openai", **usage(19, 7)}),
        ("some.sdk", {"gen_ai.system": "anthropic", **usage(19, 7, cache_read__input_tokens=0)}),
        ("some.sdk", {"gen_ai.system": "gemini", **usage(19, 7, total_tokens=26)}),
        (
            "some.sdk",
            {
                "gen_ai.system": "gemini",
                **usage(19, 7, total_tokens=30),
                "gen_ai.usage.reasoning_tokens": 4,
            },
        ),
        ("opentelemetry.util.genai.handler", {"gen_ai.system": "anthropic", **usage(19, 7)}),
    ],
)
def test_nothing_is_doubted_where_a_client_or_its_counts_leave_no_doubt(
    scope: str, said: dict[str, Any]
) -> None:
    [event] = events_of(body_of(Seen("", scope, {**CHAT, **said}, (0, 0, 0, 0, 0))))

    assert event.quality is Quality.MEASURED


def test_embeddings_have_no_details_to_tell() -> None:
    said = {"gen_ai.operation.name": "embeddings", "gen_ai.system": "aws.bedrock"}
    [event] = events_of(
        body_of(Seen("", "some.sdk", {**said, "gen_ai.usage.input_tokens": 9}, (0, 0, 0, 0, 0)))
    )

    assert event.quality is Quality.MEASURED


def test_zeros_of_a_stream_that_openlit_writes_itself_prove_nothing() -> None:
    said = {**CHAT, **CLAUDE, "gen_ai.provider.name": "anthropic", "gen_ai.request.stream": True}
    zeros = usage(512, 30, cache_read__input_tokens=0, cache_creation__input_tokens=0)
    some = usage(512, 30, cache_read__input_tokens=9, cache_creation__input_tokens=0)

    found = [
        events_of(
            body_of(Seen("", "openlit.instrumentation.anthropic", {**said, **told}, (0,) * 5))
        )
        for told in (zeros, some)
    ]
    assert [event.caveat for [event] in found] == ["guessed", ""]


FRAMEWORKS = [
    ("openinference.instrumentation.langchain", "openinference.instrumentation.openai"),
    ("openinference.instrumentation.openai_agents", "openinference.instrumentation.openai"),
    ("openinference.instrumentation.litellm", "openinference.instrumentation.anthropic"),
    ("opentelemetry.instrumentation.genai.langchain", "opentelemetry.instrumentation.genai.openai"),
    ("opentelemetry.instrumentation.langchain", "opentelemetry.instrumentation.openai.v1"),
]
ONE_CALL = {**CHAT, "gen_ai.request.model": "m", **usage(19, 7)}


@pytest.mark.parametrize(("framework", "sdk"), FRAMEWORKS)
def test_a_framework_and_the_sdk_under_it_are_one_call_though_in_two_traces(
    framework: str, sdk: str
) -> None:
    """LangChain's callbacks start a trace of their own for each call."""
    named = {**ONE_CALL, "gen_ai.response.id": "chatcmpl-1"}
    events = [
        event
        for trace, scope in enumerate((framework, sdk), 1)
        for event in events_of(written(span(trace, 1, **named), scope))
    ]

    [bill] = bill_records(events)
    assert bill == events[1]


def test_without_ids_only_clients_of_different_names_are_paired() -> None:
    scopes = ("openinference.instrumentation.langchain", "openinference.instrumentation.openai")
    events = [
        event
        for trace, scope in enumerate(scopes, 1)
        for event in events_of(written(span(trace, 1, **ONE_CALL), scope))
    ]

    assert bill_records(events) == [events[1]]


@pytest.mark.parametrize(
    "operation",
    [
        "agent_call",  # Gemini CLI, which calls a model's call an llm_call
        "agent_step",  # Vercel AI SDK 7
        "chain",
        "create_agent",
        "invoke_agent",
        "invoke_graph",  # Strands Agents, as the next
        "invoke_swarm",
        "invoke_workflow",
    ],
)
def test_what_sums_up_calls_never_bills(operation: str) -> None:
    [event] = events_of(
        body_of(Seen("", "some.sdk", {"gen_ai.operation.name": operation, **usage(9, 9)}, (0,) * 5))
    )

    assert event.role is Role.WITNESS
