"""What the simulation speaks of, in plain values: records, bindings, decisions, and steps."""

from dataclasses import dataclass, fields
from typing import NamedTuple

SECOND, HOUR = 1_000, 3_600_000
"""Times are whole milliseconds since 1970 UTC."""
BANDS = (2_000_000, 8_000_000)
"""Input tokens at which bands of requests begin."""
COUNTS = ("fresh", "cached", "output", "reasoning")


@dataclass(frozen=True, slots=True)
class Told:
    """One record of a call, as its sender tells it."""

    name: str
    """Its identity where it is no span: sixteen characters."""
    started: int
    ended: int
    is_span: bool = False
    trace: str = ""
    span: str = ""
    parent: str = ""
    response: str = ""
    tenant: str = ""
    project: str = ""
    api_key: str = ""
    model: str = "qwen3"
    requested: str = "qwen3"
    operation: str = "chat"
    provider: str = ""
    tier: str = ""
    spill: str = ""
    outcome: str = "ok"
    input_quality: str = "measured"
    output_quality: str = "measured"
    role: str = "bill"
    rank: int = 0
    dialect: str = ""
    is_choice: bool = False
    fresh: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0

    @property
    def identity(self) -> str:
        """What it is counted once by."""
        return self.trace + self.span if self.is_span else self.name


@dataclass(frozen=True, slots=True)
class Bond:
    """Who pays for a value of a kind, from one hour until another."""

    kind: str
    value: str
    account: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Decision:
    """A correction: of one identity, of one response id, or of what is alike in a period."""

    id: str
    kind: str
    identity: str = ""
    response: str = ""
    period: tuple[int, int] = (0, 0)
    where: tuple[tuple[str, str], ...] = ()
    changes: tuple[tuple[str, str | int], ...] = ()


class Line(NamedTuple):
    """What a quantity is of."""

    hour: int
    account: str
    model: str
    outcome: str
    quality: str
    meter: str
    provider: str
    tier: str
    spill: str
    band: str


@dataclass(frozen=True, slots=True)
class Send:
    """Records arrive together."""

    records: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class Bind:
    """Values are bound; one that starts with a known one replaces it."""

    bonds: tuple[Bond, ...]


@dataclass(frozen=True, slots=True)
class Decide:
    """Somebody corrects."""

    decision: Decision


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Somebody takes a correction back."""

    id: str


@dataclass(frozen=True, slots=True)
class Refresh:
    """Usage is brought up to date; unless the machine fails before it is kept."""

    is_lost: bool = False


Step = Send | Bind | Decide | Withdraw | Refresh

assert {f.name for f in fields(Told)} >= set(COUNTS)
