"""Copies of the embedded event store: its parts never change, so a copy of their files is one.

freeze (hard links, at once) -> copy -> part by part attached to empty tables
"""

import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import clickhouse_connect

from metering.keeping.damage import StoreDamagedError
from tallystick.keeping.manifest import StoreCopy

KIND = "chdb"

_FIRST = "events"
"""Frozen before all others: sightings are written before events, so that they may be newer."""

_TABLES = """
SELECT name, create_table_query, data_paths[1] FROM system.tables
WHERE database = currentDatabase() AND engine LIKE '%MergeTree'
  AND name NOT IN ('contested_progress', 'doubled')
ORDER BY name != '{}', name
"""
"""Progress is not copied: it could be ahead of what it is the progress of. Nor are the copies of
events, which could be of later ones. Both are made again."""
_HOME = "SELECT path FROM system.disks WHERE name = 'default'"
_ROWS = """
SELECT table, sum(rows) FROM system.parts
WHERE active AND database = currentDatabase() GROUP BY table
"""


def copy_events(client: Any, folder: Path) -> StoreCopy:
    """Copy every table of an open embedded store below a folder, while others write to it.

    Raises:
        StoreDamagedError: a part is not as it was written; a copy of it would be no backup.
    """
    tables = client.query(_TABLES.format(_FIRST)).result_rows
    for name, _, _ in tables:
        _check(client, name)
    home = Path(client.query(_HOME).result_rows[0][0])
    schema, rows = {}, {}
    with _frozen(client, home, [name for name, _, _ in tables]) as shadow:
        for name, statement, path in tables:
            frozen = shadow / Path(path).relative_to(home)
            _copy_tree(frozen, folder / name)
            schema[name], rows[name] = statement, _rows_in(folder / name)
    return StoreCopy(KIND, schema, rows)


def restore_events(copy: StoreCopy, folder: Path, directory: Path) -> None:
    """Make an embedded store in an empty directory from the copy below a folder.

    Raises:
        IncompleteRestoreError: the engine does not hold the rows that the copy held.
    """
    client = clickhouse_connect.get_client(interface="chdb", path=str(directory))
    try:
        for name, statement in copy.schema.items():
            client.command(statement)
            client.command(f"SYSTEM STOP MERGES {name}")
            _attach(client, name, folder / name)
        found = {name: int(rows) for name, rows in client.query(_ROWS).result_rows}
    finally:
        client.close()
    check_rows(copy.rows, found)


def check_rows(wanted: Mapping[str, int], found: Mapping[str, int]) -> None:
    """Compare the rows of tables with those that a copy held.

    Raises:
        IncompleteRestoreError: they differ.
    """
    for name, rows in wanted.items():
        if found.get(name, 0) != rows:
            raise IncompleteRestoreError(name, rows, found.get(name, 0))


def _check(client: Any, table: str) -> None:
    found = client.query(f"CHECK TABLE {table}", settings={"check_query_single_value_result": 1})
    if found.result_rows and not int(found.result_rows[0][0]):
        raise StoreDamagedError(f"CHECK TABLE {table} failed")


@contextmanager
def _frozen(client: Any, home: Path, tables: list[str]) -> Iterator[Path]:
    """Hold hard links to the parts of tables as they are now."""
    name = f"backup_{uuid.uuid4().hex}"
    shadow = home / "shadow" / name
    try:
        for table in tables:
            client.command(f"ALTER TABLE {table} FREEZE WITH NAME '{name}'")
        yield shadow
    finally:
        shutil.rmtree(shadow, ignore_errors=True)


def _copy_tree(source: Path, target: Path) -> None:
    """Copy the parts of a table; none are there where it is empty."""
    target.mkdir(parents=True)
    if source.exists():
        shutil.copytree(source, target, dirs_exist_ok=True)


def _rows_in(folder: Path) -> int:
    return sum(int(file.read_text()) for file in folder.glob("*/count.txt"))


def _attach(client: Any, table: str, folder: Path) -> None:
    query = f"SELECT data_paths[1] FROM system.tables WHERE name = '{table}'"  # noqa: S608 - ours
    home = Path(client.query(query).result_rows[0][0])
    for part in sorted(p for p in folder.iterdir() if p.is_dir()):
        shutil.copytree(part, home / "detached" / part.name)
        client.command(f"ALTER TABLE {table} ATTACH PART '{part.name}'")


class IncompleteRestoreError(RuntimeError):
    """A table came back with other rows than it was copied with."""

    def __init__(self, table: str, wanted: int, found: int) -> None:
        super().__init__(f"table {table} must come back with {wanted} rows, found {found}")
