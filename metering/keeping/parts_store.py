"""Tells the engine to lose nothing in silence, and why a directory cannot be opened."""

import fcntl
import os
from pathlib import Path
from typing import Any

from metering.keeping.damage import StoreDamagedError
from metering.scale.layout import DURABLE, SWEPT
from metering.schema import EVENTS

_COUNTED = ("events", "sightings", "contested", "doubled", "corrected", "hour_dimensions")
"""The tables that bills are made of."""

_STRICT = "max_suspicious_broken_parts = 0"
_SETTINGS = (_STRICT, "max_suspicious_broken_parts_bytes = 0", *DURABLE, *SWEPT)
"""Left to itself, the engine sets broken parts aside when it starts, and counts without them.
With the first two it refuses to start. The others are for tables of earlier versions."""

_NOT_STARTED = "Error initializing EmbeddedServer"

_LAX = f"""
SELECT name FROM system.tables
WHERE database = currentDatabase() AND name IN {_COUNTED} AND engine LIKE '%MergeTree'
  AND (position(create_table_query, '{_STRICT}') = 0
       OR position(create_table_query, '{SWEPT[0]}') = 0)
"""  # noqa: S608 - constants only
_BROKEN = f"""
SELECT table, name FROM system.detached_parts
WHERE database = currentDatabase() AND table IN {_COUNTED} AND startsWith(reason, 'broken')
ORDER BY table, name
"""  # noqa: S608


def lose_nothing(client: Any) -> None:
    """Let the tables that bills are made of refuse to open without all of their parts.

    Raises:
        StoreDamagedError: parts were set aside before.
    """
    broken = client.query(_BROKEN).result_rows
    if broken:
        raise StoreDamagedError("a part set aside: " + " ".join(broken[0]))
    for (name,) in client.query(_LAX).result_rows:
        settings = (*_SETTINGS, *(EVENTS.settings if name == EVENTS.name else ()))
        client.command(f"ALTER TABLE {name} MODIFY SETTING {', '.join(settings)}")


def obstacle(directory: Path, found: str) -> Exception | None:
    """Return why an embedded store does not open where nobody else has it open.

    The engine gives the same error for all, and writes what it found to standard error.
    """
    if _NOT_STARTED not in found:
        return None
    if os.statvfs(directory).f_flag & os.ST_RDONLY:
        return ReadOnlyError(directory)
    if _is_locked(directory / "status"):
        return None
    return StoreDamagedError(f"the engine does not start on {directory}, and says why above")


def _is_locked(status: Path) -> bool:
    try:
        with status.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


class ReadOnlyError(RuntimeError):
    """The directory of a store cannot be written."""

    def __init__(self, directory: Path) -> None:
        super().__init__(f"the event store {directory} must be writable, found it read-only")
