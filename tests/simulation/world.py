"""A made-up morning of calls, told by whoever saw them, and how the telling arrives.

seed -> calls -> records of each -> resends, contradictions, delays -> batches
     -> steps: batches, bindings, decisions, refreshes, lost refreshes

No two calls come to the same tokens, so that a window of time and tokens is never ambiguous; span
trees are two deep; an identity is contradicted at most once.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from random import Random

from simulation.told import (
    HOUR,
    SECOND,
    Bind,
    Bond,
    Decide,
    Decision,
    Refresh,
    Send,
    Step,
    Told,
    Withdraw,
)

START = 1_790_805_600_000
"""2026-09-30T22:00Z: two hours before a day and a month turn."""
HOURS = 4
TENANTS = ("acme", "borealis", "umbra", "nobody")
MODELS = ("qwen3", "glm-5")
OUTCOMES = ("ok", "ok", "ok", "aborted", "server_error", "throttled")
GATEWAY, CLIENT, FRAMEWORK, ENGINE = 0, 10, 30, 41
DIALECTS = {GATEWAY: "plugin", CLIENT: "otel", FRAMEWORK: "chain", ENGINE: "engine"}
FAR = 253_370_764_800_000
"""9999-01-01T00:00Z: the end of what has none."""


def world(seed: int, calls: int = 10) -> tuple[Step, ...]:
    """Return all that happens, in order; a seed gives the same world for ever."""
    rng = Random(seed)
    maker = _Maker(rng)
    records = [record for _ in range(rng.randint(1, calls)) for record in maker.call()]
    return (_first_bonds(rng), *_happenings(rng, maker, _batches(rng, maker, records)), Refresh())


class _Maker:
    """Makes calls whose names and counts were never used before."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self._made = 0

    def name(self, prefix: str, width: int) -> str:
        """Return a name never given before, in an order that has nothing to do with time."""
        self._made += 1
        return f"{prefix}{self.rng.randrange(10**5):05}{self._made:0{width - 6}}"

    def call(self) -> list[Told]:
        """Return the records of one call, or of a few that are easily taken for one."""
        shape: Callable[[_Maker, Told], list[Told]] = self.rng.choice(_SHAPES)
        return shape(self, self.truth())

    def truth(self) -> Told:
        """Return what truly happened, as one who saw it all would tell."""
        rng = self.rng
        ended = START + rng.randrange(HOURS) * HOUR + rng.randrange(HOUR)
        if rng.random() < 0.4:
            ended = START + rng.randint(1, HOURS) * HOUR + rng.randint(-3, 3) * SECOND
        model, tenant = rng.choice(MODELS), rng.choice(TENANTS)
        return Told(
            name=self.name("n", 16),
            started=ended - rng.randint(0, 20) * SECOND,
            ended=ended,
            tenant=tenant,
            project=rng.choice(("", "", "lab")),
            api_key=f"{tenant}-{rng.randint(1, 2)}",
            model=model,
            requested=model,
            outcome=rng.choice(OUTCOMES),
            provider=rng.choice(("", "", "openai")),
            tier=rng.choice(("", "", "batch")),
            spill=rng.choice(("", "", "queue full")),
            fresh=rng.randint(1, 10**7),
            cached=rng.choice((0, rng.randint(1, 999))),
            output=rng.randint(1, 10**7),
            reasoning=rng.choice((0, rng.randint(1, 999))),
        )

    def seen(self, truth: Told, rank: int, **said: str | bool) -> Told:
        """Return a record of its own of what one kind of sender saw."""
        return replace(truth, name=self.name("n", 16), rank=rank, dialect=DIALECTS[rank], **said)  # type: ignore[arg-type]

    def span_of(self, truth: Told, rank: int, trace: str = "", **said: str) -> Told:
        """Return the same as a span."""
        placed = {"trace": trace or self.name("t", 16), "span": self.name("s", 8)}
        return replace(self.seen(truth, rank, **said), is_span=True, **placed)

    def blurred(self, told: Told) -> Told:
        """Return a record that does not tell quite as well, or a little later, or the same."""
        rng = self.rng
        late = rng.choice((0, 0, 1, 2, 3)) * 700
        told = replace(told, started=told.started + late // 2, ended=told.ended + late)
        return rng.choice((_unknown, _estimated, _witness, _same, _same))(told)


def _alone(maker: _Maker, truth: Told) -> list[Told]:
    one = maker.seen(truth, maker.rng.choice((GATEWAY, CLIENT)))
    return [maker.rng.choice((one, maker.span_of(truth, CLIENT), maker.blurred(one)))]


def _one_response(maker: _Maker, truth: Told) -> list[Told]:
    """Everybody on the way names the response id."""
    response = maker.name("r", 16)
    ranks = maker.rng.sample(tuple(DIALECTS), maker.rng.randint(2, 4))
    makes = (maker.seen, maker.span_of)
    return [
        maker.blurred(maker.rng.choice(makes)(truth, rank, response=response)) for rank in ranks
    ]


def _one_id_for_two(maker: _Maker, truth: Told) -> list[Told]:
    """Two calls whose client gave both the same id, and maybe a third record of the first."""
    response, trace = maker.name("r", 16), maker.name("t", 16)
    first = maker.span_of(truth, CLIENT, trace, response=response)
    second = maker.span_of(maker.truth(), CLIENT, response=response)
    third = maker.span_of(truth, CLIENT, trace, response=response)
    return maker.rng.choice(([first, second], [first, third], [first, second, third]))


def _tree(maker: _Maker, truth: Told) -> list[Told]:
    """One span above others that tell the same, or parts of it."""
    rng = maker.rng
    above, below = rng.choice(
        ((GATEWAY, CLIENT), (GATEWAY, ENGINE), (CLIENT, ENGINE), (FRAMEWORK, CLIENT))
    )
    response = rng.choice(("", maker.name("r", 16)))
    top = maker.blurred(maker.span_of(truth, above, response=response))
    parts = [truth] if rng.random() < 0.6 else [_part(maker, truth) for _ in range(2)]
    place = {"trace": top.trace, "parent": top.span}
    named = [rng.choice(("", maker.name("r", 16), response)) for _ in parts]
    under = [
        maker.span_of(part, below, **place, response=name)
        for part, name in zip(parts, named, strict=True)
    ]
    return [top, *(maker.blurred(one) for one in under)]


def _part(maker: _Maker, truth: Told) -> Told:
    fresh, output = maker.rng.randint(1, 10**7), maker.rng.randint(1, 10**7)
    return replace(truth, fresh=fresh, output=output)


def _search_under_a_chat(maker: _Maker, truth: Told) -> list[Told]:
    chat = maker.span_of(truth, CLIENT)
    search = replace(maker.truth(), operation="embeddings", output=0, reasoning=0)
    return [chat, maker.span_of(search, ENGINE, chat.trace, parent=chat.span)]


def _choices(maker: _Maker, truth: Told) -> list[Told]:
    """An engine tells of each choice, and maybe a gateway of the whole."""
    response = maker.name("r", 16)
    whole = maker.seen(truth, GATEWAY, response=response)
    told = [
        replace(
            maker.seen(truth, ENGINE, response=response, is_choice=True),
            output=maker.rng.randint(1, 10**7),
        )
        for _ in range(maker.rng.randint(2, 4))
    ]
    return maker.rng.choice((told, [whole, *told], [_unknown(whole), *told]))


def _two_clients(maker: _Maker, truth: Told) -> list[Told]:
    """Nothing but time and tokens tells that both tell of one call."""
    chain = maker.span_of(truth, FRAMEWORK)
    response = maker.rng.choice(("", maker.name("r", 16)))
    apart = maker.rng.choice((0, 1_000, 2_000, 2_000, 2_001))
    client = maker.span_of(truth, CLIENT, response=response)
    return [chain, replace(client, started=client.started + apart, ended=client.ended + apart)]


def _log_of_a_span(maker: _Maker, truth: Told) -> list[Told]:
    """A record of its own names the span that tells of the same call."""
    span = maker.span_of(truth, CLIENT)
    return [span, maker.blurred(maker.seen(truth, GATEWAY, trace=span.trace, span=span.span))]


_SHAPES = (
    _alone,
    _one_response,
    _one_response,
    _one_id_for_two,
    _tree,
    _tree,
    _search_under_a_chat,
    _choices,
    _two_clients,
    _log_of_a_span,
)


def _unknown(told: Told) -> Told:
    zero = {"fresh": 0, "cached": 0, "output": 0, "reasoning": 0}
    return replace(told, input_quality="unknown", output_quality="unknown", **zero)  # type: ignore[arg-type]


def _estimated(told: Told) -> Told:
    return replace(told, output_quality="estimated")


def _witness(told: Told) -> Told:
    return replace(told, role="witness")


def _same(told: Told) -> Told:
    return told


def _batches(rng: Random, maker: _Maker, records: Sequence[Told]) -> Iterator[tuple[Told, ...]]:
    """Yield what is sent together: late, again, otherwise, in any order, or never."""
    sent = []
    for record in records:
        times = rng.choice((0, *[1] * 20, 2, 2, 3))
        sent += [record] * times
        if rng.random() < 0.12:
            sent += [_otherwise(rng, maker, record)] * rng.randint(1, 2)
    sent.sort(key=lambda told: told.ended + rng.choice((0, 1, 60, 7_200, 300_000)) * SECOND)
    while sent:
        size = rng.randint(1, 5)
        yield tuple(sent[:size])
        del sent[:size]


def _otherwise(rng: Random, maker: _Maker, told: Told) -> Told:
    """Return another record under the same identity."""
    change = rng.choice(("fresh", "tenant", "hour", "response"))
    if change == "hour":
        moved = rng.choice((-HOUR, HOUR, 2 * HOUR))
        return replace(told, started=told.started + moved, ended=told.ended + moved)
    if change == "response":
        return replace(told, response=maker.name("r", 16))
    if change == "tenant":
        return replace(told, tenant=f"{told.tenant}-2")
    return replace(told, fresh=rng.randint(1, 10**7))


def _first_bonds(rng: Random) -> Bind:
    """Bind tenants from a first hour on; one changes hands midway, and a key goes its own way."""
    midway = START + rng.randrange(HOURS) * HOUR
    bonds = [Bond("tenant", name, f"{name}-pays", 0, FAR) for name in TENANTS[:2]]
    if rng.random() < 0.5:
        bonds[0] = replace(bonds[0], end=midway)
        bonds.append(Bond("tenant", "acme", "heirs", midway, FAR))
    if rng.random() < 0.5:
        bonds.append(Bond("api_key", "acme-1", "own", 0, FAR))
    return Bind(tuple(bonds))


def _happenings(rng: Random, maker: _Maker, batches: Iterator[tuple[Told, ...]]) -> Iterator[Step]:
    """Yield the batches, and between them what people and clocks do."""
    sent: list[Told] = []
    made: list[str] = []
    for batch in batches:
        yield Send(batch)
        sent += batch
        if rng.random() < 0.3:
            yield Refresh(is_lost=rng.random() < 0.3)
        if rng.random() < 0.3:
            decision = _decision(rng, maker, sent)
            made.append(decision.id)
            yield Decide(decision)
        if made and rng.random() < 0.2:
            yield Withdraw(made.pop(rng.randrange(len(made))))
        if rng.random() < 0.05:
            yield Bind((Bond("tenant", rng.choice(TENANTS[2:]), rng.choice("xy"), 0, FAR),))


def _decision(rng: Random, maker: _Maker, sent: Sequence[Told]) -> Decision:
    of = rng.choice(sent)
    name = maker.name("d", 16)
    twice = [t for t in sent if any(o.identity == t.identity and o != t for o in sent)]
    if twice and rng.random() < 0.3:
        return Decision(name, "take", identity=rng.choice(twice).identity)
    targets: list[dict[str, object]] = [{"identity": of.identity}]
    if of.response:
        targets.append({"response": of.response})
    hour = of.ended - of.ended % HOUR
    where = rng.choice(((), (("tenant", of.tenant),), (("model", of.model),)))
    targets.append({"period": (hour, hour + rng.randint(1, 2) * HOUR), "where": where})
    target = rng.choice(targets)
    if rng.random() < 0.5:
        return Decision(name, "void", **target)  # type: ignore[arg-type]
    changes: list[tuple[str, str | int]] = [
        ("tenant", "borealis"), ("model", "glm-5"), ("outcome", "ok"), ("accept", 1),
        ("tier", "flex"), ("provider", "anthropic"),
    ]  # fmt: skip
    change = rng.choice([*changes, ("fresh", rng.randint(1, 10**7))])
    if change[0] == "fresh":
        target = targets[0]
    return Decision(name, "amend", **target, changes=(change,))  # type: ignore[arg-type]
