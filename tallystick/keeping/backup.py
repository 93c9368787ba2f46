"""Backup of both stores while the service runs, and restore into empty ones.

The ledger is copied first, the events after: they may be newer than the ledger, which the next
refresh makes up for, but never older, or usage would hold what no event proves.
"""

import os
import shutil
import threading
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.engine import make_url

from metering.event_store import EventStore
from tallystick.database import make_engine
from tallystick.keeping.events_copy import KIND, copy_events, restore_events
from tallystick.keeping.ledger_copy import copy_ledger, restore_ledger, rows_in_ledger
from tallystick.keeping.manifest import NAME, Manifest, checked, files_in, sha256_of
from tallystick.settings import Settings


class Backups:
    """Makes backups below one folder, one at a time."""

    def __init__(self, root: Path, engine: Engine, events: EventStore, events_url: str) -> None:
        self._root = root
        self._engine = engine
        self._events = events
        self._events_url = events_url
        self._under_way = threading.Lock()

    def make(self, name: str, now: datetime) -> tuple[Path, Manifest]:
        """Copy both stores into a new folder, and return it with what it holds.

        Raises:
            BackupFolderError: the folder lies elsewhere, or is there already.
            BackupUnderWayError: another backup is being made.
            ForeignStoreError: the event store is a server, which makes its own.
        """
        if not self._events_url.startswith(f"{KIND}://"):
            raise ForeignStoreError(self._events_url)
        folder = inside(self._root, name)
        if not self._under_way.acquire(blocking=False):
            raise BackupUnderWayError
        try:
            folder.mkdir(parents=True)
            return folder, self._copy(folder, now)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            self._under_way.release()

    def _copy(self, folder: Path, now: datetime) -> Manifest:
        ledger = copy_ledger(self._engine, folder / "ledger")
        events = copy_events(self._events.client, folder / "events")
        digests = {path: sha256_of(folder / path) for path in files_in(folder)}
        os.sync()
        manifest = Manifest(now.isoformat(), ledger, events, digests)
        (folder / NAME).write_text(manifest.text, "utf-8")
        return manifest


def inside(root: Path, name: str) -> Path:
    """Return a folder below a root that is not there yet.

    Raises:
        BackupFolderError: it lies elsewhere, or is there already.
    """
    folder = (root / name).resolve()
    if root.resolve() not in folder.parents:
        raise BackupFolderError(f"below TALLYSTICK_BACKUPS ({root.resolve()})", folder)
    if folder.exists():
        raise BackupFolderError("a new one", folder)
    return folder


def restore(folder: Path, settings: Settings) -> Manifest:
    """Fill both stores, which must be empty, from a backup that is whole; return what it held.

    Raises:
        BackupDamagedError: the backup is not as it was written; nothing was touched.
        StoreNotEmptyError: a store holds something; nothing was touched.
    """
    manifest = checked(folder)
    _check_kinds(manifest, settings)
    directory = Path(settings.events.removeprefix(f"{KIND}://"))
    _check_empty(directory, settings.ledger)
    beside = directory.with_name(directory.name + ".restoring")
    shutil.rmtree(beside, ignore_errors=True)
    restore_events(manifest.events, folder / "events", beside)
    if directory.exists():
        directory.rmdir()
    beside.rename(directory)
    restore_ledger(manifest.ledger, folder / "ledger", settings.ledger)
    os.sync()
    return manifest


def _check_kinds(manifest: Manifest, settings: Settings) -> None:
    ledger = make_url(settings.ledger).get_backend_name()
    if manifest.ledger.kind != ledger:
        raise ForeignBackupError("TALLYSTICK_LEDGER_URL", manifest.ledger.kind, ledger)
    if not settings.events.startswith(f"{manifest.events.kind}://"):
        raise ForeignStoreError(settings.events)


def _check_empty(directory: Path, ledger_url: str) -> None:
    if directory.exists() and any(directory.iterdir()):
        raise StoreNotEmptyError(str(directory), "files")
    url = make_url(ledger_url)
    if url.get_backend_name() == "sqlite":
        if Path(str(url.database)).exists():
            raise StoreNotEmptyError(str(url.database), "a ledger")
        return
    engine = make_engine(ledger_url)
    try:
        if rows := rows_in_ledger(engine):
            raise StoreNotEmptyError(url.render_as_string(), f"{rows} rows")
    finally:
        engine.dispose()


class BackupFolderError(ValueError):
    """A folder that no backup may be written to."""

    def __init__(self, wanted: str, found: Path) -> None:
        super().__init__(f"the folder of a backup must be {wanted}, found {found}")


class BackupUnderWayError(ValueError):
    """A backup was asked for while another is made."""

    def __init__(self) -> None:
        super().__init__("backups must be made one at a time, found one under way")


class ForeignStoreError(ValueError):
    """A ClickHouse server keeps its own backups."""

    def __init__(self, url: str) -> None:
        super().__init__(
            f"the event store must be embedded for this command, found {url.partition('@')[0]}: "
            f"a ClickHouse server makes its own backups with BACKUP, see docs/operate.md"
        )


class ForeignBackupError(ValueError):
    """A backup of another database."""

    def __init__(self, setting: str, wanted: str, found: str) -> None:
        super().__init__(f"{setting} must name {wanted}, as the backup does, found {found}")


class StoreNotEmptyError(ValueError):
    """A store that a backup would be mixed into."""

    def __init__(self, store: str, found: str) -> None:
        super().__init__(f"{store} must be empty before a restore, found {found} in it")
