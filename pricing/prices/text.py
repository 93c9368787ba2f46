"""What the files of a price book say, and where: file, line and field, for every refusal.

texts of files -> Told (a header, a row of a table, one rate of the header)
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, TypeVar

import yaml

HEADER = "book.yaml"

Value = TypeVar("Value")
Usual = TypeVar("Usual")
Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Told:
    """Fields that stand together in one place of a file."""

    where: str
    fields: Mapping[str, Any]

    def need(self, name: str) -> Any:
        """Return a field that must be there.

        Raises:
            BookError: it is not.
        """
        if name not in self.fields:
            raise BookError(self.where, f"the field {name}", ", ".join(self.fields) or "nothing")
        return self.fields[name]

    def part(self, name: str) -> "Told":
        """Return a field that is itself a mapping."""
        return mapping_at(f"{self.where} {name}", self.need(name))

    def parts(self, name: str) -> list["Told"]:
        """Return a field that is a list of mappings; none where it is not there."""
        listed = self.fields.get(name) or []
        if not isinstance(listed, list):
            raise BookError(f"{self.where} {name}", "a list", repr(listed))
        return [mapping_at(f"{self.where} {name} {n}", p) for n, p in enumerate(listed, start=1)]

    def read(self, name: str, reader: Callable[[Any], Value]) -> Value:
        """Read a field; whatever is wrong with it is told with its place."""
        with placed(f"{self.where} {name}"):
            return reader(self.need(name))

    def optional(self, name: str, reader: Callable[[Any], Value], usual: Usual) -> Value | Usual:
        """Read a field that need not be there."""
        return self.read(name, reader) if name in self.fields else usual

    def only(self, known: Iterable[str]) -> None:
        """Refuse fields that mean nothing: they would be silently ignored."""
        names = list(known)
        for name in self.fields:
            if name not in names:
                raise BookError(self.where, f"only {', '.join(names)}", repr(name))


@contextmanager
def placed(where: str) -> Iterator[None]:
    """Tell where in the files an error is, unless it says so itself."""
    file = where.partition(" ")[0]
    try:
        yield
    except (ValueError, LookupError) as error:
        text = str(error.args[0]) if isinstance(error, LookupError) else str(error)
        if text.startswith(file):
            raise
        raise PlacedError(where, text) from error


def header_of(files: Mapping[str, str]) -> tuple[Told, list[Told]]:
    """Return the header, and the rates that stand in it with their lines."""
    text = file_of(files, HEADER)
    try:
        said = yaml.safe_load(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        _refuse_twice(root, set())
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, BookError):
            raise
        sentence = f"the text must be YAML, found {' '.join(str(error).split())}"
        raise PlacedError(HEADER, sentence) from error
    header = mapping_at(HEADER, said)
    rates = header.parts("rates")
    lines = _lines_of(root, "rates")
    return header, [
        Told(f"{HEADER} line {line}", rate.fields) for line, rate in zip(lines, rates, strict=True)
    ]


def mapping_at(where: str, said: Any) -> Told:
    """Return what stands in a place, which must be a mapping with names."""
    if not isinstance(said, dict):
        raise BookError(where, "a mapping", type(said).__name__)
    return Told(where, {str(name): value for name, value in said.items()})


def table_of(
    files: Mapping[str, str], name: str, columns: Sequence[str], known: Sequence[str] = ()
) -> list[Told]:
    """Return the rows of a CSV file without empty cells, which say nothing.

    Each row must have every cell, and the file some columns; others only where these are known.
    """
    reader = csv.DictReader(io.StringIO(file_of(files, name), newline=""))
    header = Told(name, dict.fromkeys(reader.fieldnames or ()))
    for column in columns:
        if column not in header.fields:
            raise BookError(name, f"the column {column}", ", ".join(header.fields) or "nothing")
    if known:
        header.only(known)
    rows = []
    for row in reader:
        where = f"{name} line {reader.line_num}"
        if None in row or None in row.values():
            raise BookError(where, "one cell per column", repr(row))
        rows.append(Told(where, {column: cell for column, cell in row.items() if cell}))
    return rows


def file_of(files: Mapping[str, str], name: str) -> str:
    """Return the text of a file."""
    if name not in files:
        raise BookError("a price book", f"the file {name}", ", ".join(sorted(files)) or "nothing")
    return files[name].removeprefix("\ufeff")


def whole(value: Any) -> int:
    """Read a whole number, 0 or more, as YAML or a cell has it.

    >>> whole("10000"), whole(1)
    (10000, 1)
    """
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    if type(value) is not int or value < 0:
        raise FieldError("a whole number, 0 or more", value)
    return value


def choice_of(kind: type[Choice]) -> Callable[[Any], Choice]:
    """Return how to read a word of a list."""

    def read(value: Any) -> Choice:
        check_known(list(kind), value)
        return kind(value)

    return read


def check_known(known: Sequence[str], value: Any) -> None:
    """Refuse a word that is none of those that mean something."""
    if value not in known:
        raise FieldError(f"one of {', '.join(known) or '(none)'}", value)


def list_of(value: Any) -> list[Any]:
    """Read a list."""
    if not isinstance(value, list):
        raise FieldError("a list", value)
    return value


def text_of(value: Any) -> str:
    """Read a text, of which YAML may have made a number or a time.

    >>> text_of("a"), text_of(date(2026, 11, 22))
    ('a', '2026-11-22')
    """
    if isinstance(value, bool) or not isinstance(value, str | int | date) or value == "":
        raise FieldError("a text", value)
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def _refuse_twice(node: Any, visited: set[int]) -> None:
    """Refuse a name that stands twice in one mapping: the second would silently win."""
    if id(node) in visited:  # an alias stands for a node that was seen
        return
    visited.add(id(node))
    if isinstance(node, yaml.MappingNode):
        seen: dict[Any, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                found = f"it on line {seen[key.value]} and line {line}"
                raise BookError(HEADER, f"{key.value} once", found)
            seen[key.value] = line
            _refuse_twice(value, visited)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_twice(value, visited)


def _lines_of(root: Any, name: str) -> list[int]:
    """Return the lines on which the entries of a list in the header begin."""
    listed = next((value for key, value in root.value if key.value == name), None)
    entries = listed.value if isinstance(listed, yaml.SequenceNode) else []
    return [entry.start_mark.line + 1 for entry in entries]


class BookError(ValueError):
    """A price book that cannot be read."""

    def __init__(self, where: str, required: str, found: str) -> None:
        super().__init__(f"{where} must have {required}, found {found}")


class PlacedError(ValueError):
    """Something wrong in a price book, with its place."""

    def __init__(self, where: str, sentence: str) -> None:
        super().__init__(f"{where}: {sentence}")


class FieldError(ValueError):
    """A field that holds something else than it must."""

    def __init__(self, required: str, found: object) -> None:
        super().__init__(f"it must be {required}, found {found!r}")
