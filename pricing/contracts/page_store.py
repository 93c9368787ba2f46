"""Contracts, page by page."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from pricing.contracts.contract import Contract
from pricing.contracts.store import contract_of
from pricing.contracts.tables import ContractRow


class Mode(StrEnum):
    """How a contract is charged: 包年包月, 按量付费, 按Token计费."""

    SUBSCRIPTION = "subscription"
    HOURLY = "hourly"
    TOKEN = "token"  # noqa: S105 - of text, not of access


_KEPT_AS: Mapping[Mode, tuple[str, ...]] = {
    Mode.SUBSCRIPTION: ("subscription", "kv-subscription"),
    Mode.HOURLY: ("hourly", "kv-hourly"),
    Mode.TOKEN: ("token", "model-token"),
}


class ContractsWanted(NamedTuple):
    """Which contracts are listed."""

    account: str | None = None
    mode: Mode | None = None
    at: datetime | None = None
    """Only those in force at an instant."""
    after: str = ""
    """The id of the last one of the page before."""
    limit: int = 100


class ContractPages:
    """Contracts by id."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def contracts(self, wanted: ContractsWanted) -> list[Contract]:
        """Return contracts by id, from the one after an id."""
        query = select(ContractRow).where(col(ContractRow.id) > wanted.after)
        if wanted.account is not None:
            query = query.where(ContractRow.account == wanted.account)
        if wanted.mode is not None:
            query = query.where(col(ContractRow.mode).in_(_KEPT_AS[wanted.mode]))
        if wanted.at is not None:
            query = query.where(
                col(ContractRow.starts_at) <= wanted.at, col(ContractRow.ends_at) > wanted.at
            )
        with Session(self._engine) as session:
            rows = session.exec(query.order_by(ContractRow.id).limit(wanted.limit))
            return [contract_of(row) for row in rows]
