"""What can be kept of a body that cannot be read whole: every record but the broken ones.

body -> its records, one by one -> each read alone -> a request of the readable ones
                                                '---> the broken ones, with their reasons

Only a body whose outer levels (request, resource, scope, record) cannot be walked is refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from collector.batch import request
from collector.batch.cut import bare, places_of
from collector.dialect.normalise import Rejected
from collector.otlp import (
    MAX_RECORDS,
    Encoding,
    MalformedBodyError,
    Record,
    Signal,
    TooManyRecordsError,
    decode,
    document_of,
    message_of,
    parse,
    records_of,
)

Json = Mapping[str, Any]

_LISTS = {
    Signal.TRACES: ("resourceSpans", "scopeSpans", "spans"),
    Signal.LOGS: ("resourceLogs", "scopeLogs", "logRecords"),
}
"""Where a JSON request keeps its records."""
_PATHS = {"resource": (1, 1), "scope": (1, 2, 1), "record": (2, 2, 1)}
"""The numbers of the protobuf fields around a piece, from the innermost."""
_IDENTIFYING = (
    "traceId", "spanId", "parentSpanId", "name", "eventName",
    "startTimeUnixNano", "endTimeUnixNano", "timeUnixNano", "observedTimeUnixNano",
)  # fmt: skip
_NOWHERE = (0, 0)


@dataclass(frozen=True, slots=True)
class Salvaged:
    """The records of a body that can be read, in order, and the others."""

    readable: bytes
    """A request of them, in protobuf."""
    broken: list[Rejected]


def salvaged(body: bytes, signal: Signal, encoding: Encoding) -> Salvaged:
    """Return what can be kept of a body that ``decode`` refuses.

    Raises:
        MalformedBodyError: its records cannot be told from each other, or it has none.
        TooManyRecordsError: there are more than ``MAX_RECORDS`` of them.
    """
    return (_from_json if encoding is Encoding.JSON else _from_protobuf)(body, signal)


def _from_protobuf(body: bytes, signal: Signal) -> Salvaged:
    found = places_of(body)
    if found is None:
        raise MalformedBodyError(signal, Encoding.PROTOBUF, "records without an end")
    _check_count(len(found), signal, Encoding.PROTOBUF)
    pieces = _Pieces(body, signal)
    good, odd, whys = [], [], []
    for place in found.tolist():
        why = pieces.why(place)
        if why:
            odd.append(place)
            whys.append(why)
        else:
            good.append(place)
    broken = [Rejected(*pair) for pair in zip(pieces.told(odd), whys, strict=True)]
    return Salvaged(request.request_of(body, good), broken)


@dataclass(frozen=True, slots=True)
class _Pieces:
    """The resources, scopes and records of a protobuf body, each read once."""

    body: bytes
    signal: Signal
    _known: dict[tuple[str, int, int], str] = field(default_factory=dict)

    def why(self, place: request.Place) -> str:
        """Return why a record cannot be read, or nothing."""
        above = self._above("resource", *place[2:4]) or self._above("scope", *place[4:6])
        return above or self._alone("record", *place[:2])

    def told(self, places: Sequence[request.Place]) -> list[Record]:
        """Return what broken records tell of themselves, with what can be read above them."""
        raw = bytearray(self.body)
        rows = []
        for place in places:
            record = bare(self.body[place[0] : place[1]], is_log=self.signal is Signal.LOGS)
            resource = _NOWHERE if self._above("resource", *place[2:4]) else place[2:4]
            scope = _NOWHERE if self._above("scope", *place[4:6]) else place[4:6]
            rows.append((len(raw), len(raw) + len(record), *resource, *scope))
            raw += record
        return decode(request.request_of(bytes(raw), rows), self.signal, Encoding.PROTOBUF)

    def _above(self, what: str, start: int, stop: int) -> str:
        """Return why a resource or scope cannot be read: many records may share it."""
        if (what, start, stop) not in self._known:
            self._known[what, start, stop] = self._alone(what, start, stop)
        return self._known[what, start, stop]

    def _alone(self, what: str, start: int, stop: int) -> str:
        """Read a piece where it stands in a request, for depth is counted from there."""
        piece = self.body[start:stop]
        for number in _PATHS[what]:
            piece = request.field(number, piece)
        try:
            parse(piece, self.signal, Encoding.PROTOBUF)
        except MalformedBodyError as error:
            return str(BrokenPieceError(what, error.reason))
        return ""


def _from_json(body: bytes, signal: Signal) -> Salvaged:
    """Text that is no UTF-8 becomes lone surrogates, which only make the text they are in odd."""
    document = document_of(body.decode(errors="surrogateescape"), signal)
    outer, inner, leaf = _LISTS[signal]
    resources = _objects(document, outer, signal)
    scopes = [scope for one in resources for scope in _objects(one, inner, signal)]
    count = sum(len(_listed(scope, leaf, signal)) for scope in scopes)
    _check_count(count, signal, Encoding.JSON)
    parts = [_split_resource(one, signal) for one in resources]
    readable = message_of({outer: [part.good for part in parts]}, signal)
    told = records_of(message_of({outer: [part.odd for part in parts]}, signal), signal)
    whys = [why for part in parts for why in part.whys]
    broken = [Rejected(*pair) for pair in zip(told, whys, strict=True)]
    return Salvaged(readable.SerializeToString(), broken)


class _Split(NamedTuple):
    """A part of a JSON request, once with what can be read of it and once with the rest."""

    good: Json
    odd: Json
    whys: list[str]


def _split_resource(of_resource: Json, signal: Signal) -> _Split:
    inner = _LISTS[signal][1]
    resource, why = _readable("resource", of_resource, signal)
    parts = [_split_scope(one, why, signal) for one in _objects(of_resource, inner, signal)]
    return _Split(
        good={**resource, inner: [part.good for part in parts]},
        odd={**resource, inner: [part.odd for part in parts]},
        whys=[why for part in parts for why in part.whys],
    )


def _split_scope(of_scope: Json, why_above: str, signal: Signal) -> _Split:
    leaf = _LISTS[signal][2]
    scope, why = _readable("scope", of_scope, signal)
    above = why_above or why
    pairs = [(one, above or _why("record", one, signal)) for one in _listed(of_scope, leaf, signal)]
    return _Split(
        good={**scope, leaf: [one for one, why in pairs if not why]},
        odd={**scope, leaf: [_identifying(one, signal) for one, why in pairs if why]},
        whys=[why for _, why in pairs if why],
    )


def _readable(what: str, holder: Json, signal: Signal) -> tuple[Json, str]:
    """Return a resource or scope under its name, if it can be read, and why not."""
    why = _why(what, holder.get(what), signal)
    return ({} if why else {what: holder.get(what)}), why


def _identifying(record: Any, signal: Signal) -> Json:
    """Return what identifies a broken record, of what can be read."""
    said = record if isinstance(record, dict) else {}
    told = {name: said[name] for name in _IDENTIFYING if name in said}
    return {n: value for n, value in told.items() if not _why("record", {n: value}, signal)}


def _why(what: str, piece: Any, signal: Signal) -> str:
    """Return why a piece cannot be read where it stands in a request, or nothing."""
    outer, inner, leaf = _LISTS[signal]
    of_scope = {leaf: [piece]} if what == "record" else {what: piece}
    of_resource = of_scope if what == "resource" else {inner: [of_scope]}
    try:
        message_of({outer: [of_resource]}, signal)
    except MalformedBodyError as error:
        return str(BrokenPieceError(what, error.reason))
    return ""


def _objects(holder: Json, name: str, signal: Signal) -> list[Json]:
    found = _listed(holder, name, signal)
    if not all(isinstance(one, dict) for one in found):
        raise MalformedBodyError(signal, Encoding.JSON, f"no objects in {name}")
    return found


def _listed(holder: Json, name: str, signal: Signal) -> list[Any]:
    found = holder.get(name)
    if found is None:
        return []
    if not isinstance(found, list):
        raise MalformedBodyError(signal, Encoding.JSON, f"no list in {name}")
    return found


def _check_count(count: int, signal: Signal, encoding: Encoding) -> None:
    if not count:
        raise MalformedBodyError(signal, encoding, "something that cannot be read, and no records")
    if count > MAX_RECORDS:
        raise TooManyRecordsError(count)


class BrokenPieceError(ValueError):
    """A record, or the resource or scope above it, that cannot be read."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"the {what} must be what OTLP says it is, found: {reason}")
