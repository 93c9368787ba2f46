"""Requests that were carried out under a key of their client's, and how they were answered."""

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Engine, delete
from sqlmodel import Session, col

from metering.store import exclusive
from tallystick.api.tables import RequestKeyRow

KEPT = timedelta(hours=48)
"""How long an answer is kept at least."""
ABANDONED = timedelta(minutes=15)
"""After so long, whoever carried a request out is taken to have ended on the way."""


class Answer(NamedTuple):
    """What a request was answered with."""

    status: int
    media_type: str
    body: bytes


class OnceStore:
    """Keys of requests in the ledger. One transaction per call."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(self, key: str, fingerprint: str, now: datetime) -> Answer | None:
        """Claim a key for a request, or return what the same request was answered with.

        Raises:
            KeyReusedError: it is the key of another request.
            StillRunningError: the same request is being carried out.
        """
        with Session(self._engine) as session, session.begin():
            exclusive(session)
            session.execute(delete(RequestKeyRow).where(col(RequestKeyRow.begun_at) < now - KEPT))
            row = session.get(RequestKeyRow, key)
            if row and row.fingerprint != fingerprint:
                raise KeyReusedError(key)
            if row and row.status is not None:
                return Answer(row.status, row.media_type, row.body)
            if row and row.begun_at > now - ABANDONED:
                raise StillRunningError(key)
            session.merge(RequestKeyRow(key=key, fingerprint=fingerprint, begun_at=now))
        return None

    def finish(self, key: str, answer: Answer) -> None:
        """Keep the answer."""
        with Session(self._engine) as session, session.begin():
            exclusive(session)
            row = session.get_one(RequestKeyRow, key)
            row.status, row.media_type, row.body = answer
            session.add(row)

    def forget(self, key: str) -> None:
        """Let go of a key whose request changed nothing: it may be sent again."""
        with Session(self._engine) as session, session.begin():
            exclusive(session)
            session.execute(delete(RequestKeyRow).where(col(RequestKeyRow.key) == key))


class KeyReusedError(ValueError):
    """A key that was another request's."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"Idempotency-Key {key!r} must be used for one request, found another with it before"
        )


class StillRunningError(RuntimeError):
    """A request that is being carried out right now."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"the request of Idempotency-Key {key!r} must end before it is sent again, "
            "found it still running"
        )
