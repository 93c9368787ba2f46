"""The made-up month's requests and node states, the same for the same seed."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from metering.period import month_of, zone_of

MONTH = "2026-10"
ZONE = "Asia/Shanghai"
SPANS_PER_BODY = 2000

_DAY = timedelta(days=1)
_REQUESTS_PER_DAY = {"acme": 520, "borealis": 300, "cygnus": 440}
_BUSY_HOURS = range(9, 21)


@dataclass(frozen=True, slots=True)
class Request:
    """One made-up request at the gateway."""

    ended_at: datetime
    seconds: float
    attributes: dict[str, str | int] = field(default_factory=dict)
    is_throttled: bool = False


def windows(seed: int) -> list[tuple[datetime, datetime]]:
    """Return when the scheduled node ran: weekdays 09:00 to 21:00, some seconds late each time."""
    rng = random.Random(f"windows-{seed}")  # noqa: S311 - made-up data, not secrets
    out = []
    for day in _days():
        if day.weekday() < 5:
            start = day.replace(hour=9) + timedelta(seconds=rng.randint(20, 95))
            end = day.replace(hour=21) + timedelta(seconds=rng.randint(0, 12))
            out.append((start, end))
    return out


def bodies(seed: int) -> Iterator[bytes]:
    """Yield the month as OTLP trace requests (protobuf), in order of time."""
    rng = random.Random(f"traffic-{seed}")  # noqa: S311 - made-up data, not secrets
    requests = _requests(rng, windows(seed))
    while batch := list(islice(requests, SPANS_PER_BODY)):
        yield _body(batch, rng)


def _days() -> Iterator[datetime]:
    month = month_of(MONTH, ZONE)
    day = month.start.astimezone(zone_of(ZONE))
    while day < month.end:
        yield day
        day += _DAY


def _requests(rng: random.Random, ran: Sequence[tuple[datetime, datetime]]) -> Iterator[Request]:
    open_days = {start.date(): (start, end) for start, end in ran}
    for day in _days():
        todays = [_acme(rng, _instant(rng, day)) for _ in range(_REQUESTS_PER_DAY["acme"])]
        todays += [_cygnus(rng, _instant(rng, day)) for _ in range(_REQUESTS_PER_DAY["cygnus"])]
        if day.date() in open_days:
            start, end = open_days[day.date()]
            for _ in range(_REQUESTS_PER_DAY["borealis"]):
                at = start + (end - start) * rng.random()
                todays.append(_borealis(rng, at))
        yield from sorted(todays, key=lambda r: r.ended_at)


def _instant(rng: random.Random, day: datetime) -> datetime:
    """Return an instant of the day; four of five fall into the busy hours."""
    hour = rng.choice(_BUSY_HOURS) if rng.random() < 0.8 else rng.randrange(24)
    return day + timedelta(hours=hour, milliseconds=rng.randrange(3_600_000))


def _acme(rng: random.Random, at: datetime) -> Request:
    spills = at.hour in range(10, 12) and rng.random() < 0.3
    where: dict[str, str | int] = (
        {"tallystick.pool": "shared", "tallystick.spill.reason": "queue_full"}
        if spills
        else {"tallystick.pool": "dedicated", "tallystick.resource.id": "node-acme-1"}
    )
    return _chat(rng, at, {"tenant.id": "t-acme", **where}, "qwen3-32b")


def _cygnus(rng: random.Random, at: datetime) -> Request:
    project = rng.choice(("chat", "chat", "npc"))
    who: dict[str, str | int] = {"api_key.id": f"key-cygnus-{project}", "tallystick.pool": "shared"}
    return _chat(rng, at, who, "qwen3-14b")


def _borealis(rng: random.Random, at: datetime) -> Request:
    return Request(
        at,
        rng.uniform(0.01, 0.08),
        {
            "tenant.id": "t-borealis",
            "tallystick.pool": "dedicated",
            "tallystick.resource.id": "node-borealis-1",
            "gen_ai.operation.name": "embeddings",
            "gen_ai.request.model": "qwen3-embedding-8b",
            "gen_ai.usage.input_tokens": rng.randint(64, 4096),
        },
    )


def _chat(rng: random.Random, at: datetime, who: dict[str, str | int], model: str) -> Request:
    """Return a chat: half of the prompts find part of themselves in the cache, some are refused."""
    call: dict[str, str | int] = {"gen_ai.operation.name": "chat", "gen_ai.request.model": model}
    if rng.random() < 0.01:
        refused: dict[str, str | int] = {"http.response.status_code": 429}
        return Request(at, 0.002, who | call | refused, is_throttled=True)
    prompt = int(rng.lognormvariate(6.6, 0.8)) + 1
    answer = int(rng.lognormvariate(5.3, 0.7)) + 1
    usage: dict[str, str | int] = {
        "gen_ai.response.id": f"chatcmpl-{rng.getrandbits(96):024x}",
        "gen_ai.usage.input_tokens": prompt,
        "gen_ai.usage.cache_read.input_tokens": prompt // 2 if rng.random() < 0.5 else 0,
        "gen_ai.usage.output_tokens": answer,
    }
    return Request(at, 0.2 + answer * 0.012, who | call | usage)


def _body(batch: Sequence[Request], rng: random.Random) -> bytes:
    message = ExportTraceServiceRequest()
    of_resource = message.resource_spans.add()
    of_resource.resource.attributes.append(_pair("service.name", "gateway-1"))
    of_scope = of_resource.scope_spans.add()
    of_scope.scope.name = "tallystick.demo"
    of_scope.spans.extend(_span(request, rng) for request in batch)
    body: bytes = message.SerializeToString(deterministic=True)
    return body


def _span(request: Request, rng: random.Random) -> Span:
    ended_at = int(request.ended_at.timestamp() * 1000) * 1_000_000
    is_error = request.is_throttled
    return Span(
        trace_id=rng.getrandbits(128).to_bytes(16),
        span_id=rng.getrandbits(64).to_bytes(8),
        name=str(request.attributes["gen_ai.operation.name"]),
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=ended_at - int(request.seconds * 1000) * 1_000_000,
        end_time_unix_nano=ended_at,
        attributes=[_pair(k, v) for k, v in request.attributes.items()],
        status=Status(code=Status.STATUS_CODE_ERROR if is_error else Status.STATUS_CODE_UNSET),
    )


def _pair(key: str, value: Any) -> KeyValue:
    if isinstance(value, int):
        return KeyValue(key=key, value=AnyValue(int_value=value))
    return KeyValue(key=key, value=AnyValue(string_value=value))
