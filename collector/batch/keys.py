"""The registered attribute names as the compiled walker looks them up.

``aliases`` says which names mean the same; here each name gets what is done with its value.
Whatever is not a count, a duration or a text of a record's own belongs to its shape.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from collector.batch.hashes import name_hash
from collector.batch.memory import address
from collector.dialect import aliases
from collector.logs.access_log_products import PRODUCTS
from metering.hashing import mixed, text_hash

SHAPE, COUNT, NANOS, TEXT, PRESENCE, OBJECT, ODD_WHEN_SAID = range(7)
"""What a value is: part of the shape, a column of its own, told by being there, a text that may
hold an object, or something that only the reference decoder reads."""

COUNTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("input", aliases.INPUT),
    ("output", aliases.OUTPUT),
    ("total", aliases.TOTAL),
    ("cached", aliases.CACHED),
    ("written", aliases.WRITTEN),
    ("written_5m", aliases.WRITTEN_5M),
    ("written_1h", aliases.WRITTEN_1H),
    ("reasoning", aliases.REASONING),
    ("attempt", aliases.ATTEMPT),
    ("sequence", aliases.SEQUENCE),
)
INPUT, OUTPUT, TOTAL, CACHED, WRITTEN, WRITTEN_5M, WRITTEN_1H, REASONING, ATTEMPT, SEQUENCE = range(
    len(COUNTS)
)

_SECOND = 1_000_000_000
DURATIONS: tuple[tuple[str, tuple[tuple[str, int], ...]], ...] = (
    (
        "ttft_ns",
        (
            *((name, _SECOND) for name in aliases.TTFT_SECONDS),
            *((name, _SECOND // 1000) for name in aliases.TTFT_MILLISECONDS),
            *((name, 0) for name in aliases.TTFT_NANOSECONDS),
        ),
    ),
    ("queue_ns", tuple((name, _SECOND) for name in aliases.QUEUE_SECONDS)),
    ("duration_ns", tuple((name, 1) for name in aliases.DURATION_NANOSECONDS)),
)
"""Durations, their names and nanoseconds per unit; 0 where whole numbers are nanoseconds and
fractions are seconds."""
TTFT, QUEUE, DURATION = range(len(DURATIONS))

SOURCES: tuple[str, ...] = tuple(aliases.SOURCE)
TEXTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    *aliases.SOURCE.items(),
    ("response_id", aliases.RESPONSE_ID),
    ("engine_id", aliases.ENGINE_REQUEST_ID),
    ("request_id", aliases.REQUEST_ID),
    ("event_id", aliases.EVENT_ID),
)
RESPONSE_ID, ENGINE_ID, REQUEST_ID, EVENT_ID = range(len(SOURCES), len(TEXTS))

LOGGED = frozenset(
    root
    for product in PRODUCTS
    for name in (*product.signs, *product.embedded)
    for root in (name, name.partition(".")[0])
)
"""Attributes without which no log record is an access log's, by their whole name or their path."""

_MARKS = (
    *aliases.AGGREGATE_MARKS,
    *aliases.INCLUSIVE_MARKS,
    *aliases.OUTPUT_INCLUSIVE_MARKS,
)


class Keys(NamedTuple):
    """Names in a hash table, and what is done with the value under each."""

    table: Any
    """Hash slot -> key number or -1."""
    names: Any
    """All names, one behind the other."""
    rows: Any
    """(keys, KEY_WIDTH): ``NAME_AT`` to ``SEED``."""
    secret: Any
    """What hashes of shapes begin with."""


NAME_AT, NAME_END, MEANING, FIELD, ORDER, SCALE, SEED, KEY_WIDTH = range(8)
"""Columns of ``Keys.rows``. Among the names of one field the lowest order counts."""
SIZES = (0, len(COUNTS), len(DURATIONS), len(TEXTS))
"""How many fields there are of each meaning."""


class _Key(NamedTuple):
    name: str
    kind: int
    field: int = 0
    order: int = 0
    scale: int = 0


def registered(seed: int, others: Iterable[str] = ()) -> Keys:
    """Return the table of names; ``seed`` makes the hashes of shapes unpredictable to senders.

    ``others`` are names that settings look at, and so belong to a shape too.
    """
    listed = [*_keys(), *(_Key(name, SHAPE) for name in others)]
    keys = list({key.name: key for key in reversed(listed)}.values())
    names = [key.name.encode() for key in keys]
    ends = np.cumsum([len(name) for name in names])
    rows = np.empty((len(keys), KEY_WIDTH), np.int64)
    rows[:, NAME_END] = ends
    rows[:, NAME_AT] = ends - [len(name) for name in names]
    rows[:, MEANING : SCALE + 1] = [(k.kind, k.field, k.order, k.scale) for k in keys]
    seeds = np.array([mixed(seed, text_hash(name)) for name in names], np.uint64)
    rows[:, SEED] = seeds.view(np.int64)
    together = np.frombuffer(b"".join(names), np.uint8)
    return Keys(_table(names), together, rows, np.uint64(mixed(seed, 1)))


def _keys() -> Iterator[_Key]:
    """Yield every name; where one has several uses the first stands."""
    for kind, fields in ((COUNT, COUNTS), (TEXT, TEXTS)):
        for field, (_, names) in enumerate(fields):
            yield from (_Key(name, kind, field, order) for order, name in enumerate(names))
    for field, (_, scaled) in enumerate(DURATIONS):
        for order, (name, scale) in enumerate(scaled):
            yield _Key(name, NANOS, field, order, scale)
    yield from (_Key(name, OBJECT) for name in aliases.ANSWER)
    yield from (_Key(name, ODD_WHEN_SAID) for name in aliases.USAGE_OBJECTS)
    yield from (_Key(name, PRESENCE) for name in _MARKS)
    of_rules = (row for row in vars(aliases).values() if isinstance(row, tuple))
    yield from (_Key(name, SHAPE) for row in of_rules for name in row)
    yield _Key("event.name", SHAPE)
    yield from (_Key(name, PRESENCE) for name in sorted(LOGGED))


def _table(names: Iterable[bytes]) -> Any:
    """Return an open-addressing hash table, at most a quarter full."""
    listed = list(names)
    table = np.full(1 << (4 * len(listed)).bit_length(), -1, np.int64)
    for number, name in enumerate(listed):
        slot = int(name_hash(address(np.frombuffer(name, np.uint8)), 0, len(name))) % len(table)
        while table[slot] >= 0:
            slot = (slot + 1) % len(table)
        table[slot] = number
    return table
