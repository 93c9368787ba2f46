"""The journal: batches are on the disk at once, and in the tables of the engine soon after.

append (fsync) -> acknowledged -> fifty thousand rows, or a second -> one insert -> file gone

An insert costs the engine much the same for a row as for ten thousand, and merges more for many
small inserts than for few large ones. What asks the engine waits until all that was appended before
is in its tables, so nobody sees the difference.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from metering.engine_store import StoreUnavailableError
from metering.journal import Stamped, batches_in, frame

FOR_EVER = 2**62
_RETRY_SECONDS = 1.0
_SUFFIX = ".journal"

Insert = Callable[[Sequence[Stamped]], None]


class Pace(NamedTuple):
    """When batches go into the tables, and how many rows may wait for it."""

    rows: int = 50_000
    seconds: float = 1.0
    most_rows: int = 150_000


STEADY = Pace()


class Journal:
    """Files of one folder. Safe to use from several threads."""

    def __init__(self, folder: Path, insert: Insert, again: Insert, pace: Pace = STEADY) -> None:
        """Put into the tables what an earlier process left, and start the thread that goes on.

        ``insert`` puts batches into the tables; ``again`` does where some of them may be there.

        Raises:
            StoreDamagedError: a file is not as it was written.
            StoreUnavailableError: the engine does not take what was left.
        """
        self._folder = folder
        self._insert = insert
        self._again = again
        self._pace = pace
        self._taken: list[Stamped] = []
        self._waiting: list[Stamped] = []
        self._rows = 0
        self._file = -1
        self._files: list[Path] = []
        self._appended = self._settled = self._asked = self._attempts = 0
        self._failure: Exception | None = None
        self._is_closing = self._is_over = False
        self._changed = threading.Condition()
        self._numbers = self._replayed()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def append(self, stamped: Stamped) -> None:
        """Write a batch; it is on the disk when this returns.

        Raises:
            StoreUnavailableError: it is not, or the engine takes nothing now.
        """
        written = frame(stamped)
        with self._changed:
            self._changed.wait_for(lambda: self._failure or self._rows < self._pace.most_rows)
            if self._failure:
                raise StoreUnavailableError(str(self._failure)) from self._failure
            try:
                self._write(*written)
            except OSError as error:
                raise StoreUnavailableError(str(error)) from error
            self._waiting.append(stamped)
            self._rows += len(stamped.batch)
            self._appended += 1
            if len(self._waiting) == 1 or self._rows >= self._pace.rows:
                self._changed.notify_all()

    def settle(self, before: int = FOR_EVER) -> None:
        """Return when all that was appended, and stamped before, is in the tables.

        Raises:
            StoreUnavailableError: the engine did not take it.
        """
        if self._settled == self._appended:
            return
        with self._changed:
            oldest = next(iter((*self._taken, *self._waiting)), None)
            if oldest is None or oldest.first >= before:
                return
            wanted, attempts = self._appended, self._attempts
            self._asked = wanted
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: (
                    self._settled >= wanted
                    or (self._failure and self._attempts > attempts)
                    or self._is_over
                )
            )
            if self._settled < wanted:
                raise StoreUnavailableError(str(self._failure)) from self._failure

    def wrong(self) -> str:
        """Return why the engine does not take what was acknowledged; nothing where it does."""
        return str(self._failure or "")

    def close(self) -> None:
        """Put into the tables what waits; what they do not take stays for the next start."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        self._thread.join()
        self._end_file()

    def _run(self) -> None:
        while self._is_due():
            with self._changed:
                taken, files, upto = self._waiting, self._files, self._appended
                self._taken, self._waiting, self._files = taken, [], []
                self._end_file()
            is_done = self._put(taken)
            with self._changed:
                self._attempts += 1
                self._taken = []
                if is_done:
                    self._settled = upto
                    self._rows -= sum(len(one.batch) for one in taken)
                else:
                    self._waiting, self._files = taken + self._waiting, files + self._files
                self._changed.notify_all()
            if is_done:
                self._remove(files)
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def _is_due(self) -> bool:
        """Wait until batches should go into the tables; return whether to go on."""
        with self._changed:
            if self._failure and self._is_closing:
                return False
            if self._failure:
                self._changed.wait_for(lambda: self._is_closing, _RETRY_SECONDS)
                return True
            self._changed.wait_for(lambda: self._is_closing or self._waiting)
            self._changed.wait_for(self._is_urgent, self._pace.seconds)
            return bool(self._waiting)

    def _is_urgent(self) -> bool:
        is_asked_for = self._asked > self._settled
        return self._is_closing or is_asked_for or self._rows >= self._pace.rows

    def _put(self, taken: Sequence[Stamped]) -> bool:
        """Put batches into the tables; return whether they are there."""
        put = self._again if self._failure else self._insert
        try:
            put(taken)
        except Exception as error:  # noqa: BLE001 - whatever it is, they must be tried again
            self._failure = error
            return False
        self._failure = None
        return True

    def _write(self, header: bytes, payload: Any) -> None:
        if self._file < 0:
            self._begin_file()
        length = os.fstat(self._file).st_size
        try:
            with memoryview(header) as one, memoryview(payload) as other:
                _write_all(self._file, one)
                _write_all(self._file, other)
            os.fdatasync(self._file)
        except OSError:
            with suppress(OSError):  # if it fails too, what is cut short ends its file
                os.ftruncate(self._file, length)
            self._end_file()
            raise

    def _begin_file(self) -> None:
        if not self._folder.exists():
            self._folder.mkdir()
            _sync_folder(self._folder.parent)
        path = self._folder / f"{next(self._numbers):012}{_SUFFIX}"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._files.append(path)
        _sync_folder(self._folder)

    def _end_file(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _replayed(self) -> Iterator[int]:
        """Put into the tables what lies in the folder; yield the numbers of files from now on."""
        left = sorted(self._folder.glob(f"*{_SUFFIX}"))
        for path in left:
            for one in batches_in(path.name, path.read_bytes()):
                self._again([one])
        self._remove(left)
        last = int(left[-1].name.removesuffix(_SUFFIX)) if left else 0
        return iter(range(last + 1, 10**12))

    def _remove(self, files: Sequence[Path]) -> None:
        """Remove files that are in the tables. Where that fails, the next start does it."""
        with suppress(OSError):
            for path in files:
                path.unlink(missing_ok=True)
            if files:
                _sync_folder(self._folder)


def _write_all(file: int, data: memoryview) -> None:
    while len(data):
        data = data[os.write(file, data) :]


def _sync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
