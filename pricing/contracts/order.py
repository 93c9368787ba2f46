"""Orders of applications (AI应用), as the order form has them, and the contracts that they open."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from metering.identity import FOR_EVER
from metering.interval import Resource
from metering.period import Period
from pricing.contracts.contract import Contract, subscription_period
from pricing.contracts.schemes import (
    Hourly,
    KvCache,
    KvCacheHourly,
    KvCacheSubscription,
    Prepaid,
    Scheme,
    Subscription,
)
from pricing.prices.book import PriceBook


@dataclass(frozen=True, slots=True)
class OwnModel:
    """A model of the customer's own in object storage (自定义模型)."""

    bucket: str
    path: str
    name: str
    region: str
    """The bucket's region."""
    parameters: tuple[str, ...] = ()
    """Flags of the engine, as in ``--gpu-memory-utilization:0.85``."""

    @property
    def place(self) -> str:
        """Where it lies, in one text."""
        return f"{self.bucket}/{self.path}/{self.name}"


@dataclass(frozen=True, slots=True)
class AppOrder:
    """An application that is ordered for a cluster, as the order form has it.

    None means that the form's field was left alone: some may only be filled in with some modes.
    """

    id: str
    account: str
    cluster: str
    cluster_region: str
    region: str
    """It never changes after the purchase."""
    mode: Literal["subscription", "hourly"]
    spec: str
    app_type: str = "model-operator"
    cluster_form: str = "centralized"
    cluster_version: str = "16"
    engine: str = ""
    """For a model that is deployed with it."""
    model: str = ""
    """A preset model, deployed at once."""
    own_model: OwnModel | None = None
    kv_cache_gb: int | None = None
    """None: no KV-cache is ordered."""
    max_access: int | None = None
    """Of an own model (自有模型最大访问限制)."""
    quantity: int | None = None
    months: int | None = None
    auto_renew: bool | None = None
    window: str = ""
    """The schedule by which it is started and stopped (开启周期分时)."""
    pool: str = "dedicated"

    @property
    def is_subscription(self) -> bool:
        """Whether it is prepaid: 包年包月."""
        return self.mode == "subscription"

    @property
    def deploys(self) -> bool:
        """Whether a model is deployed with it."""
        return bool(self.model or self.own_model)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Flags of the engine, if an own model is deployed."""
        return self.own_model.parameters if self.own_model else ()


class Problem(NamedTuple):
    """Why an order cannot be taken, by field."""

    field: str
    sentence: str


class Opened(NamedTuple):
    """What an order comes to: contracts for its node and KV-cache, and what is to be noted."""

    contracts: tuple[Contract, ...]
    notices: tuple[str, ...]


def opened(order: AppOrder, node: Resource, at: datetime, book: PriceBook) -> Opened:
    """Return the contracts of an order for the node that was deployed for it.

    What is charged is the deployed specification: for an own model the form's has no effect
    (规格可随意选择,实际上并不生效), and the difference is noted.

    Raises:
        OrderError: a preset model's node was deployed otherwise than ordered.
    """
    differs = f"{node.spec} is deployed on {node.id}, {order.spec} was ordered"
    if node.spec != order.spec and not order.own_model:
        sentence = f"spec must be deployed as ordered, found that {differs}"
        raise OrderError(order.id, [Problem("spec", sentence)])
    schemes = [node_scheme(order, node.spec, book)]
    if order.kv_cache_gb is not None:
        schemes.append(cache_scheme(order, order.kv_cache_gb, book))
    contracts = tuple(
        _contract(order, node, scheme, _period(scheme, at, book)) for scheme in schemes
    )
    notices = [f"{differs}: the deployed one is charged"] if node.spec != order.spec else []
    return Opened(contracts, tuple(notices))


def node_scheme(order: AppOrder, spec: str, book: PriceBook) -> Scheme:
    """Return how the node is charged."""
    if not order.is_subscription:
        return Hourly(spec)
    months = order.months or 1
    return Subscription(spec, months, book.factor(months))


def cache_scheme(order: AppOrder, gb: int, book: PriceBook) -> Scheme:
    """Return how so many gigabytes of KV-cache are charged."""
    if not order.is_subscription:
        return KvCacheHourly(gb)
    months = order.months or 1
    return KvCacheSubscription(gb, months, book.factor(months))


def _contract(order: AppOrder, node: Resource, scheme: Scheme, period: Period) -> Contract:
    is_cache = isinstance(scheme, KvCache)
    return Contract(
        id=f"{order.id}-kv" if is_cache else order.id,
        account=order.account,
        scheme=scheme,
        region=order.region,
        pool=order.pool,
        period=period,
        resource=node.id,
        quantity=1 if is_cache else order.quantity or 1,
        auto_renew=order.auto_renew or False,
        window=order.window,
        own_model=order.own_model.place if order.own_model and not is_cache else "",
    )


def _period(scheme: Scheme, at: datetime, book: PriceBook) -> Period:
    ever = Period(at, FOR_EVER)
    return subscription_period(scheme, ever, book.zone) if isinstance(scheme, Prepaid) else ever


class OrderError(ValueError):
    """An order with problems, all of them."""

    def __init__(self, order: str, found: Sequence[Problem]) -> None:
        super().__init__(f"order {order!r}: {'; '.join(p.sentence for p in found)}")
        self.problems = tuple(found)
