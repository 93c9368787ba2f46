"""Inventory files: resources and their states in rows, checked against what is known.

text -> rows with their lines -> entries and problems -> what would change
"""

import csv
import io
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import yaml

from metering.interval import Resource, ResourceKind, State
from metering.period import parse_instant
from metering.resources.state import StateEvent, check_not_ahead

LASTING = ("account", "region", "spec", "kind")
"""What of a resource never changes."""

COLUMNS: tuple[str, ...] = (
    "id", *LASTING, "name", "heartbeat_seconds", "state", "at", "evidence",
)  # fmt: skip
MAX_HEARTBEAT_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file, as text; an empty cell leaves things as they are."""

    line: int
    cells: Mapping[str, str]

    def cell(self, name: str) -> str:
        """Return a cell without the spaces around it; empty where there is none."""
        return self.cells.get(name, "").strip()


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a line cannot be taken."""

    line: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What a line says: a resource, and a state where it names one."""

    line: int
    resource: Resource
    event: StateEvent | None


@dataclass(frozen=True, slots=True)
class Known:
    """What lines are checked against."""

    resources: Mapping[str, Resource]
    accounts: Collection[str]
    regions: Collection[str]
    now: datetime
    actor: str


@dataclass(frozen=True, slots=True)
class Change:
    """What a line changes, in words."""

    line: int
    resource: str
    change: str


def rows_of(name: str, text: str) -> list[Row]:
    """Read a file by the ending of its name.

    Raises:
        InventoryFileError: it is neither CSV nor YAML, or not as it must be.
    """
    readers: dict[str, Callable[[str], list[Row]]] = {
        "csv": _csv_rows, "yaml": _yaml_rows, "yml": _yaml_rows,
    }  # fmt: skip
    reader = readers.get(name.rpartition(".")[2].lower())
    if reader is None:
        raise InventoryFileError(1, f"a file called {name}")
    return reader(text.removeprefix("\ufeff"))


def entries_of(rows: Sequence[Row], known: Known) -> tuple[list[Entry], list[Problem]]:
    """Return what the rows say, and every row that cannot be taken.

    Rows of one resource build on one another: the second need not repeat the first.
    """
    resources = dict(known.resources)
    entries: list[Entry] = []
    problems: list[Problem] = []
    for row in rows:
        try:
            resource = _resource(row, resources.get(row.cell("id")), known)
            entries.append(Entry(row.line, resource, _event(row, known)))
        except ValueError as error:
            problems.append(Problem(row.line, str(error)))
        else:
            resources[resource.id] = resource
    return entries, problems


def changes_of(
    entries: Sequence[Entry], resources: Mapping[str, Resource], stored: Collection[str]
) -> list[Change]:
    """Return what the entries change; ``stored`` are the keys of states that are known."""
    before, seen = dict(resources), set(stored)
    changes = []
    for entry in entries:
        said = [*_said_of(before.get(entry.resource.id), entry.resource)]
        if entry.event and entry.event.key not in seen:
            said.append(f"{entry.event.state} from {entry.event.at.isoformat()}")
            seen.add(entry.event.key)
        changes += [Change(entry.line, entry.resource.id, one) for one in said]
        before[entry.resource.id] = entry.resource
    return changes


def _csv_rows(text: str) -> list[Row]:
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="", restval="", strict=True)
    try:
        _check_columns(1, reader.fieldnames or ())
        rows = [Row(reader.line_num, cells) for cells in reader]
    except csv.Error as error:
        raise InventoryFileError(reader.line_num + 1, str(error)) from None
    for row in rows:
        if "" in row.cells:
            raise InventoryFileError(row.line, "more cells than columns")
    return rows


def _yaml_rows(text: str) -> list[Row]:
    """Read cells as they are written: YAML's own types would lose a zone or a leading zero."""
    try:
        document = yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise InventoryFileError(line, str(getattr(error, "problem", error))) from None
    if not isinstance(document, yaml.SequenceNode):
        raise InventoryFileError(1, "no list")
    return [_yaml_row(node) for node in document.value]


