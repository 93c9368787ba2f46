"""Put the calls of a body into its span tree: the nearest call above each, and who repeats whom.

The tree is climbed in compiled code; only traces in which a call stands above a call are looked at
node by node, by the reference pass.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from collector.batch import links
from collector.batch.classes import Class
from collector.batch.columns import Body, Plain
from collector.batch.keys import REASONING
from collector.dialect import dialects
from metering.event import Role, Tokens, UsageEvent, response_identity
from metering.tree import Node, repeated


def put_in_place(plain: Plain, odd: dict[int, tuple[UsageEvent, Class]], seed: int) -> None:
    """Set the parents and witnesses of a body's calls, those of odd records in ``odd`` itself."""
    body = plain.body
    ids = np.ascontiguousarray(body.rows.ids)
    up = links.parents_in_body(body.buf, ids, np.uint64(seed))
    is_call = np.zeros(len(up), bool)
    is_call[[*plain.rows.tolist(), *odd]] = True
    parents, above = links.call_parents(ids, up, is_call)
    plain.parents = parents[plain.rows]
    for row in odd:
        _move(odd, row, _slice(body, int(parents[row]), 8))
    if (above >= 0).any():
        _mark_witnesses(plain, odd, _rows_of_traces(body, np.flatnonzero(above >= 0)))


def _mark_witnesses(
    plain: Plain, odd: dict[int, tuple[UsageEvent, Class]], rows: list[int]
) -> None:
    witnesses = {rows[i] for i in repeated(_nodes(plain, odd, rows))}
    plain.is_witness |= np.isin(plain.rows, list(witnesses))
    for row in witnesses.intersection(odd):
        event, cls = odd[row]
        odd[row] = replace(event, role=Role.WITNESS), cls


def _rows_of_traces(body: Body, rows: Any) -> list[int]:
    """Return all rows of the traces that some rows belong to."""
    traces = {_slice(body, int(at), 16) for at in body.rows.ids[rows, 0]}
    starts = enumerate(body.rows.ids[:, 0].tolist())
    return [row for row, at in starts if _slice(body, at, 16) in traces]


def _nodes(
    plain: Plain, odd: dict[int, tuple[UsageEvent, Class]], rows: Iterable[int]
) -> list[Node]:
    places = {row: i for i, row in enumerate(plain.rows.tolist())}
    return [_node(plain, odd, row, places.get(row)) for row in rows]


def _node(
    plain: Plain, odd: dict[int, tuple[UsageEvent, Class]], row: int, place: int | None
) -> Node:
    body = plain.body
    trace, span, parent = (
        _slice(body, at, width)
        for at, width in zip(body.rows.ids[row].tolist(), (16, 8, 8), strict=True)
    )
    if place is not None:
        cls = plain.classes[plain.which[place]]
        event = cls.event
        assert event is not None
        response = _response(body, row, cls)
        call = response_identity(response) if response else trace + span
        has_counts = bool((body.rows.counts[row, : REASONING + 1] > 0).any())
        may_bill = event.role is Role.BILL
    elif row in odd:
        event, cls = odd[row]
        call, has_counts, may_bill = (
            event.call_id,
            event.tokens != Tokens(),
            event.role is Role.BILL,
        )
    else:
        return Node(trace, span, parent)
    operation = event.call.operation
    return Node(
        trace_id=trace,
        span_id=span,
        parent_span_id=parent,
        call=call,
        may_bill=may_bill,
        has_counts=has_counts,
        kind=operation if operation in dialects.NO_OUTPUT else "",
        model=event.call.requested_model,
        is_gateway=cls.is_gateway,
        is_engine=cls.is_engine,
    )


def _response(body: Body, row: int, cls: Class) -> str:
    start, stop = body.rows.starts[row, cls.response], body.rows.stops[row, cls.response]
    return body.raw[start:stop].decode() if stop > start else ""


def _move(odd: dict[int, tuple[UsageEvent, Class]], row: int, parent: bytes) -> None:
    event, cls = odd[row]
    odd[row] = replace(event, parent_span_id=parent), cls


def _slice(body: Body, at: int, width: int) -> bytes:
    return body.raw[at : at + width] if at >= 0 else b""
