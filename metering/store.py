"""The metering half of the ledger: accounts, identities, resources, intervals, usage rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, text, update
from sqlmodel import Session, col, delete, select

from metering.days.keep_store import forget_days, keep
from metering.identity import FOR_EVER, Identity, Kind, check_unambiguous
from metering.interval import Interval, Resource, ResourceKind, State
from metering.period import Period
from metering.resources.interval_store import rebuild
from metering.resources.tables import DeclaredIntervalRow
from metering.revision_store import chunks, current_rows, insert_usage, usage_key
from metering.scale.store import disturb
from metering.tables import (
    AccountRow,
    CloseRow,
    IdentityRow,
    IntervalRow,
    ResourceRow,
    StaleHourRow,
    UsageRow,
)
from metering.usage import Usage, UsageKey, revised


@dataclass(frozen=True, slots=True)
class Account:
    """Who pays, and in which zone its months turn."""

    id: str
    name: str
    zone: str = "Asia/Shanghai"


class Close(NamedTuple):
    """A close run, and the stamp before which it saw every arrival."""

    run: int
    stored_before: int


class MeterStore:
    """Quantities and time in the ledger. One transaction per call."""

    def __init__(
        self,
        engine: Engine | Connection,
        may_close: Callable[[Session], None] = lambda _session: None,
    ) -> None:
        """Work on an engine, or inside the transaction of a connection.

        ``may_close`` raises where hours may not be closed any more.
        """
        self._engine = engine
        self._may_close = may_close

    def put_accounts(self, accounts: Iterable[Account]) -> None:
        """Add accounts or rename them.

        Raises:
            ZoneChangeError: a zone never changes, or a month would be billed twice or never.
        """
        with Session(self._engine) as session, session.begin():
            exclusive(session)
            new = []
            for account in accounts:
                known = session.get(AccountRow, account.id)
                if known and known.zone != account.zone:
                    raise ZoneChangeError(account.id, known.zone, account.zone)
                if not known:
                    new.append((account.id, account.zone))
                row = AccountRow(id=account.id, name=account.name, zone=account.zone)
                session.merge(row)
            forget_days(session, new)

    def accounts(self) -> list[Account]:
        """Return all accounts by id."""
        with Session(self._engine) as session:
            rows = session.exec(select(AccountRow).order_by(AccountRow.id)).all()
            return [Account(r.id, r.name, r.zone) for r in rows]

    def account(self, account_id: str) -> Account:
        """Return one account.

        Raises:
            UnknownAccountError: nobody has this id.
        """
        for account in self.accounts():
            if account.id == account_id:
                return account
        raise UnknownAccountError(account_id, [a.id for a in self.accounts()])

    def put_identities(self, identities: Sequence[Identity]) -> None:
        """Bind raw identities to accounts; hours they touch are closed again at the next refresh.

        Raises:
            AmbiguousIdentityError: a value would belong to two accounts at once; nothing changed.
        """
        with Session(self._engine) as session, session.begin():
            exclusive(session)
            touched = [i.valid for i in identities]
            for identity in identities:
                row = _identity_row(identity)
                known = session.get(IdentityRow, (row.kind, row.value, row.valid_from))
                touched += [_identity(known).valid] if known else []
                session.merge(row)
            session.flush()
            check_unambiguous(_identity(r) for r in session.exec(select(IdentityRow)).all())
            disturb(session)
            for hour in {h for valid in touched for h in _hours_with_usage(session, valid)}:
                session.merge(StaleHourRow(hour=hour))

    def identities(self) -> list[Identity]:
        """Return all identities."""
        with Session(self._engine) as session:
            return [_identity(r) for r in session.exec(select(IdentityRow)).all()]

    def put_resources(self, resources: Iterable[Resource]) -> None:
        """Add resources, or change their name or heartbeat.

        Raises:
            ResourceChangeError: its account, region, spec and kind never change.
        """
        with Session(self._engine) as session, session.begin():
            exclusive(session)
            retimed = set()
            for resource in resources:
                row = session.get(ResourceRow, resource.id)
                known = _resource(row) if row else resource
                if _lasting(known) != _lasting(resource):
                    raise ResourceChangeError(known, resource)
                if known.heartbeat_seconds != resource.heartbeat_seconds:
                    retimed.add(resource.id)
                session.merge(ResourceRow(**_fields(resource)))
            rebuild(session, retimed)

    def resources(self, wanted: Iterable[str] | None = None) -> list[Resource]:
        """Return all resources, or some, by id."""
        query = select(ResourceRow).order_by(ResourceRow.id)
        if wanted is not None:
            query = query.where(col(ResourceRow.id).in_(sorted(wanted)))
        with Session(self._engine) as session:
            return [_resource(r) for r in session.exec(query).all()]

    def put_intervals(self, intervals: Iterable[Interval]) -> None:
        """Declare states of resources; one that starts with a known one replaces it.

        States that were told go before those declared: see metering.resources.state.

        Raises:
            OverlappingStatesError: a resource would be in two states at once; nothing changed.
        """
        with Session(self._engine) as session, session.begin():
            exclusive(session)
            touched = set()
            for interval in intervals:
                touched.add(interval.resource)
                session.merge(
                    DeclaredIntervalRow(
                        resource=interval.resource,
                        started_at=interval.period.start,
                        ended_at=interval.period.end,
                        state=interval.state.value,
                    )
                )
            session.flush()
            _check_contiguous(session, touched)
            rebuild(session, touched)

    def intervals(self, resources: Iterable[str]) -> list[Interval]:
        """Return the states of some resources, in order."""
        wanted = sorted(resources)
        with Session(self._engine) as session:
            query = select(IntervalRow).where(col(IntervalRow.resource).in_(wanted))
            rows = session.exec(query.order_by(IntervalRow.resource, col(IntervalRow.started_at)))
            return [_interval(r) for r in rows]

    def last_close(self) -> Close:
        """Return the newest close run; run 0, which saw nothing, before the first."""
        with Session(self._engine) as session:
            row = session.exec(select(CloseRow).order_by(col(CloseRow.id).desc()).limit(1)).first()
            return Close(row.id, row.stored_before) if row and row.id else Close(0, 0)

    def stale_hours(self) -> set[datetime]:
        """Return the hours that a changed binding made stale."""
        with Session(self._engine) as session:
            return set(session.exec(select(StaleHourRow.hour)).all())

    def close_hours(
        self,
        hours: Sequence[datetime],
        usage: Mapping[UsageKey, int],
        stored_before: int,
        closed_at: datetime,
    ) -> int:
        """Write what hours came to: only changed rows, as a new revision; return their number.

        Closing twice with the same usage writes no row.
        """
        with Session(self._engine) as session, session.begin():
            exclusive(session)
            self._may_close(session)
            current = current_rows(session.connection(), hours)
            changed = revised({key: row.quantity for key, row in current.items()}, usage)
            run = CloseRow(
                stored_before=stored_before,
                closed_at=closed_at,
                hours=len(hours),
                rows_changed=len(changed),
            )
            session.add(run)
            session.flush()
            assert run.id is not None
            for ids in chunks([current[key].id for key in changed if key in current]):
                replaced = update(UsageRow).where(col(UsageRow.id).in_(ids))
                session.execute(replaced.values(superseded_by=run.id))
            insert_usage(session.connection(), changed, run.id)
            old = {key: current[key].quantity if key in current else 0 for key in changed}
            keep(session, {key: quantity - old[key] for key, quantity in changed.items()}, run.id)
            for some in chunks(hours):
                session.exec(delete(StaleHourRow).where(col(StaleHourRow.hour).in_(some)))
            return len(changed)

    def usage(
        self, period: Period, account: str | None = None, as_of: int | None = None
    ) -> list[Usage]:
        """Return the usage rows of a period, as they are or as a past close run left them."""
        query = select(UsageRow).where(
            col(UsageRow.hour) >= period.start, col(UsageRow.hour) < period.end
        )
        if account is not None:
            query = query.where(UsageRow.account == account)
        if as_of is None:
            query = query.where(col(UsageRow.superseded_by).is_(None))
        else:
            query = query.where(
                UsageRow.run <= as_of,
                col(UsageRow.superseded_by).is_(None) | (col(UsageRow.superseded_by) > as_of),
            )
        with Session(self._engine) as session:
            rows = session.exec(query).all()
        return sorted(
            (Usage(usage_key(r), r.quantity) for r in rows if r.quantity), key=lambda u: u.key
        )


def exclusive(session: Session) -> None:
    """Let one writer in at a time until the transaction ends, so that checks hold when it does.

    SQLite does so by itself (BEGIN IMMEDIATE); PostgreSQL takes an advisory lock.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(7435)"))


