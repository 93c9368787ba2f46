"""The journal: on the disk at once, in the tables soon after, in order, and nothing is lost."""

import resource
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from builders import T0, event

from metering.engine_store import StoreUnavailableError
from metering.event_store import JOURNAL, EventStore
from metering.journal import Stamped
from metering.journal_store import Journal, Pace
from metering.keeping.damage import StoreDamagedError
from metering.schema import batch_of

SLOW = Pace(rows=4, seconds=600, most_rows=6)
AT_ONCE = Pace(rows=1, seconds=0)


class Tables:
    """Stands for the engine: remembers what was put, and waits or fails when told to."""

    def __init__(self) -> None:
        self.puts: list[list[int]] = []
        self.may_put = threading.Event()
        self.may_put.set()
        self.is_broken = False

    def put(self, taken: Sequence[Stamped]) -> None:
        self.may_put.wait(60)
        if self.is_broken:
            raise StoreUnavailableError("no room")
        self.puts.append([one.first for one in taken])

    @property
    def firsts(self) -> list[int]:
        return [first for put in self.puts for first in put]


def batch(number: int, rows: int = 1) -> Stamped:
    return Stamped(batch_of([event(f"e{number}-{n}") for n in range(rows)]), T0 + number * 1000)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*"))


@contextmanager
def journal_of(folder: Path, tables: Tables, pace: Pace) -> Iterator[Journal]:
    journal = Journal(folder, tables.put, tables.put, pace)
    try:
        yield journal
    finally:
        journal.close()


def test_what_asks_waits_for_all_that_was_appended(tmp_path: Path) -> None:
    tables = Tables()
    with journal_of(tmp_path / "j", tables, SLOW) as journal:
        for number in range(3):
            journal.append(batch(number))
        assert tables.puts == []
        assert files(tmp_path / "j") == ["000000000001.journal"]

        journal.settle(T0)
        assert tables.puts == []
        journal.settle()

        assert tables.puts == [[T0, T0 + 1000, T0 + 2000]]
        journal.settle()
    assert files(tmp_path / "j") == []


@pytest.mark.parametrize("pace", [Pace(rows=3, seconds=600), Pace(seconds=0.02)])
def test_many_rows_or_a_while_are_put_without_being_asked_for(tmp_path: Path, pace: Pace) -> None:
    tables = Tables()
    with journal_of(tmp_path / "j", tables, pace) as journal:
        for number in range(3):
            journal.append(batch(number))
        give_up = threading.Event()
        while len(tables.firsts) < 3:
            assert not give_up.wait(0.01)


def test_closing_puts_what_waits(tmp_path: Path) -> None:
    tables = Tables()
    with journal_of(tmp_path / "j", tables, SLOW) as journal:
        journal.append(batch(1))

    assert tables.firsts == [T0 + 1000]
    assert files(tmp_path / "j") == []


def test_what_a_crash_left_is_put_by_the_next_start(tmp_path: Path) -> None:
    with journal_of(tmp_path / "j", Tables(), SLOW) as journal:
        for number in range(3):
            journal.append(batch(number))
        shutil.copytree(tmp_path / "j", tmp_path / "left")
    with (tmp_path / "left" / "000000000001.journal").open("ab") as file:
        file.write(b"TSJ1 cut sh")

    tables = Tables()
    with journal_of(tmp_path / "left", tables, SLOW) as journal:
        assert tables.puts == [[T0], [T0 + 1000], [T0 + 2000]]
        assert files(tmp_path / "left") == []
        journal.append(batch(3))
        assert files(tmp_path / "left") == ["000000000002.journal"]


def test_a_damaged_file_is_not_opened_and_stays(tmp_path: Path) -> None:
    with journal_of(tmp_path / "j", Tables(), SLOW) as journal:
        journal.append(batch(1))
        journal.append(batch(2))
        shutil.copytree(tmp_path / "j", tmp_path / "left")
    path = tmp_path / "left" / "000000000001.journal"
    path.write_bytes(path.read_bytes().replace(b"event_id", b"event_it", 1))

    with pytest.raises(StoreDamagedError, match=r"000000000001\.journal at byte 0"):
        Journal(tmp_path / "left", Tables().put, Tables().put)
    assert path.exists()


