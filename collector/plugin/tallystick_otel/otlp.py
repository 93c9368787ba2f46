"""Events as OTLP/JSON: one log record when an attempt is recorded, one request when it is sent.

Attribute by attribute -> a record, less its number -> a line of the outbox -> numbered -> a request

Source: https://github.com/open-telemetry/opentelemetry-proto/blob/main/docs/specification.md
"""

import json
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import isfinite
from operator import attrgetter
from typing import Any

from tallystick_otel.attempt import Attempt
from tallystick_otel.backlog import Line
from tallystick_otel.conventions import (
    ATTRIBUTES,
    DROPPED,
    EVENT_ID,
    EVENT_NAME,
    PRODUCER,
    SCOPE,
    SEQUENCE,
)
from tallystick_otel.outbox import Producer

INFO = 9
"""The severity of all our records."""

_INT64 = 2**63


@dataclass
class Event:
    """A log record before it is numbered."""

    time_ns: int
    """The end of the attempt, in nanoseconds since 1970 UTC."""
    pairs: Sequence[str]
    """Its attributes, each as OTLP writes it."""
    scope: str = SCOPE
    name: str = EVENT_NAME
    trace_id: int = 0
    span_id: int = 0


def attempt_pairs(attempt: Attempt) -> list[str]:
    """Return the attributes of what is known of an attempt.

    By a short cut for plain text and counts, which nearly all of them are.
    """
    said = attempt.__dict__
    known = []
    for key, name, text, count in _FIELDS:
        value = said[key]
        if value is None:
            continue
        kind = type(value)
        if kind is str and value.isascii():
            known.append(f"{text}{_escaped(value)}}}}}")
        elif kind is int and 0 <= value < _INT64:
            known.append(f'{count}{value}"}}}}')
        else:
            known.append(_pair(name, value))
    return known + pairs(attempt.about) if attempt.about else known


def pairs(attributes: Mapping[str, Any]) -> list[str]:
    """Return attributes as OTLP writes them, without those that are nothing."""
    return [_pair(name, value) for name, value in attributes.items() if value is not None]


def log_record(event: Event) -> bytes:
    """Return the scope of an event, a tab, and its log record, to which a number can be added.

    The attributes are its last field. Written piece by piece: the thread that pays is the host's.
    """
    trace = f'"traceId":"{event.trace_id:032x}",' if event.trace_id else ""
    span = f'"spanId":"{event.span_id:016x}",' if event.span_id else ""
    return (
        f'{_quoted(event.scope)}\t{{"timeUnixNano":"{int(event.time_ns)}",'
        f'"severityNumber":{INFO},"eventName":{_quoted(event.name)},{trace}{span}'
        f'"attributes":[{",".join(event.pairs)}]}}'
    ).encode("ascii")


def logs_request(lines: Iterable[Line], producer: Producer) -> bytes:
    """Return the request that reports events of one producer."""
    number = _numbering(producer.name)
    scopes = b",".join(
        b'{"scope":{"name":%b},"logRecords":[%b]}'
        % (scope, b",".join([_numbered(line, number) for line in of_scope]))
        for scope, of_scope in groupby(lines, key=attrgetter("scope"))
    )
    resource = ",".join(pairs(producer.resource)).encode()
    return b'{"resourceLogs":[{"resource":{"attributes":[%b]},"scopeLogs":[%b]}]}' % (
        resource,
        scopes,
    )


def _numbering(producer: str) -> bytes:
    """Return the attributes that number an event, with two places for its number."""
    name = _escaped(producer)[1:-1].replace("%", "%%")
    return (
        f'{_TEXT.format(PRODUCER)}"{name}"}}}},{_TEXT.format(EVENT_ID)}"{name}-%d"}}}},'
        f'{_COUNT.format(SEQUENCE)}%d"}}}}'
    ).encode()


def _numbered(line: Line, numbering: bytes) -> bytes:
    """Return the record of a line with its number as its last attributes."""
    added = numbering % (line.sequence, line.sequence)
    if line.dropped:
        added += b",%b" % _pair(DROPPED, line.dropped).encode()
    record = line.record[: -len(b"]}")]
    return b"%b%b%b]}" % (record, b"" if record.endswith(b"[") else b",", added)


def _pair(name: str, value: Any) -> str:
    """Return an attribute; one that OTLP cannot say has no value, and so spoils nothing."""
    return f'{{"key":{_quoted(name)},"value":{_any_value(value)}}}'


def _any_value(value: Any) -> str:
    if isinstance(value, str):
        return f'{{"stringValue":{_quoted(value)}}}'
    if isinstance(value, bool):
        return f'{{"boolValue":{"true" if value else "false"}}}'
    if isinstance(value, float):
        return f'{{"doubleValue":{float(value)!r}}}' if isfinite(value) else "{}"
    if isinstance(value, (list, tuple)):
        return f'{{"arrayValue":{{"values":[{",".join(map(_any_value, value))}]}}}}'
    try:
        number = operator.index(value)
    except TypeError:
        return "{}"
    return f'{{"intValue":"{number}"}}' if -_INT64 <= number < _INT64 else "{}"


def _quoted(text: str) -> str:
    """Return a JSON string. Lone surrogates, which no receiver can read, become question marks."""
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    return _escaped(text)


_escaped = json.encoder.encode_basestring_ascii
_TEXT = '{{"key":"{}","value":{{"stringValue":'
_COUNT = '{{"key":"{}","value":{{"intValue":"'
_FIELDS = [(key, name, _TEXT.format(name), _COUNT.format(name)) for key, name in ATTRIBUTES.items()]
"""Field of ``Attempt``, its attribute, and how that begins as a text and as a count."""
