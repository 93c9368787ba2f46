"""The outbox on disk: whole lines in order, taken over from the dead, bounded, and forgiving."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tallystick_otel import outbox as outbox_module
from tallystick_otel.backlog import BATCH_BYTES, BATCH_LINES, Backlog, Line, abandoned
from tallystick_otel.outbox import LINE_BYTES, Outbox, read_line

PLENTY = 2**30


@pytest.fixture
def outbox(folder: Path) -> Iterator[Outbox]:
    made = Outbox(folder, {"service.name": "g"}, PLENTY)
    yield made
    made.close()


def fill(outbox: Outbox, count: int, size: int = 10) -> None:
    for _ in range(count):
        assert outbox.append(b'"s"\t' + b"x" * size)


def backlog_of(outbox: Outbox) -> Backlog:
    return Backlog(outbox.folder, outbox.producer)


def drained(backlog: Backlog) -> list[Line]:
    """Read and acknowledge all there is."""
    found: list[Line] = []
    while lines := backlog.next_lines():
        backlog.acknowledge(lines[-1])
        found += lines
    return found


def segments(outbox: Outbox) -> list[Path]:
    return sorted(outbox.folder.glob("*.lines"))


def test_lines_come_back_in_order(outbox: Outbox) -> None:
    fill(outbox, BATCH_LINES + 5)
    lines = drained(backlog_of(outbox))

    assert [line.sequence for line in lines] == list(range(1, BATCH_LINES + 6))
    assert {(line.scope, line.record, line.dropped) for line in lines} == {(b'"s"', b"x" * 10, 0)}


def test_what_is_not_acknowledged_comes_again(outbox: Outbox) -> None:
    fill(outbox, 3)
    backlog = backlog_of(outbox)
    first = backlog.next_lines()[0]
    backlog.acknowledge(first)

    assert [line.sequence for line in backlog.next_lines()] == [2, 3]
    assert [line.sequence for line in backlog_of(outbox).next_lines()] == [2, 3]


def test_delivered_segments_are_removed(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "SEGMENT_BYTES", 100)  # real segments take long to fill
    fill(outbox, 20)
    before = segments(outbox)
    outbox.sync()

    assert [line.sequence for line in drained(backlog_of(outbox))] == list(range(1, 21))
    assert len(before) > 3
    assert segments(outbox) == before[-1:]


def test_a_lost_position_resends_and_reports_no_gap(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "SEGMENT_BYTES", 100)  # real segments take long to fill
    fill(outbox, 20)
    drained(backlog_of(outbox))
    (outbox.folder / "acknowledged").write_text("nonsense")
    lines = drained(backlog_of(outbox))

    assert lines
    assert lines[-1].sequence == 20
    assert {line.dropped for line in lines} == {0}


def test_a_position_in_a_segment_that_is_gone_goes_on_with_the_next(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "SEGMENT_BYTES", 100)  # real segments take long to fill
    fill(outbox, 20)
    second = int(segments(outbox)[1].stem)
    segments(outbox)[0].unlink()
    lines = drained(backlog_of(outbox))

    assert [line.sequence for line in lines] == list(range(second, 21))
    assert {line.dropped for line in lines} == {0}


@pytest.mark.parametrize(
    "spoilt",
    [b"", b"2\t00000000\tx\ty", b"\0" * 50, b"half a li", b"2", b"\xff\t\t\t", b"9" * 5000],
)
def test_a_spoilt_line_costs_no_other(outbox: Outbox, spoilt: bytes) -> None:
    fill(outbox, 1)
    outbox.sequence += 1
    with segments(outbox)[0].open("ab") as file:
        file.write(spoilt + b"\n")
    fill(outbox, 1)
    lines = drained(backlog_of(outbox))

    assert [(line.sequence, line.dropped) for line in lines] == [(1, 0), (3, 1)]


def test_a_spoilt_stretch_longer_than_a_batch_is_stepped_over(outbox: Outbox) -> None:
    with segments(outbox)[0].open("ab") as file:
        file.write(b"\0" * 2 * (BATCH_BYTES + LINE_BYTES) + b"\n" + b"bad\n" * 2 * BATCH_LINES)
    fill(outbox, 2)

    assert [line.sequence for line in drained(backlog_of(outbox))] == [1, 2]


def test_half_a_line_at_the_end_waits_for_its_other_half(outbox: Outbox) -> None:
    fill(outbox, 2)
    path = segments(outbox)[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    backlog = backlog_of(outbox)
    first = drained(backlog)
    path.write_bytes(whole)

    assert [line.sequence for line in first] == [1]
    assert [line.sequence for line in drained(backlog)] == [2]


def test_every_byte_of_a_line_is_checked() -> None:
    line = b"7\t%08x\t" % outbox_module.crc32(b'"s"\t{}') + b'"s"\t{}'
    changed = [line[:n] + bytes([line[n] ^ 1]) + line[n + 1 :] for n in range(2, len(line))]

    assert read_line(line) == (7, b'"s"', b"{}")
    assert {read_line(one) for one in changed} == {None}


def test_an_event_that_is_too_long_is_dropped_and_its_number_used_up(outbox: Outbox) -> None:
    assert not outbox.append(b'"s"\t' + b"x" * LINE_BYTES)
    fill(outbox, 1)

    assert outbox.dropped == 1
    assert [(line.sequence, line.dropped) for line in drained(backlog_of(outbox))] == [(2, 1)]


def test_a_full_outbox_drops_and_recovers_when_there_is_room(folder: Path) -> None:
    outbox = Outbox(folder, {}, bytes_max=4000)
    kept = sum(outbox.append(b'"s"\t' + b"x" * 100) for _ in range(100))
    backlog = backlog_of(outbox)
    drained(backlog)
    segments(outbox)[0].write_bytes(b"")
    outbox.measure()
    outbox.close()

    assert 20 < kept < 40
    assert outbox.dropped == 100 - kept


def test_a_closed_outbox_drops(outbox: Outbox) -> None:
    outbox.close()

    assert not outbox.append(b'"s"\tx')
    assert outbox.dropped == 1


def test_the_dead_are_taken_over_and_the_living_are_not(folder: Path) -> None:
    alive, dead = Outbox(folder, {}, PLENTY), Outbox(folder, {"service.name": "d"}, PLENTY)
    fill(dead, 2)
    dead.close()
    taken = list(abandoned(folder))
    again = list(abandoned(folder))
    alive.close()

    assert [b.producer for b in taken] == [dead.producer]
    assert taken[0].producer.resource == {"service.name": "d"}
    assert again == []
    assert len(drained(taken[0])) == 2
    taken[0].discard()
    assert not dead.folder.exists()


def test_what_is_no_producers_folder_is_left_alone(folder: Path) -> None:
    (folder / "other").mkdir(parents=True)
    (folder / ".being-made").mkdir()
    (folder / "file").write_text("x")

    assert list(abandoned(folder)) == []
    assert (folder / "other").is_dir()


def test_a_refused_line_is_kept_where_a_person_finds_it(outbox: Outbox, folder: Path) -> None:
    fill(outbox, 1)
    backlog = backlog_of(outbox)
    backlog.set_aside(backlog.next_lines()[0], "400 why")

    (kept,) = (folder / "refused.lines").read_text().splitlines()
    assert json.loads(kept) == {
        "producer": outbox.producer.name,
        "sequence": 1,
        "reason": "400 why",
        "scope": '"s"',
        "record": "xxxxxxxxxx",
    }


def test_only_the_owner_may_read_what_waits(outbox: Outbox) -> None:
    assert outbox.folder.stat().st_mode & 0o077 == 0
    assert segments(outbox)[0].stat().st_mode & 0o077 == 0


def test_a_failed_beginning_leaves_nothing(folder: Path) -> None:
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(TypeError):
        Outbox(folder, {"service.name": object()}, PLENTY)

    assert list(folder.iterdir()) == []
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
