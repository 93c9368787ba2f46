"""What gateways told of a period: their tokens, and what of their calls nobody could count."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from metering.event import TOKEN_CLASSES
from metering.reconcile.place import Place
from metering.usage import Usage

_OUTPUT = frozenset({"output", "reasoning"})
_INPUT = frozenset(TOKEN_CLASSES) - _OUTPUT


@dataclass(frozen=True, slots=True)
class Told:
    """Tokens of the bill records, whatever their outcome: what is free was worked for too."""

    input: int = 0
    output: int = 0
    cached: int = 0
    """Part of the input."""


@dataclass(frozen=True, slots=True)
class Calls:
    """What a gateway's calls tell beside their tokens: the evidence of what it could not count."""

    ok: int = 0
    """Calls that went well."""
    cut: int = 0
    """Given up by their client, or timed out: the engine may have gone on."""
    failed: int = 0
    """Failed behind the gateway."""
    uncounted: int = 0
    """Of the calls that went well: those without counts."""
    cut_uncounted: int = 0
    """Cut or failed, without counts, and not tried again."""
    retried: int = 0
    """Attempts without counts that a later attempt of their request followed."""
    retried_input: int = 0
    retried_output: int = 0
    """Tokens of the attempts that followed: the question was the same."""
    choices: int = 0
    """Choices beyond the first of each call with n > 1."""
    choices_input: int = 0
    """The prompts of these, which an engine counts for each choice."""
    missing: int = 0
    """Numbers that the producers of these calls gave and nobody received."""
    corrected_input: int = 0
    corrected_output: int = 0
    """What calls told that an operator voided or amended since."""


@dataclass(frozen=True, slots=True)
class Edge:
    """Calls of a gateway at one bound of a period, that an engine may count on its other side."""

    calls: int = 0
    before_input: int = 0
    before_output: int = 0
    """Ended before the bound, but after the engine's last sample before it."""
    across_input: int = 0
    across_output: int = 0
    """Ended after the bound, but began before that sample."""


def gateway_totals(usage: Iterable[Usage]) -> dict[Place, Told]:
    """Return the tokens of usage rows by pool and model.

    >>> gateway_totals([])
    {}
    """
    sums: dict[Place, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in usage:
        sums[Place(row.key.pool, row.key.model)][row.key.meter] += row.quantity
    return {
        place: Told(
            input=sum(meters[name] for name in _INPUT),
            output=sum(meters[name] for name in _OUTPUT),
            cached=meters["cached"],
        )
        for place, meters in sums.items()
    }
