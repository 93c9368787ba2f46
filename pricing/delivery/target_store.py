"""Where deliveries go: a folder, or a bucket that speaks S3."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from pricing.delivery.manifest import Listed, Manifest, Part, State, checksums


class Target(Protocol):
    """A place for files. No method leaves a half-written file behind."""

    def create(self, path: str, content: bytes) -> bool:
        """Put a file where none is; return whether there was none."""

    def replace(self, path: str, content: bytes) -> None:
        """Put a file whether or not there is one."""

    def read(self, path: str) -> bytes | None:
        """Return a file's content, or None."""


class ObjectTarget:
    """Any store of ``obstore``: a local folder, memory, S3, GCS, Azure."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def create(self, path: str, content: bytes) -> bool:
        """Put a file where none is; return whether there was none."""
        import obstore  # noqa: PLC0415 - an extra, needed only by who delivers
        from obstore.exceptions import AlreadyExistsError  # noqa: PLC0415

        try:
            obstore.put(self._store, path, content, mode="create", use_multipart=False)
        except AlreadyExistsError:
            return False
        return True

    def replace(self, path: str, content: bytes) -> None:
        """Put a file whether or not there is one."""
        import obstore  # noqa: PLC0415

        obstore.put(self._store, path, content, use_multipart=False)

    def read(self, path: str) -> bytes | None:
        """Return a file's content, or None."""
        import obstore  # noqa: PLC0415

        try:
            return bytes(obstore.get(self._store, path).bytes())
        except FileNotFoundError:
            return None


def opened(target: str) -> ObjectTarget:
    """Open a folder or a bucket; a bucket's credentials come from its own variables.

    Raises:
        NoStorageError: the package that it takes is not installed.
    """
    try:
        from obstore.store import LocalStore, from_url  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise NoStorageError from error
    if "://" in target:
        return ObjectTarget(from_url(target))
    return ObjectTarget(LocalStore(str(Path(target).resolve()), mkdir=True))


def deliver(target: Target, manifest: Manifest, parts: Sequence[Part]) -> bool:
    """Put files, their checksums, and last the manifest; return whether anything was new.

    A second delivery of the same is a no-op. While a period is open its manifest is replaced; a
    closed one never changes, whoever tries.

    Raises:
        ClosedError: the scope was closed with other files.
        TamperedError: somebody else wrote to a file.
    """
    closed = target.read(manifest.closed_path)
    if closed is not None and not manifest.agrees(closed):
        raise ClosedError(manifest.path)
    newest = target.read(manifest.path)
    if newest is not None and manifest.agrees(newest):
        return False
    for file, part in zip(manifest.files, parts, strict=True):
        _put_once(target, file.path, part.read())
    if manifest.files:
        _put_once(target, _sums_path(manifest.files[0]), checksums(manifest.files))
    _point(target, manifest.after(newest))
    return True


def _point(target: Target, manifest: Manifest) -> None:
    """Let the manifest name the new files.

    Who closes a period puts a copy first, which only one can. Whoever replaced the manifest after
    that sees the copy, and puts it back: two who deliver at once cannot reopen a period.
    """
    if manifest.state is State.CLOSED:
        target.create(manifest.closed_path, manifest.text)
    target.replace(manifest.path, manifest.text)
    closed = target.read(manifest.closed_path)
    if closed is not None and closed != manifest.text:
        target.replace(manifest.path, closed)
        if not manifest.agrees(closed):
            raise ClosedError(manifest.path)


def _put_once(target: Target, path: str, content: bytes) -> None:
    """Put a file; one that is there by that name holds the same, or somebody wrote to it."""
    if not target.create(path, content) and target.read(path) != content:
        raise TamperedError(path)


def _sums_path(file: Listed) -> str:
    return f"{file.path.rpartition('/')[0]}/SHA256SUMS"


class ClosedError(ValueError):
    """A closed period that would change."""

    def __init__(self, path: str) -> None:
        super().__init__(f"a closed period must stay as it was delivered, found other rows: {path}")


class TamperedError(ValueError):
    """A delivered file that is not what its name says."""

    def __init__(self, path: str) -> None:
        super().__init__(f"a delivered file must stay as it was put, found other content: {path}")


class NoStorageError(ValueError):
    """Delivery without the packages it needs."""

    def __init__(self) -> None:
        super().__init__(
            "delivery must have the extra `storage`: pip install 'tallystick[storage]'"
        )
