"""CloudEvents whose data is a usage event, in all three modes, through the normaliser."""

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import pytest
from conftest import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.dialect.normalise import usage_events
from collector.logs.cloudevents import (
    MEDIA_TYPES,
    Framing,
    MalformedEventError,
    decode_events,
    framing_of,
)
from collector.logs.usage_fields import FIELDS, STATUSES
from collector.otlp import MAX_RECORDS, TooManyRecordsError
from metering.event import Outcome, Quality, Tokens, UsageEvent, source_identity

STRUCTURED = Framing("application/cloudevents+json")
BATCH = Framing("application/cloudevents-batch+json")
JSON = Framing("application/json")

ENVELOPE = {
    "specversion": "1.0",
    "type": "model.call",
    "id": "e1",
    "source": "gateway-1",
    "subject": "acme",
    "time": "2026-10-01T08:00:01.5+08:00",
}
USAGE = {"request_model": "qwen3", "input_tokens": 900, "output_tokens": 50}
ENDED_AT = 1_790_812_801_500_000_000

UNHURRIED = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def cloud_event(**changed: Any) -> dict[str, Any]:
    """Build the JSON of an event; a field changed to None is left out."""
    whole = {**ENVELOPE, "data": USAGE, **changed}
    return {name: value for name, value in whole.items() if value is not None}


def told_by(document: Any, framing: Framing = STRUCTURED) -> list[UsageEvent]:
    """Decode a body and normalise it; nothing may be rejected on the way."""
    records = decode_events(json.dumps(document).encode(), framing)
    events, rejected = usage_events(records)
    assert rejected == []
    assert len(events) == len(records)
    return events


def of_usage(**usage: Any) -> UsageEvent:
    [event] = told_by(cloud_event(data=usage))
    return event


def refusal_of(document: Any, framing: Framing = STRUCTURED) -> str:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    with pytest.raises(MalformedEventError) as refused:
        decode_events(body, framing)
    return str(refused.value)


def test_a_structured_event_is_one_call_of_its_subject() -> None:
    [event] = told_by(cloud_event())

    assert event.event_id == source_identity("gateway-1", "e1")
    assert (event.started_at, event.ended_at) == (ENDED_AT, ENDED_AT)
    assert (event.source.tenant, event.source.gateway) == ("acme", "gateway-1")
    assert (event.call.model, event.call.operation) == ("qwen3", "chat")
    assert event.tokens == Tokens(fresh=900, output=50)
    assert (event.dialect, event.quality) == ("cloudevents", Quality.MEASURED)


def test_a_batch_keeps_its_order_and_may_be_empty() -> None:
    events = told_by([cloud_event(id=f"e{n}") for n in range(3)], BATCH)

    assert [e.event_id for e in events] == [source_identity("gateway-1", f"e{n}") for n in range(3)]
    assert told_by([], BATCH) == []


def test_binary_mode_says_the_same_as_structured_mode() -> None:
    headers = {f"ce-{name}": value for name, value in ENVELOPE.items()}
    framing = framing_of({**headers, "content-type": "application/json; charset=utf-8"})

    assert told_by(USAGE, framing) == told_by(cloud_event())


def test_headers_of_binary_mode_are_percent_encoded() -> None:
    headers = {f"ce-{name}": value for name, value in ENVELOPE.items()}
    framing = framing_of({**headers, "ce-subject": "%E4%BA%91", "content-type": "application/json"})
    [event] = told_by(USAGE, framing)

    assert event.source.tenant == "云"


def test_the_content_type_of_structured_mode_outweighs_headers() -> None:
    kinds = {"content-type": "Application/CloudEvents+JSON; charset=UTF-8", "ce-id": "other"}

    assert framing_of(kinds) == STRUCTURED
    assert framing_of({}) == Framing("")


@pytest.mark.parametrize("document", [cloud_event(), [cloud_event()]])
def test_plain_json_is_one_event_or_a_list_of_them(document: Any) -> None:
    assert told_by(document, JSON) == told_by(cloud_event())


