"""Hashes, compiled: the two of ``metering.hashing``, and those that tell names and shapes apart."""

from typing import Any

import numpy as np

from collector.batch.compiled import compiled
from collector.batch.memory import byte_at, fixed32, fixed64, folded
from metering.hashing import GOLDEN, MIX_1, MIX_2

_U = np.uint64


@compiled
def mixed(seed: Any, value: Any) -> Any:
    """Do what ``metering.hashing.mixed`` does."""
    x = seed ^ (value * _U(GOLDEN))
    x = (x ^ (x >> _U(30))) * _U(MIX_1)
    x = (x ^ (x >> _U(27))) * _U(MIX_2)
    return x ^ (x >> _U(31))


_P1, _P2, _P3 = _U(0x9E3779B185EBCA87), _U(0xC2B2AE3D27D4EB4F), _U(0x165667B19E3779F9)
_P4, _P5 = _U(0x85EBCA77C2B2AE63), _U(0x27D4EB2F165667C5)
"""XXH64's primes. Source: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md"""


@compiled
def _rotated(x: Any, by: int) -> Any:
    return (x << _U(by)) | (x >> _U(64 - by))


@compiled
def _round(lane: Any, word: Any) -> Any:
    return _rotated(lane + word * _P2, 31) * _P1


@compiled
def text_hash(buf: int, start: int, end: int) -> Any:
    """Do what ``metering.hashing.text_hash`` does: XXH64 with seed 0."""
    at = start
    if end - start >= 32:
        a, b, c, d = _P1 + _P2, _P2, _U(0), _U(0) - _P1
        while at + 32 <= end:
            a = _round(a, fixed64(buf, at))
            b = _round(b, fixed64(buf, at + 8))
            c = _round(c, fixed64(buf, at + 16))
            d = _round(d, fixed64(buf, at + 24))
            at += 32
        x = _rotated(a, 1) + _rotated(b, 7) + _rotated(c, 12) + _rotated(d, 18)
        for lane in (a, b, c, d):
            x = (x ^ _round(_U(0), lane)) * _P1 + _P4
    else:
        x = _P5
    x += _U(end - start)
    while at + 8 <= end:
        x = _rotated(x ^ _round(_U(0), fixed64(buf, at)), 27) * _P1 + _P4
        at += 8
    if at + 4 <= end:
        x = _rotated(x ^ (_U(fixed32(buf, at)) * _P1), 23) * _P2 + _P3
        at += 4
    while at < end:
        x = _rotated(x ^ (_U(byte_at(buf, at)) * _P5), 11) * _P1
        at += 1
    x = (x ^ (x >> _U(33))) * _P2
    x = (x ^ (x >> _U(29))) * _P3
    return x ^ (x >> _U(32))


@compiled
def keyed_hash(buf: int, start: int, end: int, key: Any) -> Any:
    """Hash a text under a secret: nobody who does not know it can make two texts look alike.

    Multiplications of 64 bits to 128, as in wyhash: two texts meet by luck, once in 2^60 times.
    Source: https://github.com/wangyi-fudan/wyhash
    """
    size = end - start
    x = mixed(key, _U(size))
    at = start
    while at + 16 <= end:
        x = folded(fixed64(buf, at) ^ key, fixed64(buf, at + 8) ^ x)
        at += 16
    low = high = _U(0)
    if size >= 8:
        low, high = fixed64(buf, max(end - 16, start)), fixed64(buf, end - 8)
    elif size >= 4:
        low, high = _U(fixed32(buf, start)), _U(fixed32(buf, end - 4))
    else:
        for i in range(start, end):
            low = low << _U(8) | _U(byte_at(buf, i))
    return mixed(key, folded(low ^ key ^ _U(_P2), high ^ x))


@compiled
def is_same(buf: int, at: int, other: int, start: int, size: int) -> bool:
    """Whether two texts of one size are equal."""
    i = 0
    while i + 8 <= size:
        if fixed64(buf, at + i) != fixed64(other, start + i):
            return False
        i += 8
    while i < size:
        if byte_at(buf, at + i) != byte_at(other, start + i):
            return False
        i += 1
    return True


@compiled
def name_hash(buf: int, at: int, end: int) -> Any:
    """Hash a name by its length, its last and its middle eight bytes: that tells names apart."""
    size = end - at
    if size < 8:
        word = _U(0)
        for i in range(at, end):
            word = (word << _U(8)) | _U(byte_at(buf, i))
        return mixed(_U(size), word)
    last = fixed64(buf, end - 8)
    return mixed(fixed64(buf, at + (size - 8) // 2) + _U(size), last)
