"""The constraints of the order form: all problems of an order are told at once.

order + catalogue + book + what is live -> problems, none if it can be taken
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import fields
from datetime import datetime
from typing import NamedTuple

from pricing.contracts.catalogue import Catalogue
from pricing.contracts.contract import schedules_said
from pricing.contracts.order import AppOrder, OrderError, Problem, cache_scheme, node_scheme
from pricing.contracts.schemes import KV_CACHE_GB, Scheme, rate_of
from pricing.prices.book import MissingPriceError, PriceBook


class Ask(NamedTuple):
    """An order and what it is checked against."""

    order: AppOrder
    catalogue: Catalogue
    book: PriceBook
    at: datetime
    live: Collection[tuple[str, str]] = ()
    """Cluster and type of the applications that there are."""
    node: str = ""
    """The node that was deployed for it."""
    schedules: Collection[str] | None = None
    """Names of the node's schedules; None where none can have been told of yet."""


class Check(NamedTuple):
    """One constraint of the order form."""

    field: str
    is_kept: Callable[[Ask], bool]
    required: Callable[[Ask], str]
    found: Callable[[Ask], object]


def problems(ask: Ask) -> list[Problem]:
    """Return everything that is wrong with an order, in the order of the form."""
    return [*_kept(ask, _FORM), *_kept(ask, _MODEL), *_kept(ask, _MODE), *_prices(ask)]


def check_order(ask: Ask) -> None:
    """Refuse an order that has any problem.

    Raises:
        OrderError: names every one.
    """
    found = problems(ask)
    if found:
        raise OrderError(ask.order.id, found)


def check_kept(old: AppOrder, new: AppOrder) -> None:
    """Refuse to rewrite an order: after the purchase not even its region can be changed (S35).

    Raises:
        OrderError: names every field that differs.
    """
    names = (f.name for f in fields(AppOrder))
    changed = [(n, getattr(old, n), getattr(new, n)) for n in names]
    found = [
        Problem(name, f"{name} must stay {was!r} after the purchase, found {is_now!r}")
        for name, was, is_now in changed
        if was != is_now
    ]
    if found:
        raise OrderError(new.id, found)


def _prices(ask: Ask) -> Iterator[Problem]:
    """Yield what the book does not price, where the region is one of its own."""
    order, book = ask.order, ask.book
    if not _is_known_region(ask):
        return
    wanted: list[tuple[str, Scheme]] = [("spec", node_scheme(order, order.spec, book))]
    if order.own_model:
        wanted = []  # the deployed specification is charged, whatever the form says
    if order.kv_cache_gb is not None:
        wanted.append(("kv_cache_gb", cache_scheme(order, order.kv_cache_gb, book)))
    for field, scheme in wanted:
        try:
            rate_of(scheme, order.region, book, ask.at)
        except MissingPriceError as missing:
            yield Problem(field, str(missing))


def _kept(ask: Ask, checks: Sequence[Check]) -> Iterator[Problem]:
    for check in checks:
        if not check.is_kept(ask):
            found = check.found(ask)
            sentence = f"{check.field} must {check.required(ask)}, found {found}"
            yield Problem(check.field, sentence)


def _one_of(field: str, offered: Callable[[Ask], Sequence[str]]) -> Check:
    """Return the check that a field is one of what is offered."""
    return Check(
        field,
        lambda ask: getattr(ask.order, field) in offered(ask),
        lambda ask: f"be one of {', '.join(offered(ask))}",
        lambda ask: repr(getattr(ask.order, field)),
    )


def _only(field: str, what: str, may: Callable[[AppOrder], bool]) -> Check:
    """Return the check that a field is left alone unless something is the case."""
    return Check(
        field,
        lambda ask: not getattr(ask.order, field) or may(ask.order),
        lambda _ask: f"be left alone unless {what}",
        lambda ask: repr(getattr(ask.order, field)),
    )


def _whole(field: str, allowed: Callable[[Ask], range]) -> Check:
    """Return the check that a number lies in a range, if it is given."""
    return Check(
        field,
        lambda ask: getattr(ask.order, field) is None or getattr(ask.order, field) in allowed(ask),
        lambda ask: f"be {allowed(ask)[0]} to {allowed(ask)[-1]}",
        lambda ask: getattr(ask.order, field),
    )


