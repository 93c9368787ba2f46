"""What was decided about records that were set aside: one decision each, kept for ever."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine
from sqlmodel import Session, select

from metering.corrections.entry import Fate
from metering.corrections.tables import SetAsideDecisionRow
from metering.store import exclusive


@dataclass(frozen=True, slots=True)
class Decision:
    """Who decided what about a record, and why."""

    key: int
    fate: Fate
    actor: str
    reason: str
    made_at: datetime


class DecisionStore:
    """Decisions about records set aside. One transaction per call."""

    def __init__(self, engine: Engine | Connection) -> None:
        """Work on an engine, or inside the transaction of a connection."""
        self._engine = engine

    def decide(self, decision: Decision, carry_out: Callable[[], None] = lambda: None) -> None:
        """Carry a decision out and keep it; keeping the same one again changes nothing.

        Nobody else decides meanwhile, and what is not kept was not carried out, unless the process
        was killed in between: then it is carried out again.

        Raises:
            DecidedError: something else was decided before.
        """
        with Session(self._engine) as session, session.begin():
            exclusive(session)
            known = session.get(SetAsideDecisionRow, f"{decision.key:016x}")
            if known and known.fate != decision.fate.value:
                raise DecidedError(known.key, known.fate)
            carry_out()
            if not known:
                session.add(
                    SetAsideDecisionRow(
                        key=f"{decision.key:016x}",
                        fate=decision.fate.value,
                        actor=decision.actor,
                        reason=decision.reason,
                        made_at=decision.made_at,
                    )
                )

    def decided(self) -> list[int]:
        """Return the keys of the records about which something is decided."""
        with Session(self._engine) as session:
            return [int(key, 16) for key in session.exec(select(SetAsideDecisionRow.key)).all()]


class DecidedError(ValueError):
    """A record about which the opposite was decided."""

    def __init__(self, key: str, fate: str) -> None:
        super().__init__(f"a record set aside is decided about once, found {key} {fate} already")
