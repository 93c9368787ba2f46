"""Changes of contracts as an operator asks for them: what a kind of change reads, and no more."""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, NamedTuple, Self

from pydantic import Field, model_validator

from metering.period import hour_from
from pricing.contracts import change
from pricing.contracts.contract import Contract
from pricing.contracts.renewal import renew, renew_to_day
from pricing.contracts.schemes import PerModelToken, PerToken
from pricing.contracts.turn import Change
from pricing.prices.book import PriceBook
from tallystick.declared import Instant, Wire, unfit

Text = Annotated[str, Field(min_length=1, max_length=1000)]


class ChangeKind(StrEnum):
    """What becomes of a contract."""

    UPGRADE = "upgrade"
    DOWNGRADE = "downgrade"
    RESIZE = "resize"
    TO_HOURLY = "to-hourly"
    TO_SUBSCRIPTION = "to-subscription"
    TO_TOKENS = "to-tokens"
    END = "end"
    RENEW = "renew"
    RENEW_TO_DAY = "renew-to-day"


class ChangeAsked(Wire):
    """A change of one contract."""

    kind: ChangeKind
    at: Instant | None = None
    """Now where it is left out."""
    next_hour: bool = False
    """Change it on the first whole hour from then on: tokens begin and end on such a one."""
    spec: str | None = None
    """The other node; of a contract per token, the one that it becomes charged by the time of."""
    kv_cache_gb: int | None = None
    months: Annotated[int | None, Field(ge=1, le=36)] = None
    size_class: str | None = None
    """None, for a change to tokens: each model has its own price."""
    day: Annotated[int | None, Field(ge=1, le=28)] = None
    """The unified day of expiry."""
    actor: Text = "operator"
    reason: Text
    dry_run: bool = False
    """Only say what it would come to."""

    @model_validator(mode="after")
    def _only_what_the_kind_reads(self) -> Self:
        told = {name for name in _FIELDS if getattr(self, name) is not None}
        rule = _KINDS[self.kind]
        for name in sorted(rule.needs - told):
            raise unfit(f"a change of kind {self.kind} must have {name}, found none", name)
        for name in sorted(told - rule.needs - rule.may):
            raise unfit(
                f"a change of kind {self.kind} must not have {name}, found it: it changes nothing",
                name,
            )
        return self

    def change(self, contract: Contract, now: datetime, book: PriceBook) -> Change:
        """Return what it comes to.

        Raises:
            ValueError, LookupError: the contract cannot be changed so.
        """
        at = self.at or now.replace(microsecond=0)
        if self.next_hour:
            at = hour_from(at)
        return _KINDS[self.kind].made(self, contract, at, book)


class _Rule(NamedTuple):
    made: Callable[[ChangeAsked, Contract, datetime, PriceBook], Change]
    needs: frozenset[str] = frozenset()
    may: frozenset[str] = frozenset()


def _to_tokens(asked: ChangeAsked, contract: Contract, at: datetime, book: PriceBook) -> Change:
    scheme = PerToken(asked.size_class) if asked.size_class else PerModelToken()
    return change.to_tokens(contract, scheme, at, book)


_FIELDS = ("spec", "kv_cache_gb", "months", "size_class", "day")
_KINDS: Mapping[ChangeKind, _Rule] = {
    ChangeKind.UPGRADE: _Rule(
        lambda asked, old, at, book: change.upgrade(old, asked.spec or "", at, book),
        frozenset({"spec"}),
    ),
    ChangeKind.DOWNGRADE: _Rule(
        lambda asked, old, at, book: change.downgrade(old, asked.spec or "", at, book),
        frozenset({"spec"}),
    ),
    ChangeKind.RESIZE: _Rule(
        lambda asked, old, at, book: change.resize_kv_cache(old, asked.kv_cache_gb or 0, at, book),
        frozenset({"kv_cache_gb"}),
    ),
    ChangeKind.TO_HOURLY: _Rule(
        lambda asked, old, at, book: change.to_hourly(old, at, book, asked.spec or ""),
        may=frozenset({"spec"}),
    ),
    ChangeKind.TO_SUBSCRIPTION: _Rule(
        lambda asked, old, at, book: change.to_subscription(
            old, at, asked.months or 0, book, asked.spec or ""
        ),
        frozenset({"months"}),
        may=frozenset({"spec"}),
    ),
    ChangeKind.TO_TOKENS: _Rule(_to_tokens, may=frozenset({"size_class"})),
    ChangeKind.END: _Rule(lambda _asked, old, at, book: change.end_early(old, at, book)),
    ChangeKind.RENEW: _Rule(
        lambda asked, old, at, book: renew(old, asked.months or 0, at, book),
        frozenset({"months"}),
    ),
    ChangeKind.RENEW_TO_DAY: _Rule(
        lambda asked, old, at, book: renew_to_day(old, asked.day or 0, at, book),
        frozenset({"day"}),
    ),
}
