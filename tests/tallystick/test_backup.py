"""A backup gives the same bills byte for byte, or is refused."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from builders import event, hour
from ledgers import fresh_database

from metering.keeping.damage import StoreDamagedError
from tallystick.keeping.backup import (
    BackupFolderError,
    ForeignBackupError,
    ForeignStoreError,
    StoreNotEmptyError,
    inside,
    restore,
)
from tallystick.keeping.events_copy import IncompleteRestoreError, check_rows
from tallystick.keeping.manifest import BackupDamagedError, checked, parse
from tallystick.settings import Settings
from tallystick.setup import Setup, apply_setup
from tallystick.wiring import Parts, assemble

NOW = datetime(2026, 11, 23, tzinfo=UTC)
SETUP = """
accounts: [{id: acme, name: Acme}]
identities: [{kind: tenant, value: acme, account: acme}]
contracts:
  - {id: c-pool, account: acme, mode: token, region: cn-hangzhou, pool: shared,
     size_class: small, start: "2026-09-01T00:00:00+08:00"}
"""


@contextmanager
def service(settings: Settings) -> Iterator[Parts]:
    parts = assemble(settings)
    try:
        yield parts
    finally:
        parts.close()


def settings_in(folder: Path, ledger_url: str = "") -> Settings:
    return Settings(
        data=folder, ledger_url=ledger_url, events_url="", backups=folder.parent / "backups"
    )


def bill_of(parts: Parts) -> tuple[int, Any]:
    """Return how many rows a refresh changes, and the bill after it."""
    return parts.refresh(), parts.draft("acme", "2026-10")


def fill(parts: Parts, first: int = 0) -> None:
    parts.events.record(
        [
            event(
                f"e{n}", f"2026-10-{n % 3 + 1:02}T12:30Z", tenant="acme", pool="shared", model="m",
                fresh=n, output=1,
            )
            for n in range(first, first + 500)
        ]
    )  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest) -> Callable[[], str]:
    """Give the address of a new empty ledger each time."""
    if request.param == "sqlite":
        return lambda: ""
    server = request.getfixturevalue("postgres_url")
    return lambda: fresh_database(server)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small store and of a backup of it, which nobody changes."""
    folder = tmp_path_factory.mktemp("stored")
    with service(settings_in(folder / "data")) as parts:
        parts.events.record([event("e1", fresh=1)])
        parts.refresh()
        parts.backups.make("made", NOW)
    return folder


@pytest.fixture
def made(stored: Path, tmp_path: Path) -> Path:
    """A backup of the test's own, and the store beside it."""
    shutil.copytree(stored, tmp_path, symlinks=True, dirs_exist_ok=True)
    return tmp_path / "backups" / "made"


def test_a_restored_backup_gives_the_same_bill_and_its_refresh_changes_nothing(
    tmp_path: Path, ledger_url: Callable[[], str]
) -> None:
    with service(settings_in(tmp_path / "data", ledger_url())) as parts:
        apply_setup(Setup.model_validate(yaml.safe_load(SETUP)), parts.engine, parts.prices.book)
        fill(parts)
        _, billed = bill_of(parts)
        folder, manifest = parts.backups.make("monday", NOW)
        fill(parts, 1000)
        changed_later, later = bill_of(parts)
    restored = settings_in(tmp_path / "other", ledger_url())
    restore(folder, restored)
    with service(restored) as parts:
        changed, again = bill_of(parts)
        fill(parts, 1000)
        _, caught_up = bill_of(parts)

    assert manifest.events.rows["events"] == 500
    assert changed == 0
    assert (again.result_hash, again) == (billed.result_hash, billed)
    assert changed_later > 0
    assert caught_up.result_hash == later.result_hash != again.result_hash


