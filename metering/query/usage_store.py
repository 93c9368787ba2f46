"""The SQL of questions about usage: the ledger sums, the same on SQLite and PostgreSQL.

Every answer is of one close run, so that pages and totals agree while usage goes on changing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Engine,
    Select,
    SQLColumnExpression,
    String,
    collate,
    column,
    func,
    literal,
    select,
    tuple_,
    values,
)
from sqlmodel import col

from metering.event import Outcome, Quality
from metering.period import HOUR as ONE_HOUR
from metering.period import Period, parse_instant
from metering.query.answer import FIGURES, Page, Row
from metering.query.page import CursorError
from metering.query.question import HOUR, START, Granularity, Key, Question, stretches
from metering.report import INPUT, OUTPUT, WRITTEN
from metering.rollup import REQUESTS
from metering.tables import CloseRow, Instant, StaleHourRow, UsageRow

_AT_ONCE = 20_000
"""Rows of a page where all are asked for."""
_STRETCHES_PER_STATEMENT = 5000

_INSTANTS = frozenset({START, HOUR})
_IS_CURRENT = col(UsageRow.superseded_by).is_(None)
_METER = col(UsageRow.meter)
_IS_FREE = col(UsageRow.outcome).not_in([o.value for o in Outcome if o.is_billable])
_COUNTED: Mapping[str, ColumnElement[bool]] = {
    "requests": _METER == REQUESTS,
    "requests_failed": (_METER == REQUESTS) & _IS_FREE,
    "requests_unknown": (
        (_METER == REQUESTS) & ~_IS_FREE & (col(UsageRow.quality) == Quality.UNKNOWN.value)
    ),
    "input_tokens": _METER.in_(sorted(INPUT)),
    "cached_tokens": _METER == "cached",
    "cache_write_tokens": _METER.in_(sorted(WRITTEN)),
    "output_tokens": _METER.in_(sorted(OUTPUT)),
    "reasoning_tokens": _METER == "reasoning",
}
"""What each figure adds up; ``metering.report`` says the same in Python."""


Answer = TypeVar("Answer")
Conditions = Sequence[ColumnElement[bool]]


class Wanted(NamedTuple):
    """Which rows of an answer."""

    run: int
    """The close run as whose usage they are."""
    after: tuple[str | int, ...] = ()
    """What a cursor says of the last row shown; empty from the first on."""
    limit: int = _AT_ONCE


class UsageStore:
    """Usage by any grouping. Safe to use from several threads."""

    def __init__(self, engine: Engine) -> None:
        """Ask a ledger."""
        self._engine = engine
        self._order = "C" if engine.dialect.name == "postgresql" else "BINARY"

    def last_run(self) -> int:
        """Return the newest close run; 0 before the first."""
        with self._engine.connect() as connection:
            return _newest_run(connection)

    def seen_before(self, run: int) -> int:
        """Return the stamp before which a close run saw every arrival."""
        stamp = select(col(CloseRow.stored_before)).where(col(CloseRow.id) == run)
        with self._engine.connect() as connection:
            return int(connection.scalar(stamp) or 0)

    def first_stale_hour(self) -> datetime | None:
        """Return the first hour that must be summed again because a binding changed."""
        with self._engine.connect() as connection:
            return connection.scalar(select(func.min(StaleHourRow.hour)))

    def page(self, question: Question, wanted: Wanted) -> Page:
        """Return some rows in order of their keys."""

        def rows(connection: Connection, revision: Conditions) -> list[Row]:
            found: list[Row] = []
            conditions = [*revision, *_asked(question)]
            for statement in self._statements(connection, question, wanted, conditions):
                missing = wanted.limit + 1 - len(found)
                found += map(
                    _row(len(question.columns)), connection.execute(statement.limit(missing))
                )
                if len(found) > wanted.limit:
                    break
            return found

        found = self._as_of(wanted.run, rows)
        return Page(found[: wanted.limit], wanted.run, has_more=len(found) > wanted.limit)

    def pages(self, question: Question, wanted: Wanted) -> Iterator[Page]:
        """Yield all rows from where a cursor stands, page by page."""
        while True:
            page = self.page(question, wanted)
            if not page.has_more:
                yield page
                return
            yield replace(page, has_more=False)
            wanted = wanted._replace(after=cursor_after(page.rows[-1].key))

    def totals(self, question: Question, run: int) -> tuple[int, ...]:
        """Return the figures of a whole question, as a close run left them."""
        statement = select(*_sums()).where(*_within(question), *_asked(question))

        def figures(connection: Connection, revision: Conditions) -> tuple[int, ...]:
            return tuple(map(int, connection.execute(statement.where(*revision)).one()))

        return self._as_of(run, figures)

    def _as_of(self, run: int, ask: Callable[[Connection, Conditions], Answer]) -> Answer:
        """Ask for rows as a close run left them.

        Of the newest run they are the current ones, which have an index of their own. That holds
        if no other run has ended when they have been read.
        """
        with self._engine.connect() as connection:
            if _newest_run(connection) == run:
                found = ask(connection, [_IS_CURRENT])
                if _newest_run(connection) == run:
                    return found
            was_current = _IS_CURRENT | (col(UsageRow.superseded_by) > run)
            return ask(connection, [was_current, col(UsageRow.run) <= run])

    def _statements(
        self,
        connection: Connection,
        question: Question,
        wanted: Wanted,
        conditions: Conditions,
    ) -> Iterator[Select[Any]]:
        """Yield statements whose rows, one after the other, are those that are wanted."""
        if question.granularity in {None, Granularity.HOUR}:
            statement = self._statement(question, wanted, col(UsageRow.hour))
            yield statement.where(*_within(question), *conditions)
            return
        held = _held(connection, question)
        if not held or not question.granularity:
            return
        for some in _chunks(stretches(held, question.granularity, question.zone)):
            stretch = _stretch_table(some, question.period)
            hour = col(UsageRow.hour)
            is_inside = (hour >= stretch.c.first) & (hour < stretch.c.end)
            statement = self._statement(question, wanted, stretch.c.start)
            yield statement.select_from(stretch).join(UsageRow, is_inside).where(*conditions)

    def _statement(
        self, question: Question, wanted: Wanted, start: SQLColumnExpression[Any]
    ) -> Select[Any]:
        """Return the sums by the key's columns, in the same order on every database."""
        keys = [start if n == START else col(getattr(UsageRow, n)) for n in question.columns]
        sums = select(*keys, *_sums()).group_by(*keys).having(func.count() > 0)
        order = [
            key if name in _INSTANTS else collate(key, self._order)
            for name, key in zip(question.columns, keys, strict=True)
        ]
        if wanted.after:
            sums = sums.where(tuple_(*order) > tuple_(*_bound(question, wanted.after)))
        return sums.order_by(*order)


