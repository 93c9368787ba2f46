"""A delivery is put once, in an order that no crash makes wrong, and a closed one stays."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from pricing.delivery.manifest import Manifest, Part, Scope, State, Sums, listed, part_of
from pricing.delivery.target_store import ClosedError, ObjectTarget, TamperedError, deliver

obstore = pytest.importorskip("obstore", reason="the extra `storage` is not installed")

SCOPE = Scope("1.2", "CostAndUsage", "2026-10", "csv")
ONE = (part_of(2, b"a\r\n1\r\n2\r\n"), part_of(1, b"a\r\n3\r\n"))
OTHER = (part_of(1, b"a\r\n4\r\n"),)


class Failing(ObjectTarget):
    """A target that breaks at its n-th write, as a full disk or a crash would."""

    def __init__(self, store: Any, at: int) -> None:
        super().__init__(store)
        self.left = at

    def create(self, path: str, content: bytes) -> bool:
        self._count()
        return super().create(path, content)

    def replace(self, path: str, content: bytes) -> None:
        self._count()
        super().replace(path, content)

    def _count(self) -> None:
        if not self.left:
            raise OSError(28, "No space left on device")
        self.left -= 1


class Between(ObjectTarget):
    """A target where somebody else delivers just before the manifest is replaced."""

    def __init__(self, store: Any, other: Manifest, parts: tuple[Part, ...]) -> None:
        super().__init__(store)
        self.other = (other, parts)

    def replace(self, path: str, content: bytes) -> None:
        deliver(ObjectTarget(self._store), *self.other)
        super().replace(path, content)


def manifest(parts: tuple[Part, ...], state: State = State.OPEN) -> Manifest:
    return Manifest(SCOPE, state, listed(SCOPE, parts), Sums((("CNY", "6.0"),)))


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Any]:
    return obstore.store.LocalStore(str(tmp_path), mkdir=True)


def test_a_second_delivery_of_the_same_changes_nothing(store: Any, tmp_path: Path) -> None:
    first = deliver(ObjectTarget(store), manifest(ONE), ONE)
    before = files_of(tmp_path)
    second = deliver(ObjectTarget(store), manifest(ONE), ONE)

    assert (first, second) == (True, False)
    assert files_of(tmp_path) == before


def test_sha256sum_agrees_with_what_was_delivered(store: Any, tmp_path: Path) -> None:
    deliver(ObjectTarget(store), manifest(ONE), ONE)
    [sums] = tmp_path.rglob("SHA256SUMS")

    checked = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=sums.parent, capture_output=True, check=False
    )

    assert checked.returncode == 0
    told = json.loads((tmp_path / manifest(ONE).path).read_bytes())
    assert (told["rows"], told["state"]) == (3, "open")


def test_an_open_period_points_to_its_newest_files(store: Any, tmp_path: Path) -> None:
    deliver(ObjectTarget(store), manifest(ONE), ONE)
    deliver(ObjectTarget(store), manifest(OTHER), OTHER)

    first = sha256(manifest(ONE).text).hexdigest()
    second = replace(manifest(OTHER), sequence=2, previous=first)
    assert (tmp_path / manifest(ONE).path).read_bytes() == second.text


@pytest.mark.parametrize("state", list(State))
def test_a_closed_period_never_changes(store: Any, tmp_path: Path, state: State) -> None:
    closed = manifest(ONE, State.CLOSED)
    deliver(ObjectTarget(store), closed, ONE)
    before = files_of(tmp_path)

    with pytest.raises(ClosedError):
        deliver(ObjectTarget(store), manifest(OTHER, state), OTHER)

    assert files_of(tmp_path) == before
    assert not deliver(ObjectTarget(store), closed, ONE)


@pytest.mark.parametrize("at", range(4))
def test_after_a_crash_at_any_write_the_next_delivery_completes_it(
    store: Any, tmp_path: Path, at: int
) -> None:
    with pytest.raises(OSError, match="No space left"):
        deliver(Failing(store, at), manifest(ONE), ONE)
    assert not (tmp_path / manifest(ONE).path).exists()

    assert deliver(ObjectTarget(store), manifest(ONE), ONE)
    assert not deliver(ObjectTarget(store), manifest(ONE), ONE)


def test_of_two_at_once_the_one_that_closes_wins(store: Any, tmp_path: Path) -> None:
    closed = manifest(ONE, State.CLOSED)
    target = Between(store, closed, ONE)
    mine = manifest(OTHER, State.OPEN)

    with pytest.raises(ClosedError):
        deliver(target, mine, OTHER)

    assert (tmp_path / closed.path).read_bytes() == closed.text


def test_a_file_that_somebody_changed_is_not_named(store: Any, tmp_path: Path) -> None:
    path = tmp_path / manifest(ONE).files[0].path
    path.parent.mkdir(parents=True)
    path.write_bytes(b"changed")

    with pytest.raises(TamperedError):
        deliver(ObjectTarget(store), manifest(ONE), ONE)

    assert not (tmp_path / manifest(ONE).path).exists()


def test_a_delivery_without_files_has_a_manifest(store: Any, tmp_path: Path) -> None:
    assert deliver(ObjectTarget(store), manifest(()), ())
    assert list(files_of(tmp_path)) == [manifest(()).path]
