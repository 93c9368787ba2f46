"""What a backup holds, written last: a folder without a manifest is no backup.

ledger, then events -> manifest.json
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FORMAT = 1
NAME = "manifest.json"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class StoreCopy:
    """The copy of one store: its kind, how to make its tables, and the rows in each."""

    kind: str
    """``chdb``, ``sqlite`` or ``postgresql``."""
    schema: Mapping[str, str]
    """Statements that make the tables, by table; for a ledger the revision of its migrations."""
    rows: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Manifest:
    """All that a backup holds."""

    made_at: str
    ledger: StoreCopy
    events: StoreCopy
    files: Mapping[str, str]
    """SHA-256 in hexadecimal by path."""

    @property
    def text(self) -> str:
        """Return the manifest as it is written, with a digest of itself."""
        body = asdict(self)
        sealed = {"format": FORMAT, "digest": _digest(body), **body}
        return json.dumps(sealed, indent=1, ensure_ascii=False) + "\n"


def parse(text: str) -> Manifest:
    """Read a manifest.

    Raises:
        BackupDamagedError: it is not as it was written.
    """
    try:
        body: dict[str, Any] = json.loads(text)
        said, found = body.pop("format"), body.pop("digest")
    except (ValueError, KeyError, AttributeError) as error:
        raise BackupDamagedError(f"a {NAME} that cannot be read") from error
    if said != FORMAT or found != _digest(body):
        raise BackupDamagedError(f"another {NAME} than was written")
    ledger, events = StoreCopy(**body["ledger"]), StoreCopy(**body["events"])
    return Manifest(body["made_at"], ledger, events, body["files"])


def files_in(folder: Path) -> Iterator[str]:
    """Return the paths of all files below a folder but the manifest, in order."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path != folder / NAME:
            yield path.relative_to(folder).as_posix()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checked(folder: Path) -> Manifest:
    """Read a backup's manifest, and every file that it names.

    Raises:
        BackupDamagedError: the backup is not whole, or not as it was written.
    """
    if not (folder / NAME).exists():
        raise BackupDamagedError(f"no {NAME} in {folder}: it was broken off, or is no backup")
    manifest = parse((folder / NAME).read_text("utf-8"))
    found = set(files_in(folder))
    for path, digest in manifest.files.items():
        if path not in found:
            raise BackupDamagedError(f"no file {path}")
        if sha256_of(folder / path) != digest:
            raise BackupDamagedError(f"another content of {path}")
    return manifest


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


class BackupDamagedError(ValueError):
    """A backup that is not whole."""

    def __init__(self, found: str) -> None:
        super().__init__(f"a backup must be as it was written, found {found}")