def test_data_may_come_in_base64() -> None:
    data = b64encode(json.dumps(USAGE).encode()).decode()

    assert told_by(cloud_event(data=None, data_base64=data)) == told_by(cloud_event())


def test_attribute_names_may_stand_for_fields() -> None:
    [flat] = told_by(
        cloud_event(
            data={
                "gen_ai.request.model": "qwen3",
                "gen_ai.usage.input_tokens": 900,
                "gen_ai.usage.output_tokens": "50",
                "tallystick.pool": None,
            }
        )
    )

    assert [flat] == told_by(cloud_event())


def test_disjoint_counts_add_up_to_the_totals_that_they_came_from() -> None:
    event = of_usage(
        input_uncached=512,
        input_cache_read=1536,
        input_cache_write_5m=10,
        input_cache_write_1h=20,
        output_visible=70,
        output_reasoning=50,
    )

    assert event.tokens == Tokens(512, 1536, 10, 20, 70, 50)
    assert event.quality is Quality.MEASURED


counts = st.integers(0, 2**30)


@UNHURRIED
@given(st.lists(counts, min_size=6, max_size=6))
def test_any_disjoint_counts_come_out_as_they_went_in(parts: list[int]) -> None:
    names = (
        "input_uncached", "input_cache_read", "input_cache_write_5m", "input_cache_write_1h",
        "output_visible", "output_reasoning",
    )  # fmt: skip
    event = of_usage(**dict(zip(names, parts, strict=True)))

    assert event.tokens == Tokens(*parts)


def test_details_without_what_is_left_beside_them_leave_the_total_unknown() -> None:
    event = of_usage(operation="chat", input_cache_read=10, output_tokens=5)

    assert event.quality is Quality.UNKNOWN


def test_a_total_and_its_parts_must_agree() -> None:
    same = of_usage(input_tokens=10, input_uncached=4, input_cache_read=6)
    said = refusal_of(cloud_event(data={"input_tokens": 10, "input_uncached": 4}))

    assert same.tokens == Tokens(fresh=4, cached=6)
    assert said == "data.input_uncached must be one of the parts of 10 tokens, found 4"


def test_every_dimension_of_the_canonical_event_arrives() -> None:
    event = of_usage(
        operation="embeddings",
        provider="vllm",
        response_model="qwen3-emb",
        input_tokens=7,
        tenant_id="t",
        project_id="p",
        api_key_id="k",
        end_user_id="u",
        gateway_id="g",
        pool="shared",
        request_id="r",
        response_id="c",
        attempt=2,
        stream=True,
        status_code=200,
        ttft_s=0.25,
        queue_s=0,
    )

    assert (event.source.tenant, event.source.project, event.source.api_key) == ("t", "p", "k")
    assert (event.source.end_user, event.source.gateway, event.source.pool) == ("u", "g", "shared")
    assert (event.call.request_id, event.call.response_id, event.call.attempt) == ("r", "c", 2)
    assert (event.call.provider, event.call.model) == ("vllm", "qwen3-emb")
    assert (event.call.ttft_ns, event.call.stream, event.quality.value) == (
        250_000_000, True, "measured",
    )  # fmt: skip


def test_times_of_the_call_outweigh_the_time_of_the_event() -> None:
    event = of_usage(
        input_tokens=1,
        output_tokens=1,
        time_start="2026-10-01T00:00:00Z",
        time_first_token="2026-10-01T00:00:00.5Z",
        time_end="2026-10-01T00:00:01Z",
    )

    assert (event.ended_at - event.started_at, event.call.ttft_ns) == (10**9, 5 * 10**8)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("ok", Outcome.OK),
        ("client_error", Outcome.CLIENT_ERROR),
        ("limited", Outcome.THROTTLED),
        ("throttled", Outcome.THROTTLED),
        ("engine_error", Outcome.SERVER_ERROR),
        ("server_error", Outcome.SERVER_ERROR),
        ("cancelled", Outcome.ABORTED),
        ("aborted", Outcome.ABORTED),
        ("timeout", Outcome.TIMEOUT),
    ],
)
def test_every_status_is_an_outcome(status: str, outcome: Outcome) -> None:
    assert status in STATUSES
    assert of_usage(**USAGE, status=status).call.outcome is outcome


