"""Real clients' request bodies under tests/payloads, and how well their counts are read.

CLIENT/NNN.SIGNAL.pb is one request body as captured; expected.json says what was called in it (its
scenario) and the server's own counts (``true``); answered.json says how many requests of a scenario
the server answered, and to how many it sent usage.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from collector.dialect.normalise import usage_events
from collector.otlp import Encoding, Record, Signal, decode
from metering.event import Quality, UsageEvent
from metering.rollup import bill_records

PAYLOADS = Path(__file__).parent / "payloads"
CLIENTS = sorted(path.parent.name for path in PAYLOADS.glob("*/expected.json"))
BODIES = sorted(PAYLOADS.glob("*/*.pb"))

EARLY = ("cancel", "abandoned", "server_cut", "error_event")
"""In the names of scenarios whose stream ended before its usage."""


class Totals(NamedTuple):
    """What a bill would be made from."""

    input: int
    output: int
    cached: int
    written: int
    reasoning: int


class Verdict(NamedTuple):
    """How well a scenario is read, and why no better."""

    word: str
    reason: str = ""


EXACT = Verdict("exact")


@cache
def expected(client: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads((PAYLOADS / client / "expected.json").read_text())
    return found


@cache
def answered() -> dict[str, dict[str, dict[str, int]]]:
    found: dict[str, dict[str, dict[str, int]]] = json.loads(
        (PAYLOADS / "answered.json").read_text()
    )
    return found


def told_of(path: Path) -> dict[str, Any]:
    return expected(path.parent.name)[path.name]


def bodies_of(client: str, signal: str = "traces", scenario: str = "") -> list[Path]:
    return [
        path
        for path in BODIES
        if path.parent.name == client
        and f".{signal}." in path.name
        and scenario in {"", told_of(path)["label"]}
    ]


@cache
def records_of(path: Path) -> list[Record]:
    signal = Signal.LOGS if ".logs." in path.name else Signal.TRACES
    return decode(path.read_bytes(), signal, Encoding.PROTOBUF)


@cache
def _events_of(path: Path) -> list[UsageEvent]:
    events, rejected = usage_events(records_of(path))
    assert rejected == []
    return events


def events_of(paths: list[Path]) -> list[UsageEvent]:
    """Return the usage events of request bodies; captures hold nothing to reject."""
    return [event for path in paths for event in _events_of(path)]


def totals(events: list[UsageEvent]) -> Totals:
    """Return the sums of the records that bill."""
    tokens = [event.tokens for event in bill_records(events)]
    return Totals(
        input=sum(t.total_input for t in tokens),
        output=sum(t.total_output for t in tokens),
        cached=sum(t.cached for t in tokens),
        written=sum(t.written_5m + t.written_1h for t in tokens),
        reasoning=sum(t.reasoning for t in tokens),
    )


def scenarios() -> list[tuple[str, str]]:
    """Return every (client, scenario) whose truth is known."""
    told = {(c, e["label"]) for c in CLIENTS for e in expected(c).values() if "true" in e}
    asked = {(c, scenario) for c, found in answered().items() for scenario in found}
    return sorted(told | {pair for pair in asked if _was_answered(*pair)})


def truth(client: str, scenario: str) -> Totals:
    counts = next(
        (e["true"] for e in expected(client).values() if e["label"] == scenario and "true" in e),
        {"prompt": 0, "completion": 0, "cached": 0, "cache_write": 0, "reasoning": 0},
    )
    names = ("prompt", "completion", "cached", "cache_write", "reasoning")
    return Totals(*(counts[name] for name in names))


def verdict(client: str, scenario: str, signal: str = "traces") -> Verdict:
    """Return how well the records of a scenario tell what the server counted."""
    events = events_of(bodies_of(client, signal, scenario))
    billing = bill_records(events)
    calls = _calls(client, scenario)
    if not calls:
        return _verdict_on_failure(billing)
    if not billing:
        seen = "a record that cannot bill" if events else "no record of a model call"
        return Verdict("invisible", f"the client sent {seen}")
    if len(billing) < calls:
        said = f"nothing tells that {calls - len(billing)} of {calls} calls sent no record"
        return Verdict("partly invisible", said)
    qualities = {event.quality for event in billing}
    caveats = ", ".join(sorted({str(event.caveat) for event in billing if event.caveat}))
    if Quality.UNKNOWN in qualities:
        return Verdict("unknown", f"{caveats}: {_why_unknown(client, scenario)}")
    if Quality.ESTIMATED in qualities:
        return Verdict(
            "estimated", f"{caveats}: {totals(billing)[:2]} for true {truth(client, scenario)[:2]}"
        )
    return _verdict_on_counts(client, scenario, billing)


def _verdict_on_counts(client: str, scenario: str, billing: list[UsageEvent]) -> Verdict:
    got, true = totals(billing), truth(client, scenario)
    wrong = [name for name in Totals._fields if getattr(got, name) != getattr(true, name)]
    untold = [name for name in wrong if name in QUALITY_OF and _is_untold(name, billing)]
    if len(billing) > _calls(client, scenario) or set(wrong) - set(untold):
        return Verdict("wrong", f"{got} of {len(billing)} calls for true {true}")
    return (
        Verdict("detail unknown", f"the client leaves out {', '.join(untold)}") if untold else EXACT
    )


def _is_untold(name: str, billing: list[UsageEvent]) -> bool:
    qualities = {getattr(event.qualities, QUALITY_OF[name]) for event in billing}
    return Quality.UNKNOWN in qualities


def _verdict_on_failure(billing: list[UsageEvent]) -> Verdict:
    if any(event.call.outcome.is_billable for event in billing):
        known = any(event.quality is not Quality.UNKNOWN for event in billing)
        return Verdict("wrong" if known else "unknown", "the client does not tell that it failed")
    return EXACT if len(billing) <= 1 else Verdict("wrong", "one failed call is told as several")


def _why_unknown(client: str, scenario: str) -> str:
    if any(word in scenario for word in EARLY):
        return "the stream ended before its usage"
    if not answered()[client][scenario]["with_usage"]:
        return "the server sent no usage"
    return "the client leaves out what the server sent"


def _calls(client: str, scenario: str) -> int:
    told = [e for e in expected(client).values() if e["label"] == scenario and "true" in e]
    if told:
        return int(told[0]["requests_ok"])
    return answered()[client][scenario]["answered"]


def _was_answered(client: str, scenario: str) -> bool:
    return answered()[client][scenario]["answered"] > 0


QUALITY_OF = {"cached": "cached", "written": "written_5m", "reasoning": "reasoning"}
"""Detail -> the quality that tells whether it was told."""