def test_while_the_tables_fail_nothing_more_is_taken_and_nothing_is_lost(tmp_path: Path) -> None:
    tables = Tables()
    with journal_of(tmp_path / "j", tables, SLOW) as journal:
        journal.append(batch(1))
        tables.is_broken = True
        with pytest.raises(StoreUnavailableError, match="no room"):
            journal.settle()
        assert "no room" in journal.wrong()
        with pytest.raises(StoreUnavailableError, match="no room"):
            journal.append(batch(2))
        assert files(tmp_path / "j") == ["000000000001.journal"]

        tables.is_broken = False
        journal.settle()
        journal.append(batch(3))

        assert journal.wrong() == ""
    assert tables.firsts == [T0 + 1000, T0 + 3000]


def test_what_the_tables_do_not_take_stays_when_it_is_closed(tmp_path: Path) -> None:
    tables = Tables()
    tables.is_broken = True
    with journal_of(tmp_path / "j", tables, SLOW) as journal:
        journal.append(batch(1))
    assert files(tmp_path / "j") == ["000000000001.journal"]
    with pytest.raises(StoreUnavailableError):
        journal.settle()

    tables.is_broken = False
    with journal_of(tmp_path / "j", tables, SLOW):
        assert tables.firsts == [T0 + 1000]


def test_when_enough_rows_wait_the_next_waits_for_room(tmp_path: Path) -> None:
    tables = Tables()
    tables.may_put.clear()
    with journal_of(tmp_path / "j", tables, SLOW) as journal:
        journal.append(batch(1, rows=6))
        other = threading.Thread(target=journal.append, args=(batch(2),))
        other.start()
        other.join(0.1)
        assert other.is_alive()

        tables.may_put.set()
        other.join(60)
        assert not other.is_alive()
    assert tables.firsts == [T0 + 1000, T0 + 2000]


def test_a_batch_that_the_disk_has_no_room_for_is_refused_and_spoils_nothing(
    tmp_path: Path,
) -> None:
    tables = Tables()
    with journal_of(tmp_path / "j", tables, SLOW) as journal:
        journal.append(batch(1))
        size = (tmp_path / "j" / "000000000001.journal").stat().st_size
        refused = pytest.raises(StoreUnavailableError, match="File too large")
        with files_up_to(size + 100), refused:
            journal.append(batch(2))
        journal.append(batch(3))
        shutil.copytree(tmp_path / "j", tmp_path / "left")
    assert tables.firsts == [T0 + 1000, T0 + 3000]

    again = Tables()
    with journal_of(tmp_path / "left", again, SLOW):
        assert again.firsts == [T0 + 1000, T0 + 3000]


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_batches_of_many_threads_are_each_put_once_and_in_the_order_of_their_files(
    tmp_path: Path,
) -> None:
    tables = Tables()
    with journal_of(tmp_path / "j", tables, AT_ONCE) as journal:

        def work(first: int) -> None:
            for number in range(first, first + 20):
                journal.append(batch(number))
                journal.settle()

        threads = [threading.Thread(target=work, args=(n * 100,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    wanted = [T0 + (n * 100 + k) * 1000 for n in range(4) for k in range(20)]
    assert sorted(tables.firsts) == sorted(wanted)


def test_an_event_store_counts_once_what_its_journal_still_holds_of_it(tmp_path: Path) -> None:
    """A crash between the insert and the end of the file: all of it is there, or some, or none."""
    url, journal = f"chdb://{tmp_path / 'events'}", tmp_path / "events" / JOURNAL
    days = [event(f"e{n}", f"2026-10-{n:02}T12:30Z", fresh=n) for n in range(1, 6)]
    store = EventStore.open(url, lambda: T0)
    store.record(days)
    shutil.copytree(journal, tmp_path / "kept")
    hours = sorted(store.hours_touched(0, store.cutoff()))
    sums = store.sums(hours, store.cutoff())
    store.close()

    for partly in (False, True):
        shutil.copytree(tmp_path / "kept", journal, dirs_exist_ok=True)
        if partly:
            store = EventStore.open(url, lambda: T0)
            store.client.command("ALTER TABLE events DROP PARTITION 20261003")
            store.close()
            shutil.copytree(tmp_path / "kept", journal, dirs_exist_ok=True)
        store = EventStore.open(url, lambda: T0)
        assert store.arrivals() == 5
        assert store.sums(hours, store.cutoff()) == sums
        assert len(sums) == 5
        store.close()