def _hours_with_usage(session: Session, valid: Period) -> Sequence[datetime]:
    query = select(UsageRow.hour).distinct()
    return session.exec(
        query.where(col(UsageRow.hour) >= valid.start, col(UsageRow.hour) < valid.end)
    ).all()


def _check_contiguous(session: Session, resources: Iterable[str]) -> None:
    for resource in sorted(resources):
        query = select(DeclaredIntervalRow).where(DeclaredIntervalRow.resource == resource)
        rows = session.exec(query.order_by(col(DeclaredIntervalRow.started_at))).all()
        for before, after in pairwise(rows):
            if before.ended_at > after.started_at:
                raise OverlappingStatesError(resource, _interval(before), _interval(after))


def _identity_row(identity: Identity) -> IdentityRow:
    return IdentityRow(
        kind=identity.kind.value,
        value=identity.value,
        account=identity.account,
        project=identity.project,
        valid_from=identity.valid.start,
        valid_to=identity.valid.end,
    )


def _identity(row: IdentityRow) -> Identity:
    valid = Period(row.valid_from, row.valid_to)
    return Identity(Kind(row.kind), row.value, row.account, row.project, valid)


def _resource(row: ResourceRow) -> Resource:
    kind = ResourceKind(row.kind)
    return Resource(
        row.id, row.account, row.region, row.spec, row.name, kind, row.heartbeat_seconds
    )