def cursor_after(key: Key) -> tuple[str, ...]:
    """Return a key as a cursor carries it."""
    return tuple(v if isinstance(v, str) else v.isoformat() for v in key)


def _within(question: Question) -> list[ColumnElement[bool]]:
    return [col(UsageRow.hour) >= question.period.start, col(UsageRow.hour) < question.period.end]


def _newest_run(connection: Connection) -> int:
    return int(connection.scalar(select(func.max(CloseRow.id))) or 0)


def _asked(question: Question) -> list[ColumnElement[bool]]:
    """Return what a usage row must meet besides its hour and its revision."""
    named = [col(getattr(UsageRow, name)).in_(values) for name, values in question.where]
    return [col(UsageRow.quantity) != 0, *named]


def _sums() -> list[ColumnElement[int]]:
    quantity = col(UsageRow.quantity)
    return [
        func.coalesce(func.sum(quantity).filter(_COUNTED[name]), 0).label(name) for name in FIGURES
    ]


def _held(connection: Connection, question: Question) -> Period | None:
    """Return the part of a question's period that holds usage, None where there is none."""
    accounts = [values for name, values in question.where if name == "account"]
    within = [
        *_within(question),
        *(col(UsageRow.account).in_(some) for some in accounts),
    ]
    first, last = (
        connection.scalar(select(col(UsageRow.hour)).where(*within).order_by(order).limit(1))
        for order in (col(UsageRow.hour), col(UsageRow.hour).desc())
    )
    return Period(first, last + ONE_HOUR) if first and last else None


def _stretch_table(stretches_: Sequence[Period], period: Period) -> Any:
    """Return stretches as a table to join: when each starts, and which hours of a period it has.

    The period is cut here and not in a condition beside the join: else the database may look
    through all hours of the period for each stretch.
    """
    bounds = values(column(START, Instant), column("first", Instant), column("end", Instant))
    rows = [(s.start, max(s.start, period.start), min(s.end, period.end)) for s in stretches_]
    return bounds.data(rows).cte("stretch")


def _chunks(found: Iterator[Period]) -> Iterator[list[Period]]:
    """Cut a list of stretches into what one statement takes: databases limit its parameters."""
    while some := list(islice(found, _STRETCHES_PER_STATEMENT)):
        yield some


def _bound(question: Question, after: Sequence[str | int]) -> list[BindParameter[Any]]:
    """Return a cursor's key as parameters.

    Raises:
        CursorError: it is not the key of such a row.
    """
    if len(after) != len(question.columns):
        raise CursorError(str(after))
    return [
        literal(parse_instant(str(v)), Instant) if n in _INSTANTS else literal(str(v), String)
        for n, v in zip(question.columns, after, strict=True)
    ]


def _row(width: int) -> Any:
    """Return what makes a row of an answer out of one of the ledger's."""
    return lambda told: Row(tuple(told[:width]), tuple(map(int, told[width:])))
