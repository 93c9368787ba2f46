"""Batches as frames of a file: what a journal is written in, and read from after a crash.

A frame is a header (what is a frame, how long, two checksums) and one batch as an Arrow stream. A
file only grows, and each frame is on the disk before the next is begun: so a write that a crash cut
short is the last thing in its file, and anything else that cannot be read is damage.

Source: https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format
"""

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import pyarrow as pa

from metering.keeping.damage import StoreDamagedError
from metering.schema import Batch, saying

MAGIC = b"TSJ1"
_HEADER = struct.Struct("<4sQI")
_SUM = struct.Struct("<I")
HEADER_BYTES = _HEADER.size + _SUM.size
_KEYS = ("event_key", "call_key", "link_key")
_FIRST = b"first_stamp"


class Stamped(NamedTuple):
    """A batch, and the stamp of its first row; each row after it has the next."""

    batch: Batch
    first: int


def frame(stamped: Stamped) -> tuple[bytes, Any]:
    """Return the header and the payload of a frame, to be written one after the other."""
    batch = stamped.batch
    table = saying(batch)
    for name, keys in zip(_KEYS, (batch.event_keys, batch.call_keys, batch.link_keys), strict=True):
        table = table.append_column(name, pa.array(keys))
    table = table.replace_schema_metadata({_FIRST: str(stamped.first)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    payload = sink.getvalue()
    header = _HEADER.pack(MAGIC, len(payload), crc32(payload))
    return header + _SUM.pack(crc32(header)), payload


def batches_in(name: str, data: bytes) -> Iterator[Stamped]:
    """Yield the batches of a file, in order, without one whose writing was cut short.

    Raises:
        StoreDamagedError: a frame cannot be read, and others follow it.
    """
    view, at = memoryview(data), 0
    while at < len(data):
        payload = _payload(view, at)
        if payload is None:
            if _has_header_after(data, at):
                raise StoreDamagedError(f"{name} at byte {at}")
            return
        yield _batch(payload)
        at += HEADER_BYTES + len(payload)


def _payload(view: memoryview, at: int) -> memoryview | None:
    """Return what a frame holds; None where none begins, or it is not whole."""
    found = _header(view, at)
    if found is None:
        return None
    length, checksum = found
    payload = view[at + HEADER_BYTES : at + HEADER_BYTES + length]
    return payload if len(payload) == length and crc32(payload) == checksum else None


def _header(view: memoryview, at: int) -> tuple[int, int] | None:
    header = view[at : at + HEADER_BYTES]
    if len(header) < HEADER_BYTES or header[:4] != MAGIC:
        return None
    told, (checksum,) = header[: _HEADER.size], _SUM.unpack(header[_HEADER.size :])
    _, length, payload_checksum = _HEADER.unpack(told)
    return (length, payload_checksum) if crc32(told) == checksum else None


def _has_header_after(data: bytes, at: int) -> bool:
    view = memoryview(data)
    while (at := data.find(MAGIC, at + 1)) >= 0:
        if _header(view, at):
            return True
    return False


def _batch(payload: memoryview) -> Stamped:
    with pa.ipc.open_stream(pa.py_buffer(payload)) as stream:
        table = stream.read_all()
    keys = [table[name].to_numpy().astype(np.uint64) for name in _KEYS]
    said = table.drop_columns(list(_KEYS)).replace_schema_metadata()
    return Stamped(Batch(said, *keys), int(table.schema.metadata[_FIRST]))
