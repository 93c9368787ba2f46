"""Reconciliations in the ledger: measures by hour, and acceptances, which are only added."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, func
from sqlmodel import Session, col, delete, select

from metering.period import Period
from metering.reconcile.judge import Acceptance
from metering.reconcile.measures import Measures, Where, document_of, measures_of
from metering.reconcile.place import Pair, Place
from metering.reconcile.tables import AcceptanceRow, ReconciliationRow
from metering.store import exclusive
from metering.tables import UsageRow


@dataclass(frozen=True, slots=True)
class Stamp:
    """When an hour was measured, and which close run it saw."""

    measured_at: datetime
    run: int


class ReconcileStore:
    """One transaction per call."""

    def __init__(self, engine: Engine | Connection) -> None:
        """Work on an engine, or inside the transaction of a connection."""
        self._engine = engine

    def put_hour(self, hour: datetime, measures: Mapping[Place, Measures], stamp: Stamp) -> None:
        """Store what an hour came to, in place of what was known of it."""
        with Session(self._engine) as session, session.begin():
            exclusive(session)
            session.exec(delete(ReconciliationRow).where(col(ReconciliationRow.hour) == hour))
            for place, one in measures.items():
                session.add(
                    ReconciliationRow(
                        hour=hour,
                        pool=place.pool,
                        model=place.model,
                        run=stamp.run,
                        measured_at=stamp.measured_at,
                        measures=json.dumps(document_of(one)),
                    )
                )

    def hours(self, period: Period) -> dict[Where, Measures]:
        """Return what is stored of a period."""
        with Session(self._engine) as session:
            rows = session.exec(select(ReconciliationRow).where(*_within(period))).all()
        return {
            Where(r.hour, Place(r.pool, r.model)): measures_of(json.loads(r.measures)) for r in rows
        }

    def stamps(self, period: Period) -> dict[datetime, Stamp]:
        """Return when each hour of a period was measured."""
        query = select(ReconciliationRow.hour, ReconciliationRow.measured_at, ReconciliationRow.run)
        with Session(self._engine) as session:
            rows = session.exec(query.where(*_within(period))).all()
        return {hour: Stamp(measured_at, run) for hour, measured_at, run in rows}

    def last_runs(self, period: Period) -> dict[datetime, int]:
        """Return the close run that last changed each hour of a period."""
        query = (
            select(UsageRow.hour, func.max(col(UsageRow.run)))
            .where(col(UsageRow.hour) >= period.start, col(UsageRow.hour) < period.end)
            .group_by(col(UsageRow.hour))
        )
        with Session(self._engine) as session:
            return {hour: int(run) for hour, run in session.exec(query).all()}

    def pools(self, period: Period, account: str) -> set[str]:
        """Return the pools that an account used in a period."""
        query = select(UsageRow.pool).where(
            UsageRow.account == account,
            col(UsageRow.superseded_by).is_(None),
            col(UsageRow.hour) >= period.start,
            col(UsageRow.hour) < period.end,
        )
        with Session(self._engine) as session:
            return set(session.exec(query.distinct()).all())

    def accept(self, acceptance: Acceptance) -> None:
        """Add an acceptance."""
        with Session(self._engine) as session, session.begin():
            session.add(
                AcceptanceRow(
                    starts_at=acceptance.period.start,
                    ends_at=acceptance.period.end,
                    pool=acceptance.place.pool,
                    model=acceptance.place.model,
                    input_tokens=acceptance.accepted.input,
                    output_tokens=acceptance.accepted.output,
                    actor=acceptance.actor,
                    reason=acceptance.reason,
                    accepted_at=acceptance.accepted_at,
                )
            )

    def acceptances(self, period: Period) -> list[Acceptance]:
        """Return the acceptances of any part of a period, oldest first."""
        query = select(AcceptanceRow).where(
            col(AcceptanceRow.starts_at) < period.end, col(AcceptanceRow.ends_at) > period.start
        )
        with Session(self._engine) as session:
            rows = session.exec(query.order_by(col(AcceptanceRow.id))).all()
            return [_acceptance(row) for row in rows]


def _within(period: Period) -> tuple[Any, Any]:
    hour = col(ReconciliationRow.hour)
    return hour >= period.start, hour < period.end


def _acceptance(row: AcceptanceRow) -> Acceptance:
    return Acceptance(
        period=Period(row.starts_at, row.ends_at),
        place=Place(row.pool, row.model),
        accepted=Pair(row.input_tokens, row.output_tokens),
        actor=row.actor,
        reason=row.reason,
        accepted_at=row.accepted_at,
    )
