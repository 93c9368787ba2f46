"""One hash over many things, and a short proof that a thing is among them.

A leaf and a node are hashed behind different bytes, so that neither passes for the other. The
tree is cut at the largest power of two below its size, so it depends on nothing but its leaves.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

_LEAF, _NODE = b"\x00", b"\x01"
EMPTY = sha256(b"").digest()
"""The root of no leaves."""


class Step(NamedTuple):
    """A neighbour on the way from a leaf to the root."""

    digest: bytes
    is_left: bool


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the hash over leaves, in their order.

    >>> root([b"a", b"b"]) == root([b"b", b"a"])
    False
    """
    hashes = [leaf_hash(leaf) for leaf in leaves]
    return _root(hashes) if hashes else EMPTY


def inclusion(leaves: Sequence[bytes], place: int) -> list[Step]:
    """Return what proves that a leaf is where it is: its neighbours, from the bottom up.

    >>> leaves = [b"a", b"b", b"c"]
    >>> [root_from(leaf, inclusion(leaves, n)) == root(leaves) for n, leaf in enumerate(leaves)]
    [True, True, True]
    """
    hashes = [leaf_hash(leaf) for leaf in leaves]
    steps: list[Step] = []
    while len(hashes) > 1:
        cut = _cut(len(hashes))
        left, right = hashes[:cut], hashes[cut:]
        if place < cut:
            steps.append(Step(_root(right), is_left=False))
            hashes = left
        else:
            steps.append(Step(_root(left), is_left=True))
            hashes, place = right, place - cut
    return steps[::-1]


def root_from(leaf: bytes, steps: Sequence[Step]) -> bytes:
    """Return the root that a leaf and its neighbours lead to."""
    digest = leaf_hash(leaf)
    for step in steps:
        digest = _node(step.digest, digest) if step.is_left else _node(digest, step.digest)
    return digest


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of one leaf."""
    return sha256(_LEAF + leaf).digest()


def _root(hashes: Sequence[bytes]) -> bytes:
    if len(hashes) == 1:
        return hashes[0]
    cut = _cut(len(hashes))
    return _node(_root(hashes[:cut]), _root(hashes[cut:]))


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(_NODE + left + right).digest()


def _cut(size: int) -> int:
    """Return the largest power of two below a size."""
    return 1 << (size - 1).bit_length() - 1
