"""How much room the disk of a store must have, and what is done when it has less."""

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never


class Space(StrEnum):
    """What the disk of a store allows."""

    PLENTY = "plenty"
    LOW = "low"
    """Nothing is refused yet: make room."""
    FULL = "full"
    """Nothing is taken, so that what was taken can still be closed and billed."""
    READ_ONLY = "read-only"


@dataclass(frozen=True, slots=True)
class Disk:
    """What the operating system says of a disk."""

    free_bytes: int
    is_writable: bool


@dataclass(frozen=True, slots=True)
class Floors:
    """The free bytes below which an operator is warned, and below which nothing is taken."""

    warn: int

    @property
    def reserve(self) -> int:
        """A quarter of what is warned of; it is left to the ledger and to merges."""
        return self.warn // 4

    @property
    def enough_again(self) -> int:
        """Where taking begins again: well above where it ended, so that it does not flutter."""
        return self.warn // 2


def space_on(disk: Disk, floors: Floors, before: Space) -> Space:
    """Return what a disk allows, given what it allowed when it was looked at before.

    >>> space_on(Disk(300, is_writable=True), Floors(warn=1000), Space.LOW)
    <Space.LOW: 'low'>
    >>> space_on(Disk(300, is_writable=True), Floors(warn=1000), Space.FULL)
    <Space.FULL: 'full'>
    """
    if not disk.is_writable:
        return Space.READ_ONLY
    floor = floors.enough_again if before is Space.FULL else floors.reserve
    if disk.free_bytes < floor:
        return Space.FULL
    return Space.LOW if disk.free_bytes < floors.warn else Space.PLENTY


def sentence_on(space: Space, disk: Disk, floors: Floors) -> str:
    """Return what is wrong with a disk in one sentence; nothing where it has plenty.

    >>> sentence_on(Space.LOW, Disk(300, is_writable=True), Floors(warn=1000))
    'the disk of the stores must have 1000 bytes free, found 300: nothing is taken below 250'
    """
    match space:
        case Space.PLENTY:
            return ""
        case Space.READ_ONLY:
            return "the disk of the stores must be writable, found it read-only"
        case Space.LOW:
            outlook = f"nothing is taken below {floors.reserve}"
        case Space.FULL:
            outlook = f"nothing is taken until {floors.enough_again} are free"
        case _:
            assert_never(space)
    return (
        f"the disk of the stores must have {floors.warn} bytes free, "
        f"found {disk.free_bytes}: {outlook}"
    )


class NoRoomError(RuntimeError):
    """The disk of a store does not allow to take anything; it can be sent again."""
