"""The naive answer: what usage a world comes to, by loops over everything that was ever told.

It shares no code with the service, and may be slow. It relies on what a world promises: span trees
are two deep, an identity has two contents at most, and no three records are alike in a window.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from simulation.told import (
    BANDS,
    COUNTS,
    HOUR,
    SECOND,
    Bind,
    Bond,
    Decide,
    Decision,
    Line,
    Send,
    Step,
    Told,
    Withdraw,
)

_DOUBT = ("unknown", "estimated", "accepted", "measured")
_KINDS = ("api_key", "project", "tenant")


@dataclass
class Heard:
    """All that is known after some steps."""

    contents: dict[str, list[Told]] = field(default_factory=dict)
    """Identity -> what was told under it, each content once, in order of arrival."""
    bonds: dict[tuple[str, str, int], Bond] = field(default_factory=dict)
    decisions: dict[str, tuple[Decision, dict[str, Told]]] = field(default_factory=dict)
    """With the identities that each is about, and what contradicted the first record of it then."""


def answer(steps: Iterable[Step]) -> dict[Line, int]:
    """Return the usage that a perfect observer would state after some steps."""
    heard = listened(steps)
    found: Counter[Line] = Counter()
    for told in billing([told for told in map(_after_decisions(heard), heard.contents) if told]):
        hour = told.ended - told.ended % HOUR
        account = _account(told, hour, heard.bonds.values())
        counts = {"requests": 1} | {name: getattr(told, name) for name in COUNTS}
        for meter, count in counts.items():
            line = Line(hour, account, told.model, told.outcome, _quality(told), meter,
                        told.provider, told.tier, told.spill, _band(told))  # fmt: skip
            found[line] += count
    return {line: count for line, count in found.items() if count}


def listened(steps: Iterable[Step]) -> Heard:
    """Return what is known after some steps."""
    heard = Heard()
    for step in steps:
        match step:
            case Send(records):
                for told in records:
                    contents = heard.contents.setdefault(told.identity, [])
                    if told not in contents:
                        contents.append(told)
            case Bind(bonds):
                heard.bonds |= {(b.kind, b.value, b.start): b for b in bonds}
            case Decide(decision):
                heard.decisions[decision.id] = decision, marked(decision, heard)
            case Withdraw(name):
                del heard.decisions[name]
            case _:
                pass
    return heard


def marked(decision: Decision, heard: Heard) -> dict[str, Told]:
    """Return the identities that a decision is about: something told under them is as it asks."""
    return {
        identity: contents[-1]
        for identity, contents in heard.contents.items()
        if any(_is_meant(decision, told) for told in contents)
    }


def _is_meant(decision: Decision, told: Told) -> bool:
    if decision.identity:
        return told.identity == decision.identity
    if decision.response:
        return told.response == decision.response
    start, end = decision.period
    return start <= told.ended < end and all(getattr(told, n) == v for n, v in decision.where)


def _after_decisions(heard: Heard) -> Any:
    def after(identity: str) -> Told | None:
        told = heard.contents[identity][0]
        for decision, about in heard.decisions.values():
            if identity not in about:
                continue
            if decision.kind == "void":
                return None
            if decision.kind == "take":
                told = about[identity]
            for name, value in decision.changes:
                told = _amended(told, name, value)
        return told

    return after


def _amended(told: Told, name: str, value: str | int) -> Told:
    if name == "accept":
        qualities = {
            n: "accepted"
            for n in ("input_quality", "output_quality")
            if getattr(told, n) != "measured"
        }
        return replace(told, **qualities)  # type: ignore[arg-type]
    if name == "fresh":
        return replace(told, fresh=int(value), input_quality="accepted")
    return replace(told, **{name: value})  # type: ignore[arg-type]


def billing(present: Sequence[Told]) -> list[Told]:
    """Return the records that bill, out of one of each identity."""
    may = [told for told in present if told.role == "bill"]
    left = [told for told in may if not _is_told_in_its_tree(told, may)]
    found: list[Told] = []
    for call in {_call(told) for told in left}:
        found += _of_one_call([told for told in left if _call(told) == call])
    return _without_second_clients(found)


def _call(told: Told) -> str:
    if told.response:
        return f"response {told.response}"
    return f"span {told.trace}{told.span}" if told.trace and told.span else told.identity


def _has_counts(told: Told) -> bool:
    return any(getattr(told, name) for name in COUNTS)


def _is_told_in_its_tree(told: Told, everything: Sequence[Told]) -> bool:
    if not told.is_span:
        return False
    spans = [o for o in everything if o.is_span and o.trace == told.trace and _is_alike(o, told)]
    above = [o for o in spans if o.span == told.parent]
    if any(_is_repeated_below(told, o) for o in above):
        return True
    under = [o for o in spans if o.parent == told.span and _has_counts(o)]
    under = [o for o in under if not _is_repeated_below(o, told)]
    if told.rank <= 9 or told.rank >= 40:
        return False
    if _has_counts(told):
        return any(_call(o) != _call(told) for o in under)
    calls = {_call(o) for o in under}
    return len(calls) == 1 and _call(told) not in calls and under[0].requested == told.requested


def _is_alike(one: Told, other: Told) -> bool:
    return (one.operation == "embeddings") == (other.operation == "embeddings")


def _is_repeated_below(told: Told, above: Told) -> bool:
    """Whether what is above a record tells its call better."""
    if _call(told) == _call(above) or _has_counts(told) != _has_counts(above):
        return False
    if not _has_counts(told):
        return told.requested == above.requested
    return above.rank <= 9 or (told.rank >= 40 and above.rank < 40)


def _of_one_call(records: Sequence[Told]) -> list[Told]:
    ordered = sorted(records, key=_goodness)
    best = ordered[0]
    if best.is_choice:
        choices = [told for told in records if told.is_choice]
        output, reasoning = sum(t.output for t in choices), sum(t.reasoning for t in choices)
        return [replace(best, output=output, reasoning=reasoning)]
    as_good = [t for t in ordered if _goodness(t)[:2] == _goodness(best)[:2] and not t.is_choice]
    found: list[Told] = []
    for told in as_good:
        if not told.trace or told.trace not in {other.trace for other in found}:
            found.append(told)
    return found


def _goodness(told: Told) -> tuple[bool, int, str]:
    return _quality(told) == "unknown", told.rank, told.identity


def _quality(told: Told) -> str:
    return min(told.input_quality, told.output_quality, key=_DOUBT.index)


def _band(told: Told) -> str:
    reached = [bound for bound in BANDS if told.fresh + told.cached >= bound]
    return str(reached[-1]) if reached else "0"


def _without_second_clients(bills: Sequence[Told]) -> list[Told]:
    """Leave out the worse of each two that only their time and tokens tell to be one call."""
    alike: dict[object, list[Told]] = defaultdict(list)
    for told in bills:
        if _has_counts(told):
            totals = told.fresh + told.cached, told.output + told.reasoning
            alike[totals, told.requested, told.operation == "embeddings"].append(told)
    gone = set()
    for group in alike.values():
        if len({told.dialect for told in group}) > 1:
            assert len(group) == 2, f"a world must have no three alike, found {group}"
            if _is_one_call(*group):
                gone.add(max(group, key=_goodness).identity)
    return [told for told in bills if told.identity not in gone]


def _is_one_call(one: Told, other: Told) -> bool:
    return (
        not (one.response and other.response)
        and abs(one.started - other.started) <= 2 * SECOND
        and abs(one.ended - other.ended) <= 2 * SECOND
        and one.started <= other.ended
        and other.started <= one.ended
    )


def _account(told: Told, hour: int, bonds: Iterable[Bond]) -> str:
    for kind in _KINDS:
        for bond in bonds:
            is_its = bond.kind == kind and bond.value == getattr(told, kind)
            if is_its and bond.start <= hour < bond.end:
                return bond.account
    return "unattributed"
