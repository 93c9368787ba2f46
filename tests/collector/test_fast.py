"""The fast decoder reads whatever the reference reads, and alike: captured, made up and damaged."""

from pathlib import Path
from random import Random
from typing import Any

import pytest
from alike import assert_alike, decoder, plainly
from any_request import requests
from builders import chat_span, span, traces
from captures import BODIES, CLIENTS, bodies_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from variations import varied

from collector.batch import fast
from collector.batch.fast import FastDecoder
from collector.batch.request import field
from collector.dialect.normalise import TooManyDaysError
from collector.dialect.roles import Gateways
from collector.otlp import (
    MAX_RECORDS,
    Encoding,
    MalformedBodyError,
    Signal,
    TooManyRecordsError,
)

UNHURRIED = settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
THOROUGH = settings(UNHURRIED, max_examples=3000)
CAPTURED = [path for path in BODIES if ".metrics." not in path.name]
SIGNALS = [Signal.TRACES, Signal.LOGS]
KINDS: dict[Signal, type[Any]] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
}
RATES = (0.0003, 0.001, 0.004)
"""How often something is changed: the more, the less a walker will follow."""
EACH_SIGNAL = pytest.mark.parametrize("signal", SIGNALS)


def signal_of(path: Path) -> Signal:
    return Signal.LOGS if ".logs." in path.name else Signal.TRACES


def decoded(raw: bytes, signal: Signal = Signal.TRACES) -> Any:
    return decoder().decode(raw, signal, Encoding.PROTOBUF)


def shuffled(raw: bytes, signal: Signal, chance: Random) -> bytes:
    """Put every record of a request under its own resource and scope, in any order."""
    message = KINDS[signal].FromString(raw)
    inner, leaf = ("scope_spans", "spans"), ("scope_logs", "log_records")
    names = inner if signal is Signal.TRACES else leaf
    alone = []
    for of_resource in _groups(message, signal):
        for of_scope in getattr(of_resource, names[0]):
            for record in getattr(of_scope, names[1]):
                one = KINDS[signal]()
                group = _groups(one, signal).add()
                group.resource.CopyFrom(of_resource.resource)
                under = getattr(group, names[0]).add()
                under.scope.CopyFrom(of_scope.scope)
                getattr(under, names[1]).append(record)
                alone.append(one.SerializeToString())
    chance.shuffle(alone)
    return b"".join(alone)


def _groups(message: Any, signal: Signal) -> Any:
    return message.resource_spans if signal is Signal.TRACES else message.resource_logs


@pytest.mark.parametrize("client", CLIENTS)
def test_captured_bodies_are_read_alike_one_by_one_and_in_one(client: str) -> None:
    knowing = decoder()
    for signal in SIGNALS:
        bodies = [path.read_bytes() for path in bodies_of(client, signal)]
        together = b"".join(bodies)

        assert all(assert_alike(raw, signal, knowing) for raw in bodies)
        assert assert_alike(together, signal)
        assert assert_alike(shuffled(together, signal, Random(1)), signal)


def test_one_decoder_for_all_clients_mixes_none_of_them() -> None:
    """Shapes learned from one client's records must not tell of another's."""
    knowing = decoder()
    paths = list(CAPTURED)
    Random(7).shuffle(paths)
    for path in (*paths[:200], *paths[:100]):
        assert assert_alike(path.read_bytes(), signal_of(path), knowing)


def test_most_captured_bodies_are_walked() -> None:
    """Otherwise the other tests would hold the reference against itself."""
    walker = decoder().walker
    walked = [
        walker.walk(path.read_bytes(), is_log=signal_of(path) is Signal.LOGS) is not None
        for path in CAPTURED
    ]

    assert sum(walked) > 0.9 * len(CAPTURED)


@EACH_SIGNAL
@UNHURRIED
@given(data=st.data())
def test_any_request_is_read_alike(signal: Signal, data: st.DataObject) -> None:
    message = data.draw(requests(signal))

    assert assert_alike(message.SerializeToString(), signal)


@pytest.mark.slow
@EACH_SIGNAL
@THOROUGH
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_very_many_requests_are_read_alike(signal: Signal, data: st.DataObject, seed: int) -> None:
    raw = data.draw(requests(signal)).SerializeToString()

    assert assert_alike(raw, signal)
    assert_alike(varied(raw, KINDS[signal].DESCRIPTOR, Random(seed), RATES[seed % 3]), signal)


@EACH_SIGNAL
@settings(UNHURRIED, max_examples=20)
@given(data=st.data())
def test_what_a_decoder_read_before_does_not_matter(signal: Signal, data: st.DataObject) -> None:
    bodies = [data.draw(requests(signal)).SerializeToString() for _ in range(2)]
    chance = Random(data.draw(st.integers(0, 9)))
    knowing = decoder()

    for raw in (*bodies, b"".join(bodies), shuffled(b"".join(bodies), signal, chance)):
        assert assert_alike(raw, signal, knowing)


@EACH_SIGNAL
@UNHURRIED
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_the_same_message_in_other_bytes_is_read_alike(
    signal: Signal, data: st.DataObject, seed: int
) -> None:
    raw = data.draw(requests(signal)).SerializeToString()

    assert_alike(varied(raw, KINDS[signal].DESCRIPTOR, Random(seed), RATES[seed % 3]), signal)


def test_captured_bodies_in_other_bytes_are_read_alike() -> None:
    knowing = decoder()
    chance = Random(11)
    read = 0
    for path in CAPTURED[::4]:
        signal = signal_of(path)
        raw = varied(path.read_bytes(), KINDS[signal].DESCRIPTOR, chance, 0.003)
        read += assert_alike(raw, signal, knowing)

    assert read > len(CAPTURED) / 8


