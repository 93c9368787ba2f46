"""What an operator declares in one file: accounts, identities, nodes, their states, contracts.

Wire models here, domain values out; anything unclear is refused with the field's name.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from sqlalchemy import Engine

from metering.identity import FOR_EVER, UNATTRIBUTED, Identity, Kind
from metering.interval import Interval, Resource, ResourceKind, State
from metering.period import Period, as_utc, billing_zone, parse_instant
from metering.resources.inventory import MAX_HEARTBEAT_SECONDS
from metering.store import Account, MeterStore
from pricing.book import PriceBook
from pricing.contract import Contract, check_resources, subscription_period
from pricing.money import price_of
from pricing.schemes import Hourly, PerToken, Scheme, Subscription
from pricing.store import PriceStore


def _instant(value: Any) -> Any:
    """Accept text with a zone, and nothing that leaves the zone open; kept to the second."""
    instant = as_utc(value) if isinstance(value, datetime) else parse_instant(str(value))
    return instant.replace(microsecond=0)


def _factor(value: Any) -> Any:
    return value if isinstance(value, Decimal) else price_of(value)


Instant = Annotated[datetime, BeforeValidator(_instant)]
Factor = Annotated[Decimal, BeforeValidator(_factor)]
Zone = Annotated[str, AfterValidator(billing_zone)]
Id = Annotated[str, Field(min_length=1, max_length=200)]
AccountId = Annotated[str, Field(max_length=200, pattern=r"^[\w.:@-]+$")]
"""Letters, digits and ``_ . : @ -``: account ids stand in addresses and file names."""


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


_NOT_READ_BY = {
    "subscription": {"end", "size_class"},
    "hourly": {"size_class", "months", "discount"},
    "token": {"spec", "months", "discount"},
}
"""Fields that a mode of contract has no use for; to take them silently would mislead."""


def _not_reserved(value: str) -> str:
    if value == UNATTRIBUTED:
        raise ValueError(f"an account must not be called {UNATTRIBUTED!r}: that is usage of nobody")
    return value


class AccountDeclared(_Wire):
    """An account and the zone in which its months turn."""

    id: Annotated[AccountId, AfterValidator(_not_reserved)]
    name: str
    zone: Zone = "Asia/Shanghai"


class IdentityDeclared(_Wire):
    """A raw identity and who pays for it, from and to a whole hour."""

    kind: Kind
    value: Id
    account: Id
    project: str = ""
    valid_from: Instant = parse_instant("1970-01-01T00:00:00Z")
    valid_to: Instant = FOR_EVER

    def identity(self) -> Identity:
        """Return the domain value."""
        valid = Period(self.valid_from, self.valid_to)
        return Identity(self.kind, self.value, self.account, self.project, valid)


class StateDeclared(_Wire):
    """A state that a resource was in from one instant to another."""

    state: State
    start: Instant
    end: Instant = FOR_EVER


class ResourceDeclared(_Wire):
    """A node, KV-cache or endpoint, with the states it was in."""

    id: Id
    account: Id
    region: Id
    spec: Id
    name: str = ""
    kind: ResourceKind = ResourceKind.NODE
    heartbeat_seconds: Annotated[int, Field(ge=0, le=MAX_HEARTBEAT_SECONDS)] = 0
    states: tuple[StateDeclared, ...] = ()

    def resource(self) -> Resource:
        """Return the domain value."""
        return Resource(
            self.id,
            self.account,
            self.region,
            self.spec,
            self.name,
            self.kind,
            self.heartbeat_seconds,
        )

    def intervals(self) -> list[Interval]:
        """Return the states as domain values."""
        return [Interval(self.id, Period(s.start, s.end), s.state) for s in self.states]


class ContractDeclared(_Wire):
    """Terms for one node or pool."""

    id: Id
    account: Id
    mode: Literal["subscription", "hourly", "token"]
    region: Id
    pool: Id
    start: Instant
    end: Instant = FOR_EVER
    resource: str = ""
    spec: str = ""
    size_class: str = ""
    months: int = 1
    discount: Factor = Decimal(1)

    @model_validator(mode="after")
    def _only_what_the_mode_reads(self) -> Self:
        unread = self.model_fields_set & _NOT_READ_BY[self.mode]
        if unread:
            raise ValueError(
                f"a contract of mode {self.mode} must not have {', '.join(sorted(unread))}, "
                f"found {'them' if len(unread) > 1 else 'it'}: it would change nothing"
            )
        return self

    def contract(self, book: PriceBook) -> Contract:
        """Return the domain value; a subscription's end follows from its term."""
        period = Period(self.start, self.end)
        scheme: Scheme
        match self.mode:
            case "subscription":
                scheme = Subscription(self.spec, self.months, self.discount)
                period = subscription_period(scheme, period, book.zone)
            case "hourly":
                scheme = Hourly(self.spec)
            case "token":
                scheme = PerToken(self.size_class)
        return Contract(
            self.id, self.account, scheme, self.region, self.pool, period, self.resource
        )


class Setup(_Wire):
    """A whole declaration. Applying it twice changes nothing."""

    accounts: tuple[AccountDeclared, ...] = ()
    identities: tuple[IdentityDeclared, ...] = ()
    resources: tuple[ResourceDeclared, ...] = ()
    contracts: tuple[ContractDeclared, ...] = ()


def apply_setup(setup: Setup, engine: Engine, book: PriceBook) -> dict[str, int]:
    """Store what is declared and return how many of each; all of it, or nothing.

    Raises:
        ValueError, LookupError: what was wrong, in one sentence.
    """
    contracts = [c.contract(book) for c in setup.contracts]
    identities = [i.identity() for i in setup.identities]
    intervals = [i for r in setup.resources for i in r.intervals()]
    resources = [r.resource() for r in setup.resources]
    for resource in resources:
        book.region(resource.region)
    with engine.begin() as connection:
        meter, prices = MeterStore(connection), PriceStore(connection, book)
        meter.put_accounts(Account(a.id, a.name, a.zone) for a in setup.accounts)
        used = {i.account for i in identities} | {c.account for c in contracts}
        used |= {r.account for r in resources}
        for account in sorted(used - {a.id for a in meter.accounts()}):
            raise UndeclaredAccountError(account)
        meter.put_identities(identities)
        meter.put_resources(resources)
        check_resources(contracts, meter.resources())
        prices.put_contracts(contracts)
        meter.put_intervals(intervals)
    return {
        "accounts": len(setup.accounts),
        "identities": len(identities),
        "resources": len(resources),
        "states": len(intervals),
        "contracts": len(contracts),
    }


class UndeclaredAccountError(LookupError):
    """Something is declared for an account that nobody declared."""

    def __init__(self, account: str) -> None:
        super().__init__(f"an account must be declared under accounts, found {account!r} only used")
