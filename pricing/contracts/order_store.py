"""Orders of applications in the ledger, and the catalogue that they are checked against."""

from collections.abc import Collection, Sequence
from datetime import datetime
from importlib.resources import files
from typing import NamedTuple

from pydantic import TypeAdapter
from sqlalchemy import Connection, Engine
from sqlmodel import Session, col, select

from metering.interval import Resource
from metering.store import exclusive
from pricing.contracts.catalogue import Catalogue, parse_catalogue
from pricing.contracts.contract import check_resources
from pricing.contracts.order import AppOrder, Opened, opened
from pricing.contracts.order_check import Ask, check_kept, check_order
from pricing.contracts.store import ContractStore
from pricing.contracts.tables import AppOrderRow, ContractRow
from pricing.prices.book import PriceBook

_ORDER = TypeAdapter(AppOrder)


def shipped_catalogue() -> Catalogue:
    """Return the catalogue that comes with the product."""
    return parse_catalogue((files("pricing") / "catalogues" / "polardb.yaml").read_text("utf-8"))


class Deployed(NamedTuple):
    """An order, the node that was deployed for it, and since when."""

    order: AppOrder
    node: Resource
    at: datetime
    schedules: Collection[str] | None = None
    """Names of the node's schedules; None where none can have been told of yet."""


class Ordered(NamedTuple):
    """An order as it is kept: the node that was deployed for it, and since when."""

    order: AppOrder
    resource: str
    at: datetime


class OrderStore:
    """Orders and the contracts that they open. One transaction per call."""

    def __init__(self, engine: Engine | Connection, book: PriceBook) -> None:
        """Work on an engine, or inside the transaction of a connection."""
        self._engine = engine
        self._book = book

    def put_orders(self, deployed: Sequence[Deployed]) -> list[Opened]:
        """Add orders and open their contracts; a known one must be as it was.

        Raises:
            OrderError: names every problem of the first order that has any.
            ContractError, OverlappingContractsError: a contract cannot be opened.
        """
        catalogue = shipped_catalogue()
        found = []
        for one in deployed:
            with Session(self._engine) as session, session.begin():
                exclusive(session)
                self._put(session, one, catalogue)
            contracts = opened(one.order, one.node, one.at, self._book)
            check_resources(contracts.contracts, [one.node])
            ContractStore(self._engine, self._book).put_contracts(contracts.contracts)
            found.append(contracts)
        return found

    def orders(self) -> list[AppOrder]:
        """Return all orders by id."""
        with Session(self._engine) as session:
            rows = session.exec(select(AppOrderRow).order_by(AppOrderRow.id)).all()
            return [_ORDER.validate_json(row.content) for row in rows]

    def ordered(self, account: str | None, after: str, limit: int) -> list[Ordered]:
        """Return orders by id, from the one after an id; all customers' or one's."""
        query = select(AppOrderRow).where(col(AppOrderRow.id) > after)
        if account is not None:
            query = query.where(AppOrderRow.account == account)
        with Session(self._engine) as session:
            rows = session.exec(query.order_by(AppOrderRow.id).limit(limit)).all()
            return [
                Ordered(_ORDER.validate_json(row.content), row.resource, row.ordered_at)
                for row in rows
            ]

    def _put(self, session: Session, deployed: Deployed, catalogue: Catalogue) -> None:
        order = deployed.order
        known = session.get(AppOrderRow, order.id)
        if known:
            check_kept(_ORDER.validate_json(known.content), order)
            return
        live, node = _live(session, order, deployed.at), deployed.node.id
        check_order(Ask(order, catalogue, self._book, deployed.at, live, node, deployed.schedules))
        session.add(
            AppOrderRow(
                id=order.id,
                account=order.account,
                cluster=order.cluster,
                app_type=order.app_type,
                resource=deployed.node.id,
                ordered_at=deployed.at,
                content=_ORDER.dump_json(order).decode(),
            )
        )


def _live(session: Session, order: AppOrder, at: datetime) -> set[tuple[str, str]]:
    """Return the order's cluster and type if an application of it is under a contract."""
    others = (
        select(AppOrderRow.cluster, AppOrderRow.app_type)
        .join(ContractRow, col(ContractRow.resource) == col(AppOrderRow.resource))
        .where(AppOrderRow.cluster == order.cluster, ContractRow.ends_at > at)
    )
    return {(cluster, app_type) for cluster, app_type in session.exec(others)}
