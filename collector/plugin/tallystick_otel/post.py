"""One connection to the receiver, kept alive, and what its answers mean for an outbox."""

import gzip
import http.client
import json
import os
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Optional
from urllib.parse import urlsplit

ANSWER_BYTES = 64 * 1024
"""More of an answer is not read."""
COMPRESSION = 1
"""The fastest level of gzip: bodies are mostly repetition."""


_inherited: list[http.client.HTTPConnection] = []
"""Connections of a parent process, kept from the garbage collector."""


class Verdict(Enum):
    """What the receiver thinks of a request."""

    ACCEPTED = "accepted"
    LATER = "later"
    """Send it again: the receiver, the way to it or its set-up is at fault, not the events."""
    REFUSED = "refused"
    """The request can never be taken."""


@dataclass(frozen=True)
class Answer:
    """A verdict with its reason."""

    verdict: Verdict
    reason: str = ""
    retry_after: float = 0.0
    """Seconds for which the receiver asked."""
    rejected: int = 0
    """Records that were dropped out of an accepted request (OTLP's partial success)."""


class Endpoint:
    """The logs route of an OTLP receiver. Used by one thread.

    Args:
        url: as in OTEL_EXPORTER_OTLP_ENDPOINT: the base address, without ``/v1/logs``.
        headers: what every request carries, such as ``Authorization``.
        seconds: how long one request may take before it counts as failed.
        compress: whether bodies are sent with gzip.

    Raises:
        EndpointError: the address can never be one.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        seconds: float = 30.0,
        *,
        compress: bool = True,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise EndpointError(url)
        self._is_tls = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port
        self._path = f"{parts.path.rstrip('/')}/v1/logs"
        self._headers = {"Content-Type": "application/json", **headers}
        self._seconds = seconds
        self._compress = compress
        self._connection: Optional[http.client.HTTPConnection] = None

    def post(self, body: bytes) -> Answer:
        """Send a request; whatever goes wrong on the way is a reason to send it again later."""
        headers = dict(self._headers)
        if self._compress:
            body = gzip.compress(body, COMPRESSION)
            headers["Content-Encoding"] = "gzip"
        return self._send(body, headers)

    def close(self) -> None:
        """Drop the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def abandon(self) -> None:
        """Let go of a connection that a fork inherited, without touching its buffers.

        The thread that reads in the parent may hold their locks, which nobody releases in the
        fork: closing or collecting them would wait for ever.
        """
        connection, self._connection = self._connection, None
        if connection is not None:
            _inherited.append(connection)
            if connection.sock is not None:
                os.close(connection.sock.detach())

    def _send(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        was_kept = self._connection is not None
        try:
            return self._exchange(body, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if was_kept:  # and perhaps closed meanwhile: over a new one it may go well
                return self._send(body, headers)
            return Answer(Verdict.LATER, f"{type(error).__name__}: {error}")

    def _exchange(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        if self._connection is None:
            self._connection = self._connect()
        self._connection.request("POST", self._path, body, dict(headers))
        response = self._connection.getresponse()
        said = response.read(ANSWER_BYTES)
        if response.read(1):
            self.close()
        return answer_of(response.status, response.headers.get("Retry-After", ""), said)

    def _connect(self) -> http.client.HTTPConnection:
        if self._is_tls:
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(
                self._host, self._port, timeout=self._seconds, context=context
            )
        return http.client.HTTPConnection(self._host, self._port, timeout=self._seconds)


CONTENT_REFUSALS = frozenset({400, 413, 422})
"""Statuses that judge the body. Any other refusal (a wrong key, a wrong path, a proxy, a bug) is
mended elsewhere, so events wait for that instead of being set aside."""


def answer_of(status: int, retry_after: str, body: bytes) -> Answer:
    """Return what an HTTP answer means."""
    if status == http.client.OK:
        return Answer(Verdict.ACCEPTED, rejected=_rejected(body))
    reason = f"{status} {body[:500].decode('utf-8', 'replace')}".strip()
    if status in CONTENT_REFUSALS:
        return Answer(Verdict.REFUSED, reason)
    return Answer(Verdict.LATER, reason, _seconds(retry_after))


def _seconds(retry_after: str) -> float:
    """Return how long to wait: the header is a number of seconds or a date."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after)
    with suppress(ValueError, TypeError):
        return max(parsedate_to_datetime(retry_after).timestamp() - time.time(), 0.0)
    return 0.0


def _rejected(body: bytes) -> int:
    """Return how many records a partial success left out."""
    with suppress(ValueError, TypeError, LookupError, RecursionError):
        return int(json.loads(body)["partialSuccess"]["rejectedLogRecords"])
    return 0


class EndpointError(ValueError):
    """An address that is none."""

    def __init__(self, url: str) -> None:
        super().__init__(f"an endpoint must be an http:// or https:// address, found {url!r}")
