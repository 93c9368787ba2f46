"""The LiteLLM callback: one event per attempt, with the proxy's own identities."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from plugin.receiver import Receiver, Record
from tallystick_otel import litellm
from tallystick_otel.litellm import UsageLogger
from tallystick_otel.meter import Meter

BEGAN = datetime(2026, 10, 1, tzinfo=UTC)
ENDED = BEGAN + timedelta(seconds=2)
USAGE = {"prompt_tokens": 100, "completion_tokens": 20}
ASKED = {"optional_params": {"stream_options": {"include_usage": True}}}


class Model:
    """A pydantic model, as far as the callback looks."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    def model_dump(self) -> dict[str, Any]:
        return dict(self.__dict__)


def said(**more: Any) -> dict[str, Any]:
    """What LiteLLM 1.109 passes as kwargs, as far as the callback looks."""
    return {
        "model": "qwen3-32b",
        "custom_llm_provider": "openai",
        "litellm_call_id": "call-1",
        "call_type": "acompletion",
        "litellm_params": {"metadata": {"previous_models": [{}, {}]}},
        "standard_logging_object": {
            "model_group": "qwen",
            "metadata": {
                "user_api_key_hash": "h1",
                "user_api_key_team_id": "t1",
                "user_api_key_project_id": None,
                "user_api_key_end_user_id": "u1",
            },
        },
        **more,
    }


def answer(**more: Any) -> Model:
    choices = [Model(finish_reason="stop")]
    return Model(
        **{"id": "c1", "model": "qwen3", "choices": choices, "usage": Model(**USAGE), **more}
    )


def recorded(
    meter: Meter, receiver: Receiver, kwargs: Any, response: Any = None, *, failed: bool = False
) -> Record:
    logger = UsageLogger(meter)
    log = logger.log_failure_event if failed else logger.log_success_event
    log(kwargs, response, BEGAN, ENDED)
    assert meter.flush()
    (record,) = receiver.accepted
    return record


def test_an_answered_attempt_is_told(meter: Meter, receiver: Receiver) -> None:
    record = recorded(meter, receiver, said(), answer())

    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "qwen",
        "gen_ai.response.model": "qwen3",
        "gen_ai.response.id": "c1",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        "http.response.status_code": 200,
        "tallystick.request.id": "call-1",
        "tallystick.attempt": 2,
        "tallystick.duration_ns": 2 * 10**9,
        "tenant.id": "t1",
        "api_key.id": "h1",
        "enduser.id": "u1",
    }
    assert {name: record.get(name) for name in expected} == expected
    assert record["time"] == int(ENDED.timestamp()) * 10**9
    assert "project.id" not in record


@pytest.mark.parametrize(
    ("called", "operation"),
    [
        ("aembedding", "embeddings"),
        ("arerank", "rerank"),
        ("text_completion", "text_completion"),
        ("anthropic_messages", "chat"),
        ("", "chat"),
    ],
)
def test_operations_are_known_by_either_name(
    meter: Meter, receiver: Receiver, called: str, operation: str
) -> None:
    record = recorded(meter, receiver, said(call_type=called), answer())

    assert record["gen_ai.operation.name"] == operation


def test_anthropic_shaped_answers_are_read_as_such(meter: Meter, receiver: Receiver) -> None:
    usage = {"input_tokens": 10, "cache_read_input_tokens": 90, "output_tokens": 20}
    native = {"id": "c1", "type": "message", "model": "m", "usage": usage}

    assert recorded(meter, receiver, said(), native)["gen_ai.usage.input_tokens"] == 100


@pytest.mark.parametrize(
    ("more", "counted"),
    [
        ({"stream": True, **ASKED}, True),
        ({"stream": True, "custom_llm_provider": "anthropic"}, True),
        ({"stream": True}, False),
        ({"stream": False}, True),
    ],
)
def test_a_guess_is_no_count(
    meter: Meter, receiver: Receiver, more: dict[str, Any], *, counted: bool
) -> None:
    """Where nobody asked a stream for its usage LiteLLM counts by itself, and does not say so."""
    record = recorded(meter, receiver, said(**more), answer())

    assert ("gen_ai.usage.input_tokens" in record) is counted


def test_zeros_that_nobody_reported_are_unknown(meter: Meter, receiver: Receiver) -> None:
    nothing = answer(usage={"prompt_tokens": 0, "completion_tokens": 0})

    assert "gen_ai.usage.input_tokens" not in recorded(meter, receiver, said(), nothing)


def test_a_stream_tells_when_its_first_token_came(meter: Meter, receiver: Receiver) -> None:
    first = BEGAN + timedelta(seconds=0.5)
    kwargs = said(stream=True, completion_start_time=first, **ASKED)

    assert recorded(meter, receiver, kwargs, answer())["gen_ai.response.time_to_first_chunk"] == 0.5


def test_a_failed_attempt_is_told_with_its_error(meter: Meter, receiver: Receiver) -> None:
    class RateLimitError(Exception):
        status_code = 429

    record = recorded(meter, receiver, said(exception=RateLimitError()), failed=True)

    assert record["http.response.status_code"] == 429
    assert record["error.type"] == "RateLimitError"
    assert "gen_ai.usage.input_tokens" not in record


def test_an_attempt_is_told_once_by_whichever_interface(meter: Meter, receiver: Receiver) -> None:
    logger = UsageLogger(meter)
    logger.log_success_event(said(), answer(), BEGAN, ENDED)
    asyncio.run(logger.async_log_success_event(said(), answer(), BEGAN, ENDED))
    asyncio.run(logger.async_log_failure_event(said(), None, BEGAN, ENDED + timedelta(seconds=1)))

    assert meter.flush()
    assert len(receiver.accepted) == 2


def test_only_so_many_attempts_are_remembered(
    meter: Meter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(litellm, "REMEMBERED", 2)  # the real number takes long to reach
    logger = UsageLogger(meter)
    for name in ("a", "b", "c"):
        logger.log_success_event(said(litellm_call_id=name), answer(), BEGAN, ENDED)

    assert len(logger._seen) == 2


def test_an_answer_from_the_gateways_own_cache_is_no_attempt(meter: Meter) -> None:
    UsageLogger(meter).log_success_event(said(cache_hit=True), answer(), BEGAN, ENDED)

    assert meter.recorded == 0


@pytest.mark.parametrize("garbage", [None, 5, {}, {"standard_logging_object": 5, "exception": 5}])
def test_garbage_never_raises(meter: Meter, garbage: Any) -> None:
    logger = UsageLogger(meter)
    logger.log_success_event(garbage, garbage, garbage, garbage)
    logger.log_failure_event(garbage, garbage, garbage, "another time")

    assert meter.recorded == 2
