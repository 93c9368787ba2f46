"""Answers that tell their usage in other places, choice by choice, compressed, or not at all."""

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plugin.gateway import JSON, SSE, STREAM, USAGE, answering, asked, only
from plugin.receiver import Receiver
from tallystick_otel.answer import MAX_CHOICES, Answer
from tallystick_otel.asgi import UsageMiddleware, Watch
from tallystick_otel.attempt import Attempt
from tallystick_otel.meter import Meter
from tallystick_otel.stream import Inflated, Whole


def told(*documents: object) -> Attempt:
    answer, attempt = Answer(), Attempt()
    for document in documents:
        answer.read(document)
    answer.tell(attempt)
    return attempt


def chunk(index: int, completion: int) -> dict[str, Any]:
    usage = {"prompt_tokens": 100, "completion_tokens": completion}
    return {"choices": [{"index": index, "delta": {"content": "x"}}], "usage": usage}


def test_counts_that_grow_choice_by_choice_add_up_when_the_stream_is_cut() -> None:
    cut = told(chunk(0, 1), chunk(1, 1), chunk(0, 5), chunk(1, 3))

    assert (cut.input_tokens, cut.output_tokens) == (100, 8)


def test_the_count_of_all_choices_goes_before_those_of_each() -> None:
    total = {"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 9}}

    assert told(chunk(0, 5), chunk(1, 3), total).output_tokens == 9
    assert told(chunk(0, 5), chunk(0, 7)).output_tokens == 7


@pytest.mark.parametrize("index", [-1, MAX_CHOICES, 10**9])
def test_choices_that_cannot_be_are_not_kept(index: int) -> None:
    assert told(chunk(0, 5), chunk(index, 3)).output_tokens == 3


@pytest.mark.parametrize(
    "document",
    [
        {"x_groq": {"id": "req", "usage": USAGE}, "choices": []},
        {"choices": [{"index": 0, "finish_reason": "stop", "usage": USAGE}]},
        {"usage": None, "choices": [None, {"usage": 5}, {"usage": USAGE}]},
    ],
    ids=["groq", "moonshot", "behind nonsense"],
)
def test_usage_is_found_where_others_put_it(document: dict[str, Any]) -> None:
    attempt = told(document)

    assert (attempt.input_tokens, attempt.output_tokens) == (100, 20)


def test_an_error_between_the_events_of_a_response_is_one() -> None:
    error = {"type": "error", "code": "rate_limit_exceeded", "message": "slow down"}

    assert told(error).error_type == "rate_limit_exceeded"
    assert told({"type": "error"}).error_type == "server_error"


COMPRESS: dict[bytes, Callable[[bytes], bytes]] = {
    b"gzip": gzip.compress,
    b"x-gzip": gzip.compress,
    b"deflate": zlib.compress,
}


@pytest.mark.parametrize("name", COMPRESS)
def test_a_compressed_stream_is_read_and_passes_unchanged(
    meter: Meter, receiver: Receiver, name: bytes
) -> None:
    packed = COMPRESS[name](b"".join(STREAM))
    pieces = [packed[at : at + 5] for at in range(0, len(packed), 5)]
    app = answering(*pieces, headers=[SSE, (b"content-encoding", name)])
    sent = asked(UsageMiddleware(app, meter, Watch(strip_usage=True)), {"stream": True})

    assert b"".join(m.get("body", b"") for m in sent) == packed
    assert only(meter, receiver)["gen_ai.usage.output_tokens"] == 20


def test_a_compressed_answer_that_is_broken_passes_and_is_unknown(
    meter: Meter, receiver: Receiver
) -> None:
    packed = gzip.compress(json.dumps({"usage": USAGE}).encode())[:10] + b"\xff" * 40
    app = answering(packed, b"more", headers=[JSON, (b"content-encoding", b"gzip")])
    sent = asked(UsageMiddleware(app, meter))

    assert b"".join(m.get("body", b"") for m in sent) == packed + b"more"
    assert "gen_ai.usage.input_tokens" not in only(meter, receiver)


@given(st.integers(1, 50_000), st.integers(1, 3000))
def test_a_compressed_answer_is_read_as_if_it_were_not(filler: int, piece: int) -> None:
    text = json.dumps({"data": "x" * filler, "usage": USAGE}).encode()
    packed = gzip.compress(text)
    answer, attempt = Answer(), Attempt()
    reader = Inflated(Whole(answer))
    for at in range(0, len(packed), piece):
        reader.feed(packed[at : at + piece])
    reader.end()
    answer.tell(attempt)

    assert attempt.output_tokens == 20
