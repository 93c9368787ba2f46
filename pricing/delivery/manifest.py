"""What a delivery consists of: names made of content, and a manifest that is written last.

rows -> parts -> `<scope>/<digest>/part-00000.csv` -> `SHA256SUMS` -> `<scope>/manifest.json`
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from hashlib import sha256
from typing import Any


class State(StrEnum):
    """Whether more may come for a scope."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Part:
    """One file, before it has a name. Its content is read when it is put."""

    rows: int
    size: int
    """In bytes."""
    digest: str
    """The SHA-256 of the content, in hexadecimal."""
    read: Callable[[], bytes]


def part_of(rows: int, content: bytes) -> Part:
    """Return a file that is held in memory."""
    return Part(rows, len(content), sha256(content).hexdigest(), lambda: content)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a delivery is about: one data set of one billing period in one version."""

    version: str
    dataset: str
    month: str
    suffix: str
    """How its files end: csv, ndjson, parquet."""

    @property
    def folder(self) -> str:
        """Return where all of its files are."""
        return f"focus/v{self.version}/{self.dataset}/{self.suffix}/BillingPeriod={self.month}"


@dataclass(frozen=True, slots=True)
class Listed:
    """One file as the manifest names it."""

    path: str
    rows: int
    bytes: int
    sha256: str


_ORDER = {"sequence", "previous"}


@dataclass(frozen=True, slots=True)
class Sums:
    """What rows bill, as text: by currency, and of each invoice by currency."""

    by_currency: tuple[tuple[str, str], ...] = ()
    by_invoice: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    """What no invoice bills yet stands under the empty name."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a consumer reads first: all that holds for a scope, and nothing else does."""

    scope: Scope
    state: State
    files: tuple[Listed, ...]
    sums: Sums
    """What the rows bill."""
    schema: str = ""
    """The name of the columns; it changes when they do."""
    complete_until: str = ""
    """Up to when usage is in the rows: ISO 8601, empty where nobody said."""
    sequence: int = 1
    """Which manifest of its scope it is."""
    previous: str | None = None
    """The SHA-256 of the manifest before it."""

    @property
    def text(self) -> bytes:
        """Return the manifest's bytes: the same for the same files after the same manifest."""
        told = {**self._told(), "sequence": self.sequence, "previous": self.previous}
        return (json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()

    def agrees(self, text: bytes) -> bool:
        """Tell whether another manifest says the same of the scope, whatever came before it."""
        told = json.loads(text)
        return {k: v for k, v in told.items() if k not in _ORDER} == self._told()

    def after(self, text: bytes | None) -> "Manifest":
        """Return the manifest as the one that follows another, or as the first."""
        if text is None:
            return self
        sequence = json.loads(text)["sequence"] + 1
        return replace(self, sequence=sequence, previous=sha256(text).hexdigest())

    def _told(self) -> dict[str, Any]:
        return {
            "scope": asdict(self.scope),
            "state": self.state.value,
            "focus_version": self.scope.version,
            "schema_id": self.schema,
            "rows": sum(file.rows for file in self.files),
            "sum_billed": dict(self.sums.by_currency),
            "sum_by_invoice": {name: dict(sums) for name, sums in self.sums.by_invoice},
            "complete_until": self.complete_until or None,
            "files": [asdict(file) for file in self.files],
        }

    @property
    def path(self) -> str:
        """Return where the manifest is: always the same place for a scope."""
        return f"{self.scope.folder}/manifest.json"

    @property
    def closed_path(self) -> str:
        """Return where the manifest of a closed period is kept: put once, never replaced."""
        return f"{self.scope.folder}/manifest.closed.json"


def listed(scope: Scope, parts: Sequence[Part]) -> tuple[Listed, ...]:
    """Return the files of a delivery; their folder is named by what all of them hold.

    >>> scope = Scope("1.2", "CostAndUsage", "2026-10", "csv")
    >>> listed(scope, [part_of(1, b"a")])[0].path[-30:]
    'a3811154d59c426/part-00000.csv'
    """
    whole = sha256("".join(part.digest for part in parts).encode()).hexdigest()[:16]
    return tuple(
        Listed(
            f"{scope.folder}/{whole}/part-{n:05d}.{scope.suffix}",
            part.rows,
            part.size,
            part.digest,
        )
        for n, part in enumerate(parts)
    )


def checksums(files: Iterable[Listed]) -> bytes:
    """Return what ``sha256sum -c`` reads, in the folder of the files."""
    return "".join(f"{f.sha256}  {f.path.rpartition('/')[2]}\n" for f in files).encode()
