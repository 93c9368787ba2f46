"""Read a bundle back: the files become what a bill was rated from."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from metering.band import Bands
from metering.event import Outcome, Quality
from metering.identity import Identity
from metering.period import Period, parse_instant
from metering.usage import UsageKey
from pricing.bills.part import Before, Cutoffs, Line
from pricing.bills.stored_row import read_amounts, read_key, read_row
from pricing.bills.total import Totals
from pricing.focus.column import Row
from pricing.ledger.entry import Unit
from pricing.prices.canonical import parse_canonical
from pricing.proof.bundle import BILL, FORMAT, USAGE, Files
from pricing.proof.pieces import compact
from pricing.proof.record import Record, read_record
from pricing.proof.resum import Binding
from pricing.run.run import Told, told_again
from pricing.run.snapshot import read

_READ: Mapping[str, Callable[[str], Any]] = {
    "hour": parse_instant,
    "outcome": Outcome,
    "quality": Quality,
}


@dataclass(frozen=True, slots=True)
class ReadLine:
    """A line of a bundle, and the evidence that it names."""

    line: Line
    evidence: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class ReadMonth:
    """A month of a bundle."""

    name: str
    said: Mapping[str, Any]
    """The document, for its hashes."""
    told: Told
    """Without usage."""
    cutoffs: Cutoffs
    before: Before
    lines: tuple[ReadLine, ...]
    usage: Mapping[UsageKey, int]
    records: tuple[Record, ...]
    """In the order of the file; one that stands there twice is here twice."""
    leaves: tuple[str, ...]
    """What the file of evidence holds."""


@dataclass(frozen=True, slots=True)
class ReadBundle:
    """A bill and all that it depends on."""

    said: Mapping[str, Any]
    id: str
    month: Period
    unit: Unit
    payable: Decimal
    credits: tuple[Row, ...]
    binding: Binding
    months: tuple[ReadMonth, ...]


def read_bundle(files: Files) -> ReadBundle:
    """Read the files of a bundle.

    Raises:
        UnreadableError: one of them is missing, or is not what its name says.
    """
    said = _said(BILL, files, json.loads)
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        raise UnreadableError(BILL, f"no format {FORMAT}")
    try:
        identities = read(compact(said["identities"]), Identity)
        return ReadBundle(
            said=said,
            id=said["bill"],
            month=Period(*map(parse_instant, said["month"])),
            unit=Unit(said["currency"], said["places"]),
            payable=Decimal(said["payable"]),
            credits=tuple(read_row(compact(row)) for row in said["credits"]),
            binding=Binding(said["account"], tuple(identities), Bands(tuple(said["bands"]))),
            months=tuple(_month(one, files) for one in said["months"]),
        )
    except UnreadableError:
        raise
    except BROKEN as error:
        raise UnreadableError(BILL, worded(error)) from error


def _month(said: Mapping[str, Any], files: Files) -> ReadMonth:
    name, cutoffs, before = said["month"], said["cutoffs"], said["before"]
    book = parse_canonical(compact(said["book"]))
    return ReadMonth(
        name=name,
        said=said,
        told=told_again(compact(said["told"]), book, ()),
        cutoffs=Cutoffs(
            parse_instant(cutoffs["service_to"]), cutoffs["stored_before"], cutoffs["usage_run"]
        ),
        before=Before(
            runs=before["runs"],
            last_run=before["last_run"],
            lines=tuple(_line(line) for line in before["lines"]),
            totals=_totals(before["totals"]),
            is_closed=before["is_closed"],
        ),
        lines=tuple(ReadLine(_line(line), line["evidence"]) for line in said["lines"]),
        usage=_said(f"usage-{name}.ndjson", files, _usage),
        records=_said(f"events-{name}.ndjson", files, _records),
        leaves=_said(f"evidence-{name}.txt", files, lambda text: tuple(text.splitlines())),
    )


def _said(name: str, files: Files, reading: Any) -> Any:
    if name not in files:
        raise UnreadableError(name, "no such file")
    try:
        return reading(files[name].decode())
    except BROKEN as error:
        raise UnreadableError(name, worded(error)) from error


def _records(text: str) -> tuple[Record, ...]:
    return tuple(map(read_record, text.splitlines()))


def _usage(text: str) -> dict[UsageKey, int]:
    found: dict[UsageKey, int] = {}
    for line in text.splitlines():
        *values, quantity = json.loads(line)
        said: dict[str, Any] = dict(zip(USAGE, values, strict=True))
        said |= {name: reading(said[name]) for name, reading in _READ.items()}
        found[UsageKey(**said)] = quantity
    return found


def _line(said: Mapping[str, Any]) -> Line:
    key = read_key(compact(said["key"])) if said["key"] else None
    return Line(read_row(compact(said["row"])), key, read_amounts(said["amounts"]))


def _totals(said: Sequence[Any]) -> Totals:
    payable, tax, revenue, deferred, earned = said
    pairs = tuple((contract, units) for contract, units in deferred)
    return Totals(payable, tax, revenue, pairs, Fraction(earned))


BROKEN = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)
"""What reading a text raises that is not what it should be."""


def worded(error: Exception) -> str:
    """Return an error as part of a sentence."""
    return f"{type(error).__name__}: {error}"


class UnreadableError(ValueError):
    """A file of a bundle that cannot be read."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} must be a readable file of a bundle, found {reason}")
        self.name = name
