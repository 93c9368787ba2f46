"""How the fast decoder is held against the reference: the same rows, keys and rejections."""

from collections.abc import Callable
from dataclasses import fields
from typing import TypeVar

import pyarrow as pa

from collector.batch.fast import Decoded, FastDecoder
from collector.otlp import Encoding, MalformedBodyError, Signal, decode
from metering.schema import Batch

Found = TypeVar("Found")
Plainly = tuple[list[str], list[str]] | type[ValueError]
"""What a body comes to, in an order that does not depend on the decoder; or how it is refused."""

_ORDER = [(name, "ascending") for name in ("event_id", "content_hash", "role", "parent_span_id")]


def decoder() -> FastDecoder:
    """Return a decoder that knows no shape yet."""
    return FastDecoder(20261123)


def assert_alike(raw: bytes, signal: Signal, fast: FastDecoder | None = None) -> bool:
    """Hold that a body is read alike both ways; return whether it was read at all.

    What the reference cannot read the walker must not claim to, for then it is salvaged.
    """
    fast = fast or decoder()
    records = attempt(lambda: decode(raw, signal, Encoding.PROTOBUF))
    if records is MalformedBodyError:
        assert fast.walker.walk(raw, is_log=signal is Signal.LOGS) is None
        return False
    ours = attempt(lambda: fast.decode(raw, signal, Encoding.PROTOBUF))
    if isinstance(records, type):
        assert ours is records
        return False
    theirs = attempt(lambda: fast.normalised(records))
    assert _are_same(ours, theirs) or _plain(ours) == _plain(theirs)
    return True


def plainly(decode: Callable[[], Decoded]) -> Plainly:
    """Return what a body comes to, or the error that refuses it."""
    return _plain(attempt(decode))


def attempt(read: Callable[[], Found]) -> Found | type[ValueError]:
    try:
        return read()
    except ValueError as error:
        return type(error)


def _are_same(ours: Decoded | type[ValueError], theirs: Decoded | type[ValueError]) -> bool:
    """Compare by columns, which is fast: what is not found the same may be so, in another order."""
    if isinstance(ours, type) or isinstance(theirs, type) or ours.rejected or theirs.rejected:
        return False
    return _sorted(ours.batch).equals(_sorted(theirs.batch))


def _plain(found: Decoded | type[ValueError]) -> Plainly:
    if isinstance(found, type):
        return found
    rows = [repr(row) for row in _with_keys(found.batch).to_pylist()]
    return sorted(rows), sorted(map(repr, found.rejected))


def _sorted(batch: Batch) -> pa.Table:
    return _with_keys(batch).sort_by(_ORDER).combine_chunks()


def _counted(field: pa.Field) -> pa.Field:
    """Return a field with nanoseconds as numbers, which Python has no instants for."""
    return field.with_type(pa.int64()) if pa.types.is_timestamp(field.type) else field


def _with_keys(batch: Batch) -> pa.Table:
    """Return a batch's columns and, as further ones, all that it is looked up by."""
    table = batch.table.cast(pa.schema(map(_counted, batch.table.schema)))
    for one in fields(batch):
        if one.name != "table":
            table = table.append_column(one.name, pa.array(getattr(batch, one.name)))
    return table
