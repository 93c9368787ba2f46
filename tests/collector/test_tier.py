from collections import Counter

import pytest
from builders import T0
from captures import CLIENTS, bodies_of, events_of

from collector.dialect.call import call_of
from collector.dialect.dialects import dialect_of
from collector.dialect.reading import MAX_TEXT
from collector.dialect.tier import tier_of
from collector.otlp import Record


@pytest.mark.parametrize("said", ["default", "AUTO", "standard", "None", "standard_only"])
def test_what_is_nothing_special_is_standard(said: str) -> None:
    assert tier_of({"openai.response.service_tier": said}) == ""


def test_what_was_given_goes_before_what_was_asked_for() -> None:
    asked = {"gen_ai.openai.request.service_tier": "priority"}

    assert tier_of(asked) == "priority"
    assert tier_of(asked | {"gen_ai.openai.response.service_tier": "default"}) == ""
    assert tier_of(asked | {"openai.response.service_tier": "Flex"}) == "flex"
    assert tier_of(asked | {"gen_ai.usage.raw": '{"service_tier": "batch"}'}) == "batch"


@pytest.mark.parametrize(
    "usage",
    [
        '{"input_tokens": 5, "service_tier": "batch"}',
        "{'usage': {'input_tokens': 5, 'service_tier': 'batch'}}",
        {"anthropic": {"usage": {"service_tier": "batch"}}},
        '{"openai": {"serviceTier": "batch"}}',
    ],
    ids=["json", "python", "map", "vercel"],
)
def test_a_batch_request_is_told_by_its_usage_object(usage: str | dict[str, object]) -> None:
    assert tier_of({"ai.response.providerMetadata": usage}) == "batch"


@pytest.mark.parametrize("said", [5, None, "", "a\x00b", "x" * (MAX_TEXT + 1)])
def test_what_is_no_name_in_an_object_is_no_tier(said: object) -> None:
    assert tier_of({"gen_ai.usage.raw": {"service_tier": said}}) == ""


def test_what_a_model_wrote_is_no_tier() -> None:
    answer = '{"service_tier": "batch", "usage": {"service_tier": "batch", "prompt_tokens": 5}}'

    assert tier_of({"output.value": answer}) == ""


def test_a_call_carries_its_tier() -> None:
    record = Record({"tallystick.service_tier": "batch"}, started_at=T0, ended_at=T0)

    assert call_of(record, dialect_of(""), {}).tier == "batch"


def test_captured_clients_tell_of_no_special_tier() -> None:
    found = Counter(event.call.tier for c in CLIENTS for event in events_of(bodies_of(c)))

    assert set(found) == {""}
    assert found[""] > 400
