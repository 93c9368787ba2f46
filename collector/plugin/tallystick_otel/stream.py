"""Bytes of an answer as they pass by -> documents, with bounded memory and nothing held back."""

import json
import re
import zlib
from contextlib import suppress
from typing import Any, Optional, Union

from tallystick_otel.answer import Answer

EVENT_BYTES = 1024 * 1024
"""Events of a stream that are longer are not read."""
WHOLE_BYTES = 256 * 1024
"""Up to this size an answer in one piece is read as a whole; of a larger one only the ends are."""
TAIL_BYTES = 16 * 1024
INFLATED_BYTES = 64 * 1024
"""How much of a compressed answer is inflated at a time."""
COMPRESSIONS = frozenset({"gzip", "x-gzip", "deflate"})
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS

_LINE_ENDS = re.compile(rb"\r\n|\n|\r")
_TELLING = re.compile(
    rb'"(?:usage|error|response|message)"\s*:\s*[{"]|"(?:finish|stop)_reason"\s*:\s*"|"message_stop"'
)
"""In what else than content an event of a stream may have something to say. Inside a JSON string
its quotes would be escaped, so that content is never taken for it."""


class EventStream:
    """A stream of server-sent events (text/event-stream), cut into pieces anywhere.

    Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._line = bytearray()
        self._event: list[bytes] = []
        self._event_bytes = 0
        self._is_after_return = False

    def feed(self, piece: bytes) -> None:
        """Take in the next bytes."""
        if self._is_after_return and piece.startswith(b"\n"):
            piece = piece[1:]
            self._is_after_return = False
        if not piece:
            return
        self._is_after_return = piece.endswith(b"\r")
        first, *others = _LINE_ENDS.split(piece)
        self._keep(first)
        for part in others:
            self._end_line()
            self._keep(part)

    def end(self) -> None:
        """Read what the stream ended in the midst of."""
        self._end_line()
        self._end_event()

    def _keep(self, part: bytes) -> None:
        if len(self._line) <= EVENT_BYTES:
            self._line += part

    def _end_line(self) -> None:
        line = bytes(self._line)
        self._line.clear()
        if not line:
            self._end_event()
        elif line.startswith(b"data:"):
            self._event_bytes += len(line)
            if self._event_bytes <= EVENT_BYTES:
                self._event.append(line[6:] if line.startswith(b"data: ") else line[5:])

    def _end_event(self) -> None:
        text = b"\n".join(self._event)
        is_read = self._event_bytes <= EVENT_BYTES
        self._event, self._event_bytes = [], 0
        if text == b"[DONE]":
            self._answer.is_finished = True
        elif is_read and text and (not self._answer.has_content or _TELLING.search(text)):
            self._answer.read(_parsed(text))


class Whole:
    """An answer in one piece."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._head = b""
        self._kept = bytearray()
        self._is_cut = False

    def feed(self, piece: bytes) -> None:
        """Take in the next bytes."""
        self._kept += piece
        if len(self._kept) > WHOLE_BYTES:
            if not self._is_cut:
                self._head = bytes(self._kept[:TAIL_BYTES])
            self._is_cut = True
            del self._kept[:-TAIL_BYTES]

    def end(self) -> None:
        """Read the answer."""
        if not self._is_cut:
            self._answer.read(_parsed(bytes(self._kept)))
            return
        named = _FIRST_ID.match(self._head)
        if named:
            self._answer.read(_parsed(b"{%b}" % named[1]))
        self._answer.read(_last_fields(bytes(self._kept)))


class Inflated:
    """An answer that is compressed, read as it would be if it were not."""

    def __init__(self, reader: Union[EventStream, Whole]) -> None:
        self._reader = reader
        self._member = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._is_broken = False

    def feed(self, piece: bytes) -> None:
        """Take in the next bytes; what cannot be inflated, and what follows it, is not read."""
        left = piece
        try:
            while left and not (self._is_broken or self._member.eof):
                self._reader.feed(self._member.decompress(left, INFLATED_BYTES))
                left = self._member.unconsumed_tail
        except zlib.error:
            self._is_broken = True

    def end(self) -> None:
        """Read the answer."""
        self._reader.end()


def _last_fields(tail: bytes) -> Optional[Any]:
    """Return the last fields of a large JSON object, from the first of ours on that is its own.

    What follows a field up to the end is a whole object, once opened, only where the field is not
    inside another: a nested one would leave a bracket too many.
    """
    for found in list(_OUR_FIELDS.finditer(tail))[-_MOST_TRIES:]:
        fields = _parsed(b"{" + tail[found.start() :])
        if fields is not None:
            return fields
    return None


def _parsed(text: bytes) -> Optional[Any]:
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    return None


_FIRST_ID = re.compile(rb'\s*\{\s*("id"\s*:\s*"[^"\\]*")')
_OUR_FIELDS = re.compile(rb'"(?:id|model|usage)"\s*:')
_MOST_TRIES = 16
