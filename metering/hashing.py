"""Sixty-four bit hashes of events: equal contents, equal hash; made alike here and in fast code.

A content's hash is the sum, modulo 2^64, of one number for each thing that is said: its name's
seed mixed with its value. So the order does not matter, and what is left unsaid does not count.
"""

from xxhash import xxh64_intdigest

MASK = 2**64 - 1
KEY_SHIFT = 16
"""Keys keep 48 of 64 bits: enough to tell billions apart, and a fifth less to store."""

BELOW = 2**48 - 1
"""A key with all bits turned over stands for what is below the span of that key."""

MIX_1 = 0xBF58476D1CE4E5B9
MIX_2 = 0x94D049BB133111EB
GOLDEN = 0x9E3779B97F4A7C15
"""The constants of SplitMix64's finaliser. Source: Steele, Lea, Flood, OOPSLA 2014."""


def text_hash(text: bytes) -> int:
    """Return XXH64 of bytes with seed 0, which ClickHouse calls ``xxHash64``."""
    return xxh64_intdigest(text)


def said_hash(name: str, value: int) -> int:
    """Return the number for one thing that is said; a text is said by its ``text_hash``.

    >>> said_hash("tokens.fresh", 1) != said_hash("tokens.cached", 1) != said_hash("x", 2)
    True
    """
    return mixed(text_hash(name.encode()), value)


def mixed(seed: int, value: int) -> int:
    """Mix a value into a seed so that every bit of either moves half of the bits."""
    x = (seed ^ (value * GOLDEN)) & MASK
    x = ((x ^ (x >> 30)) * MIX_1) & MASK
    x = ((x ^ (x >> 27)) * MIX_2) & MASK
    return x ^ (x >> 31)


def key_of(identity: bytes) -> int:
    r"""Return the key under which sightings of an identity are looked up.

    >>> 0 <= key_of(b"\x01") < 2**48
    True
    """
    return text_hash(identity) >> KEY_SHIFT