def test_ids_of_a_span_come_from_the_data_or_from_traceparent() -> None:
    parent = f"00-{'a1' * 16}-{'b2' * 8}-01"
    [inherited] = told_by(cloud_event(traceparent=parent))
    own = of_usage(**USAGE, trace_id="C3" * 16, span_id="d4" * 8)
    [unset] = told_by(cloud_event(traceparent=f"00-{'0' * 32}-{'0' * 16}-00"))

    assert (inherited.trace_id, inherited.span_id) == (b"\xa1" * 16, b"\xb2" * 8)
    assert (own.trace_id, own.span_id) == (b"\xc3" * 16, b"\xd4" * 8)
    assert (unset.trace_id, unset.span_id) == (b"", b"")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"specversion": None}, "specversion must be given and not empty, found None"),
        ({"specversion": "0.3"}, "specversion must be '1.0', found '0.3'"),
        ({"id": ""}, "id must be given and not empty, found ''"),
        ({"source": 5}, "source must be printable text of at most 500 characters, found 5"),
        ({"id": "x" * 501}, "id must be printable text of at most 500 characters, found 'xxx"),
        ({"id": "a\0b"}, "id must be printable text of at most 500 characters, found 'a\\x00b'"),
        ({"type": None}, "type must be given and not empty, found None"),
        ({"time": None}, "time must be given, or else data.time_end, found None"),
        ({"time": "yesterday"}, "time must be an RFC 3339 time with zone, from 1970 to 2100, fo"),
        ({"time": "2026-10-01T00:00:00"}, "time must be an RFC 3339 time with zone"),
        ({"time": "2126-10-01T00:00:00Z"}, "time must be an RFC 3339 time with zone"),
        ({"traceparent": "00-12-34-01"}, "traceparent must be 32 hex digits, found '12'"),
        ({"datacontenttype": "text/xml"}, "datacontenttype must be application/json, found 'tex"),
        ({"data": None}, "data must be a JSON object, found None"),
        ({"data": [1]}, "data must be a JSON object, found [1]"),
        ({"data": None, "data_base64": "%%"}, "data_base64 must be base64 of JSON, found"),
        ({"data": None, "data_base64": 5}, "data_base64 must be base64 of JSON, found"),
        ({"data": None, "data_base64": "eHg="}, "data_base64 must be JSON, found"),
        ({"data": {"tokens": 5}}, "data must be a usage event with input_tokens, output_tokens or"),
    ],
)
def test_a_refusal_names_the_field(changed: Mapping[str, Any], said: str) -> None:
    assert refusal_of(cloud_event(**changed)).startswith(said)


@pytest.mark.parametrize(
    ("usage", "said"),
    [
        ({"input_tokens": -1}, "data.input_tokens must be a whole number from 0 to 2^40 - 1, fo"),
        ({"input_tokens": 2**53}, "data.input_tokens must be a whole number from 0 to 2^40 - 1"),
        ({"gen_ai.usage.input_tokens": 1.5}, "data.gen_ai.usage.input_tokens must be a whole"),
        ({"model": 5}, "data.model must be text, found 5"),
        ({"stream": "yes"}, "data.stream must be true or false, found 'yes'"),
        ({"ttft_s": -1}, "data.ttft_s must be a number of seconds, found -1"),
        ({"ttft_s": True}, "data.ttft_s must be a number of seconds, found True"),
        ({"status": "odd"}, "data.status must be one of ok, client_error, limited"),
        ({"status": []}, "data.status must be one of ok, client_error, limited"),
        ({"trace_id": "xyz"}, "data.trace_id must be 32 hex digits, found 'xyz'"),
        ({"span_id": 5}, "data.span_id must be 16 hex digits, found 5"),
        ({"time_end": 5}, "data.time_end must be an RFC 3339 time with zone"),
    ],
)
def test_a_refusal_names_the_field_of_the_data(usage: Mapping[str, Any], said: str) -> None:
    assert refusal_of(cloud_event(data={**USAGE, **usage})).startswith(said)


