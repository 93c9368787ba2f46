"""What a record is counted once by: its span's ids, or the id that its producer gave."""

from collector.dialect import aliases
from collector.dialect.reading import text
from collector.otlp import Record
from metering.event import source_identity, span_identity

TRACE_ID_BYTES = 16
SPAN_ID_BYTES = 8


def valid_id(found: bytes) -> bytes:
    """Return an id; empty where it is all zeros, which the W3C reserves for none.

    >>> valid_id(bytes(8)), valid_id(b"12345678")
    (b'', b'12345678')
    """
    return found if any(found) else b""


def check_ids(record: Record) -> None:
    """Refuse a record whose ids cannot be: a span needs both, a log record may have neither.

    Raises:
        MalformedIdError: an id of another length than W3C's 16 and 8 bytes.
        MissingIdentityError: a span without an id, or with zeros for it.
    """
    ids = ((record.trace_id, TRACE_ID_BYTES), (record.span_id, SPAN_ID_BYTES))
    for found, length in ids:
        if found and len(found) != length:
            raise MalformedIdError(record.name, found, length)
    if not record.is_log and not all(valid_id(found) for found, _ in ids):
        raise MissingIdentityError(record.name)


def event_identity(record: Record) -> bytes:
    """Return the identity of a record whose ids were checked."""
    if not record.is_log:
        return span_identity(record.trace_id, record.span_id)
    producer = text(record.resource, ("service.name",))
    given = text(record.attributes, aliases.EVENT_ID)
    if given:
        return source_identity(producer, given)
    about = (record.name, record.trace_id.hex(), record.span_id.hex(), record.ended_at)
    if valid_id(record.trace_id) and valid_id(record.span_id):
        return source_identity("log", repr(about))
    return source_identity(producer, repr((about, sorted(record.attributes.items(), key=repr))))


class MissingIdentityError(ValueError):
    """A span without the ids that make it countable once."""

    def __init__(self, name: str) -> None:
        super().__init__(f"a span must have a trace id and a span id, found none on {name!r}")


class MalformedIdError(ValueError):
    """A trace or span id of an impossible length."""

    def __init__(self, name: str, found: bytes, length: int) -> None:
        super().__init__(
            f"an id must be {length} bytes here, found {len(found)} on {name!r}: {found[:32].hex()}"
        )
