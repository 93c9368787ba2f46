"""Accounts and identities, page by page."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Engine, literal, tuple_
from sqlmodel import Session, col, select

from metering.identity import Identity, Kind
from metering.period import Period
from metering.store import Account
from metering.tables import AccountRow, IdentityRow, Instant


class IdentitiesWanted(NamedTuple):
    """Which identities are listed."""

    account: str | None = None
    kind: Kind | None = None
    at: datetime | None = None
    """Only those that are bound at an instant."""
    after: tuple[str, str, datetime] | None = None
    """Kind, value and first hour of the last one of the page before."""
    limit: int = 100


class PeopleStore:
    """Who pays, and by which names they are known."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def accounts(self, after: str, limit: int) -> list[Account]:
        """Return accounts by id, from the one after an id."""
        wanted = select(AccountRow).where(col(AccountRow.id) > after)
        with Session(self._engine) as session:
            rows = session.exec(wanted.order_by(AccountRow.id).limit(limit))
            return [Account(row.id, row.name, row.zone) for row in rows]

    def identities(self, wanted: IdentitiesWanted) -> list[Identity]:
        """Return identities by kind, value and first hour."""
        order = (col(IdentityRow.kind), col(IdentityRow.value), col(IdentityRow.valid_from))
        query = select(IdentityRow).order_by(*order).limit(wanted.limit)
        if wanted.account is not None:
            query = query.where(IdentityRow.account == wanted.account)
        if wanted.kind is not None:
            query = query.where(IdentityRow.kind == wanted.kind.value)
        if wanted.at is not None:
            query = query.where(
                col(IdentityRow.valid_from) <= wanted.at, col(IdentityRow.valid_to) > wanted.at
            )
        if wanted.after is not None:
            kind, value, since = wanted.after
            last = (literal(kind), literal(value), literal(since, Instant()))
            query = query.where(tuple_(*order) > tuple_(*last))
        with Session(self._engine) as session:
            return [_identity(row) for row in session.exec(query)]


def _identity(row: IdentityRow) -> Identity:
    valid = Period(row.valid_from, row.valid_to)
    return Identity(Kind(row.kind), row.value, row.account, row.project, valid)
