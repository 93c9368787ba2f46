"""Takes out of a stream the usage that its client never asked for."""

import json
import re
from contextlib import suppress

LONGEST = 1024 * 1024
"""An event that is longer passes as it is."""

_EVENT_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")


class UsageSieve:
    """Passes whole events on, but for the one of OpenAI's streams that holds only usage."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, piece: bytes) -> bytes:
        """Take in the next bytes, and return those that may pass: whole events."""
        held = self._held + piece
        passed = []
        start = 0
        for end in _EVENT_END.finditer(held):
            event = held[start : end.end()]
            start = end.end()
            if not _is_usage_only(event):
                passed.append(event)
        self._held = held[start:]
        return b"".join(passed) + (self.rest() if len(self._held) > LONGEST else b"")

    def rest(self) -> bytes:
        """Return what is held of an event that never ended."""
        held, self._held = self._held, b""
        return b"" if _is_usage_only(held) else held


def _is_usage_only(event: bytes) -> bool:
    if b'"usage"' not in event or not event.startswith(b"data:"):
        return False
    with suppress(ValueError, RecursionError):
        said = json.loads(event[len(b"data:") :])
        return isinstance(said, dict) and said.get("choices") == [] and bool(said.get("usage"))
    return False
