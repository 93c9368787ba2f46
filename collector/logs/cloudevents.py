"""CloudEvents 1.0, each with one usage event as its data -> records for the same normaliser.

body -> CloudEvents (structured, batch or binary) -> attributes under their usual names -> Record

A CloudEvent is identified by its source and id: a resend says both again. Whatever is not as it
must be refuses the whole body, so that what was sent and what was taken never differ.
Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md, and there
formats/json-format.md and bindings/http-protocol-binding.md.
"""

import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote

from collector.dialect import aliases
from collector.dialect.dissect import count_of
from collector.logs.instants import nanoseconds_of
from collector.logs.usage_fields import ATTRIBUTE_KINDS, FIELDS, STATUSES, TOTALS, Kind
from collector.otlp import MAX_RECORDS, Record, TooManyRecordsError, Value

SCOPE = "tallystick.cloudevents"
EVENT_NAME = "tallystick.usage"

MAX_TEXT = 500
"""Characters of a context attribute. Longer ids would be cut, and two could come out alike."""

MEDIA_TYPES = (
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
    "application/json",
)
"""The last one with ``ce-`` headers in binary mode; without, one event or a list of them, which
OpenMeter's clients may send."""

Object = Mapping[str, Any]

_REQUIRED = ("specversion", "id", "source", "type")
_BINARY_PREFIX = "ce-"
_TELLING = (*aliases.OPERATION, *aliases.INPUT, *aliases.OUTPUT, *aliases.USAGE_OBJECTS)


@dataclass(frozen=True, slots=True)
class Framing:
    """How a request carries its events, told by its headers."""

    media_type: str
    context: Object = field(default_factory=dict)
    """The context attributes of binary mode; empty in the other modes."""


def framing_of(headers: Mapping[str, str]) -> Framing:
    """Read the mode from headers, whose names are in lower case."""
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type.startswith("application/cloudevents"):
        return Framing(media_type)
    context = {
        name.removeprefix(_BINARY_PREFIX): unquote(value)
        for name, value in headers.items()
        if name.startswith(_BINARY_PREFIX)
    }
    return Framing(media_type, context)


def decode_events(body: bytes, framing: Framing) -> list[Record]:
    """Return one record for each event of a body.

    Raises:
        MalformedEventError: a field is not as it must be; nothing of the body was taken.
        TooManyRecordsError: more than ``MAX_RECORDS`` events.
    """
    document = _json(body, "the body")
    if framing.context:
        return [_record({**framing.context, "data": document}, "")]
    if not isinstance(document, list):
        if "-batch" in framing.media_type:
            raise MalformedEventError("the body", "a JSON array", document)
        return [_record(document, "")]
    if len(document) > MAX_RECORDS:
        raise TooManyRecordsError(len(document))
    return [_record(one, f"[{at}].") for at, one in enumerate(document)]


