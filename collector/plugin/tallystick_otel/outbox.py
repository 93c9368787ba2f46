"""The disk outbox: what was recorded is in the kernel's hands before the recording call returns.

One folder per producer, with segments of lines. A line is a number, a checksum, a scope and a log
record in JSON, with tabs between; it is written with a single ``write``, so that it outlives a kill
of the process. ``sync``, called from another thread, makes it outlive a power cut.

    outbox/<producer>/producer.json     who numbers, and the resource of its events
    outbox/<producer>/lock              held by the living process that writes or delivers it
    outbox/<producer>/000000000001.lines    a segment, named after the first number in it
    outbox/<producer>/acknowledged      how far the receiver has it (see ``backlog``)
    outbox/refused.lines                what the receiver refused for good, and why
"""

import fcntl
import json
import os
import shutil
import threading
import uuid
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional
from zlib import crc32

SEGMENT_BYTES = 4 * 1024 * 1024
LINE_BYTES = 64 * 1024
"""A longer event is dropped: a reader of lines needs a bound."""
LOCK = "lock"
PRODUCER_FILE = "producer.json"
POSITION_FILE = "acknowledged"
SEGMENT_NAME = "{:012d}.lines"

_CLOSED = -1
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


@dataclass(frozen=True)
class Producer:
    """Who numbers events, and the resource attributes they all share.

    Both stay with the folder: whoever delivers it later says the same, so that ids do not change.
    """

    name: str
    resource: Mapping[str, Any]


class Outbox:
    """The writing end of one producer's folder. Appending never raises and never waits for a disk.

    Args:
        root: the folder of all producers of this machine.
        resource: the resource attributes of its events.
        bytes_max: how much all producers together may hold; beyond it events are dropped.
        dropped: how many events were lost before there was a folder; their numbers are used up.
    """

    def __init__(
        self, root: Path, resource: Mapping[str, Any], bytes_max: int, dropped: int = 0
    ) -> None:
        self.root = root
        self.producer = Producer(uuid.uuid4().hex, dict(resource))
        self.folder = root / self.producer.name
        self.sequence = dropped
        self.dropped = dropped
        self._bytes_max = bytes_max
        self._lock = threading.Lock()
        self._retired: list[int] = []
        self._named = [self.folder / PRODUCER_FILE, self.folder, root]
        self._synced = dropped
        self._size = 0
        self._lock_fd, self._fd = _make_folder(self.folder, self.producer, dropped + 1)
        self._room = 0
        self.measure()

    def append(self, record: bytes) -> bool:
        """Number a record, with its scope and a tab before it, and write it; whether it is kept.

        The number of a dropped record is used up, so that the receiver sees the gap.
        """
        checksum = crc32(record)
        with self._lock:
            self.sequence += 1
            line = b"%d\t%08x\t%b\n" % (self.sequence, checksum, record)
            if len(line) <= min(self._room, LINE_BYTES) and self._write(line):
                return True
            self.dropped += 1
            return False

    def drop(self) -> None:
        """Use up a number for an event that never became a line."""
        with self._lock:
            self.sequence += 1
            self.dropped += 1

    def measure(self) -> None:
        """Look how much room all producers have left."""
        room = self._bytes_max - bytes_under(self.root)
        with self._lock:
            self._room = room

    def sync(self) -> None:
        """Make what was appended outlive a power cut. Called from a background thread only."""
        with self._lock:
            if self._synced == self.sequence:
                return
            written = [*self._retired, os.dup(self._fd)]
            self._retired = []
            self._synced = self.sequence
            named, self._named = self._named, []
        with ExitStack() as open_files:
            for fd in written:
                open_files.callback(os.close, fd)
            for path in named:
                written.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
                open_files.callback(os.close, written[-1])
            for fd in written:
                os.fsync(fd)

    def close(self) -> None:
        """Let go of the folder; what is left in it is delivered by whoever takes it over."""
        with self._lock:
            held = {*self._retired, self._fd, self._lock_fd} - {_CLOSED}
            self._retired = []
            self._fd = self._lock_fd = _CLOSED
            for fd in held:
                os.close(fd)

    def abandon(self) -> None:
        """Close the descriptors that a fork inherited, without unlocking its parent's folder."""
        self._lock = threading.Lock()
        self.close()

    def _write(self, line: bytes) -> bool:
        try:
            if self._size >= SEGMENT_BYTES:
                self._roll()
            written = os.write(self._fd, line)
        except OSError:
            return False
        if written < len(line):
            self._mend()
            return False
        self._size += written
        self._room -= written
        return True

    def _mend(self) -> None:
        """Take back half a line; where even that fails, no line may follow it."""
        try:
            os.ftruncate(self._fd, self._size)
        except OSError:
            self._size = SEGMENT_BYTES

    def _roll(self) -> None:
        """Begin the next segment; the old one is synced and closed in the background."""
        fd = os.open(self.folder / SEGMENT_NAME.format(self.sequence), _APPEND, 0o600)
        self._retired.append(self._fd)
        self._named.append(self.folder)
        self._fd = fd
        self._size = 0


def read_line(line: bytes) -> Optional[tuple[int, bytes, bytes]]:
    """Return the number, scope and record of a line; None where a power cut left it unreadable."""
    number, _, rest = line.partition(b"\t")
    checksum, _, checked = rest.partition(b"\t")
    scope, _, record = checked.partition(b"\t")
    is_whole = number.isdigit() and checksum == b"%08x" % crc32(checked)
    return (int(number), scope, record) if is_whole else None


def bytes_under(root: Path) -> int:
    """Return the size of all files of all producers."""
    total = 0
    for folder, _, names in os.walk(root):
        for name in names:
            with suppress(FileNotFoundError):
                total += Path(folder, name).stat().st_size
    return total


def lock_folder(folder: Path) -> int:
    """Take a producer's folder for this process, and return the descriptor that holds it.

    Raises:
        OSError: a living process has it, or it is gone.
    """
    fd = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise
    return fd


def _make_folder(folder: Path, producer: Producer, first: int) -> tuple[int, int]:
    """Make a producer's folder, and return its lock and its first segment.

    It gets its name last: a folder that others can see is locked and whole.
    """
    unnamed = folder.with_name(f".{folder.name}")
    unnamed.mkdir(mode=0o700, parents=True)
    lock = segment = _CLOSED
    try:
        lock = lock_folder(unnamed)
        said = {"producer": producer.name, "resource": producer.resource}
        (unnamed / PRODUCER_FILE).write_text(json.dumps(said), "utf-8")
        segment = os.open(unnamed / SEGMENT_NAME.format(first), _APPEND, 0o600)
        (unnamed / POSITION_FILE).write_text(f"{first} 0 0\n", "ascii")
        unnamed.rename(folder)
    except Exception:
        for fd in {lock, segment} - {_CLOSED}:
            os.close(fd)
        shutil.rmtree(unnamed, ignore_errors=True)
        raise
    return lock, segment
