"""The money half of the ledger: price books, contracts, bills and their lines."""

import json
from collections.abc import Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import assert_never

from sqlalchemy import Connection, Engine
from sqlmodel import Session, col, delete, select

from metering.period import Period
from metering.store import exclusive
from pricing.bill import Bill
from pricing.book import PriceBook, parse_book
from pricing.contract import Contract, check_contract, check_disjoint, check_unchanged
from pricing.focus import COLUMNS, cell
from pricing.schemes import Hourly, PerToken, Scheme, Subscription
from pricing.tables import BillRow, BookRow, ContractRow, LineRow


def shipped_book(name: str) -> PriceBook:
    """Return a book that comes with the product.

    Raises:
        UnknownBookError: there is none of this name.
    """
    folder = files("pricing") / "books"
    if name not in {entry.name for entry in folder.iterdir() if entry.is_dir()}:
        raise UnknownBookError(name, sorted(e.name for e in folder.iterdir() if e.is_dir()))
    return book_in(folder / name)


def book_in(folder: Traversable) -> PriceBook:
    """Read the book in a folder: ``book.yaml`` and the tables beside it."""
    texts = {
        entry.name: entry.read_text("utf-8")
        for entry in folder.iterdir()
        if entry.is_file() and entry.name.endswith((".yaml", ".csv"))
    }
    return parse_book(texts)


class PriceStore:
    """Contracts, bills and lines in the ledger. One transaction per call."""

    def __init__(self, engine: Engine | Connection, book: PriceBook) -> None:
        """Work on an engine, or inside the transaction of a connection."""
        self._engine = engine
        self.book = book

    def put_contracts(self, contracts: Sequence[Contract]) -> None:
        """Add contracts; of a known one only the end may change.

        Raises:
            OverlappingContractsError, MissingPriceError, ContractError: nothing changed.
        """
        for contract in contracts:
            check_contract(contract, self.book)
        with Session(self._engine) as session, session.begin():
            exclusive(session)
            for contract in contracts:
                known = session.get(ContractRow, contract.id)
                if known:
                    check_unchanged(_contract(known), contract)
                session.merge(_contract_row(contract))
            session.flush()
            rows = session.exec(select(ContractRow)).all()
            check_disjoint(_contract(r) for r in sorted(rows, key=lambda r: r.id))

    def contracts(self) -> list[Contract]:
        """Return all contracts by id."""
        with Session(self._engine) as session:
            rows = session.exec(select(ContractRow).order_by(ContractRow.id)).all()
            return [_contract(r) for r in rows]

    def put_bill(self, bill: Bill) -> None:
        """Store a draft in place of the month's former draft, with the book it was rated by."""
        with Session(self._engine) as session, session.begin():
            exclusive(session)
            session.merge(
                BookRow(digest=self.book.digest, name=self.book.name, content=self.book.canonical())
            )
            session.flush()
            session.merge(_bill_row(bill))
            session.flush()
            session.exec(delete(LineRow).where(col(LineRow.bill) == bill.id))
            session.add_all(_line_rows(bill))


def _bill_row(bill: Bill) -> BillRow:
    return BillRow(
        id=bill.id,
        account=bill.account,
        month_start=bill.month.start,
        month_end=bill.month.end,
        state=bill.state,
        currency=bill.currency,
        payable=bill.payable,
        service_to=bill.cutoffs.service_to,
        stored_before=bill.cutoffs.stored_before,
        usage_run=bill.cutoffs.usage_run,
        book_hash=bill.book_hash,
        result_hash=bill.result_hash,
    )


def _line_rows(bill: Bill) -> list[LineRow]:
    names = [c.name for c in COLUMNS["1.2"]]
    return [
        LineRow(
            bill=bill.id,
            number=number,
            line_id=line["x_LineId"],
            billed_cost=line["BilledCost"],
            cells=json.dumps(
                {n: cell(line[n]) for n in names if line[n] is not None}, ensure_ascii=False
            ),
        )
        for number, line in enumerate(bill.lines)
    ]


def _contract_row(contract: Contract) -> ContractRow:
    scheme = contract.scheme
    terms = Subscription(spec="")
    match scheme:
        case Subscription():
            mode, sku, terms = "subscription", scheme.spec, scheme
        case Hourly():
            mode, sku = "hourly", scheme.spec
        case PerToken():
            mode, sku = "token", scheme.size_class
        case _:
            assert_never(scheme)
    return ContractRow(
        id=contract.id,
        account=contract.account,
        mode=mode,
        region=contract.region,
        pool=contract.pool,
        resource=contract.resource,
        sku=sku,
        months=terms.months,
        discount=terms.discount,
        starts_at=contract.period.start,
        ends_at=contract.period.end,
    )


def _contract(row: ContractRow) -> Contract:
    schemes: dict[str, Scheme] = {
        "subscription": Subscription(row.sku, row.months, row.discount),
        "hourly": Hourly(row.sku),
        "token": PerToken(row.sku),
    }
    return Contract(
        id=row.id,
        account=row.account,
        scheme=schemes[row.mode],
        region=row.region,
        pool=row.pool,
        period=Period(row.starts_at, row.ends_at),
        resource=row.resource,
    )


class UnknownBookError(LookupError):
    """No book of this name comes with the product."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"the price book must be one of {', '.join(known)}, found {name!r}")
