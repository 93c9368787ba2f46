"""The span tree inside one body: who called whom, and which records repeat the calls under them.

nodes of a body -> nearest call above each -> repeated calls (witnesses)

Every pass is a loop that visits a span a bounded number of times: bodies are hostile, and trees may
be circles, or as deep as a body is long.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Key = tuple[bytes, bytes]
"""A span's trace id and span id."""


@dataclass(frozen=True, slots=True)
class Node:
    """A span, and what its place in the tree depends on."""

    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes = b""
    call: bytes = b""
    """What all records of one call share; empty for a span that is about no call."""
    may_bill: bool = False
    has_counts: bool = False
    kind: str = ""
    """Calls of other kinds (a chat, an embedding) are never each other's repetition."""
    model: str = ""
    is_gateway: bool = False
    is_engine: bool = False

    @property
    def key(self) -> Key:
        """What children name it by."""
        return self.trace_id, self.span_id

    @property
    def parent(self) -> Key:
        """The key of the span above it."""
        return self.trace_id, self.parent_span_id


def call_parents(nodes: Sequence[Node]) -> list[bytes]:
    """Return for each span the nearest call above it, or the first ancestor outside the body.

    Spans of the body that are about no call (HTTP, tools) are skipped. Empty for a span above
    which there is none, and for one whose ancestors go round in a circle.
    """
    up = _parents(nodes)
    calls = _nearest_above(up, [bool(node.call) for node in nodes])
    tops = _nearest_above(up, [parent < 0 for parent in up])
    found = []
    for i, call in enumerate(calls):
        top = i if up[i] < 0 else tops[i]
        outside = nodes[top].parent_span_id if up[top] == _NOBODY else b""
        found.append(nodes[call].span_id if call != _NOBODY else outside)
    return found


def repeated(nodes: Sequence[Node]) -> set[int]:
    """Return the positions of the spans that tell again what another span of the body tells.

    Above and below a call with counts, of another call id and the same kind, there is:

    - an engine, below its caller: the engine repeats;
    - anything, below a gateway: what is below repeats, for the gateway knows whom it bills;
    - any other pair: what is above repeats, for it sums up what is below (agents, frameworks).

    A call without counts repeats too where all that is below it is one call of its model: then a
    framework did not see the usage that the client under it saw. Below another call without counts
    it repeats that: neither can be billed, and one of them is enough to say so.
    """
    up = _parents(nodes)
    below = _repeated_below(nodes, up)
    return below | _repeated_above(nodes, up, below)


def _repeated_below(nodes: Sequence[Node], up: Sequence[int]) -> set[int]:
    callers = _nearest_above(up, [_tells(n) and not n.is_engine for n in nodes])
    gateways = _nearest_above(up, [_tells(n) and n.is_gateway for n in nodes])
    quiet = _nearest_above(up, [n.may_bill and not n.has_counts for n in nodes])
    found: set[int] = set()
    for i, node in enumerate(nodes):
        told = [gateways[i], callers[i] if node.is_engine else _NOBODY]
        above = [nodes[a] for a in (told if node.has_counts else [quiet[i]]) if a != _NOBODY]
        if node.may_bill and any(_is_other(a, node) for a in above):
            found.add(i)
    return found


def _repeated_above(nodes: Sequence[Node], up: Sequence[int], below: set[int]) -> set[int]:
    calls_under = _calls_under(nodes, up, below)
    return {
        i
        for i, node in enumerate(nodes)
        if node.may_bill
        and not (node.is_gateway or node.is_engine)
        and _sums_up(node, calls_under[i].get(node.kind, {}))
    }


def _sums_up(node: Node, under: Mapping[bytes, str]) -> bool:
    if node.has_counts:
        return any(call != node.call for call in under)
    return list(under.values()) == [node.model] and node.call not in under


def _calls_under(
    nodes: Sequence[Node], up: Sequence[int], without: set[int]
) -> list[dict[str, dict[bytes, str]]]:
    """Return, for each node, calls with counts below it: by kind, up to two and their models.

    Two are enough to tell that one is another's. A climb ends where nothing new is told: above
    that the same is known, so that no span is visited more than twice for a kind.
    """
    under: list[dict[str, dict[bytes, str]]] = [{} for _ in nodes]
    for start, node in enumerate(nodes):
        above = up[start] if _tells(node) and start not in without else _NOBODY
        while above >= 0:
            known = under[above].setdefault(node.kind, {})
            if node.call in known or len(known) == _ENOUGH:
                break
            known[node.call] = node.model
            above = up[above]
    return under


def _tells(node: Node) -> bool:
    return node.may_bill and node.has_counts


def _is_other(above: Node, node: Node) -> bool:
    """Whether one of two records tells the other's call once more, though under another id."""
    is_alike = above.kind == node.kind and (node.has_counts or above.model == node.model)
    return is_alike and above.call != node.call


def _parents(nodes: Sequence[Node]) -> list[int]:
    """Return each span's parent by its position, where that is another span of the body.

    Spans that are each other's ancestors have none: nobody could say which of them to bill.
    """
    by_key = {node.key: i for i, node in enumerate(nodes)}
    up = [by_key.get(node.parent, _NOBODY) if node.parent_span_id else _NOBODY for node in nodes]
    walk = [_UNSEEN] * len(up)
    for start in range(len(up)):
        at = start
        while at >= 0 and walk[at] == _UNSEEN:
            walk[at] = start
            at = up[at]
        if at >= 0 and walk[at] == start:
            _cut(up, at)
    return up


def _cut(up: list[int], start: int) -> None:
    """Take the parents from all spans of a circle."""
    at = start
    while up[at] != _CIRCLE:
        above = up[at]
        up[at] = _CIRCLE
        at = above


def _nearest_above(up: Sequence[int], wanted: Sequence[bool]) -> list[int]:
    """Return for each node its nearest wanted ancestor."""
    found = [_UNSEEN] * len(up)
    for start in range(len(up)):
        path: list[int] = []
        at, answer = start, _NOBODY
        while found[at] == _UNSEEN:
            path.append(at)
            if up[at] < 0:
                break
            at = up[at]
            if wanted[at]:
                answer = at
                break
        else:
            answer = found[at]
        for i in path:
            found[i] = answer
    return found


_NOBODY = -1
_UNSEEN = -2
_CIRCLE = -3
_ENOUGH = 2
