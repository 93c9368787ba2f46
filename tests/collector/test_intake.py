"""What a body of records becomes: events, and refusals that say why and lose no neighbour."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from builders import T0

from collector.dialect.normalise import EARLIEST_NS, Rejected, usage_event, usage_events
from collector.otlp import Record
from metering.event import MAX_INSTANT_NS, Tokens, UsageEvent

CHAT = {"gen_ai.operation.name": "chat"}
USAGE = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 2}
LOG = {"name": "tallystick.usage", "is_log": True, "scope": "tallystick"}


def record(said: Mapping[str, Any] = CHAT, **fields: Any) -> Record:
    ids = {"trace_id": b"t" * 16, "span_id": b"s" * 8, "started_at": T0 - 10**9, "ended_at": T0}
    return Record(said, **{**ids, **fields})


def event_of(said: Mapping[str, Any] = CHAT, **fields: Any) -> UsageEvent:
    return usage_event(record(said, **fields))


def reasons(rejected: list[Rejected]) -> list[str]:
    return [one.reason for one in rejected]


@pytest.mark.parametrize(
    ("ids", "reason"),
    [
        ({"trace_id": b"t" * 15}, "an id must be 16 bytes here, found 15"),
        ({"trace_id": b"t" * 17}, "an id must be 16 bytes here, found 17"),
        ({"span_id": b"s"}, "an id must be 8 bytes here, found 1"),
        ({"span_id": b"s" * 999}, "an id must be 8 bytes here, found 999"),
        ({"trace_id": bytes(16)}, "a span must have a trace id and a span id, found none"),
        ({"span_id": bytes(8)}, "a span must have a trace id and a span id, found none"),
        ({"trace_id": b""}, "a span must have a trace id and a span id, found none"),
    ],
)
def test_a_span_with_impossible_ids_is_refused_and_its_neighbours_are_kept(
    ids: dict[str, bytes], reason: str
) -> None:
    broken, good = record(name="chat", **ids), record()
    events, rejected = usage_events([good, broken, replace(good, span_id=b"2" * 8)])

    assert len(events) == 2
    assert len(rejected) == 1
    assert rejected[0].reason.startswith(reason)
    assert rejected[0].record is broken


def test_a_log_record_needs_no_ids_but_no_broken_ones_either() -> None:
    logs = [
        record(**LOG, trace_id=b"", span_id=b""),
        record(**LOG, trace_id=bytes(16), span_id=bytes(8)),
        record(**LOG, trace_id=b"t" * 3, span_id=b""),
    ]
    events, rejected = usage_events(logs)

    assert [(e.trace_id, e.span_id) for e in events] == [(b"", b"")] * 2
    assert [r[:28] for r in reasons(rejected)] == ["an id must be 16 bytes here,"]


@pytest.mark.parametrize("parent", [b"p" * 7, b"p" * 16, bytes(8), b""])
def test_an_impossible_parent_is_no_parent(parent: bytes) -> None:
    assert event_of(parent_span_id=parent).parent_span_id == b""


def test_events_end_within_the_time_that_the_receiver_allows() -> None:
    ends = [EARLIEST_NS - 1, EARLIEST_NS, T0, T0 + 1, MAX_INSTANT_NS]
    body = [record(ended_at=at, span_id=at.to_bytes(8)) for at in ends]
    events, rejected = usage_events(body, latest_ns=T0)

    assert [e.ended_at for e in events] == [EARLIEST_NS, T0]
    assert reasons(rejected) == [
        f"an event must end at {EARLIEST_NS} ns or later, found {EARLIEST_NS - 1} ns",
        (
            "ends in the future: an event must not end far ahead of the service's clock, "
            f"found {T0 + 1} ns"
        ),
        f"the end of an event must be after 1970 and before 2100, found {MAX_INSTANT_NS} ns",
    ]


def test_how_early_an_event_may_end_is_a_parameter() -> None:
    events, rejected = usage_events([record()], earliest_ns=T0 + 1)

    assert events == []
    assert len(rejected) == 1


def test_a_refusal_tells_enough_to_find_its_sender() -> None:
    resource = {"service.name": "gateway"}
    broken = record(name="chat", scope="any.sdk", resource=resource, span_id=b"")
    _, [rejected] = usage_events([broken])

    assert rejected.service == "gateway"
    assert (rejected.record.scope, rejected.record.name) == ("any.sdk", "chat")
    assert (rejected.record.trace_id, rejected.record.ended_at) == (b"t" * 16, T0)


def test_a_producer_numbers_its_records() -> None:
    said = {**USAGE, "tallystick.producer.id": "p1", "tallystick.producer.sequence": 7}
    numbered = event_of(said, **LOG)

    assert (numbered.producer, numbered.sequence) == ("p1", 7)
    assert (event_of().producer, event_of().sequence) == ("", 0)
    on_resource = {"tallystick.producer.id": "p2"}
    assert event_of(resource=on_resource).producer == "p2"


def test_a_log_record_tells_how_long_its_call_took() -> None:
    def started_at(**said: object) -> int:
        attributes = {k.replace("__", "."): v for k, v in said.items()}
        return event_of({**CHAT, **attributes}, **LOG, started_at=T0).started_at

    assert started_at() == T0
    assert started_at(tallystick__duration_ns=10**9) == T0 - 10**9
    assert started_at(tallystick__duration_ns=2**39) == T0 - 2**39
    assert started_at(tallystick__duration_ns=-5) == T0
    assert event_of({**CHAT, "tallystick.duration_ns": 5}).started_at == T0 - 10**9


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (" 12 ", 12), ("12\n", 12), (12.0, 12), ("٣", 3),
        ("1e3", None), ("-5", None), ("", None), (True, None), (float("nan"), None),
        (float("inf"), None), (-1, None), (2**53, None), ("9" * 5000, None), (b"12", None),
        ([12], None), ({"a": 12}, None), ("\ud800", None), ("12\x00", None),
    ],
)  # fmt: skip
def test_a_hostile_count_is_read_by_one_rule_or_is_unknown(
    value: object, count: int | None
) -> None:
    said = {**CHAT, "gen_ai.usage.input_tokens": value, "gen_ai.usage.output_tokens": 2}
    event = event_of(said)

    assert event.tokens == Tokens(count or 0, output=2)
    assert (event.caveat == "no input count") is (count is None)


@pytest.mark.parametrize("text", ["x" * 100_000, "a\ud800b", "a\x00b", "\u202e" * 9])
def test_hostile_texts_are_cut_and_cleaned(text: str) -> None:
    names = ("gen_ai.request.model", "gen_ai.provider.name", "tenant.id", "gen_ai.response.id")
    event = event_of({**CHAT, **dict.fromkeys(names, text)})

    for kept in (event.call.model, event.call.provider, event.source.tenant):
        assert len(kept) <= 500
        assert kept.isprintable()
        kept.encode()


def test_an_empty_text_says_nothing_and_the_next_name_is_asked() -> None:
    said = {**CHAT, "tenant.id": "", "metadata.user_api_key_team_id": "team-a"}
    event = event_of({**said, "gen_ai.response.model": "", "gen_ai.request.model": "qwen3"})

    assert (event.source.tenant, event.call.model) == ("team-a", "qwen3")


def test_a_whole_answer_too_long_to_be_read_is_left_alone() -> None:
    answer = '{"id": "r1", "text": "' + "x" * 1_000_000 + '"}'

    assert event_of({**CHAT, "output.value": answer}).call.response_id == ""


@pytest.mark.parametrize(
    ("reasons_said", "aborted"),
    [
        ('["abort"]', True), (["cancelled"], True), ("error", True), (["error"], True),
        (["stop"], False), ("[", False), ("[" * 99_999, False), (5, False), ([5], False),
        ("aborting is fine", False),
    ],
)  # fmt: skip
def test_finish_reasons_are_read_from_lists_and_from_texts(
    reasons_said: object, *, aborted: bool
) -> None:
    event = event_of({**CHAT, "gen_ai.response.finish_reasons": reasons_said})

    assert (event.call.outcome.value == "aborted") is aborted


def test_the_status_code_of_a_javascript_error_leads_its_message() -> None:
    failed = {"is_error": True, "status_message": "429 Rate limit reached for requests"}

    assert event_of(**failed).call.status_code == 429
    assert event_of(**{**failed, "status_message": "2004 was a year"}).call.status_code == 0


@pytest.mark.parametrize(("flag", "stream"), [("True", True), ("true", True), ("no", False)])
def test_a_flag_may_be_written_as_text(flag: str, *, stream: bool) -> None:
    assert event_of({**CHAT, "llm.is_streaming": flag}).call.stream is stream
