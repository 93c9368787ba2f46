import json
from dataclasses import replace

import pytest
from builders import span, traces
from hypothesis import given
from hypothesis import strategies as st

from collector.dialect.dissect import Reported
from collector.dialect.normalise import usage_events
from collector.dialect.usage_object import MAX_LENGTH, Told, at, has, usage_object
from collector.otlp import Encoding, Signal, decode
from metering.event import Role, Tokens, UsageEvent

OPENAI = {
    "prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": None},
    "completion_tokens_details": {"reasoning_tokens": 5},
}  # fmt: skip
RESPONSES = {
    "input_tokens": 100, "output_tokens": 20,
    "input_tokens_details": {"cached_tokens": 64}, "output_tokens_details": {"reasoning_tokens": 5},
}  # fmt: skip
ANTHROPIC = {
    "input_tokens": 512, "output_tokens": 50, "cache_read_input_tokens": 1024,
    "cache_creation_input_tokens": 512,
    "cache_creation": {"ephemeral_5m_input_tokens": 500, "ephemeral_1h_input_tokens": 12},
}  # fmt: skip


def event_of(scope: str = "litellm", name: str = "litellm_request", **said: object) -> UsageEvent:
    one = span(1, 1, **said)
    one.name = name
    body = traces([one], scope=scope).SerializeToString()
    [found], rejected = usage_events(decode(body, Signal.TRACES, Encoding.PROTOBUF))
    assert not rejected
    return found


@pytest.mark.parametrize("shape", [OPENAI, RESPONSES])
@pytest.mark.parametrize("write", [json.dumps, repr])
def test_json_and_python_text_are_read_alike(shape: object, write: object) -> None:
    text = write(shape)  # type: ignore[operator]

    assert replace(usage_object(text).reported, is_totalled=False) == Reported(
        input=100, output=20, cached=64, reasoning=5
    )


def test_native_counts_have_their_cached_and_written_tokens_added_to_the_input() -> None:
    native = usage_object(repr(ANTHROPIC))

    assert native.reported == Reported(
        input=2048, output=50, cached=1024, written=512, written_5m=500, written_1h=12
    )
    assert (native.bare_input, native.bare_output) == (512, 50)


@given(st.one_of(st.text(max_size=40), st.integers(), st.none(), st.binary(max_size=9)))
def test_anything_else_reports_nothing_and_never_raises(text: object) -> None:
    assert isinstance(usage_object(text), Told)


@pytest.mark.parametrize(
    "text",
    [
        "{" * 5000,
        "{'a': " * 2000,
        "{" + " " * MAX_LENGTH + "}",
        "{1, 2}",
        "[1]",
        "{'prompt_tokens': 'many'}",
        "{'prompt_tokens': -1, 'prompt_tokens_details': 7}",
        "{__import__('os'): 1}",
    ],
)
def test_hostile_texts_report_nothing(text: str) -> None:
    assert usage_object(text).reported == Reported()


def test_a_path_of_nested_maps_leads_where_every_name_does() -> None:
    found = {"a": {"b": None}, "c": 5}

    assert (at(found, ""), at(found, "c"), at(found, "a.b.c"), at(found, "c.d")) == (
        found, 5, None, None,
    )  # fmt: skip
    assert has(found, "a.b")
    assert has(found, "c")
    assert not has(found, "a.x")
    assert not has(found, "c.d")


def test_an_object_fills_only_what_the_attributes_leave_open() -> None:
    found = event_of(
        gen_ai__operation__name="acompletion",
        gen_ai__usage__input_tokens=100,
        gen_ai__usage__output_tokens=20,
        metadata__usage_object=repr(OPENAI),
    )

    assert found.tokens == Tokens(fresh=36, cached=64, output=15, reasoning=5)
    assert (found.call.operation, found.role) == ("chat", Role.BILL)


def test_an_object_that_contradicts_the_input_is_of_another_call() -> None:
    found = event_of(
        gen_ai__operation__name="chat",
        gen_ai__usage__input_tokens=7,
        gen_ai__usage__output_tokens=20,
        metadata__usage_object=repr(OPENAI),
    )

    assert found.tokens == Tokens(fresh=7, output=20)


def test_a_native_object_alone_is_enough() -> None:
    found = event_of(scope="logfire.anthropic", llm__anthropic__usage=json.dumps(ANTHROPIC))

    assert found.tokens.total_input == 2048
    assert (found.tokens.cached, found.tokens.written_5m, found.tokens.written_1h) == (
        1024,
        500,
        12,
    )


def test_a_span_that_tells_its_parents_call_again_is_a_witness() -> None:
    again = event_of(name="raw_gen_ai_request", llm__openai__usage=repr(OPENAI))

    assert again.role is Role.WITNESS


def test_usage_under_an_operation_nobody_knows_is_billed_under_its_name() -> None:
    found = event_of(gen_ai__operation__name="Transcribe", gen_ai__usage__input_tokens=9)

    assert (found.call.operation, found.role) == ("transcribe", Role.BILL)


@pytest.mark.parametrize("scope", ["ai", "litellm", "com.anthropic.sdk.python"])
def test_dialects_are_told_by_scope(scope: str) -> None:
    assert event_of(scope=scope, gen_ai__usage__input_tokens=9).dialect != "otel"


def test_a_scope_that_only_begins_like_a_whole_one_is_another() -> None:
    assert event_of(scope="aiohttp", gen_ai__usage__input_tokens=9).dialect == "otel"


def test_a_gateways_verified_identity_is_the_source() -> None:
    found = event_of(
        gen_ai__usage__input_tokens=9,
        metadata__user_api_key_team_id="team-a",
        metadata__user_api_key_project_id="proj-7",
        metadata__user_api_key_hash="43b5",
        metadata__user_api_key_end_user_id="end-user-1",
    )
    source = found.source

    assert (source.tenant, source.project, source.api_key) == ("team-a", "proj-7", "43b5")
    assert source.end_user == "end-user-1"
