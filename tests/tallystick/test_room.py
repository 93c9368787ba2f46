"""The disks of the stores are looked at before anything is taken."""

from concurrent.futures import Future
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from metering.keeping.space import Disk, Floors, NoRoomError
from tallystick.keeping.room import Room, disk_of, local_folders
from tallystick.settings import Settings

HERE = Path()


class Weather:
    """A disk whose free bytes and mode change."""

    def __init__(self) -> None:
        self.disk = Disk(1000, is_writable=True)

    def look(self, _folder: Path) -> Disk:
        return self.disk


def submit(rows: list[int]) -> "Future[int]":
    done: Future[int] = Future()
    if rows:
        done.set_result(len(rows))
    else:
        done.set_exception(OSError("read-only"))
    return done


def test_nothing_is_taken_on_a_full_or_read_only_disk_until_it_is_well_again() -> None:
    weather = Weather()
    room = Room([HERE], Floors(1000), weather.look)
    take = room.guarded(submit)

    with capture_logs() as logs:
        for free, is_writable in ((100, True), (499, True), (5000, False), (100, True)):
            weather.disk = Disk(free, is_writable)
            with pytest.raises(NoRoomError, match="the disk of the stores must "):
                take([1])
        weather.disk = Disk(5000, is_writable=True)

        assert take([1]).result() == 1
    assert room.wrong() == []
    assert [said["space"] for said in logs] == ["full", "read-only", "full", "plenty"]


def test_a_failed_write_is_told_of_until_one_succeeds() -> None:
    room = Room([], Floors(1000))
    take = room.guarded(submit)
    take([])
    failed = room.wrong()
    take([1])

    assert failed == [
        "the event store must write what it is sent, found the last write failed (OSError)"
    ]
    assert room.wrong() == []


def test_a_write_that_nobody_waited_for_says_nothing() -> None:
    cancelled: Future[int] = Future()
    cancelled.cancel()
    cancelled.set_running_or_notify_cancel()
    room = Room([], Floors(1000))
    room.guarded(lambda _rows: cancelled)([1])

    assert room.wrong() == []


def test_only_stores_on_this_machine_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "events").mkdir()
    both = Settings(data=tmp_path, events_url="", ledger_url="")
    none = Settings(
        data=tmp_path, events_url="clickhouse://db.example", ledger_url="postgresql://db.example/x"
    )

    assert local_folders(both) == [tmp_path]
    assert local_folders(none) == []
    assert disk_of(tmp_path).is_writable
