"""Who does something about money, why, and when: it stays on record."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Signed:
    """A decision's author, reason and instant."""

    actor: str
    reason: str
    at: datetime

    def __post_init__(self) -> None:
        if not self.actor.strip() or not self.reason.strip():
            raise UnsignedError(self.actor, self.reason)


class UnsignedError(ValueError):
    """A decision that nobody stands for."""

    def __init__(self, actor: str, reason: str) -> None:
        super().__init__(f"a decision must have an actor and a reason, found {actor!r}, {reason!r}")
