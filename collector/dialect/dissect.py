"""Overlapping vendor counts -> disjoint token counts, each with its quality.

Clients report totals and details: the cached tokens are inside the input tokens, the reasoning
tokens inside the output tokens. Stored counts are disjoint, so that they may be added up.
"""

from dataclasses import dataclass, replace
from typing import Self

from metering.event import MAX_COUNT, Qualities, Quality, Tokens

_LONGEST = 40
"""Characters of a count written as text; longer ones are no counts, and slow or refused by int."""


@dataclass(frozen=True, slots=True)
class Reported:
    """Counts as a client reports them; None where it says nothing."""

    input: int | None = None
    output: int | None = None
    cached: int | None = None
    written: int | None = None
    written_5m: int | None = None
    written_1h: int | None = None
    reasoning: int | None = None
    total: int | None = None
    """Input and output together, until both are known to agree with it."""
    is_whole: bool = False
    """Whether the input is known to include its cached and written tokens."""
    is_output_whole: bool = False
    """The same for the output and its reasoning tokens."""
    is_totalled: bool = False
    """Whether a total was told that agrees with both."""
    is_untold: bool = False
    """Whether a total may leave out a detail that nothing tells, or that may be in it or beside."""

    @property
    def is_silent(self) -> bool:
        """Whether neither total is reported."""
        return self.input is None and self.output is None

    @property
    def input_details(self) -> int:
        """The cached and written tokens together, each counted once."""
        return (self.cached or 0) + sum(_by_lifetime(self))

    @property
    def exceeds_totals(self) -> bool:
        """Whether a detail is larger than the total that it should be a part of."""
        return (self.input is not None and self.input_details > self.input) or (
            self.output is not None and (self.reasoning or 0) > self.output
        )

    def with_beside(self, input_too: int, output_too: int) -> Self:
        """Return these counts with what was counted beside the totals put into them."""
        return replace(
            self,
            input=None if self.input is None else count_of(self.input + input_too),
            output=None if self.output is None else count_of(self.output + output_too),
        )

    def settled(self) -> Self:
        """Return these counts without their total, if details can be so placed that it is right.

        Some count reasoning beside the output (xAI, Gemini) or cached tokens beside the input:
        then only their sum with the total's other half gives the total. Where no placing or more
        than one does, the total stays, and tells that the counts are in doubt.
        """
        if self.total is None or self.input is None or self.output is None:
            return replace(self, total=None)
        inputs = {self.input, self.input + self.input_details}
        outputs = {self.output, self.output + (self.reasoning or 0)}
        fits = [(i, o) for i in inputs for o in outputs if i + o == self.total]
        if len(fits) != 1:
            return self
        [(whole_input, whole_output)] = fits
        return replace(
            self,
            input=whole_input,
            output=whole_output,
            total=None,
            is_totalled=True,
            is_whole=self.is_whole or whole_input != self.input,
            is_output_whole=self.is_output_whole or whole_output != self.output,
        )


def dissect(reported: Reported) -> tuple[Tokens, Qualities]:
    """Return the disjoint counts and their qualities.

    A detail that is larger than its total cannot be inside it: then the client reports totals
    that leave their details out (as Anthropic's own API does), and the counts are an estimate.

    >>> tokens, _ = dissect(Reported(input=2048, output=120, cached=1536))
    >>> tokens.fresh, tokens.cached, tokens.output
    (512, 1536, 120)
    """
    written_5m, written_1h = _by_lifetime(reported)
    fresh, fresh_quality = _rest(reported.input, reported.input_details)
    output, output_quality = _rest(reported.output, reported.reasoning or 0)
    tokens = Tokens(
        fresh=fresh,
        cached=reported.cached or 0,
        written_5m=written_5m,
        written_1h=written_1h,
        output=output,
        reasoning=reported.reasoning or 0,
    )
    return tokens, Qualities(
        fresh=fresh_quality,
        cached=_known(reported.cached),
        written_5m=_known_either(reported.written, reported.written_5m),
        written_1h=_known_either(reported.written, reported.written_1h),
        output=output_quality,
        reasoning=_known(reported.reasoning),
    )


def count_of(value: object) -> int | None:
    """Read one count; None where the value is no possible count: unknown is not zero.

    >>> count_of("12"), count_of(12.0), count_of(-1), count_of(True), count_of("many")
    (12, 12, None, None, None)
    """
    match value:
        case bool():
            return None
        case int():
            count = value
        case float() if value.is_integer():
            count = int(value)
        case str() if value.strip().isdecimal() and len(value) < _LONGEST:
            count = int(value)
        case _:
            return None
    return count if 0 <= count < MAX_COUNT else None


def _by_lifetime(reported: Reported) -> tuple[int, int]:
    """Split written tokens by cache lifetime; what nobody splits lives the default five minutes."""
    one_hour = reported.written_1h or 0
    if reported.written is None:
        return reported.written_5m or 0, one_hour
    return max(reported.written - one_hour, 0), one_hour


def _rest(total: int | None, details: int) -> tuple[int, Quality]:
    if total is None:
        return 0, Quality.UNKNOWN
    if details > total:
        return total, Quality.ESTIMATED
    return total - details, Quality.MEASURED


def _known_either(total: int | None, part: int | None) -> Quality:
    return _known(part if total is None else total)


def _known(count: int | None) -> Quality:
    return Quality.UNKNOWN if count is None else Quality.MEASURED