def test_copies_of_events_are_left_out_and_made_again(tmp_path: Path) -> None:
    """
    e1 2026-10-01T00:00Z r1 fresh=1
    e2 2026-10-01T00:00Z r1 rank=9
    """
    with service(settings_in(tmp_path / "data")) as parts:
        parts.events.record([event("e1", fresh=1, call="r1"), event("e2", call="r1", rank=9)])
        parts.refresh()
        folder, manifest = parts.backups.make("monday", NOW)
    restored = settings_in(tmp_path / "other")
    restore(folder, restored)
    with service(restored) as parts:
        sums = parts.events.sums([hour("2026-10-01T00")], parts.events.cutoff())
        copied = parts.events.rows("SELECT count() FROM doubled", {})

    assert "doubled" not in manifest.events.rows
    assert [(s.requests, s.fresh) for s in sums.values()] == [(1, 1)]
    assert copied == [(2,)]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def change_count(folder: Path) -> None:
    path = folder / "manifest.json"
    document = json.loads(path.read_text())
    document["events"]["rows"]["events"] += 1
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        (lambda f: (f / "manifest.json").unlink(), "no manifest.json in"),
        (lambda f: (f / "manifest.json").write_text("{"), "a manifest.json that cannot be read"),
        (lambda f: (f / "ledger" / "ledger.db").unlink(), "no file ledger/ledger.db"),
        (lambda f: cut(next(f.rglob("data.bin"))), "another content of events/"),
        (change_count, "another manifest.json than was written"),
    ],
)
def test_a_damaged_or_partial_backup_is_refused(
    made: Path, tmp_path: Path, harm: Callable[[Path], object], found: str
) -> None:
    harm(made)

    with pytest.raises(
        BackupDamagedError, match=f"^a backup must be as it was written, found {found}"
    ):
        restore(made, settings_in(tmp_path / "other"))
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("name", ["data.bin", "minmax_ended_at.idx"])
def test_a_damaged_store_makes_no_backup(tmp_path: Path, name: str) -> None:
    with service(settings_in(tmp_path / "data")) as parts:
        parts.events.record([event(f"e{n}", fresh=n) for n in range(100)])
        parts.events.settle()
        file = next((tmp_path / "data").glob(f"events/store/*/*/20261001_*/{name}"))
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)

        with pytest.raises(StoreDamagedError, match="as they were written, found them damaged"):
            parts.backups.make("one", NOW)
    assert not (tmp_path / "backups" / "one").exists()


def test_a_store_that_holds_something_is_left_alone(made: Path, tmp_path: Path) -> None:
    before = sorted((tmp_path / "data").rglob("*"))
    with pytest.raises(StoreNotEmptyError, match="must be empty before a restore, found files"):
        restore(made, settings_in(tmp_path / "data"))
    shutil.rmtree(tmp_path / "data" / "events")
    with pytest.raises(StoreNotEmptyError, match="must be empty before a restore, found a ledger"):
        restore(made, settings_in(tmp_path / "data"))

    assert [p for p in before if "events" not in p.parts] == sorted((tmp_path / "data").rglob("*"))


def test_a_ledger_with_rows_is_left_alone(made: Path, tmp_path: Path, postgres_url: str) -> None:
    url = fresh_database(postgres_url)
    with pytest.raises(ForeignBackupError, match="must name sqlite, as the backup does"):
        restore(made, settings_in(tmp_path / "other", url))
    with service(settings_in(tmp_path / "data2", url)) as parts:
        folder, _ = parts.backups.make("two", NOW)
        parts.events.record([event("e1", fresh=1)])
        parts.refresh()

    with pytest.raises(StoreNotEmptyError, match=r"must be empty before a restore, found \d+ rows"):
        restore(folder, settings_in(tmp_path / "other", url))


def test_a_backup_goes_into_a_new_folder_below_the_one_for_backups(tmp_path: Path) -> None:
    assert inside(tmp_path, "a/b") == tmp_path / "a" / "b"
    for elsewhere in ("..", "../x", "/etc/x", ".", "a/../../x"):
        with pytest.raises(BackupFolderError, match="must be below TALLYSTICK_BACKUPS"):
            inside(tmp_path, elsewhere)
    (tmp_path / "old").mkdir()
    with pytest.raises(BackupFolderError, match="must be a new one, found"):
        inside(tmp_path, "old")


def test_a_manifest_is_read_as_it_was_written(made: Path) -> None:
    manifest = checked(made)

    assert parse(manifest.text) == manifest
    assert manifest.events.rows["events"] == 1


def test_a_server_keeps_its_own_backups(made: Path, tmp_path: Path) -> None:
    server = Settings(data=tmp_path / "other", events_url="clickhouse://db.example/x")

    with pytest.raises(ForeignStoreError, match="must be embedded for this command"):
        restore(made, server)


def test_rows_that_are_missing_are_named() -> None:
    with pytest.raises(IncompleteRestoreError, match="table t must come back with 2 rows, found 1"):
        check_rows({"t": 2}, {"t": 1})
