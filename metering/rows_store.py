"""Adding rows by the thousand."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import insert
from sqlmodel import Session, SQLModel


def insert_rows(session: Session, table: type[SQLModel], rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows as they are: not as objects of the session, which takes several times as long."""
    if rows:
        into = SQLModel.metadata.tables[str(table.__tablename__)]
        session.connection().execute(insert(into), rows)
