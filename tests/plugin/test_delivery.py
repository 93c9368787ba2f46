"""Delivery: until acknowledged, through outages, around one bad event, and after a kill."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from plugin.receiver import Receiver, Record, Reply, accept, call, metering
from tallystick_otel import delivery
from tallystick_otel.meter import Meter
from tallystick_otel.post import Verdict, answer_of

BURST = Path(__file__).with_name("burst.py")


def test_an_outage_loses_nothing(
    receiver: Receiver, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "BACK_OFF_SECONDS_MAX", 0.01)  # real ones take minutes
    outages = iter([503, 429, 500, 502, 504, 404, 401])
    receiver.reply = lambda _: Reply(next(outages, 200))
    with metering(receiver.address, folder) as meter:
        for number in range(10):
            meter.record(call(number))

        assert meter.flush(20)
        assert (meter.delivered, meter.refused, meter.failures) == (10, 0, 7)
    assert receiver.response_ids == {f"r{n}" for n in range(10)}


def test_a_receiver_that_starts_later_gets_all(folder: Path, receiver: Receiver) -> None:
    with metering("http://127.0.0.1:9", folder) as meter:
        meter.record(call(1))
        assert not meter.flush(0.3)
    with metering(receiver.address, folder):
        receiver.wait_for(lambda r: r.response_ids == {"r1"})


def test_the_thread_outlives_errors_of_its_own(
    meter: Meter, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert meter._outbox is not None
    measure = meter._outbox.measure

    def fail_once() -> None:
        monkeypatch.undo()
        raise RuntimeError("a bug")

    meter.flush()
    monkeypatch.setattr(meter._outbox, "measure", fail_once)  # nothing outside makes it fail
    assert meter._delivery is not None
    meter._delivery._tidy_at = 0.0
    meter.record(call(1))

    assert meter.flush()
    assert receiver.response_ids == {"r1"}
    assert meter.failures == 1
    assert meter._outbox.measure == measure


def test_retry_after_is_honoured(meter: Meter, receiver: Receiver) -> None:
    receiver.reply = lambda records: (
        Reply(503, {"Retry-After": "1"}) if len(receiver.requests) == 0 else accept(records)
    )
    began = time.monotonic()
    meter.record(call(1))
    receiver.wait_for(lambda r: bool(r.accepted))

    assert time.monotonic() - began >= 1.0


def test_a_resend_has_the_same_ids(meter: Meter, receiver: Receiver) -> None:
    replies = iter([Reply(503)])
    receiver.reply = lambda _: next(replies, Reply())
    meter.record(call(1))
    receiver.wait_for(lambda r: bool(r.accepted))

    first, second = receiver.requests[:2]
    assert first == second


def test_a_poisoned_event_is_set_aside_and_its_neighbours_arrive(
    meter: Meter, receiver: Receiver, folder: Path
) -> None:
    def refuse_seven(records: list[Record]) -> Reply:
        is_bad = any(r["gen_ai.response.id"] in {"r7", "r41"} for r in records)
        return Reply(400, body=b'{"message": "no sevens"}') if is_bad else Reply()

    receiver.reply = refuse_seven
    for number in range(100):
        meter.record(call(number))

    assert meter.flush(20)
    assert receiver.response_ids == {f"r{n}" for n in range(100)} - {"r7", "r41"}
    assert len(receiver.accepted) == 98
    assert (meter.delivered, meter.refused) == (98, 2)
    kept = [json.loads(t) for t in (folder / "refused.lines").read_text().splitlines()]
    assert [one["sequence"] for one in kept] == [8, 42]
    assert {one["reason"] for one in kept} == {'400 {"message": "no sevens"}'}


def test_what_a_partial_success_leaves_out_is_counted(meter: Meter, receiver: Receiver) -> None:
    said = json.dumps({"partialSuccess": {"rejectedLogRecords": "1"}}).encode()
    receiver.reply = lambda _: Reply(body=said)
    meter.record(call(1))

    assert meter.flush()
    assert (meter.delivered, meter.refused) == (0, 1)


def test_a_connection_that_was_closed_meanwhile_costs_no_pause(
    meter: Meter, receiver: Receiver
) -> None:
    receiver.reply = lambda _: Reply(closes=True)
    for number in range(3):
        meter.record(call(number))
        assert meter.flush()

    assert receiver.response_ids == {"r0", "r1", "r2"}
    assert meter.failures == 0


def test_an_answer_without_end_is_not_read_to_its_end(meter: Meter, receiver: Receiver) -> None:
    receiver.reply = lambda _: Reply(body=b" " * 1_000_000)
    for number in range(2):
        meter.record(call(number))
        assert meter.flush()

    assert meter.failures == 0


def test_answers_mean_what_they_say() -> None:
    verdicts = {
        status: answer_of(status, "", b"").verdict
        for status in (200, 202, 301, 400, 401, 403, 404, 408, 413, 422, 429, 500, 503)
    }

    accepted = {s for s, v in verdicts.items() if v is Verdict.ACCEPTED}
    refused = {s for s, v in verdicts.items() if v is Verdict.REFUSED}
    assert (accepted, refused) == ({200}, {400, 413, 422})


def test_retry_after_may_be_a_date_or_nonsense() -> None:
    assert answer_of(503, "7", b"").retry_after == 7
    assert answer_of(503, "Fri, 01 Jan 2100 00:00:00 GMT", b"").retry_after > 10**9
    assert answer_of(503, "Fri, 01 Jan 2021 00:00:00 GMT", b"").retry_after == 0
    assert answer_of(503, "soon", b"").retry_after == 0


def burst(address: str, folder: Path, mode: str) -> "subprocess.Popen[bytes]":
    """Start a process that records as fast as it can and prints a line after each event."""
    command = [sys.executable, str(BURST), address, str(folder), mode]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def test_what_a_killed_process_recorded_arrives(receiver: Receiver, folder: Path) -> None:
    with burst(receiver.address, folder, "kill") as process:
        assert process.stdout is not None
        for _ in range(2000):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        printed = 2000 + process.stdout.read().count(b"\n")
    with metering(receiver.address, folder) as meter:
        receiver.wait_for(lambda r: len(r.response_ids) >= printed)
        assert meter.flush()

    numbers = {record["tallystick.producer.sequence"] for record in receiver.accepted}
    assert {f"r{n}" for n in range(1, printed + 1)} <= receiver.response_ids
    assert numbers == set(range(1, len(numbers) + 1))
    assert len(numbers) - printed <= 1
    assert not [r for r in receiver.accepted if "tallystick.producer.dropped" in r]


def test_a_process_that_ends_delivers_first(receiver: Receiver, folder: Path) -> None:
    process = burst(receiver.address, folder, "end")
    process.communicate(timeout=60)

    assert process.returncode == 0
    assert len(receiver.response_ids) == 100
    assert list(folder.iterdir()) == []


def test_a_full_disk_is_counted_and_the_gap_is_told(receiver: Receiver, folder: Path) -> None:
    """The child limits the size of its files, as a full disk would, and lifts the limit again."""
    process = burst(receiver.address, folder, "full")
    output, _ = process.communicate(timeout=60)
    told = json.loads(output)

    assert process.returncode == 0
    assert told["errors"] == 0
    assert told["kept_while_full"] < 50
    assert told["dropped"] == 50 - told["kept_while_full"]
    assert told["kept_after"] == 10
    numbers = sorted(r["tallystick.producer.sequence"] for r in receiver.accepted)
    missing = set(range(1, numbers[-1] + 1)) - set(numbers)
    assert len(missing) == told["dropped"]
    assert sum(r.get("tallystick.producer.dropped", 0) for r in receiver.accepted) == len(missing)
