"""What waits in a producer's folder: read in order, acknowledged, and taken over from the dead."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Optional

from tallystick_otel.outbox import (
    LINE_BYTES,
    POSITION_FILE,
    PRODUCER_FILE,
    SEGMENT_NAME,
    Producer,
    lock_folder,
    read_line,
)

BATCH_LINES = 256
BATCH_BYTES = 256 * 1024
REFUSED_FILE = "refused.lines"


class Line(NamedTuple):
    """One event as it lies on disk, and where the next one begins."""

    sequence: int
    dropped: int
    """How many numbers are missing right before it."""
    scope: bytes
    """A JSON string."""
    record: bytes
    """An OTLP/JSON log record, less its number."""
    end: int


@dataclass(frozen=True)
class Position:
    """How far a folder is delivered: all before ``offset`` of ``segment``."""

    segment: int
    offset: int
    sequence: int


class Backlog:
    """The reading end of one producer's folder. Used by one thread of one process at a time."""

    def __init__(self, folder: Path, producer: Producer, lock_fd: Optional[int] = None) -> None:
        self.folder = folder
        self.producer = producer
        self._lock_fd = lock_fd
        self._position = _read_position(folder)

    def next_lines(self) -> list[Line]:
        """Return the next lines that are not acknowledged, in order."""
        while True:
            following = self._following_segment()
            chunk = self._read()
            whole = chunk.rpartition(b"\n")[0]
            lines = list(islice(self._lines(whole), BATCH_LINES))
            if lines:
                return lines
            if whole or len(chunk) > LINE_BYTES:
                self._move(self._position.offset + (len(whole) + 1 if whole else len(chunk)))
            elif following:
                self._go_on_to(following)
            else:
                return []

    def acknowledge(self, line: Line) -> None:
        """Remember that the receiver has this line and all before it."""
        self._move(line.end, line.sequence)

    def set_aside(self, line: Line, reason: str) -> None:
        """Keep a line that the receiver refuses where a person finds it."""
        said = {
            "producer": self.producer.name,
            "sequence": line.sequence,
            "reason": reason,
            "scope": line.scope.decode("ascii"),
            "record": line.record.decode("ascii"),
        }
        path = self.folder.parent / REFUSED_FILE
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, json.dumps(said).encode() + b"\n")
        finally:
            os.close(fd)

    def discard(self) -> None:
        """Remove a dead producer's folder when all of it is delivered."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.release()

    def release(self) -> None:
        """Leave a dead producer's folder to whoever comes next."""
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    def _path(self, segment: int) -> Path:
        return self.folder / SEGMENT_NAME.format(segment)

    def _read(self) -> bytes:
        try:
            with self._path(self._position.segment).open("rb") as segment:
                segment.seek(self._position.offset)
                return segment.read(BATCH_BYTES + LINE_BYTES)
        except FileNotFoundError:
            return b""

    def _lines(self, chunk: bytes) -> Iterator[Line]:
        """Yield what is readable; what a power cut spoiled is missing like a dropped one."""
        before, end = self._position.sequence, self._position.offset
        for text in chunk.split(b"\n"):
            end += len(text) + 1
            found = read_line(text)
            if found:
                sequence, scope, record = found
                yield Line(sequence, max(sequence - before - 1, 0), scope, record, end)
                before = sequence

    def _following_segment(self) -> Optional[int]:
        """Return the segment after the present one, which then grows no more."""
        return min((s for s in _segments(self.folder) if s > self._position.segment), default=None)

    def _move(self, offset: int, sequence: Optional[int] = None) -> None:
        moved = self._position.sequence if sequence is None else sequence
        self._position = Position(self._position.segment, offset, moved)
        self._write_position()

    def _go_on_to(self, segment: int) -> None:
        """Begin another segment; the old one is removed once the position says so."""
        delivered = self._path(self._position.segment)
        self._position = Position(segment, 0, self._position.sequence)
        self._write_position()
        with suppress(OSError):
            delivered.unlink()

    def _write_position(self) -> None:
        """Replace the position in one step. Losing it is harmless: a resend has the same ids."""
        at = self._position
        path = self.folder / f"{POSITION_FILE}.new"
        with suppress(OSError):
            path.write_text(f"{at.segment} {at.offset} {at.sequence}\n", "ascii")
            path.replace(self.folder / POSITION_FILE)


def abandoned(root: Path) -> Iterator[Backlog]:
    """Take over the folders of producers that no longer live."""
    for folder in sorted(root.iterdir()):
        is_producer = folder.is_dir() and not folder.name.startswith(".")
        backlog = _taken_over(folder) if is_producer else None
        if backlog:
            yield backlog


def remove_delivered(folder: Path) -> None:
    """Remove the folder of a producer that has ended, if all of it is delivered."""
    backlog = _taken_over(folder)
    if backlog is None:
        return
    if backlog.next_lines():
        backlog.release()
    else:
        backlog.discard()


def _taken_over(folder: Path) -> Optional[Backlog]:
    try:
        lock_fd = lock_folder(folder)
    except OSError:
        return None
    try:
        said = json.loads((folder / PRODUCER_FILE).read_text("utf-8"))
        return Backlog(folder, Producer(said["producer"], said["resource"]), lock_fd)
    except (OSError, ValueError, KeyError, TypeError):
        os.close(lock_fd)
        return None


def _read_position(folder: Path) -> Position:
    """Return how far a folder is delivered; where that was lost, all of it is sent again."""
    segments = _segments(folder)
    try:
        position = Position(*map(int, (folder / POSITION_FILE).read_text("ascii").split()))
    except (OSError, ValueError, TypeError):
        position = Position(0, 0, 0)
    if position.segment in segments:
        return position
    first = min((s for s in segments if s > position.segment), default=1)
    return Position(first, 0, first - 1)


def _segments(folder: Path) -> list[int]:
    return [int(path.stem) for path in folder.glob("*.lines")]
