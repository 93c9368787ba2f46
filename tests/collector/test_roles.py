"""Gateways of record: whose records bill where an operator has named them."""

import pytest
from builders import T0

from collector.dialect.normalise import usage_events
from collector.dialect.roles import ANY_GATEWAY, GatewayError, Gateways
from collector.otlp import Record
from metering.event import Role

USAGE = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 2}


def record(scope: str = "any.sdk", service: str = "app", span: int = 1, parent: int = 0) -> Record:
    return Record(
        USAGE, {"service.name": service}, scope, trace_id=b"t" * 16, span_id=span.to_bytes(8),
        parent_span_id=parent.to_bytes(8), started_at=T0, ended_at=T0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "conditions"),
    [
        ("", ()),
        (" , ", ()),
        ("scope=litellm", (("scope", "litellm"),)),
        (
            "service.name=llm-gateway, scope = litellm ,",
            (("service.name", "llm-gateway"), ("scope", "litellm")),
        ),
        ("k8s.pod.label=a=b", (("k8s.pod.label", "a=b"),)),
    ],
)
def test_gateways_are_read_from_a_setting(
    text: str, conditions: tuple[tuple[str, str], ...]
) -> None:
    assert Gateways.parse(text) == Gateways(conditions)


@pytest.mark.parametrize("text", ["litellm", "scope=", "=litellm", "scope=litellm, nonsense"])
def test_a_gateway_that_cannot_be_read_is_refused_with_what_was_found(text: str) -> None:
    with pytest.raises(GatewayError, match="a gateway must be named by scope=NAME"):
        Gateways.parse(text)


def test_without_named_gateways_any_record_may_bill() -> None:
    events, _ = usage_events([record(), record("litellm", span=2)], gateways=ANY_GATEWAY)

    assert [e.role for e in events] == [Role.BILL, Role.BILL]


@pytest.mark.parametrize("text", ["scope=litellm", "service.name=proxy", "x=y, scope=litellm"])
def test_only_named_gateways_bill_and_all_others_bear_witness(text: str) -> None:
    body = [record(), record("litellm", "proxy", span=2), record("litellm2", "proxy2", span=3)]
    events, _ = usage_events(body, gateways=Gateways.parse(text))

    assert [e.role for e in events] == [Role.WITNESS, Role.BILL, Role.WITNESS]


def test_a_named_gateway_bills_for_the_calls_below_it() -> None:
    body = [record(service="proxy", span=1), record(service="proxy", span=2, parent=1)]
    events, _ = usage_events(body, gateways=Gateways.parse("service.name=proxy"))

    assert [e.role for e in events] == [Role.BILL, Role.WITNESS]


def test_an_aggregate_of_a_gateway_does_not_bill() -> None:
    agent = Record(
        {**USAGE, "gen_ai.operation.name": "invoke_agent"}, {"service.name": "proxy"},
        trace_id=b"t" * 16, span_id=b"s" * 8, started_at=T0, ended_at=T0,
    )  # fmt: skip
    events, _ = usage_events([agent], gateways=Gateways.parse("service.name=proxy"))

    assert [e.role for e in events] == [Role.WITNESS]
