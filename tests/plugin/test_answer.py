"""What answers say of usage: in every shape, and in whatever pieces they come."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tallystick_otel.answer import Answer
from tallystick_otel.attempt import Attempt
from tallystick_otel.sieve import LONGEST, UsageSieve
from tallystick_otel.stream import EVENT_BYTES, WHOLE_BYTES, EventStream, Whole

CHAT = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 8},
    "completion_tokens_details": {"reasoning_tokens": 5},
}
NATIVE = {
    "input_tokens": 28,
    "cache_read_input_tokens": 64,
    "cache_creation_input_tokens": 8,
    "cache_creation": {"ephemeral_5m_input_tokens": 6, "ephemeral_1h_input_tokens": 2},
    "output_tokens": 20,
}
RESPONSES = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 8},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 5},
}


ALL = "input=100 output=20 cached=64 written=8 reasoning=5"
ALL_NATIVE = "input=100 output=20 cached=64 written=8 written_5m=6 written_1h=2"
FIELDS = (
    *("id", "model", "usage", "choices", "delta", "type", "message", "response", "error"),
    *("finish_reason", "stop_reason", "text", "content"),
    *("prompt_tokens", "prompt_tokens_details", "cached_tokens"),
)


def told(*documents: object, operation: str = "chat") -> Attempt:
    answer, attempt = Answer(), Attempt(operation)
    for document in documents:
        answer.read(document)
    answer.tell(attempt)
    return attempt


def counts(attempt: Attempt) -> dict[str, int]:
    """Return the counts that are known, without their common ending."""
    named = {n.removesuffix("_tokens"): v for n, v in vars(attempt).items() if "_tokens" in n}
    return {name: value for name, value in named.items() if value is not None}


@pytest.mark.parametrize(
    ("document", "operation", "expected"),
    [
        ({"usage": CHAT}, "chat", ALL),
        ({"type": "message", "usage": NATIVE}, "chat", ALL_NATIVE),
        ({"usage": NATIVE}, "chat", ALL_NATIVE),
        ({"object": "response", "usage": RESPONSES}, "chat", ALL),
        ({"usage": {"prompt_tokens": 9, "prompt_cache_hit_tokens": 4}}, "chat", "input=9 cached=4"),
        ({"usage": {"prompt_tokens": 9, "cache_read_input_tokens": 4}}, "chat", "input=9 cached=4"),
        ({"usage": {"prompt_tokens": 9, "prompt_tokens_details": None}}, "chat", "input=9"),
        ({"usage": {"prompt_tokens": 9, "total_tokens": 9}}, "embeddings", "input=9"),
        ({"usage": {"total_tokens": 9}}, "rerank", "input=9"),
        ({"usage": {"total_tokens": 9}}, "chat", ""),
        ({"usage": {}}, "rerank", ""),
        ({"usage": {"prompt_tokens": True, "completion_tokens": -1}}, "chat", ""),
        ({"usage": {"prompt_tokens": 2**40, "completion_tokens": "7"}}, "chat", ""),
        ({"usage": None}, "chat", ""),
        ({}, "chat", ""),
    ],
)  # fmt: skip
def test_counts_are_read_as_they_were_reported(
    document: object, operation: str, expected: str
) -> None:
    pairs = [pair.partition("=") for pair in expected.split()]

    assert counts(told(document, operation=operation)) == {n: int(v) for n, _, v in pairs}


def test_the_rest_of_an_answer_is_read_as_well() -> None:
    attempt = told(
        {
            "id": "chatcmpl-1",
            "model": "qwen3",
            "choices": [{"finish_reason": "stop"}, {"finish_reason": "length"}, "odd"],
        }
    )

    assert (attempt.response_id, attempt.model) == ("chatcmpl-1", "qwen3")
    assert attempt.finish_reasons == ["stop", "length"]
    assert attempt.error_type is None


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"type": "rate_limit_error", "code": 429}, "rate_limit_error"),
        ({"code": "engine_died"}, "engine_died"),
        ({"message": "no"}, "server_error"),
        ("no", "server_error"),
        (None, None),
    ],
)
def test_an_error_is_told_by_its_type(error: object, expected: str | None) -> None:
    assert told({"error": error}).error_type == expected
    assert told({"type": "response.failed", "response": {"error": error}}).error_type == expected


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner),
    )
)
def test_garbage_says_nothing_and_breaks_nothing(document: object) -> None:
    attempt = told(document, {"usage": {"prompt_tokens": 5}})

    assert attempt.input_tokens == 5


# Streams


def sse(*documents: object, end: str = "\n", done: bool = True) -> bytes:
    texts = [d if isinstance(d, str) else "data: " + json.dumps(d) for d in documents]
    texts += ["data: [DONE]"] * done
    return "".join(text.replace("\n", end) + end + end for text in texts).encode()


def streamed(*pieces: bytes) -> tuple[Answer, Attempt]:
    answer, attempt = Answer(), Attempt()
    stream = EventStream(answer)
    for piece in pieces:
        stream.feed(piece)
    stream.end()
    answer.tell(attempt)
    return answer, attempt


def cut(text: bytes, places: list[int]) -> list[bytes]:
    at = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[start:stop] for start, stop in pairwise(at)]


def chunk(content: str = "", usage: Any = None, reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": reason}
    return {"id": "c1", "model": "m", "choices": [choice], "usage": usage}


OPENAI = [
    chunk(),
    chunk("hi 你好"),
    chunk("!"),
    chunk(reason="stop"),
    {"choices": [], "usage": CHAT},
]
ANTHROPIC: list[Any] = [
    "event: message_start\ndata: "
    + json.dumps(
        {
            "type": "message_start",
            "message": {"id": "c1", "model": "m", "usage": {**NATIVE, "output_tokens": 1}},
        }
    ),
    ": a comment",
    {"type": "ping"},
    {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "hi"}},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn"},
        "usage": {"output_tokens": 20},
    },
    {"type": "message_stop"},
]
RESPONSE: list[Any] = [
    {"type": "response.created", "response": {"id": "c1", "model": "m", "usage": None}},
    {"type": "response.output_text.delta", "delta": "hi"},
    {"type": "response.completed", "response": {"id": "c1", "model": "m", "usage": RESPONSES}},
]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize(
    "events", [OPENAI, ANTHROPIC, RESPONSE], ids=["chat", "messages", "responses"]
)
@settings(max_examples=40, deadline=None)
@given(places=st.lists(st.integers(0, 10_000), max_size=12))
def test_a_stream_cut_anywhere_says_the_same(
    events: list[Any], end: str, places: list[int]
) -> None:
    answer, attempt = streamed(*cut(sse(*events, end=end), places))

    assert (attempt.input_tokens, attempt.cached_tokens, attempt.output_tokens) == (100, 64, 20)
    assert (attempt.response_id, attempt.model) == ("c1", "m")
    assert answer.has_content
    assert answer.is_finished


def test_a_stream_cut_at_every_byte_says_the_same() -> None:
    text = sse(*OPENAI, end="\r\n")
    _, attempt = streamed(*(text[n : n + 1] for n in range(len(text))))

    assert counts(attempt) == counts(told({"usage": CHAT}))
    assert attempt.finish_reasons == ["stop"]


def test_cumulative_usage_on_every_chunk_is_not_added_up() -> None:
    growing = [chunk("a", {"prompt_tokens": 7, "completion_tokens": n}) for n in range(1, 6)]
    _, attempt = streamed(sse(*growing, done=False))

    assert (attempt.input_tokens, attempt.output_tokens) == (7, 5)


def test_an_anthropic_stream_that_broke_off_knows_its_input_only() -> None:
    answer, attempt = streamed(sse(*ANTHROPIC[:4], done=False))

    assert (attempt.input_tokens, attempt.output_tokens) == (100, None)
    assert not answer.is_finished


def test_an_event_that_lacks_its_end_is_still_read() -> None:
    assert streamed(sse(*OPENAI, done=False).rstrip())[1].output_tokens == 20


def test_an_event_may_spread_over_data_lines() -> None:
    pretty = json.dumps({"usage": CHAT}, indent=1).replace("\n", "\ndata:")

    assert streamed(f"data:{pretty}\n\n".encode())[1].input_tokens == 100


def test_content_is_never_taken_for_usage() -> None:
    lie = json.dumps({"usage": {"prompt_tokens": 1, "completion_tokens": 1}})
    _, attempt = streamed(sse(chunk(lie), chunk(lie), {"choices": [], "usage": CHAT}))

    assert attempt.input_tokens == 100


@pytest.mark.parametrize("line_ends", [b"", b"\ndata: "], ids=["one line", "many lines"])
def test_an_endless_event_is_skipped_and_needs_no_memory(line_ends: bytes) -> None:
    answer = Answer()
    stream = EventStream(answer)
    stream.feed(b"data: ")
    for _ in range(40):
        stream.feed(b"x" * 65_536 + line_ends)
    kept = len(stream._line) + sum(map(len, stream._event))
    stream.feed(b"\n\n" + sse({"usage": CHAT}))
    attempt = Attempt()
    answer.tell(attempt)

    assert kept <= EVENT_BYTES + 2 * 65_536
    assert attempt.input_tokens == 100


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(max_size=30), max_size=8))
def test_bytes_that_are_no_stream_break_nothing(pieces: list[bytes]) -> None:
    streamed(*pieces, b'\n\ndata: {"usage": {"prompt_tokens": 3}}\n\n')


# Answers in one piece


def whole(text: bytes, size: int = 10_000) -> Attempt:
    answer, attempt = Answer(), Attempt("embeddings")
    reader = Whole(answer)
    for start in range(0, len(text), size):
        reader.feed(text[start : start + size])
    reader.end()
    answer.tell(attempt)
    return attempt


def test_a_small_answer_is_read_as_a_whole() -> None:
    attempt = whole(json.dumps({"model": "m", "usage": CHAT, "id": "c1"}).encode(), size=7)

    assert (attempt.response_id, attempt.model, attempt.input_tokens) == ("c1", "m", 100)


def test_of_a_large_answer_only_the_ends_are_kept_and_read() -> None:
    lie = {"usage": {"prompt_tokens": 1}, "model": "lie"}
    vectors = [{"embedding": [0.1] * 100, "input": lie} for _ in range(1000)]
    document = {"id": "c1", "data": vectors, "model": "m", "usage": {"prompt_tokens": 9}}
    text = json.dumps(document).encode()
    attempt = whole(text)

    assert len(text) > 2 * WHOLE_BYTES
    assert (attempt.response_id, attempt.model, attempt.input_tokens) == ("c1", "m", 9)


def test_of_a_large_answer_what_is_nested_is_not_its_own() -> None:
    lie = {"usage": {"prompt_tokens": 1}}
    document = {"data": ["x" * WHOLE_BYTES, lie]}

    assert whole(json.dumps(document).encode()).input_tokens is None


@pytest.mark.parametrize("text", [b"", b"no json", b"[1]", b"\xff", b"[" * 100_000])
def test_an_answer_that_is_no_object_says_nothing(text: bytes) -> None:
    assert counts(whole(text)) == {}


# The sieve


@settings(max_examples=40, deadline=None)
@given(places=st.lists(st.integers(0, 10_000), max_size=12), end=st.sampled_from(["\n", "\r\n"]))
def test_the_sieve_takes_out_the_usage_event_and_nothing_else(places: list[int], end: str) -> None:
    sieve = UsageSieve()
    passed = b"".join(sieve.feed(piece) for piece in cut(sse(*OPENAI, end=end), places))

    assert passed + sieve.rest() == sse(*OPENAI[:-1], end=end)


def test_the_sieve_holds_back_no_more_than_one_event() -> None:
    sieve = UsageSieve()

    assert sieve.feed(b"data: {}\n\ndata: {") == b"data: {}\n\n"
    assert sieve.rest() == b"data: {"
    assert len(sieve.feed(b"x" * (LONGEST + 1))) == LONGEST + 1


@pytest.mark.parametrize("text", ['{"usage": 1}', '["usage"]', '{"usage"', '"usage"'])
def test_the_sieve_passes_what_only_looks_like_usage(text: str) -> None:
    assert UsageSieve().feed(f"data: {text}\n\n".encode()) == f"data: {text}\n\n".encode()
