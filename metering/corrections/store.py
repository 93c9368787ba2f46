"""Decisions in the ledger: added with their author and reason, taken back by another row."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine
from sqlmodel import Session, col, select

from metering.corrections.correction import Correction, Kind, Target
from metering.corrections.tables import CorrectionRow, WithdrawalRow
from metering.period import Period, parse_instant
from metering.scale.store import disturb
from metering.store import exclusive
from metering.tables import CloseRow, StaleHourRow


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Who took a decision back, and why."""

    actor: str
    reason: str
    made_at: datetime
    stamp: int


@dataclass(frozen=True, slots=True)
class Made:
    """A decision as it stands in the ledger."""

    correction: Correction
    made_at: datetime
    events: int
    withdrawal: Withdrawal | None = None


class Marked(NamedTuple):
    """What was found and marked for a correction, in the event store."""

    stamp: int
    """Arrivals stored before it were looked at."""
    events: int
    hours: Sequence[datetime]


class CorrectionStore:
    """Corrections, the oldest first. One transaction per call."""

    def __init__(self, engine: Engine | Connection) -> None:
        """Work on an engine, or inside the transaction of a connection."""
        self._engine = engine

    def known(self, correction: Correction) -> Made | None:
        """Return what was made under a correction's id, or None for nothing yet.

        Raises:
            OtherCorrectionError: the id names another decision.
        """
        with Session(self._engine) as session:
            return _known(session, correction)

    def add(
        self, correction: Correction, mark: Callable[[], Marked], made_at: datetime
    ) -> Correction:
        """Keep a decision and return it with its stamp; its hours are due at the next refresh.

        The same decision under the same id is kept once: ``mark`` is called for a new one only,
        while no other process can add one.

        Raises:
            OtherCorrectionError: the id names another decision.
        """
        with Session(self._engine) as session, session.begin():
            exclusive(session)
            known = _known(session, correction)
            if known:
                return known.correction
            disturb(session)
            found = mark()
            stamped = replace(correction, stamp=_stamp(session, found.stamp))
            session.add(_row(stamped, found.events, made_at))
            for hour in found.hours:
                session.merge(StaleHourRow(hour=hour))
            return stamped

    def withdraw(self, correction: str, withdrawal: Withdrawal, hours: Iterable[datetime]) -> None:
        """Take a decision back; what was billed by it stays, and the difference is billed next.

        Raises:
            UnknownCorrectionError: there is none of this id.
        """
        with Session(self._engine) as session, session.begin():
            exclusive(session)
            disturb(session)
            if not session.get(CorrectionRow, correction):
                raise UnknownCorrectionError(correction)
            if session.get(WithdrawalRow, correction):
                return
            session.add(
                WithdrawalRow(
                    correction=correction,
                    actor=withdrawal.actor,
                    reason=withdrawal.reason,
                    made_at=withdrawal.made_at,
                    stamp=_stamp(session, withdrawal.stamp),
                )
            )
            for hour in hours:
                session.merge(StaleHourRow(hour=hour))

    def made(self) -> list[Made]:
        """Return all decisions, the oldest first."""
        with Session(self._engine) as session:
            rows = session.exec(select(CorrectionRow).order_by(col(CorrectionRow.stamp))).all()
            gone = {w.correction: w for w in session.exec(select(WithdrawalRow)).all()}
            return [
                Made(_correction(r), r.made_at, r.events, _withdrawal(gone.get(r.id))) for r in rows
            ]

    def standing(self) -> list[str]:
        """Return the ids of the decisions that nobody took back."""
        return [made.correction.id for made in self.made() if not made.withdrawal]

    def heeded(self, before: int) -> list[Correction]:
        """Return the corrections that sums of arrivals stored before a stamp heed, in order."""
        return [
            made.correction
            for made in self.made()
            if made.correction.stamp < before
            and not (made.withdrawal and made.withdrawal.stamp < before)
        ]


def _known(session: Session, correction: Correction) -> Made | None:
    row = session.get(CorrectionRow, correction.id)
    if not row:
        return None
    if replace(correction, stamp=row.stamp) != _correction(row):
        raise OtherCorrectionError(correction.id)
    withdrawal = _withdrawal(session.get(WithdrawalRow, correction.id))
    return Made(_correction(row), row.made_at, row.events, withdrawal)


def _stamp(session: Session, wanted: int) -> int:
    """Return a stamp that no close has passed: what was summed already stays as it was."""
    newest = session.exec(
        select(CloseRow.stored_before).order_by(col(CloseRow.id).desc()).limit(1)
    ).first()
    return max(wanted, newest or 0)


def _row(correction: Correction, events: int, made_at: datetime) -> CorrectionRow:
    return CorrectionRow(
        id=correction.id,
        kind=correction.kind.value,
        target=json.dumps(target_json(correction.target), ensure_ascii=False),
        changes=json.dumps(dict(correction.changes), ensure_ascii=False),
        actor=correction.actor,
        reason=correction.reason,
        made_at=made_at,
        stamp=correction.stamp,
        events=events,
    )


def _correction(row: CorrectionRow) -> Correction:
    return Correction(
        id=row.id,
        kind=Kind(row.kind),
        target=target_of(json.loads(row.target)),
        actor=row.actor,
        reason=row.reason,
        changes=tuple(json.loads(row.changes).items()),
        stamp=row.stamp,
    )


def _withdrawal(row: WithdrawalRow | None) -> Withdrawal | None:
    return Withdrawal(row.actor, row.reason, row.made_at, row.stamp) if row else None


def target_json(target: Target) -> dict[str, Any]:
    """Return a target as plain values; ``target_of`` reads them."""
    period = target.period
    return {
        "requests": list(target.requests),
        "from": period.start.isoformat() if period else None,
        "to": period.end.isoformat() if period else None,
        "where": dict(target.where),
    }


def target_of(said: dict[str, Any]) -> Target:
    """Read a target from plain values."""
    requests: Sequence[str] = said["requests"]
    start, end = said["from"], said["to"]
    period = Period(parse_instant(start), parse_instant(end)) if start and end else None
    return Target(tuple(requests), period, tuple(said["where"].items()))


class UnknownCorrectionError(LookupError):
    """No decision has this id."""

    def __init__(self, correction: str) -> None:
        super().__init__(f"the correction must be one that was made, found {correction!r}")


class OtherCorrectionError(ValueError):
    """An id that already names another decision."""

    def __init__(self, correction: str) -> None:
        super().__init__(
            f"the id of a correction must be new, or name the same one, found {correction!r} "
            f"on another"
        )
