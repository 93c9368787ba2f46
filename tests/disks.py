"""Small disks of a test's own, mounted where the tests run as root."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Yield a folder on a disk of its own; it is gone with the block."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("mounting a disk needs root")
    folder.mkdir()
    options = f"size={megabytes}m,mode=700"
    made = _run("mount", "-t", "tmpfs", "-o", options, "tallystick-test", str(folder))
    if made.returncode:
        pytest.skip(f"this machine lets nobody mount a disk: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        _run("umount", "--lazy", str(folder))


@contextmanager
def failing_disk(folder: Path, image: Path, megabytes: int) -> Iterator[Path]:
    """Yield a folder on an ext4 file system in a file, which ``fail`` makes fail."""
    with image.open("wb") as file:
        file.truncate(megabytes << 20)
    made = _run("mkfs.ext4", "-q", str(image)) if shutil.which("mkfs.ext4") else None
    if made is None or made.returncode:
        pytest.skip("this machine makes no ext4 file system")
    with mounted(folder, image) as disk:
        yield disk


@contextmanager
def mounted(folder: Path, image: Path) -> Iterator[Path]:
    """Mount a file system in a file; one that failed is mended first, as a start would."""
    folder.mkdir(exist_ok=True)
    _run("e2fsck", "-fy", str(image))
    made = _run("mount", "-o", "loop,errors=remount-ro", str(image), str(folder))
    if made.returncode:
        pytest.skip(f"this machine lets nobody mount a disk: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        _run("umount", str(folder))


def fail(folder: Path) -> None:
    """Let a file system meet an error: it allows no write from then on, open files or not."""
    device = _run("findmnt", "-n", "-o", "SOURCE", str(folder)).stdout.strip()
    Path(f"/sys/fs/ext4/{Path(device).name}/trigger_fs_error").write_text("1")


def remount(folder: Path, how: str) -> None:
    """Make a disk read-only (``ro``) or writable again (``rw``); no file may be open to write."""
    done = _run("mount", "-o", f"remount,{how}", str(folder))
    assert done.returncode == 0, done.stderr


def free_bytes(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def fill(folder: Path, leave: int) -> Path:
    """Fill a disk until so many bytes are free, and return the file that does."""
    ballast = folder / "ballast"
    with ballast.open(
        "ab"
    ) as file:  # opened anew it would be empty for a moment, and the disk free
        while (free := free_bytes(folder)) > leave:
            file.write(b"\0" * min(free - leave, 1 << 20))
            file.flush()
    return ballast


def _run(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(words, capture_output=True, text=True, check=False)
