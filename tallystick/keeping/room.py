"""Looks at the disks of the stores before anything is taken, and says once how they are."""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

import structlog
from sqlalchemy.engine import make_url

from metering.keeping.space import Disk, Floors, NoRoomError, Space, sentence_on, space_on
from tallystick.settings import Settings

Rows = TypeVar("Rows")
Submit = Callable[[Rows], "Future[int]"]

_log = structlog.get_logger("tallystick")


def disk_of(folder: Path) -> Disk:
    """Ask the operating system about the disk of a folder."""
    found = os.statvfs(folder)
    return Disk(found.f_bavail * found.f_frsize, not found.f_flag & os.ST_RDONLY)


class Room:
    """Whether the disks of the stores allow to take more. Safe to use from several threads."""

    def __init__(
        self, folders: Sequence[Path], floors: Floors, look: Callable[[Path], Disk] = disk_of
    ) -> None:
        self._spaces = dict.fromkeys(folders, Space.PLENTY)
        self._floors = floors
        self._look = look
        self._lock = threading.Lock()
        self._refused = ""

    def wrong(self) -> list[str]:
        """Look at every disk; return a sentence for each trouble, none where all is well."""
        with self._lock:
            looked = [said for folder in self._spaces if (said := self._look_at(folder)[1])]
        if self._refused:
            looked.append(
                f"the event store must write what it is sent, found the last write failed "
                f"({self._refused})"
            )
        return looked

    def check(self) -> None:
        """Look at every disk.

        Raises:
            NoRoomError: one of them is full or read-only.
        """
        with self._lock:
            for folder in self._spaces:
                space, sentence = self._look_at(folder)
                if space in {Space.FULL, Space.READ_ONLY}:
                    raise NoRoomError(sentence)

    def guarded(self, submit: Submit[Rows]) -> Submit[Rows]:
        """Return a ``submit`` that looks for room before it takes anything."""

        def guarded(rows: Rows) -> "Future[int]":
            self.check()
            done = submit(rows)
            done.add_done_callback(self._heard)
            return done

        return guarded

    def _heard(self, done: "Future[int]") -> None:
        """Remember whether the last write failed: a disk may fail without being called so."""
        if not done.cancelled():
            error = done.exception()
            self._refused = type(error).__name__ if error else ""

    def _look_at(self, folder: Path) -> tuple[Space, str]:
        before, disk = self._spaces[folder], self._look(folder)
        space = space_on(disk, self._floors, before)
        sentence = sentence_on(space, disk, self._floors)
        if space is not before:
            self._spaces[folder] = space
            level = _log.info if space is Space.PLENTY else _log.warning
            level("disk_room", space=space.value, disk=str(folder), free_bytes=disk.free_bytes)
        return space, sentence


def local_folders(settings: Settings) -> list[Path]:
    """Return the folders of the stores that lie on disks of this machine, one a disk."""
    found: list[Path] = []
    if settings.events.startswith("chdb://"):
        found.append(Path(settings.events.removeprefix("chdb://")))
    ledger = make_url(settings.ledger)
    if ledger.get_backend_name() == "sqlite" and ledger.database:
        found.append(Path(ledger.database).parent)
    return list({folder.stat().st_dev: folder for folder in found}.values())
