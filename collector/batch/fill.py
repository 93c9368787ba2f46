"""Compiled: from rows of a walk to the columns of events: tokens, hashes, identities and texts."""

from typing import Any

import numpy as np

from collector.batch.compiled import compiled
from collector.batch.hashes import mixed, text_hash
from collector.batch.keys import CACHED, INPUT, OUTPUT, REASONING, WRITTEN, WRITTEN_1H, WRITTEN_5M
from collector.batch.memory import byte_at
from metering.event import RESPONSE_PREFIX
from metering.hashing import KEY_SHIFT

_U = np.uint64
_PREFIX = len(RESPONSE_PREFIX)


@compiled
def tokens_of(counts: Any) -> Any:
    """Return (n, 6) disjoint counts in the order of ``TOKEN_CLASSES`` from plain counts."""
    out = np.empty((len(counts), 6), np.int64)
    for i in range(len(counts)):
        said = counts[i]
        five = max(said[WRITTEN], 0) + max(said[WRITTEN_5M], 0)
        hour = max(said[WRITTEN_1H], 0)
        cached, reasoning = max(said[CACHED], 0), max(said[REASONING], 0)
        out[i, 0] = max(said[INPUT], 0) - cached - five - hour
        out[i, 1], out[i, 2], out[i, 3] = cached, five, hour
        out[i, 4] = max(said[OUTPUT], 0) - reasoning
        out[i, 5] = reasoning
    return out


@compiled
def said_sums(start: Any, seeds: Any, values: Any) -> Any:
    """Add to hashes what each value that is not zero says under its column's seed."""
    out = start.copy()
    for i in range(values.shape[0]):
        for k in range(values.shape[1]):
            if values[i, k] != 0:
                out[i] += mixed(seeds[k], _U(values[i, k]))
    return out


@compiled
def add_texts(sums: Any, buf: int, seed: Any, where: Any) -> None:
    """Add to hashes what each text that is not empty says."""
    starts, stops = where
    for i in range(len(starts)):
        if stops[i] > starts[i]:
            sums[i] += mixed(seed, text_hash(buf, starts[i], stops[i]))


@compiled
def span_ids(buf: int, ids: Any) -> Any:
    """Return (n, 24) bytes: the trace id and the span id of each row."""
    out = np.empty((len(ids), 24), np.uint8)
    for i in range(len(ids)):
        for k in range(16):
            out[i, k] = byte_at(buf, ids[i, 0] + k)
        for k in range(8):
            out[i, 16 + k] = byte_at(buf, ids[i, 1] + k)
    return out


@compiled
def keys_of(identities: int, size: int, width: int) -> Any:
    """Return ``key_of`` of each of ``size`` rows of ``width`` bytes at an address."""
    out = np.empty(size, np.uint64)
    for i in range(size):
        out[i] = text_hash(identities, i * width, (i + 1) * width) >> _U(KEY_SHIFT)
    return out


@compiled
def call_keys(buf: int, where: Any, otherwise: Any, text: Any) -> Any:
    """Return the key of each call: of its response id, or another where it has none.

    ``text`` holds an array and its address: room for the longest identity, its prefix in place.
    """
    starts, stops = where
    room, at = text
    out = otherwise.copy()
    for i in range(len(starts)):
        size = stops[i] - starts[i]
        if size > 0:
            for k in range(size):
                room[_PREFIX + k] = byte_at(buf, starts[i] + k)
            out[i] = text_hash(at, 0, _PREFIX + size) >> _U(KEY_SHIFT)
    return out


@compiled
def texts_of(buf: int, where: Any, others: Any, which: Any) -> Any:
    """Return Arrow's offsets and bytes: each row's own text, or that of its class where empty."""
    starts, stops = where
    other_ends, other_bytes = others
    offsets = np.empty(len(starts) + 1, np.int32)
    offsets[0] = 0
    for i in range(len(starts)):
        size = stops[i] - starts[i]
        if size <= 0:
            size = other_ends[which[i] + 1] - other_ends[which[i]]
        offsets[i + 1] = offsets[i] + size
    out = np.empty(offsets[-1], np.uint8)
    for i in range(len(starts)):
        at = offsets[i]
        if stops[i] > starts[i]:
            for k in range(stops[i] - starts[i]):
                out[at + k] = byte_at(buf, starts[i] + k)
        else:
            begin = other_ends[which[i]]
            for k in range(other_ends[which[i] + 1] - begin):
                out[at + k] = other_bytes[begin + k]
    return offsets, out
