"""Group commit: requests that arrive together share one durable write.

submit -> bounded queue -> one writer thread -> record -> every waiting future
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence, Sized
from concurrent.futures import Future
from typing import Generic, NamedTuple, TypeVar

Rows = TypeVar("Rows", bound=Sized)
"""What is submitted: something with a number of rows."""


class _Waiting(NamedTuple, Generic[Rows]):
    rows: Rows
    done: "Future[int]"


class GroupCommit(Generic[Rows]):
    """Collect rows while a write is under way and write them together next.

    A lone request is written at once. Under load the write in progress gathers the next group,
    and a short pause after it gathers some more: a write costs much the same for one row as for
    a thousand.
    """

    def __init__(
        self,
        record: Callable[[Sequence[Rows]], int],
        max_rows: int = 200_000,
        group_rows: int = 20_000,
        pause_seconds: float = 0.05,
    ) -> None:
        """Start the writer; at most ``max_rows`` wait and ``group_rows`` are aimed at per write.

        After a write that several asked for, the next is begun no sooner than ``pause_seconds``
        later, unless enough rows for it wait.
        """
        self._record = record
        self._max_rows = max_rows
        self._group_rows = group_rows
        self._pause_seconds = pause_seconds
        self._waiting: deque[_Waiting[Rows]] = deque()
        self._rows = 0
        self._changed = threading.Condition()
        self._closing = False
        self._writer = threading.Thread(target=self._run, name="group-commit", daemon=True)
        self._writer.start()

    def submit(self, rows: Rows) -> "Future[int]":
        """Return a future that is done when the rows are on disk.

        Raises:
            QueueFullError: nothing was taken; ask again later.
        """
        done: Future[int] = Future()
        with self._changed:
            if self._closing or (self._rows and self._rows + len(rows) > self._max_rows):
                raise QueueFullError(self._rows, self._max_rows)
            self._waiting.append(_Waiting(rows, done))
            self._rows += len(rows)
            self._changed.notify()
        return done

    @property
    def rows_waiting(self) -> int:
        """How many rows wait to be written."""
        return self._rows

    def close(self) -> None:
        """Write what waits, then stop."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._writer.join()

    def _run(self) -> None:
        while group := self._next_group():
            self._write(group)
            if len(group) > 1:
                self._gather()

    def _gather(self) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._closing or self._rows >= self._group_rows, self._pause_seconds
            )

    def _next_group(self) -> list[_Waiting[Rows]]:
        with self._changed:
            while not self._waiting and not self._closing:
                self._changed.wait()
            group: list[_Waiting[Rows]] = []
            rows = 0
            while self._waiting and (not group or rows < self._group_rows):
                group.append(self._waiting.popleft())
                rows += len(group[-1].rows)
            self._rows -= rows
            return group

    def _write(self, group: list[_Waiting[Rows]]) -> None:
        """Write a group; whoever gave up waiting before it began is left out."""
        wanted = [w for w in group if w.done.set_running_or_notify_cancel()]
        if wanted:
            self._record_for(wanted)

    def _record_for(self, group: list[_Waiting[Rows]]) -> None:
        try:
            self._record([waiting.rows for waiting in group])
        except Exception as error:  # noqa: BLE001 - the waiting requests must hear of any failure
            if len(group) > 1:
                for waiting in group:
                    self._record_for([waiting])
            else:
                group[0].done.set_exception(error)
            return
        for waiting in group:
            waiting.done.set_result(len(waiting.rows))


class QueueFullError(RuntimeError):
    """More rows wait to be written than the queue may hold."""

    def __init__(self, rows: int, max_rows: int) -> None:
        super().__init__(
            f"the write queue must have room (at most {max_rows} events), found {rows} waiting"
        )