@dataclass(frozen=True, slots=True)
class _Event:
    """The fields of one CloudEvent and of the usage event inside; where it stands in the body."""

    fields: Object
    where: str
    usage: Object = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Return a context attribute; absent is empty."""
        value = self.fields.get(name)
        if value is None:
            return ""
        if not isinstance(value, str) or len(value) > MAX_TEXT or not value.isprintable():
            raise self.malformed(name, f"printable text of at most {MAX_TEXT} characters", value)
        return value

    def malformed(self, name: str, required: str, found: object) -> "MalformedEventError":
        """Return the error of a field."""
        return MalformedEventError(self.where + name, required, found)


def _record(document: object, where: str) -> Record:
    event = _event(document, where)
    started_at, ended_at = _times(event)
    trace_id, span_id = _span_ids(event)
    return Record(
        attributes={**_attributes(event, started_at), aliases.EVENT_ID[0]: event.text("id")},
        resource={"service.name": event.text("source")},
        scope=SCOPE,
        name=EVENT_NAME,
        trace_id=trace_id,
        span_id=span_id,
        started_at=started_at,
        ended_at=ended_at,
        is_log=True,
    )


def _event(document: object, where: str) -> _Event:
    """Check what every CloudEvent has, and open its data."""
    if not isinstance(document, dict):
        raise MalformedEventError(where.rstrip(".") or "the body", "a JSON object", document)
    event = _Event(document, where)
    for name in _REQUIRED:
        if not event.text(name):
            raise event.malformed(name, "given and not empty", document.get(name))
    if event.text("specversion") != "1.0":
        raise event.malformed("specversion", "'1.0'", document["specversion"])
    kind = event.text("datacontenttype").partition(";")[0].strip().lower()
    if kind and kind != "application/json" and not kind.endswith("+json"):
        raise event.malformed("datacontenttype", "application/json", kind)
    return replace(event, usage=_usage(event))


def _usage(event: _Event) -> Object:
    usage = event.fields.get("data")
    if usage is None and "data_base64" in event.fields:
        try:
            plain = b64decode(event.fields["data_base64"], validate=True)
        except (ValueError, TypeError) as error:
            raise event.malformed("data_base64", "base64 of JSON", str(error)) from None
        usage = _json(plain, f"{event.where}data_base64")
    if not isinstance(usage, dict):
        raise event.malformed("data", "a JSON object", usage)
    return usage


def _attributes(event: _Event, started_at: int) -> dict[str, Value]:
    """Translate the fields of a usage event; what has a dot is an attribute name already."""
    attributes: dict[str, Value] = {}
    for name, value in event.usage.items():
        if "." in name and value is not None:
            _check(event, name, ATTRIBUTE_KINDS.get(name), value)
            attributes[name] = value
    for name, known in FIELDS.items():
        value = event.usage.get(name)
        if value is not None:
            _check(event, name, known.kind, value)
            attributes.setdefault(known.attribute, value)
    attributes.pop("", None)
    for total, parts in TOTALS:
        _add_total(event, total, parts, attributes)
    _add_outcome(event, attributes)
    _add_first_token(event, started_at, attributes)
    if event.text("subject"):
        attributes.setdefault(aliases.SOURCE["tenant"][0], event.text("subject"))
    if not any(name in attributes for name in _TELLING):
        wanted = "a usage event with input_tokens, output_tokens or operation"
        raise event.malformed("data", wanted, ", ".join(event.usage))
    return attributes


def _check(event: _Event, name: str, kind: Kind | None, value: object) -> None:
    if kind is not None and not kind.holds(value):
        raise event.malformed(f"data.{name}", kind.required, value)


def _add_total(
    event: _Event, total: str, parts: tuple[str, ...], attributes: dict[str, Value]
) -> None:
    """Add parts up to the total that includes them, which the normaliser takes apart again.

    The first part is what is left beside the details: without it the total is not known.
    """
    if event.usage.get(parts[0]) is None:
        return
    added = sum(count_of(event.usage.get(part)) or 0 for part in parts)
    said = count_of(attributes.setdefault(total, added))
    if said != added:
        raise event.malformed(f"data.{parts[0]}", f"one of the parts of {said} tokens", added)


def _add_outcome(event: _Event, attributes: dict[str, Value]) -> None:
    status = event.usage.get("status")
    if status is None:
        return
    if not isinstance(status, str) or status not in STATUSES:
        raise event.malformed("data.status", f"one of {', '.join(STATUSES)}", status)
    if STATUSES[status]:
        attributes.setdefault(aliases.ERROR_TYPE[0], STATUSES[status])


def _add_first_token(event: _Event, started_at: int, attributes: dict[str, Value]) -> None:
    first = _instant(event, event.usage, "time_first_token")
    if first > started_at:
        attributes.setdefault(aliases.TTFT_SECONDS[0], (first - started_at) / 1e9)


def _times(event: _Event) -> tuple[int, int]:
    """Return start and end. One must be told: the time of arrival differs between resends."""
    started_at = _instant(event, event.usage, "time_start")
    ended_at = _instant(event, event.usage, "time_end") or _instant(event, event.fields, "time")
    if not ended_at:
        raise event.malformed("time", "given, or else data.time_end", None)
    return started_at or ended_at, ended_at


def _instant(event: _Event, fields: Object, name: str) -> int:
    """Return an instant in nanoseconds; 0 where it is absent."""
    value = fields.get(name)
    if value is None:
        return 0
    nanoseconds = nanoseconds_of(value)
    if nanoseconds is None:
        place = name if fields is event.fields else f"data.{name}"
        raise event.malformed(place, "an RFC 3339 time with zone, from 1970 to 2100", value)
    return nanoseconds


def _span_ids(event: _Event) -> tuple[bytes, bytes]:
    """Return the ids of trace and span: from the data, else from the extension ``traceparent``."""
    _, trace_id, span_id, *_ = (*event.text("traceparent").split("-"), "", "", "")
    return _id(event, "trace_id", trace_id, 16), _id(event, "span_id", span_id, 8)


def _id(event: _Event, name: str, inherited: str, length: int) -> bytes:
    told = event.usage.get(name)
    text = inherited if told is None else told
    try:
        found = bytes.fromhex(text)
    except (ValueError, TypeError):
        found = b"?"
    if found and len(found) != length:
        place = "traceparent" if told is None else f"data.{name}"
        raise event.malformed(place, f"{2 * length} hex digits", text)
    return found if any(found) else b""


def _json(body: bytes, where: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedEventError(where, "JSON", str(error)) from None


class MalformedEventError(ValueError):
    """A CloudEvent with a field that is not as it must be."""

    def __init__(self, name: str, required: str, found: object) -> None:
        super().__init__(f"{name} must be {required}, found {repr(found)[:80]}")