def _lasting(resource: Resource) -> tuple[str, ...]:
    return resource.account, resource.region, resource.spec, resource.kind


def _interval(row: IntervalRow | DeclaredIntervalRow) -> Interval:
    return Interval(row.resource, Period(row.started_at, row.ended_at), State(row.state))


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


class UnknownAccountError(LookupError):
    """No account has this id."""

    def __init__(self, account: str, known: Sequence[str]) -> None:
        known_text = ", ".join(known) or "no account yet"
        super().__init__(f"the account must be known ({known_text}), found {account!r}")


class ZoneChangeError(ValueError):
    """An account's zone was said to be another."""

    def __init__(self, account: str, old: str, new: str) -> None:
        super().__init__(
            f"the zone of account {account!r} must stay {old}, found {new}: its months would move"
        )


class ResourceChangeError(ValueError):
    """A resource was said to have moved, grown, or changed hands."""

    def __init__(self, old: Resource, new: Resource) -> None:
        super().__init__(
            f"resource {old.id!r} must stay as declared (account {old.account}, region "
            f"{old.region}, spec {old.spec}, {old.kind}), found {new.account}, {new.region}, "
            f"{new.spec}, {new.kind}"
        )


class OverlappingStatesError(ValueError):
    """A resource was said to be in two states at once."""

    def __init__(self, resource: str, before: Interval, after: Interval) -> None:
        end = "no end" if before.period.end == FOR_EVER else before.period.end.isoformat()
        super().__init__(
            f"resource {resource!r} must be in one state at a time, found {before.state} until "
            f"{end} and {after.state} from {after.period.start.isoformat()}"
        )