def _named(part: str) -> Check:
    """Return the check that a part of an own model's place is given."""
    return Check(
        f"own_model.{part}",
        lambda ask: not ask.order.own_model or bool(getattr(ask.order.own_model, part)),
        lambda _ask: "be named",
        lambda _ask: "nothing",
    )


def _windows(ask: Ask, schedules: Collection[str]) -> Collection[str]:
    """Return what a window may be as far as schedules go; a subscription may have none at all."""
    return ("", ask.order.window) if ask.order.is_subscription else ("", *schedules)


def _is_known_region(ask: Ask) -> bool:
    return ask.order.region in {r.id for r in ask.book.regions}


_FORM = (
    _one_of("region", lambda ask: [r.id for r in ask.book.regions]),
    Check(
        "region",
        lambda ask: ask.order.region == ask.order.cluster_region,
        lambda ask: f"be the region of its cluster {ask.order.cluster}, {ask.order.cluster_region}",
        lambda ask: repr(ask.order.region),
    ),
    _one_of("app_type", lambda ask: ask.catalogue.app_types),
    _one_of("cluster_form", lambda ask: ask.catalogue.cluster_forms),
    _one_of("cluster_version", lambda ask: ask.catalogue.cluster_versions),
    Check(
        "cluster",
        lambda ask: (ask.order.cluster, ask.order.app_type) not in ask.live,
        lambda ask: f"have no live application of type {ask.order.app_type} yet",
        lambda ask: f"one on {ask.order.cluster}",
    ),
)

_MODEL = (
    Check(
        "own_model",
        lambda ask: not (ask.order.model and ask.order.own_model),
        lambda _ask: "be given in place of a preset model",
        lambda ask: f"model {ask.order.model!r} too",
    ),
    Check(
        "model",
        lambda ask: ask.order.model in ("", *ask.catalogue.models),
        lambda ask: f"be one of {', '.join(ask.catalogue.models)}",
        lambda ask: repr(ask.order.model),
    ),
    Check(
        "engine",
        lambda ask: ask.order.engine in ask.catalogue.engines or not ask.order.deploys,
        lambda ask: f"be one of {', '.join(ask.catalogue.engines)}",
        lambda ask: repr(ask.order.engine),
    ),
    _only("engine", "a model is deployed", lambda order: order.deploys),
    _whole("kv_cache_gb", lambda _ask: KV_CACHE_GB),
    _only("kv_cache_gb", "a preset model is deployed", lambda order: bool(order.model)),
    _whole("max_access", lambda ask: ask.catalogue.max_access),
    _only("max_access", "an own model is deployed", lambda order: bool(order.own_model)),
    *(_named(part) for part in ("bucket", "path", "name")),
    Check(
        "own_model.region",
        lambda ask: not ask.order.own_model or ask.order.own_model.region == ask.order.region,
        lambda ask: f"be the application's region, {ask.order.region}",
        lambda ask: repr(ask.order.own_model and ask.order.own_model.region),
    ),
    Check(
        "own_model.parameters",
        lambda ask: all(p.startswith("--") for p in ask.order.parameters),
        lambda _ask: "begin with --, as in --gpu-memory-utilization:0.85",
        lambda ask: ", ".join(p for p in ask.order.parameters if not p.startswith("--")),
    ),
)

_MODE = (
    Check(
        "mode",
        lambda ask: not (ask.order.own_model and ask.order.is_subscription),
        lambda _ask: "be hourly for an own model",
        lambda ask: repr(ask.order.mode),
    ),
    Check(
        "months",
        lambda ask: not ask.order.is_subscription or (ask.order.months or 1) in ask.book.terms,
        lambda ask: f"be one of {', '.join(map(str, ask.book.terms))}",
        lambda ask: ask.order.months,
    ),
    _only("months", "it is a subscription", lambda order: order.is_subscription),
    _only("quantity", "it is a subscription", lambda order: order.is_subscription),
    _only("auto_renew", "it is a subscription", lambda order: order.is_subscription),
    Check(
        "quantity",
        lambda ask: ask.order.quantity is None or ask.order.quantity >= 1,
        lambda _ask: "be 1 or more",
        lambda ask: ask.order.quantity,
    ),
    _only("window", "it is hourly", lambda order: not order.is_subscription),
    Check(
        "window",
        lambda ask: ask.schedules is None or ask.order.window in _windows(ask, ask.schedules),
        lambda ask: f"be {schedules_said(ask.node, ask.schedules or ())}",
        lambda ask: repr(ask.order.window),
    ),
)
