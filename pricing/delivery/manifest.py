"""What a delivery consists of: names made of content, and a manifest that is written last.

rows -> parts -> `<scope>/<digest>/part-00000.csv` -> `SHA256SUMS` -> `<scope>/manifest.json`
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any


class State(StrEnum):
    """Whether more may come for a scope."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Part:
    """One file, before it has a name."""

    rows: int
    content: bytes

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the content."""
        return sha256(self.content).hexdigest()


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


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a consumer reads first: all that holds for a scope, and nothing else does."""

    scope: Scope
    state: State
    files: tuple[Listed, ...]
    sums: tuple[tuple[str, str], ...]
    """Currency -> sum of BilledCost, as text."""

    @property
    def text(self) -> bytes:
        """Return the manifest's bytes: the same for the same files."""
        told: dict[str, Any] = {
            "scope": asdict(self.scope),
            "state": self.state.value,
            "rows": sum(file.rows for file in self.files),
            "sum_billed": dict(self.sums),
            "files": [asdict(file) for file in self.files],
        }
        return (json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()

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
    >>> listed(scope, [Part(1, b"a")])[0].path[-30:]
    'a3811154d59c426/part-00000.csv'
    """
    whole = sha256("".join(part.digest for part in parts).encode()).hexdigest()[:16]
    return tuple(
        Listed(
            f"{scope.folder}/{whole}/part-{n:05d}.{scope.suffix}",
            part.rows,
            len(part.content),
            part.digest,
        )
        for n, part in enumerate(parts)
    )


def checksums(files: Iterable[Listed]) -> bytes:
    """Return what ``sha256sum -c`` reads, in the folder of the files."""
    return "".join(f"{f.sha256}  {f.path.rpartition('/')[2]}\n" for f in files).encode()
