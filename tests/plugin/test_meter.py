"""Recording attempts: kept, numbered without gaps, delivered once, and never in the host's way."""

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plugin.receiver import Receiver, Reply, accept, call, metering, request_of
from tallystick_otel.attempt import Attempt
from tallystick_otel.meter import Meter, Options, install
from tallystick_otel.otlp import Event, pairs
from tallystick_otel.post import EndpointError

from collector.otlp import Encoding, Signal, decode


def test_what_is_recorded_arrives(meter: Meter, receiver: Receiver) -> None:
    attempt = call(7)
    attempt.about = {"tenant.id": "acme"}
    attempt.ended_ns = 1_790_000_000_000_000_000

    assert meter.record(attempt)
    assert meter.flush()
    (record,) = receiver.accepted
    assert record["name"] == "tallystick.usage"
    assert record["scope"] == "tallystick"
    assert record["resource"] == {"service.name": "g"}
    assert record["time"] == attempt.ended_ns
    assert record["tenant.id"] == "acme"
    assert record["gen_ai.usage.input_tokens"] == 7
    assert record["tallystick.producer.sequence"] == 1
    assert "gen_ai.usage.reasoning.output_tokens" not in record


def test_the_numbers_of_many_threads_have_no_gap(meter: Meter, receiver: Receiver) -> None:
    def work(start: int) -> None:
        for number in range(start, start + 200):
            meter.record(call(number))

    threads = [threading.Thread(target=work, args=(n * 1000,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert meter.flush(20)
    assert [r["tallystick.producer.sequence"] for r in receiver.accepted] == list(range(1, 1201))
    assert len(receiver.response_ids) == 1200
    assert (meter.recorded, meter.delivered, meter.dropped) == (1200, 1200, 0)


def test_the_key_travels_as_a_bearer_token(receiver: Receiver, folder: Path) -> None:
    meter = install(f"{receiver.address}/", folder, token="k1", options=Options(compress=False))
    meter.record(call(1))
    meter.flush()
    meter.close()

    assert receiver.headers[0]["Authorization"] == "Bearer k1"
    assert receiver.headers[0]["path"] == "/v1/logs"
    assert receiver.accepted[0]["resource"] == {"service.name": "gateway"}


@pytest.mark.parametrize("address", ["", "127.0.0.1:4318", "ftp://127.0.0.1", "http://"])
def test_an_impossible_address_is_told_at_once(address: str, folder: Path) -> None:
    with pytest.raises(EndpointError, match="an endpoint must be"):
        install(address, folder)


def test_a_closed_meter_delivers_and_leaves_nothing_behind(
    meter: Meter, receiver: Receiver, folder: Path
) -> None:
    meter.record(call(1))
    meter.close()

    assert receiver.response_ids == {"r1"}
    assert list(folder.iterdir()) == []
    assert not meter.record(call(2))
    assert meter.dropped == 1
    meter.close()


class Spiteful:
    """An object that fails whatever is asked of it."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __index__(self) -> int:
        raise RuntimeError


@pytest.mark.parametrize(
    "garbage",
    [
        lambda: None,
        lambda: Attempt(about=5),
        lambda: Attempt(ended_ns="x"),
        Spiteful,
        lambda: Attempt(Spiteful()),
    ],
    ids=["nothing", "about five", "ended at x", "spiteful", "of spiteful operation"],
)
def test_garbage_is_counted_and_never_raised(
    meter: Meter, receiver: Receiver, garbage: Callable[[], Any]
) -> None:
    assert not meter.record(garbage())
    assert meter.record(call(2))
    assert meter.flush()

    assert meter.errors == 1
    assert meter.dropped == 1
    (record,) = receiver.accepted
    assert record["tallystick.producer.sequence"] == 2
    assert record["tallystick.producer.dropped"] == 1


values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(), values, max_size=4), st.text(), st.text())
def test_whatever_is_said_the_request_is_one_that_receivers_can_read(
    said: dict[str, Any], scope: str, name: str
) -> None:
    assert reaches_the_collector(Event(1_790_000_000_000_000_000, pairs(said), scope, name))


def reaches_the_collector(event: Event) -> bool:
    """Whether the service's own decoder reads the request of an event, number included."""
    (record,) = decode(request_of(event), Signal.LOGS, Encoding.JSON)
    return record.attributes["tallystick.producer.sequence"] == 1


def test_a_fork_is_a_producer_of_its_own(meter: Meter, receiver: Receiver) -> None:
    meter.record(call(1))
    assert forked(lambda: meter.record(call(2)) and meter.flush(20))
    meter.record(call(3))

    assert meter.flush()
    by_producer: dict[str, list[int]] = {}
    for record in receiver.accepted:
        numbers = by_producer.setdefault(record["tallystick.producer.id"], [])
        numbers.append(record["tallystick.producer.sequence"])
    assert sorted(by_producer.values()) == [[1], [1, 2]]
    assert receiver.response_ids == {"r1", "r2", "r3"}


def test_a_fork_while_an_answer_is_being_read_does_not_hang(
    meter: Meter, receiver: Receiver
) -> None:
    """The parent's thread holds the lock of a buffer that the fork inherits locked."""
    body = threading.Event()
    receiver.reply = lambda _: Reply(holds=None if receiver.accepted else body)
    meter.record(call(1))
    assert meter._delivery is not None
    while not {"read", "readinto"} <= functions_of(meter._delivery):
        time.sleep(0.001)
    went_well = forked(lambda: meter.record(call(2)) and meter.flush(20))
    body.set()

    assert went_well
    assert meter.flush()
    assert receiver.response_ids == {"r1", "r2"}


def functions_of(thread: threading.Thread) -> set[str]:
    """Return the names of the functions that a thread is in."""
    frame = sys._current_frames()[thread.ident or 0]
    return {inner.f_code.co_name for inner, _ in traceback.walk_stack(frame)}


def forked(work: Callable[[], bool]) -> bool:
    """Whether work went well in a fork; one that hangs is killed."""
    child = os.fork()
    if child == 0:
        os._exit(0 if work() else 1)
    watch = threading.Timer(30, os.kill, (child, signal.SIGKILL))
    watch.start()
    _, status = os.waitpid(child, 0)
    watch.cancel()
    watch.join()
    return os.waitstatus_to_exitcode(status) == 0


def test_a_fork_does_not_keep_its_parents_folder(receiver: Receiver, folder: Path) -> None:
    """The parent dies while its child lives on: what it left is still taken over."""
    receiver.reply = lambda _: Reply(503)
    ready, go = os.pipe(), os.pipe()
    parent = os.fork()
    if parent == 0:
        meter = install(receiver.address, folder)
        meter.record(call(1))
        if os.fork() == 0:
            os.write(ready[1], b".")
            os.read(go[0], 1)
        os._exit(0)
    os.waitpid(parent, 0)
    os.read(ready[0], 1)
    receiver.reply = accept
    with metering(receiver.address, folder):
        receiver.wait_for(lambda r: r.response_ids == {"r1"})
    os.write(go[1], b".")


def test_an_outbox_that_cannot_be_made_is_tried_again(receiver: Receiver, tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")
    with metering(receiver.address, blocker / "outbox") as meter:
        assert not meter.record(call(1))
        assert not meter.record(call(2))
        blocker.unlink()
        meter._open_again_at = 0.0
        assert meter.record(call(3))
        assert meter.flush()
        assert meter.dropped == 2

    (record,) = receiver.accepted
    assert record["tallystick.producer.sequence"] == 3
    assert record["tallystick.producer.dropped"] == 2
