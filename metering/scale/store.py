"""The lease in the ledger, by the ledger's own clock: the processes' clocks decide nothing."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, bindparam, text, update
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select

from metering.scale.lease import Lease, released, seized, taken
from metering.scale.tables import LeaseRow
from metering.tables import Instant

TICK = "tick"
"""The one lease there is: to bring usage up to date."""

_ENSURE = text(
    "INSERT INTO lease (name, holder, until, fence) VALUES (:name, '', :until, 0) "
    "ON CONFLICT DO NOTHING"
).bindparams(bindparam("until", type_=Instant))
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_CLOCKS = {
    "postgresql": "SELECT clock_timestamp()",
    "sqlite": "SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')",
}


class LeaseStore:
    """One process's hold on the lease. Safe to use from several threads."""

    def __init__(self, engine: Engine, holder: str, seconds: float) -> None:
        """Ask in the name of ``holder``, which no other process may use."""
        self._engine = engine
        self.holder = holder
        self._term = timedelta(seconds=seconds)
        self.is_held = False
        """Whether the lease was ours when we last asked."""

    def hold(self) -> int | None:
        """Take or prolong the lease and return its fence; nothing while another holds it."""
        try:
            fence = self._asked()
        except SQLAlchemyError:
            self.is_held = False
            raise
        self.is_held = fence is not None
        return fence

    def seize(self) -> int:
        """Take the lease from whoever has it: for a process that knows it is the only one."""
        with Session(self._engine) as session, session.begin():
            row = _locked(session)
            self.is_held = True
            return _write(row, seized(_lease(row), self.holder, _now(session), self._term))

    def release(self) -> None:
        """Let go of the lease at once, where it is ours."""
        with Session(self._engine) as session, session.begin():
            row = _locked(session)
            _write(row, released(_lease(row), self.holder, _now(session)))
            self.is_held = False

    def current(self) -> Lease:
        """Return the lease as it stands."""
        with Session(self._engine) as session, session.begin():
            return _lease(_locked(session))

    def _asked(self) -> int | None:
        with Session(self._engine) as session, session.begin():
            row = _locked(session)
            lease = taken(_lease(row), self.holder, _now(session), self._term)
            return _write(row, lease) if lease else None


def check_fence(session: Session, fence: int) -> None:
    """Keep the lease from changing hands until the transaction ends, if it has not done so yet.

    Raises:
        FenceError: it has; what this transaction would write may be out of date.
    """
    found = _locked(session).fence
    if found != fence:
        raise FenceError(fence, found)


def disturb(session: Session) -> None:
    """Make a tick that is under way give up: what it has read is changed by this transaction."""
    session.execute(update(LeaseRow).values(fence=col(LeaseRow.fence) + 1))


def _locked(session: Session) -> LeaseRow:
    """Read the row, made where it is missing; nobody else writes it until the transaction ends."""
    query = select(LeaseRow).where(LeaseRow.name == TICK).with_for_update()
    row = session.exec(query).first()
    if row is None:
        session.execute(_ENSURE, {"name": TICK, "until": _LONG_AGO})
        row = session.exec(query).one()
    return row


def _now(session: Session) -> datetime:
    found = session.execute(text(_CLOCKS[session.get_bind().dialect.name])).scalar_one()
    if isinstance(found, datetime):
        return found.astimezone(UTC)
    return datetime.fromisoformat(found).replace(tzinfo=UTC)


def _lease(row: LeaseRow) -> Lease:
    return Lease(row.holder, row.until, row.fence)


def _write(row: LeaseRow, lease: Lease) -> int:
    """Write what has changed and return the fence."""
    if _lease(row) != lease:
        row.holder, row.until, row.fence = lease.holder, lease.until, lease.fence
    return lease.fence


class FenceError(RuntimeError):
    """A worker would commit although it no longer holds the lease it began with."""

    def __init__(self, fence: int, found: int) -> None:
        super().__init__(
            f"usage must be written under the lease it was worked out under (fence {fence}), "
            f"found fence {found}: nothing is written, and the next tick starts afresh"
        )
