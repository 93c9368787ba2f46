"""Access logs of AI gateways -> records for the same normaliser.

lines of JSON -> which product wrote it? -> attributes under their usual names -> Record
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from collector.dialect import aliases
from collector.logs.access_log_products import CONVERSIONS, PRODUCTS, Names, Product
from collector.logs.instants import nanoseconds_of
from collector.otlp import MAX_RECORDS, Record, TooManyRecordsError, Value

SCOPE = "tallystick.access_log."
"""What the scope of such a record begins with; the product's name follows."""

EVENT_NAME = "tallystick.usage"

Line = Mapping[str, Any]

_REQUEST_ID, _OPERATION = aliases.REQUEST_ID[0], aliases.OPERATION[0]
_ABSENT = ("", "-")
"""What gateways write for a value that there is not, beside null."""


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """A line that cannot be read, or tells of a call that cannot be kept; lines count from 1."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class ReadLog:
    """What became of the lines of one body."""

    records: list[Record]
    skipped: int
    """Lines that are no model call."""
    rejected: list[RejectedLine]


def read_log(body: bytes) -> ReadLog:
    """Read newline-delimited JSON: every line for itself, so that a broken one costs no other.

    Raises:
        TooManyRecordsError: more than ``MAX_RECORDS`` lines.
    """
    count = body.count(b"\n") + 1
    if count > MAX_RECORDS:
        raise TooManyRecordsError(count)
    lines = enumerate(body.split(b"\n"), start=1)
    found = [_read_line(number, text) for number, text in lines if text.strip()]
    return ReadLog(
        records=[one for one in found if isinstance(one, Record)],
        skipped=sum(one is None for one in found),
        rejected=[one for one in found if isinstance(one, RejectedLine)],
    )


def translated(record: Record) -> Record:
    """Return an OTLP log record whose attributes are an access log's fields, in our names.

    Envoy's OpenTelemetry sink sends such records, without an event name. Any other record is
    returned as it is, and so is one that cannot be read.
    """
    if not record.is_log or record.name:
        return record
    try:
        found = _record(record.attributes, record.started_at)
    except ValueError:
        return record
    if found is None:
        return record
    return replace(
        found,
        resource={**found.resource, **record.resource},
        trace_id=record.trace_id,
        span_id=record.span_id,
    )


def _read_line(number: int, text: bytes) -> Record | RejectedLine | None:
    try:
        return _record(_object(text, "a line"))
    except ValueError as error:
        return RejectedLine(number, str(error))


def _record(line: Line, logged_at: int = 0) -> Record | None:
    """Return the record of a line that is a model call, or None.

    A request id alone is no identity: some gateways take it from their client, who could give all
    calls the same one. The start tells them apart, and a resend says it again.
    """
    readings = ((product, _opened(line, product)) for product in PRODUCTS)
    product, opened = next((r for r in readings if _is_call(*r)), (None, line))
    if product is None:
        return None
    attributes = _attributes(opened, product)
    if _REQUEST_ID not in attributes:
        raise MissingFieldError(product.name, product.fields[_REQUEST_ID])
    started_at, ended_at = _times(opened, product, logged_at)
    attributes[aliases.EVENT_ID[0]] = f"{started_at} {attributes[_REQUEST_ID]}"
    return Record(
        attributes=attributes,
        resource={"service.name": product.name},
        scope=SCOPE + product.name,
        name=EVENT_NAME,
        started_at=started_at,
        ended_at=ended_at,
        is_log=True,
    )


def _object(text: bytes | str, what: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableLineError(what, str(error)) from None
    if not isinstance(found, dict):
        raise UnreadableLineError(what, repr(found)[:80])
    return found


def _opened(line: Line, product: Product) -> Line:
    """Return the line with the objects read that it holds as text."""
    texts = {n: t for n in product.embedded if isinstance(t := _field(line, n), str)}
    return {**line, **{n: _object(t, n) for n, t in texts.items()}} if texts else line


def _is_call(product: Product, opened: Line) -> bool:
    """Whether a sign says something; 0 tokens are what some gateways write for other traffic."""
    return any(_field(opened, sign) not in (None, 0, "0") for sign in product.signs)


def _field(line: Line, name: str) -> Value:
    """Return a field by its whole name, else by its path; None where nothing is said."""
    value: Any = line.get(name)
    if value is None and "." in name:
        value = line
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
    return None if value in _ABSENT else value


def _first(line: Line, names: Names) -> Value:
    return next((v for name in names if (v := _field(line, name)) is not None), None)


def _attributes(line: Line, product: Product) -> dict[str, Value]:
    """Return what a line says: fields that are named as attributes are, and those of the table."""
    found: dict[str, Value] = {name: _field(line, name) for name in line if "." in name}
    for attribute, names in product.fields.items():
        value = _first(line, names)
        if value is not None and attribute in CONVERSIONS:
            value = CONVERSIONS[attribute](value)
        if value is not None:
            found[attribute] = value
    found.setdefault(_OPERATION, "chat")
    return {name: value for name, value in found.items() if value is not None}


def _times(line: Line, product: Product, logged_at: int) -> tuple[int, int]:
    """Return start and end; where only one is told, a duration leads to the other."""
    duration = _milliseconds(_first(line, product.duration_ms))
    started_at = _instant(_first(line, product.started_at)) or logged_at
    ended_at = _instant(_first(line, product.ended_at))
    if not started_at and not ended_at:
        raise MissingFieldError(product.name, (*product.started_at, *product.ended_at))
    started_at = started_at or ended_at - duration
    return started_at, ended_at or started_at + duration


def _instant(value: Value) -> int:
    """Return nanoseconds since 1970, from RFC 3339 or from milliseconds; 0 where there are none."""
    return nanoseconds_of(value) or _milliseconds(value)


def _milliseconds(value: Value) -> int:
    """Return a number of milliseconds, or text of one, in nanoseconds."""
    if isinstance(value, bool):
        return 0
    try:
        milliseconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return 0
    return round(milliseconds * 1000) * 1000 if 0 <= milliseconds < _MAX_MILLISECONDS else 0


_MAX_MILLISECONDS = 4_102_444_800_000
"""The year 2100, as for all instants."""


class UnreadableLineError(ValueError):
    """A line, or a field in it, that is no JSON object."""

    def __init__(self, what: str, found: str) -> None:
        super().__init__(f"{what} must be a JSON object, found {found}")


class MissingFieldError(ValueError):
    """A model call without its time or id, so that it cannot be counted once."""

    def __init__(self, product: str, names: Names) -> None:
        super().__init__(
            f"a model call of {product} must have {' or '.join(names)}, found no such field"
        )
