"""Contracts as an operator declares them: only what a mode reads, each with its reason."""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from metering.identity import FOR_EVER
from metering.period import Period
from pricing.contracts.contract import Contract, subscription_period
from pricing.contracts.schemes import (
    Hourly,
    KvCacheHourly,
    KvCacheSubscription,
    PerModelToken,
    PerToken,
    Prepaid,
    Scheme,
    Subscription,
)
from pricing.contracts.terms import ANY_TOKENS, Discount, Included, Terms
from pricing.prices.book import PriceBook
from tallystick.declared import Exact, Id, Instant, Wire, unfit

_NOT_READ_BY = {
    "subscription": {"end", "size_class", "window", "factors"},
    "hourly": {"size_class", "months", "discount", "auto_renew", "cash_paid", "factors"},
    "token": {
        "spec", "kv_cache_gb", "quantity", "months", "discount", "auto_renew", "cash_paid",
        "window",
    },
}  # fmt: skip
"""Fields that a mode of contract has no use for; to take them silently would mislead."""

Quantity = Annotated[int, Field(ge=1)]


class IncludedDeclared(Wire):
    """Usage that is free each month."""

    quantity: Annotated[int, Field(ge=0)]
    meter: str = ANY_TOKENS


class DiscountDeclared(Wire):
    """A percentage or an amount taken off every month."""

    name: Id
    percent: Exact = Decimal(0)
    amount: Exact = Decimal(0)
    scope: tuple[str, ...] = ()


class TermsDeclared(Wire):
    """What is agreed on beside the book's prices."""

    included: tuple[IncludedDeclared, ...] = ()
    usage_discount: Exact = Decimal(0)
    minimum: Exact | None = None
    maximum: Exact | None = None
    discounts: tuple[DiscountDeclared, ...] = ()

    def terms(self) -> Terms:
        """Return the domain value."""
        return Terms(
            included=tuple(Included(i.quantity, i.meter) for i in self.included),
            usage_discount=self.usage_discount,
            minimum=self.minimum,
            maximum=self.maximum,
            discounts=tuple(Discount(d.name, d.percent, d.amount, d.scope) for d in self.discounts),
        )


class ContractDeclared(Wire):
    """Terms for one node, KV-cache or pool."""

    id: Id
    account: Id
    mode: Literal["subscription", "hourly", "token"]
    region: Id
    pool: Id
    start: Instant
    end: Instant = FOR_EVER
    resource: str = ""
    spec: str = ""
    kv_cache_gb: int | None = None
    size_class: str = ""
    quantity: Quantity = 1
    months: int = 1
    discount: Exact | None = None
    auto_renew: bool = False
    cash_paid: Exact | None = None
    window: str = ""
    own_model: str = ""
    factors: dict[str, Exact] = Field(default_factory=dict)
    terms: TermsDeclared = TermsDeclared()

    @model_validator(mode="after")
    def _only_what_the_mode_reads(self) -> Self:
        unread = self.model_fields_set & _NOT_READ_BY[self.mode]
        if unread:
            raise unfit(
                f"a contract of mode {self.mode} must not have {', '.join(sorted(unread))}, "
                f"found {'them' if len(unread) > 1 else 'it'}: it would change nothing",
                *sorted(unread),
            )
        if self.mode != "token" and bool(self.spec) == (self.kv_cache_gb is not None):
            found = "both" if self.spec else "neither"
            raise unfit(
                f"a contract of mode {self.mode} must have either spec or kv_cache_gb, "
                f"found {found}",
                "spec",
                "kv_cache_gb",
            )
        return self

    def contract(self, book: PriceBook) -> Contract:
        """Return the domain value; a subscription's end follows from its term."""
        scheme, period = self._scheme(book), Period(self.start, self.end)
        if isinstance(scheme, Prepaid):
            period = subscription_period(scheme, period, book.zone)
        return Contract(
            id=self.id,
            account=self.account,
            scheme=scheme,
            region=self.region,
            pool=self.pool,
            period=period,
            resource=self.resource,
            quantity=self.quantity,
            terms=self.terms.terms(),
            auto_renew=self.auto_renew,
            window=self.window,
            own_model=self.own_model,
            factors=self.factors,
            cash_paid=self.cash_paid,
        )

    def _scheme(self, book: PriceBook) -> Scheme:
        """Return how it is charged; a term's discount is the book's, unless it is agreed."""
        factor = book.factor(self.months) if self.discount is None else self.discount
        match self.mode, self.kv_cache_gb:
            case "subscription", None:
                return Subscription(self.spec, self.months, factor)
            case "subscription", int(gb):
                return KvCacheSubscription(gb, self.months, factor)
            case "hourly", None:
                return Hourly(self.spec)
            case "hourly", int(gb):
                return KvCacheHourly(gb)
            case _:
                return PerToken(self.size_class) if self.size_class else PerModelToken()
