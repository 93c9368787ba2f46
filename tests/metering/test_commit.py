import threading
from collections.abc import Sequence

import pytest
from builders import event

from metering.commit import GroupCommit, QueueFullError
from metering.event import UsageEvent


class Disk:
    """Stands for the store: remembers groups, and waits or fails when told to."""

    def __init__(self) -> None:
        self.groups: list[list[UsageEvent]] = []
        self.may_write = threading.Event()
        self.may_write.set()
        self.broken: set[bytes] = set()

    def record(self, batches: Sequence[Sequence[UsageEvent]]) -> int:
        events = [e for batch in batches for e in batch]
        self.may_write.wait(60)
        if self.broken & {e.event_id for e in events}:
            raise OSError("disk full")
        self.groups.append(list(events))
        return len(events)


def test_what_arrives_during_a_write_is_written_together() -> None:
    disk = Disk()
    disk.may_write.clear()
    commit = GroupCommit(disk.record)
    done = [commit.submit([event(f"e{i}")]) for i in range(20)]
    disk.may_write.set()

    assert [f.result(60) for f in done] == [1] * 20
    assert len(disk.groups) <= 3
    assert sum(map(len, disk.groups)) == 20
    commit.close()


def test_nothing_is_acknowledged_before_it_is_written() -> None:
    disk = Disk()
    disk.may_write.clear()
    commit = GroupCommit(disk.record)

    done = commit.submit([event("e1")])

    assert not done.done()
    disk.may_write.set()
    assert done.result(60) == 1
    commit.close()


def test_a_failed_write_fails_only_those_it_must() -> None:
    disk = Disk()
    bad = event("bad")
    disk.broken = {bad.event_id}
    disk.may_write.clear()
    commit = GroupCommit(disk.record)
    first = commit.submit([event("first")])
    good, failing = commit.submit([event("good")]), commit.submit([bad])
    disk.may_write.set()

    assert (first.result(60), good.result(60)) == (1, 1)
    with pytest.raises(OSError, match="disk full"):
        failing.result(60)
    commit.close()


def test_a_full_queue_refuses_with_a_sentence_and_takes_a_lone_large_body() -> None:
    disk = Disk()
    disk.may_write.clear()
    commit = GroupCommit(disk.record, max_rows=3, group_rows=1)
    large = commit.submit([event(f"e{i}") for i in range(5)])
    while commit.rows_waiting:
        pass
    waiting = [commit.submit([event(f"more{i}")]) for i in range(3)]
    with pytest.raises(QueueFullError, match=r"at most 3 events.*found 3 waiting"):
        commit.submit([event("one too many")])
    disk.may_write.set()

    assert large.result(60) == 5
    assert [f.result(60) for f in waiting] == [1, 1, 1]
    commit.close()


def test_closing_writes_what_waits_and_refuses_the_rest() -> None:
    disk = Disk()
    commit = GroupCommit(disk.record)
    done = commit.submit([event("e1")])
    commit.close()

    assert done.result(0) == 1
    with pytest.raises(QueueFullError):
        commit.submit([event("e2")])


def test_a_waiter_that_gave_up_does_not_stop_the_writer() -> None:
    disk = Disk()
    disk.may_write.clear()
    commit = GroupCommit(disk.record)
    first = commit.submit([event("first")])
    while commit.rows_waiting:
        pass
    gone, last = commit.submit([event("gone")]), commit.submit([event("last")])
    assert gone.cancel()
    disk.may_write.set()

    assert (first.result(60), last.result(60)) == (1, 1)
    assert event("gone") not in [e for group in disk.groups for e in group]
    commit.close()


def test_a_group_of_waiters_that_all_gave_up_is_not_written() -> None:
    disk = Disk()
    disk.may_write.clear()
    commit = GroupCommit(disk.record)
    first = commit.submit([event("first")])
    while commit.rows_waiting:
        pass
    gone = commit.submit([event("gone")])
    assert gone.cancel()
    disk.may_write.set()
    assert first.result(60) == 1
    commit.close()

    assert disk.groups == [[event("first")]]
