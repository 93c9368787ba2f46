"""When contracts that renew themselves were tried, and why they were not renewed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, func
from sqlmodel import Session, col, select

from pricing.contracts.tables import RenewalAttemptRow


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to renew a contract."""

    at: datetime
    failed: str
    """A sentence; empty where it was renewed."""


class Attempts:
    """Tries to renew, by contract."""

    def __init__(self, engine: Engine | Connection) -> None:
        self._engine = engine

    def last_failed(self) -> dict[str, datetime]:
        """Return when each contract that could not be renewed was tried last."""
        latest = func.max(RenewalAttemptRow.at)
        query = select(RenewalAttemptRow.contract, latest).where(RenewalAttemptRow.failed != "")
        query = query.group_by(RenewalAttemptRow.contract)
        with Session(self._engine) as session:
            return {contract: at for contract, at in session.execute(query).all()}  # noqa: C416

    def of(self, contract: str) -> Sequence[Attempt]:
        """Return the tries of one contract, in order."""
        query = select(RenewalAttemptRow).where(RenewalAttemptRow.contract == contract)
        with Session(self._engine) as session:
            rows = session.exec(query.order_by(col(RenewalAttemptRow.at))).all()
            return [Attempt(row.at, row.failed) for row in rows]

    def record(self, contract: str, attempt: Attempt) -> None:
        """Add a try; the same one twice is one."""
        row = RenewalAttemptRow(contract=contract, at=attempt.at, failed=attempt.failed)
        with Session(self._engine) as session, session.begin():
            session.merge(row)
