"""The SQL that lists single requests: newest first, each stored record once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from metering.event import Role
from metering.identity import UNATTRIBUTED, Identity, Kind
from metering.period import Period

FILTERS: dict[str, str] = {
    "tenant": "tenant",
    "project": "project",
    "api_key": "api_key",
    "cluster": "cluster",
    "resource": "resource",
    "pool": "pool",
    "model": "model",
    "operation": "operation",
    "outcome": "outcome",
    "quality": "quality",
    "provider": "provider",
    "tier": "tier",
    "spill_reason": "spill_reason",
    "service": "gateway",
}
"""What requests can be narrowed by -> the column that holds it."""

ARRIVED = """
SELECT 1 FROM events PREWHERE stored_at >= fromUnixTimestamp64Nano({since:Int64}, 'UTC')
    AND stored_at < fromUnixTimestamp64Nano({before:Int64}, 'UTC')
LIMIT 1
"""

_LIST = """
SELECT hex(event_id), event_key, toUnixTimestamp(toStartOfHour(ended_at)),
       toUnixTimestamp64Nano(ended_at)
FROM events PREWHERE ended_at >= fromUnixTimestamp64Nano({first:Int64}, 'UTC')
    AND ended_at <= fromUnixTimestamp64Nano({last:Int64}, 'UTC')
WHERE %s
ORDER BY ended_at DESC, event_id DESC LIMIT 1 BY ended_at, event_id LIMIT {limit:UInt32}
"""

_AFTER = """
    (ended_at, event_id) < (fromUnixTimestamp64Nano({at:Int64}, 'UTC'), unhex({id:String}))
"""

LAST_NS = 2**63 - 1_000_000_000
"""The last instant that the event store can hold, with a little room."""


class Roles(StrEnum):
    """Which records are listed."""

    BILL = "bill"
    WITNESS = "witness"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Listing:
    """Which requests are asked for."""

    period: Period
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    role: Role | None = Role.BILL
    """None for witnesses too."""
    accounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listed:
    """A stored record, by what it is found again."""

    event_id: bytes
    key: int
    hour: int
    """Seconds since 1970 UTC."""
    ended_at: int
    """Nanoseconds since 1970 UTC."""


def listing(
    asked: Listing, identities: Iterable[Identity], after: tuple[int, str] | None, limit: int
) -> tuple[str, dict[str, Any]]:
    """Return the query of a page and its parameters; ``after`` is where the last page ended."""
    parameters: dict[str, Any] = {"limit": limit}
    conditions = ["1"]
    first, end = (_nanoseconds(t.timestamp()) for t in (asked.period.start, asked.period.end))
    parameters |= {"first": first, "last": min(end, LAST_NS) - 1}
    if asked.role:
        conditions.append("role = {role:String}")
        parameters["role"] = asked.role.value
    for name, values in asked.where:
        conditions.append(f"{FILTERS[name]} IN {{{name}:Array(String)}}")
        parameters[name] = list(values)
    if asked.accounts:
        account, bound = _account(identities)
        conditions.append(f"{account} IN {{accounts:Array(String)}}")
        parameters |= bound | {"accounts": list(asked.accounts)}
    if after:
        conditions.append(_AFTER)
        parameters |= {"last": min(parameters["last"], after[0]), "at": after[0], "id": after[1]}
    return _LIST % " AND ".join(conditions), parameters


def _account(identities: Iterable[Identity]) -> tuple[str, dict[str, Any]]:
    """Return the expression of who pays for a record, as ``metering.identity.bind`` has it."""
    groups: dict[tuple[Kind, Period], list[Identity]] = {}
    for one in identities:
        groups.setdefault((one.kind, one.valid), []).append(one)
    cases: list[str] = []
    parameters: dict[str, Any] = {"nobody": UNATTRIBUTED}
    ordered = sorted(groups.items(), key=lambda g: (list(Kind).index(g[0][0]), g[0][1]))
    for number, ((kind, valid), some) in enumerate(ordered):
        cases.append(_case(kind, number))
        parameters |= _bounds(number, valid, some)
    return f"multiIf({''.join(cases)} 1, {{nobody:String}}, '')", parameters


def _case(kind: Kind, number: int) -> str:
    values, accounts = f"{{values{number}:Array(String)}}", f"{{accounts{number}:Array(String)}}"
    return (
        f"{kind.value} IN {values} AND ended_at >= "
        f"fromUnixTimestamp64Nano({{from{number}:Int64}}, 'UTC') AND ended_at < "
        f"fromUnixTimestamp64Nano({{to{number}:Int64}}, 'UTC'), "
        f"transform(toString({kind.value}), {values}, {accounts}, ''), "
    )


def _bounds(number: int, valid: Period, some: Sequence[Identity]) -> dict[str, Any]:
    return {
        f"values{number}": [one.value for one in some],
        f"accounts{number}": [one.account for one in some],
        f"from{number}": _nanoseconds(valid.start.timestamp()),
        f"to{number}": min(_nanoseconds(valid.end.timestamp()), LAST_NS),
    }


def _nanoseconds(seconds: float) -> int:
    """Return nanoseconds since 1970 UTC; asked instants have microseconds at most."""
    return round(seconds * 1_000_000) * 1000
