"""Why a count is not plainly measured, and what that makes of its quality.

Some reasons lie in the record itself, the others in its counts.
"""

from collections.abc import Iterable
from dataclasses import fields, replace
from enum import StrEnum

from collector.dialect import aliases
from collector.dialect.dialects import NO_OUTPUT, Dialect, Proof
from collector.dialect.dissect import Reported, count_of
from collector.dialect.reading import Attributes, first, is_true, number, text
from collector.dialect.usage_object import Object, at, has, object_of
from collector.otlp import Record
from metering.event import Call, Outcome, Qualities, Quality, Tokens

ANSWER_END = "stop_reason"
"""Where an Anthropic answer tells why it stopped: null until it has."""


class Caveat(StrEnum):
    """The fixed words; the first that holds is told."""

    SAMPLED = "sampled"
    """Other calls of this client left no record, so that this one must not bill alone."""
    NO_COUNTS = "no counts"
    GUESSED = "guessed"
    """The client counts streams itself where it sees no usage, and this may be one."""
    CUT_SHORT = "cut short"
    """The client left early: what it saw last may be less than what was made."""
    EXCESS = "detail exceeds total"
    DISAGREEMENT = "totals disagree"
    UNTOLD = "details untold"
    """The provider counts a detail beside its total, and nothing tells where the client has it."""
    NO_INPUT = "no input count"
    NO_OUTPUT = "no output count"
    NONE = ""


def caveat_of(record: Record, dialect: Dialect, call: Call, answer: Object) -> Caveat:
    """Return the caveat that lies in a record, whatever its counts."""
    if is_sampled(record):
        return Caveat.SAMPLED
    proof = dialect.stream_proof if call.operation not in NO_OUTPUT else None
    if proof is not None and _may_be_guessed(record, proof):
        return Caveat.GUESSED
    sees_the_end = dialect.is_engine or dialect.is_gateway
    return Caveat.NONE if sees_the_end or _is_whole(record, call, answer) else Caveat.CUT_SHORT


def caveat_in_counts(reported: Reported, tokens: Tokens, call: Call) -> Caveat:
    """Return the caveat that lies in the counts of a record.

    Two zeros on a call that went well mean that nobody counted, and so does a lone zero before
    an answer: nothing is made out of nothing.
    """
    nobody_counted = not tokens.total_input and not tokens.total_output and call.outcome.is_billable
    if reported.is_silent or nobody_counted:
        return Caveat.NO_COUNTS
    if reported.input is None or (tokens.total_output and not tokens.total_input):
        return Caveat.NO_INPUT
    if reported.output is None:
        return Caveat.NO_OUTPUT
    if reported.exceeds_totals:
        return Caveat.EXCESS
    if reported.total is not None:
        return Caveat.DISAGREEMENT
    return Caveat.UNTOLD if reported.is_untold else Caveat.NONE


def weakened(qualities: Qualities, caveat: Caveat) -> Qualities:
    """Return what qualities are worth under a caveat."""
    if caveat is Caveat.NO_INPUT:
        return replace(qualities, fresh=Quality.UNKNOWN)
    worth = _WORTH.get(caveat, {})
    known = {f.name: getattr(qualities, f.name) for f in fields(Qualities)}
    return Qualities(**{name: worth.get(quality, quality) for name, quality in known.items()})


def foremost(caveats: Iterable[Caveat]) -> Caveat:
    """Return the caveat to tell, of several: the first in the order of ``Caveat``."""
    return min(caveats, key=_ORDER.index, default=Caveat.NONE)


def is_sampled(record: Record) -> bool:
    """Whether a record says that only a share of its kind is sent.

    The W3C flags do not help: they are set on what is kept, whatever was dropped, and most SDKs
    leave them out.
    """
    return _thins_out(record.trace_state) or any(
        _is_thinned(attributes) for attributes in (record.attributes, record.resource)
    )


def _is_whole(record: Record, call: Call, answer: Object) -> bool:
    """Whether a client saw the answer's end: a stream that it left tells no reason to finish.

    Anthropic tells the input first and the output as it grows, so that what is told of a broken
    stream looks whole; its answers say themselves why they stopped.
    """
    if call.outcome in {Outcome.ABORTED, Outcome.TIMEOUT}:
        return False
    if has(answer, ANSWER_END) and at(answer, ANSWER_END) is None:
        return False
    return not call.stream or bool(first(record.attributes, aliases.FINISH_REASONS))


def _may_be_guessed(record: Record, proof: Proof) -> bool:
    """Whether a record may tell of a stream whose counts are the client's own.

    The log record of a stream is written when its span has ended, and so has none.
    """
    said = first(record.attributes, aliases.STREAM)
    if said is None and record.is_log:
        return not record.span_id
    if said is not None and not is_true(record.attributes, aliases.STREAM):
        return False
    return not _is_proven(record.attributes, proof)


def _is_proven(attributes: Attributes, proof: Proof) -> bool:
    told = [attributes[name] for name in proof.attributes if attributes.get(name) is not None]
    if any(count_of(value) for value in told) if proof.is_count else told:
        return True
    objects = [object_of(attributes.get(n)) for n in aliases.USAGE_OBJECTS if proof.object_paths]
    return any(has(found, path) for found in objects for path in proof.object_paths)


def _is_thinned(attributes: Attributes) -> bool:
    rates = [number(attributes.get(name)) for name in aliases.KEPT_RATES]
    percents = [number(attributes.get(name)) for name in aliases.KEPT_PERCENT]
    return (
        any(rate not in {None, 0, 1} for rate in rates)
        or any(percent is not None and 0 < percent < 100 for percent in percents)
        or _is_threshold(str(first(attributes, aliases.REJECTION_THRESHOLD) or ""))
        or _is_thinning_sampler(attributes)
    )


def _is_thinning_sampler(attributes: Attributes) -> bool:
    kind = text(attributes, aliases.SAMPLER).lower()
    if kind == "probabilistic":
        return number(first(attributes, aliases.SAMPLER_PARAM)) != 1
    return kind in _THINNING_SAMPLERS


def _thins_out(trace_state: str) -> bool:
    """Whether a tracestate's ``ot`` member tells of dropped traces: a threshold, or a power of 2.

    >>> _thins_out("vendor=x,ot=th:c;rv:1"), _thins_out("ot=p:3"), _thins_out("ot=th:0")
    (True, True, False)
    """
    members = (member.strip() for member in trace_state.split(","))
    told = next((m.removeprefix("ot=") for m in members if m.startswith("ot=")), "")
    parts = dict(part.split(":", 1) for part in told.split(";") if ":" in part)
    return _is_threshold(parts.get("th", "")) or parts.get("p", "0") != "0"


def _is_threshold(digits: str) -> bool:
    """Whether a hexadecimal threshold drops anything; its trailing zeros may be left out."""
    return bool(digits.strip("0"))


_ORDER = list(Caveat)
_WORTH: dict[Caveat, dict[Quality, Quality]] = {
    **dict.fromkeys((Caveat.SAMPLED, Caveat.NO_COUNTS), dict.fromkeys(Quality, Quality.UNKNOWN)),
    **{
        caveat: {Quality.MEASURED: Quality.ESTIMATED}
        for caveat in (Caveat.GUESSED, Caveat.CUT_SHORT, Caveat.DISAGREEMENT, Caveat.UNTOLD)
    },
}
"""What a caveat makes of a quality; ``detail exceeds total`` shows in the qualities already."""
_THINNING_SAMPLERS = frozenset({"adaptive", "lowerbound", "ratelimiting"})
"""Jaeger's; ``const`` keeps all or nothing, and ``remote`` stands for another of them."""