def _yaml_row(node: yaml.Node) -> Row:
    line = node.start_mark.line + 1
    if not isinstance(node, yaml.MappingNode):
        raise InventoryFileError(line, "an entry that is no mapping")
    for key, value in node.value:
        if not (isinstance(key, yaml.ScalarNode) and isinstance(value, yaml.ScalarNode)):
            raise InventoryFileError(line, "a value that is no text")
    _check_columns(line, [key.value for key, _ in node.value])
    return Row(line, {k.value: "" if v.tag.endswith(":null") else v.value for k, v in node.value})


def _check_columns(line: int, names: Sequence[str]) -> None:
    if unknown := [n for n in names if n not in COLUMNS]:
        raise InventoryFileError(line, f"{unknown[0]!r}")
    if "id" not in names:
        raise InventoryFileError(line, "no id")


def _resource(row: Row, before: Resource | None, known: Known) -> Resource:
    if not row.cell("id"):
        raise RowError("a row", "have an id", "none")
    kind = ResourceKind(_one_of(row, "kind", tuple(ResourceKind), ResourceKind.NODE.value))
    told = before or Resource(
        row.cell("id"),
        _one_of(row, "account", sorted(known.accounts)),
        _one_of(row, "region", sorted(known.regions)),
        _one_of(row, "spec", ()),
        kind=kind,
    )
    for name in LASTING:
        value, was = row.cell(name), str(getattr(told, name))
        if value and value != was:
            raise RowError(f"the {name} of {told.id!r}", f"stay {was}", repr(value))
    return replace(
        told,
        name=row.cell("name") or told.name,
        heartbeat_seconds=_seconds(row, told.heartbeat_seconds),
    )


def _one_of(row: Row, name: str, allowed: Sequence[str], default: str = "") -> str:
    """Return a cell that must be among what is allowed, or anything where that is open."""
    value = row.cell(name) or default
    if not value:
        raise RowError(f"a new resource {row.cell('id')!r}", f"have a cell {name}", "none")
    if allowed and value not in allowed:
        raise RowError(name, f"be one of {', '.join(allowed)}", repr(value))
    return value


def _seconds(row: Row, default: int) -> int:
    text = row.cell("heartbeat_seconds")
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and int(text) <= MAX_HEARTBEAT_SECONDS):
        raise RowError("heartbeat_seconds", f"be 0 to {MAX_HEARTBEAT_SECONDS}", repr(text))
    return int(text)


def _event(row: Row, known: Known) -> StateEvent | None:
    if bool(row.cell("state")) != bool(row.cell("at")):
        has, lacks = ("state", "at") if row.cell("state") else ("at", "state")
        raise RowError(f"a row with the cell {has}", f"have {lacks}", "none")
    if not row.cell("state"):
        return None
    state = State(_one_of(row, "state", tuple(State)))
    at = parse_instant(row.cell("at")).replace(microsecond=0)
    check_not_ahead(at, known.now)
    return StateEvent(
        row.cell("id"), at, state, "inventory", known.actor, evidence=row.cell("evidence")
    )


def _said_of(before: Resource | None, after: Resource) -> Iterator[str]:
    if before is None:
        yield f"new {after.kind} of {after.account}"
        return
    for name in ("name", "heartbeat_seconds"):
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            yield f"{name} {old!r} becomes {new!r}"


class RowError(ValueError):
    """A row that cannot be taken."""

    def __init__(self, what: str, wanted: str, found: str) -> None:
        super().__init__(f"{what} must {wanted}, found {found}")


class InventoryFileError(ValueError):
    """A file whose rows cannot be told."""

    def __init__(self, line: int, found: str) -> None:
        super().__init__(
            f"line {line}: an inventory must be CSV or a YAML list, with the columns "
            f"{', '.join(COLUMNS)}, found {found}"
        )
