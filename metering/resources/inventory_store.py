"""Take an inventory: all of its rows, or none."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from metering.resources.inventory import Change, Known, Problem, Row, changes_of, entries_of
from metering.resources.store import ResourceStore
from metering.store import MeterStore


@dataclass(frozen=True, slots=True)
class Taken:
    """What an inventory changes, or would change; with a problem it changes nothing."""

    changes: Sequence[Change]
    problems: Sequence[Problem]
    is_stored: bool


class InventoryStore:
    """Resources and their states out of inventory files."""

    def __init__(self, engine: Engine, regions: Collection[str]) -> None:
        """Work on an engine; resources must be in one of the regions."""
        self._engine = engine
        self._regions = regions

    def take(self, rows: Sequence[Row], actor: str, now: datetime, *, dry_run: bool) -> Taken:
        """Check every row, and store what they say unless one has a problem or it is a dry run."""
        with self._engine.begin() as connection:
            meter, states = MeterStore(connection), ResourceStore(connection)
            resources = {r.id: r for r in meter.resources()}
            accounts = {a.id for a in meter.accounts()}
            known = Known(resources, accounts, self._regions, now, actor)
            entries, problems = entries_of(rows, known)
            events = [e.event for e in entries if e.event]
            changes = changes_of(entries, resources, states.known_keys(events))
            is_stored = not dry_run and not problems
            if is_stored:
                meter.put_resources({e.resource.id: e.resource for e in entries}.values())
                states.tell(events, now)
        return Taken(changes, problems, is_stored)
