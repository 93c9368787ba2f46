"""What providers count beside their totals, and clients may have left there.

reported counts -> habits of the provider and of the client -> all details inside, or a doubt
"""

from dataclasses import replace

from collector.dialect.dialects import (
    CACHE_BESIDE,
    NO_OUTPUT,
    REASONING_BESIDE,
    Counting,
    Dialect,
)
from collector.dialect.dissect import Reported
from metering.event import Call


def with_all_inside(reported: Reported, dialect: Dialect, call: Call) -> Reported:
    """Return counts whose totals include their details; untold where nobody knows whether they do.

    A client that copies the provider's totals tells less than all where it tells no detail.
    """
    if call.operation in NO_OUTPUT:
        return reported
    model = call.model or call.requested_model
    is_open = reported.input is not None and not reported.is_whole
    if is_open and CACHE_BESIDE.is_of(call.provider, model):
        reported = _inputs(reported, dialect.input)
    is_open = reported.output is not None and not reported.is_output_whole
    if is_open and REASONING_BESIDE.is_of(call.provider, model):
        reported = _outputs(reported, dialect.output)
    return reported


def _inputs(reported: Reported, counting: Counting) -> Reported:
    details = reported.input_details
    if counting is Counting.NATIVE and details:
        is_untold = reported.cached is None
        return replace(reported.with_beside(details, 0), is_untold=is_untold)
    is_doubtful = reported.cached is None or bool(details)
    return replace(reported, is_untold=counting is not Counting.WHOLE and is_doubtful)


def _outputs(reported: Reported, counting: Counting) -> Reported:
    """As the input; but where a total was told, it agrees, and it is the provider's own."""
    details = reported.reasoning or 0
    if counting is Counting.NATIVE and details:
        return reported.with_beside(0, details)
    is_doubtful = bool(details) or (reported.reasoning is None and not reported.is_totalled)
    is_untold = counting is not Counting.WHOLE and is_doubtful
    return replace(reported, is_untold=reported.is_untold or is_untold)
