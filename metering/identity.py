"""Bind raw identities to accounts, late: a wrong mapping is mended and re-rated, not lost."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from metering.period import Period, hour_of
from metering.rollup import RawKey

UNATTRIBUTED = "unattributed"
"""The account of usage that nobody is bound to. It is visible, and it is never billed."""

FOR_EVER = datetime.fromisoformat("9999-01-01T00:00:00+00:00")
"""The end of what has no end yet."""


class Kind(StrEnum):
    """What kind of raw identity a value is, the most specific first."""

    API_KEY = "api_key"
    PROJECT = "project"
    TENANT = "tenant"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class Identity:
    """One raw identity and the account that pays for it, for a period of whole hours."""

    kind: Kind
    value: str
    account: str
    project: str = ""
    valid: Period = Period(datetime.fromisoformat("1970-01-01T00:00:00+00:00"), FOR_EVER)  # noqa: RUF009 - frozen

    def __post_init__(self) -> None:
        if not self.value:
            raise EmptyIdentityError(self.kind)
        for instant in (self.valid.start, self.valid.end):
            if instant != hour_of(instant):
                raise WholeHourError(self.value, instant)


@dataclass(frozen=True, slots=True)
class Bound:
    """Who pays, and under which project the usage is shown."""

    account: str
    project: str


def bind(key: RawKey, identities: Iterable[Identity]) -> Bound:
    """Return who pays for usage under a raw key.

    The most specific kind of identity that matches wins: key, project, tenant, cluster.
    """
    matching = {i.kind: i for i in identities if _matches(i, key)}
    for kind in Kind:
        if kind in matching:
            identity = matching[kind]
            return Bound(identity.account, identity.project or key.project)
    return Bound(UNATTRIBUTED, key.project)


def check_unambiguous(identities: Iterable[Identity]) -> None:
    """Refuse two identities that claim the same value at the same time.

    Raises:
        AmbiguousIdentityError: two accounts would pay for the same usage.
    """
    known: dict[tuple[Kind, str], list[Identity]] = {}
    for identity in identities:
        claims = known.setdefault((identity.kind, identity.value), [])
        for other in claims:
            if other.valid.overlap(identity.valid):
                raise AmbiguousIdentityError(identity, other)
        claims.append(identity)


def _matches(identity: Identity, key: RawKey) -> bool:
    return getattr(key, identity.kind.value) == identity.value and identity.valid.holds(key.hour)


class EmptyIdentityError(ValueError):
    """An identity without a value would match everything."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(f"an identity of kind {kind} must have a value, found an empty one")


class WholeHourError(ValueError):
    """An identity that changes hands in mid-hour."""

    def __init__(self, value: str, instant: datetime) -> None:
        super().__init__(
            f"identity {value!r} must be valid from and to a whole hour, "
            f"found {instant.isoformat()}"
        )


class AmbiguousIdentityError(ValueError):
    """Two identities claim the same value at the same time."""

    def __init__(self, one: Identity, other: Identity) -> None:
        since = max(one.valid.start, other.valid.start).isoformat()
        super().__init__(
            f"{one.kind} {one.value!r} must be bound once at a time, found it bound to "
            f"{other.account!r} from {other.valid.start.isoformat()} and to {one.account!r} "
            f"from {one.valid.start.isoformat()}, both valid from {since}"
        )
