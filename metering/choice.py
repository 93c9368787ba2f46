"""Which record of a call bills, and why the others do not: every record gets a verdict.

events -> span tree -> one per call -> one per window -> verdicts

Records of one call are told by their response id, else by the span tree, else by a window of time
and tokens. The choice depends on nothing but the records themselves.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from metering.event import SPAN_ID_BYTES, Quality, Role, Tokens, UsageEvent
from metering.tree import Node, repeated

GATEWAY_RANK = 9
"""Records up to this rank are a gateway's: they know whom to bill, whatever is told below them."""
ENGINE_RANK = 40
"""Records from this rank on are an engine's, which repeats what its caller tells."""
NO_OUTPUT = frozenset({"embeddings", "rerank"})
"""Operations that make no output tokens; such a call is never another kind's repetition."""

WINDOW_NS = 2_000_000_000
"""How far the starts, and the ends, of two records of one call may lie apart where nothing but
their time and their tokens tells that they are one."""


_NEIGHBOURS = 64
"""Records before and after one that are looked at for its pair: alike ones may be many."""


class Why(StrEnum):
    """Why a record bills, or does not."""

    BILLS = "it bills its call"
    CHOICE = "it is one of several choices of its call, whose outputs another record adds up"
    WITNESS = "it repeats other records: by what it is, or because a gateway of record is named"
    TREE = "the record of another call above or below it in its trace tells the same"
    CALL = "another record of its call goes first: known counts, then the lower rank"
    WINDOW = "another client's record tells of the same time, model and tokens"
    VOID = "a correction took it out, as if it had never been sent"
    CONFLICT = "another record came first under the same identity, with other content"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one record."""

    event: UsageEvent
    why: Why
    instead: bytes = b""
    """The identity of the record that bills instead, where one does."""

    @property
    def bills(self) -> bool:
        """Whether the record is the bill record of its call."""
        return self.why is Why.BILLS


def verdicts(events: Iterable[UsageEvent]) -> list[Verdict]:
    """Return what becomes of each record of different identities; order does not matter.

    A bill record of several choices carries the outputs of all of them.
    """
    listed = list(events)
    witnesses = _tree_witnesses(listed)
    found: list[Verdict] = []
    calls: dict[bytes, list[UsageEvent]] = defaultdict(list)
    for event in listed:
        if event.role is not Role.BILL:
            found.append(Verdict(event, Why.WITNESS))
        elif event.event_id in witnesses:
            found.append(Verdict(event, Why.TREE))
        else:
            calls[event.call_id].append(event)
    for records in calls.values():
        found += _verdicts_of_call(records)
    return _within_windows(found)


def _tree_witnesses(events: Sequence[UsageEvent]) -> set[bytes]:
    """Return the identities of records that tell again what another of their trace tells."""
    spans = {e.event_id for e in events if len(e.event_id) == SPAN_ID_BYTES}
    linked = {e.trace_id for e in events if e.trace_id + e.parent_span_id in spans}
    ordered = sorted(events, key=lambda e: e.event_id)
    members = [e for e in ordered if e.event_id in spans and e.trace_id in linked]
    return {members[i].event_id for i in repeated([_node(e) for e in members])}


def _node(event: UsageEvent) -> Node:
    operation = event.call.operation
    return Node(
        trace_id=event.trace_id,
        span_id=event.span_id,
        parent_span_id=event.parent_span_id,
        call=event.call_id,
        may_bill=event.role is Role.BILL,
        has_counts=event.tokens != Tokens(),
        kind=operation if operation in NO_OUTPUT else "",
        model=event.call.requested_model,
        is_gateway=event.rank <= GATEWAY_RANK,
        is_engine=event.rank >= ENGINE_RANK,
    )


def _verdicts_of_call(records: Sequence[UsageEvent]) -> list[Verdict]:
    """Judge the records of one call.

    A record with known counts goes before one without, then the lower rank, then the lower
    identity. Records of equal rank in different traces are different calls whatever id they
    share: an id that a client may choose must not make calls disappear.
    """
    ordered = sorted(records, key=lambda e: (*_rank(e), e.event_id))
    best = ordered[0]
    if best.is_choice:
        whole = _with_all_choices(best, records)
        others = [_outranked(e, best, Why.CHOICE if e.is_choice else Why.CALL) for e in ordered[1:]]
        return [Verdict(whole, Why.BILLS), *others]
    found: list[Verdict] = []
    traces: dict[bytes, UsageEvent] = {}
    for event in ordered:
        is_alike = _rank(event) == _rank(best) and not event.is_choice
        first = traces.setdefault(event.trace_id or event.event_id, event) if is_alike else best
        found.append(
            Verdict(event, Why.BILLS) if first is event else _outranked(event, first, Why.CALL)
        )
    return found


def _outranked(event: UsageEvent, by: UsageEvent, why: Why) -> Verdict:
    return Verdict(event, why, by.event_id)


def _rank(event: UsageEvent) -> tuple[bool, int]:
    return event.quality is Quality.UNKNOWN, event.rank


def _with_all_choices(best: UsageEvent, records: Iterable[UsageEvent]) -> UsageEvent:
    choices = [e.tokens for e in records if e.is_choice]
    tokens = replace(
        best.tokens,
        output=sum(t.output for t in choices),
        reasoning=sum(t.reasoning for t in choices),
    )
    return replace(best, tokens=tokens)


def _within_windows(found: Sequence[Verdict]) -> list[Verdict]:
    """Judge again the bill records that only their time and tokens tell to be one call."""
    groups: dict[object, list[Verdict]] = defaultdict(list)
    for verdict in found:
        if verdict.bills and verdict.event.tokens != Tokens():
            groups[_alike(verdict.event)].append(verdict)
    instead: dict[bytes, bytes] = {}
    for group in groups.values():
        if len({v.event.dialect for v in group}) > 1:
            instead |= _pairs([v.event for v in group])
    return [
        _outranked_by(v, instead[v.event.event_id]) if v.event.event_id in instead else v
        for v in found
    ]


def _outranked_by(verdict: Verdict, event_id: bytes) -> Verdict:
    return replace(verdict, why=Why.WINDOW, instead=event_id) if verdict.bills else verdict


def _alike(event: UsageEvent) -> object:
    """Return what two clients in one process tell alike of one call."""
    tokens, call = event.tokens, event.call
    service = (event.source.gateway, event.source.instance)
    kind = call.operation if call.operation in NO_OUTPUT else ""
    return service, call.requested_model, kind, tokens.total_input, tokens.total_output


def _pairs(events: Iterable[UsageEvent]) -> Mapping[bytes, bytes]:
    """Return which records are left out of a group, and for which other each is.

    Each record without a response id is paired with at most one of another client, the one that
    ended nearest to it; of a pair the better rank bills.
    """
    ordered = sorted(events, key=lambda e: (e.ended_at, e.event_id))
    taken: set[bytes] = set()
    instead: dict[bytes, bytes] = {}
    for at, event in enumerate(ordered):
        if event.call.response_id or event.event_id in taken:
            continue
        around = ordered[max(at - _NEIGHBOURS, 0) : at + _NEIGHBOURS]
        near = [o for o in around if o.event_id not in taken and _is_same_call(event, o)]
        if near:
            other = min(near, key=lambda o: (abs(o.ended_at - event.ended_at), o.event_id))
            best, rest = sorted((event, other), key=lambda e: (*_rank(e), e.event_id))
            instead[rest.event_id] = best.event_id
            taken |= {event.event_id, other.event_id}
    return instead


def _is_same_call(one: UsageEvent, other: UsageEvent) -> bool:
    """Whether another client's record lies in the window of a record."""
    return (
        one.dialect != other.dialect
        and abs(one.started_at - other.started_at) <= WINDOW_NS
        and abs(one.ended_at - other.ended_at) <= WINDOW_NS
        and one.started_at <= other.ended_at
        and other.started_at <= one.ended_at
    )