def test_damaged_captured_bodies_are_read_alike_or_refused_by_both() -> None:
    knowing = decoder()
    chance = Random(5)
    statuses = []
    for _ in range(500):
        path = chance.choice(CAPTURED)
        body = bytearray(path.read_bytes())
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(body))
            body[at : at + chance.randint(0, 2)] = chance.randbytes(chance.randint(0, 2))
            del body[len(body) - chance.choice([0, 0, 0, chance.randrange(len(body))]) :]
            body = body or bytearray(b"\0")
        statuses.append(assert_alike(bytes(body), signal_of(path), knowing))

    assert set(statuses) == {True, False}


@pytest.mark.parametrize("setting", ["k8s.pod.name=千", "scope=litellm", "service.name=chat"])
@settings(UNHURRIED, max_examples=15)
@given(data=st.data())
def test_gateways_of_record_are_told_alike(setting: str, data: st.DataObject) -> None:
    message = data.draw(requests(Signal.TRACES))
    fast = FastDecoder(1, Gateways.parse(setting))

    assert assert_alike(message.SerializeToString(), Signal.TRACES, fast)


def test_a_gateway_named_by_an_attribute_nobody_knows_is_told_from_others() -> None:
    fast = FastDecoder(1, Gateways.parse("host.rack=7"))
    bodies = [
        traces([chat_span(n)], host__rack=rack).SerializeToString()
        for n, rack in enumerate(["8", "7", "9", "7"], start=1)
    ]
    roles = [fast.decode(raw, Signal.TRACES, Encoding.PROTOBUF).batch.table["role"][0].as_py()
             for raw in bodies]  # fmt: skip

    assert roles == ["witness", "bill", "witness", "bill"]


@pytest.mark.parametrize("depth", [3, 63, 64, 65, 3000])
@pytest.mark.parametrize("end", ["outside", "itself", "a circle"])
def test_deep_chains_and_circles_are_placed_alike(depth: int, end: str) -> None:
    """Calls stand at both ends of the chain and in its middle; the rest are other spans."""
    chain = []
    for n in range(1, depth + 1):
        is_call = n in {1, depth // 2 + 1, depth}
        one = chat_span(n) if is_call else span(number=n)
        one.trace_id = b"t" * 16
        one.parent_span_id = (n + 1).to_bytes(8)
        chain.append(one)
    last = {"outside": depth + 1, "itself": depth, "a circle": depth // 2 + 1}[end]
    chain[-1].parent_span_id = last.to_bytes(8)
    Random(depth).shuffle(chain)

    assert assert_alike(traces(chain).SerializeToString(), Signal.TRACES)


def test_a_body_of_too_many_records_is_refused_before_it_is_walked() -> None:
    body = field(1, field(2, b"\x12\x00" * (MAX_RECORDS + 1)))

    assert plainly(lambda: decoded(body)) is TooManyRecordsError
    assert not assert_alike(body, Signal.TRACES)


def test_a_body_of_too_many_days_is_refused() -> None:
    day = 86_400 * 10**9
    body = traces([chat_span(n, at=10**18 * 2 - n * day) for n in range(1, 102)])

    assert plainly(lambda: decoded(body.SerializeToString())) is TooManyDaysError
    assert assert_alike(body.SerializeToString(), Signal.TRACES)


def test_odd_records_and_rejected_ones_cost_their_neighbours_nothing() -> None:
    """What has no id, and what is written in an odd way, is read as the reference reads it."""
    nameless, odd, late = chat_span(2), chat_span(3), chat_span(5, at=2**62)
    nameless.span_id = b""
    odd.attributes.append(odd.attributes[0])
    body = traces([chat_span(1), nameless, odd, chat_span(4), late]).SerializeToString()
    knowing = decoder()

    for _ in range(2):
        assert assert_alike(body, Signal.TRACES, knowing)
    found = knowing.decode(body, Signal.TRACES, Encoding.PROTOBUF)
    assert len(list(found.rejected)) == 2


def test_more_shapes_than_are_remembered_are_read_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits are lowered, for reaching them takes thousands of shapes."""
    monkeypatch.setattr(fast, "MAX_CLASSES", 3)
    monkeypatch.setattr(fast, "MAX_LESSONS", 5)
    knowing = decoder()
    bodies = [
        traces([chat_span(n, llm__vendor=f"v{n % 8}") for n in range(1, 30)]).SerializeToString(),
        traces([chat_span(n, llm__vendor=f"v{n % 2}") for n in range(1, 9)]).SerializeToString(),
    ]
    for raw in bodies * 2:
        assert assert_alike(raw, Signal.TRACES, knowing)


def test_the_shape_of_a_very_large_record_is_not_learned() -> None:
    large = chat_span(1, prompt="x" * 100_000)
    knowing = decoder()

    for spans in ([large], [chat_span(2)], [large, chat_span(3)]):
        assert assert_alike(traces(spans).SerializeToString(), Signal.TRACES, knowing)


def test_metrics_have_no_records_and_are_not_salvaged() -> None:
    found = decoder().decode(b"", Signal.METRICS, Encoding.PROTOBUF)
    broken = field(1, field(1, field(1, field(1, b"\xff"))))

    assert (len(found.batch), list(found.rejected)) == (0, [])
    with pytest.raises(MalformedBodyError):
        decoder().decode(broken, Signal.METRICS, Encoding.PROTOBUF)


@EACH_SIGNAL
@pytest.mark.parametrize("encoding", list(Encoding))
def test_an_empty_request_has_no_events(signal: Signal, encoding: Encoding) -> None:
    found = decoder().decode(b"{}" if encoding is Encoding.JSON else b"", signal, encoding)

    assert (len(found.batch), list(found.rejected)) == (0, [])