def test_a_refusal_in_a_batch_names_the_event() -> None:
    batch = [cloud_event(), cloud_event(data={**USAGE, "input_tokens": -1})]

    assert refusal_of(batch, BATCH).startswith("[1].data.input_tokens must be")
    assert refusal_of([cloud_event(), 5], BATCH) == "[1] must be a JSON object, found 5"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b"5", b'"x"'])
def test_what_is_no_event_is_refused(body: bytes) -> None:
    assert refusal_of(body).startswith("the body must be ")
    assert refusal_of(body, BATCH).startswith("the body must be ")


def test_a_batch_is_a_list() -> None:
    assert refusal_of(cloud_event(), BATCH).startswith("the body must be a JSON array, found {")


def test_a_batch_holds_no_more_than_any_other_body() -> None:
    with pytest.raises(TooManyRecordsError):
        decode_events(json.dumps([0] * (MAX_RECORDS + 1)).encode(), BATCH)


def test_an_event_without_a_subject_has_the_tenant_of_its_data_or_none() -> None:
    [unsaid] = told_by(cloud_event(subject=None))
    [said] = told_by(cloud_event(subject=None, data={**USAGE, "tenant_id": "t"}))

    assert (unsaid.source.tenant, said.source.tenant) == ("", "t")


def test_a_resend_is_the_same_event_and_another_source_is_another() -> None:
    first, again = told_by([cloud_event(), cloud_event()], BATCH)
    [other] = told_by(cloud_event(source="gateway-2"))

    assert first == again
    assert first.event_id != other.event_id


def test_the_event_of_the_guide_is_taken() -> None:
    """Its numbers are those of the file that the guide sends otherwise."""
    guide = (ROOT / "docs" / "guide.md").read_text("utf-8")
    [shown] = re.findall(r"--data '(\{\"specversion.*?\})'", guide, re.DOTALL)
    [event] = told_by(json.loads(shown))

    assert event.tokens == Tokens(fresh=512, cached=1536, output=120)
    assert (event.source.tenant, event.source.pool) == ("t-acme", "shared")


def test_every_field_and_status_is_in_the_reference() -> None:
    reference = (ROOT / "docs" / "reference.md").read_text("utf-8")
    wanted = {f"`{name}`" for name in (*FIELDS, *STATUSES, *MEDIA_TYPES)}

    assert {name for name in wanted if name not in reference} == set()


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
fields = st.sampled_from([*ENVELOPE, "data", "data_base64", "traceparent", "datacontenttype"])
usage_names = st.sampled_from([*FIELDS, "status", "time_end", "trace_id", "a.b"])


@UNHURRIED
@given(
    st.dictionaries(fields, anything, max_size=3),
    st.dictionaries(usage_names, anything, max_size=3),
)
def test_any_event_is_taken_whole_or_refused_with_a_reason(
    changed: dict[str, Any], usage: dict[str, Any]
) -> None:
    document = {**ENVELOPE, "data": {**USAGE, **usage}, **changed}
    refusal, records = "", []
    try:
        records = decode_events(json.dumps(document).encode(), STRUCTURED)
    except MalformedEventError as error:
        refusal = str(error)
    events, rejected = usage_events(records)

    assert (len(events), rejected) == (len(records), [])
    assert len(records) == (0 if refusal else 1)
    assert not refusal or (" must be " in refusal and refusal.isprintable())
