"""Whether bodies that are decoded together tell of one trace."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from collector.batch.rows import Rows

_MIX = np.uint64(0x9E3779B97F4A7C15)
"""An odd number: two ids that differ in one half only stay apart."""


def are_shared(rows: Rows, raw: bytes, bodies: Sequence[bytes]) -> bool:
    """Whether records of two bodies, joined in ``raw``, may bear one trace id.

    Two ids may be taken for one: then bodies are decoded alone that need not be.
    """
    told = np.flatnonzero(rows.ids[:, 0] >= 0)
    ids = _halves(raw, rows.ids[told, 0])
    traces = ids[:, 0] ^ ids[:, 1] * _MIX
    ends = np.cumsum([len(body) for body in bodies])
    of = np.searchsorted(ends, rows.place[told, 0], side="right")
    order = np.argsort(traces, kind="stable")
    is_same = traces[order][1:] == traces[order][:-1]
    return bool((is_same & (of[order][1:] != of[order][:-1])).any())


def _halves(raw: bytes, at: Any) -> Any:
    """Return (n, 2) numbers: the 16 bytes from each position."""
    taken = np.frombuffer(raw, np.uint8)[at[:, None] + np.arange(16)]
    return np.ascontiguousarray(taken).view(np.uint64).reshape(-1, 2)
