"""Check a bundle: hashes, events, usage and money, each worked out again from what comes before it.

events -> usage -> charges -> lines -> payable; what differs is named, and by how much
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from hashlib import sha256

from metering.usage import UsageKey
from pricing.bills.bill import canonical_hash, context_of
from pricing.bills.part import Line, Part, Rating, line_sum, part_of
from pricing.bills.stored_row import written_row
from pricing.money import plain, shown
from pricing.proof.bundle import BILL, MANIFEST, Files, evidence_of, manifest, month_name, seal
from pricing.proof.pieces import compact, digests
from pricing.proof.read import BROKEN, ReadBundle, ReadMonth, UnreadableError, read_bundle, worded
from pricing.proof.record import Record, evidence_root
from pricing.proof.resum import at_edges, behind_lines, resummed
from pricing.rating.rating import rate


@dataclass(frozen=True, slots=True)
class Fault:
    """Something of a bundle that is not as it must be."""

    what: str
    """What was touched: ``event 8f1e``, ``contract t1``, ``line 0a4b``."""
    sentence: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What checking a bundle came to."""

    bill: str
    payable: str
    lines: int
    events: int
    seal: str
    faults: tuple[Fault, ...]


def checked(files: Files, expected_seal: str = "") -> Checked:
    """Work a bill out again from its files, and name whatever differs.

    Who rewrites all files alike makes another bill that is right in itself: ``expected_seal`` is
    the hash that was told when the bundle was made, and tells the two apart.
    """
    faults = list(_file_faults(files, expected_seal))
    try:
        bundle = read_bundle(files)
    except UnreadableError as error:
        faults.append(Fault(error.name, str(error)))
        return Checked("", "", 0, 0, "", tuple(faults))
    try:
        for fault in _faults(bundle):
            faults.append(fault)  # noqa: PERF402 - what was found before an error is kept
    except BROKEN as error:
        faults.append(Fault(BILL, str(UnreadableError(BILL, worded(error)))))
    return Checked(
        bill=bundle.id,
        payable=f"{bundle.payable:f} {bundle.unit.currency}",
        lines=sum(len(month.lines) for month in bundle.months),
        events=sum(len(month.records) for month in bundle.months),
        seal=seal(files) if MANIFEST in files else "",
        faults=tuple(faults),
    )


def _file_faults(files: Files, expected_seal: str) -> Iterator[Fault]:
    if MANIFEST not in files:
        yield Fault(MANIFEST, f"{MANIFEST} must be among the files, found none")
        return
    if files[MANIFEST] != manifest(files):
        yield Fault(MANIFEST, f"{MANIFEST} must hold the hashes of all files, found other ones")
    if expected_seal and seal(files) != expected_seal:
        yield Fault("seal", f"the seal must be {expected_seal}, found {seal(files)}")


def _faults(bundle: ReadBundle) -> Iterator[Fault]:
    for name, digest in bundle.said["digests"].items():
        if sha256(compact(bundle.said.get(name)).encode()).hexdigest() != digest:
            yield _other(name, "as it was billed")
    for month in bundle.months:
        yield from _piece_faults(month)
        yield from _event_faults(month, bundle)
        usage = resummed(month.records, bundle.binding)
        yield from _usage_faults(month, usage)
        yield from _line_faults(month, bundle, usage)
    yield from _total_faults(bundle)


def _piece_faults(month: ReadMonth) -> Iterator[Fault]:
    """Yield contracts, prices and so on that are not as they were billed."""
    was, now = month.said["digests"], digests(month.said)
    if month.name != month_name(month.told.inputs.month):
        yield _other(f"month {month.name}", "named as the month that was rated")
    for name in sorted(was.keys() | now.keys()):
        if was.get(name) != now.get(name):
            yield _other(name, f"as it was billed in {month.name}")


def _event_faults(month: ReadMonth, bundle: ReadBundle) -> Iterator[Fault]:
    """Yield events that are gone, new, told twice or changed, each by its identity."""
    if evidence_root(month.leaves) != month.said["evidence"]["root"]:
        yield _other(f"evidence of {month.name}", "what the bill's evidence root is made of")
    billed = dict(leaf.split(" ", 1) for leaf in month.leaves)
    told = Counter(record.id for record in month.records)
    for record in month.records:
        where = f"event {record.id}"
        if record.id in billed and record.leaf != f"{record.id} {billed[record.id]}":
            yield _other(where, "as it was billed")
        elif record.id not in billed:
            yield Fault(where, f"{where} must be behind the bill, found one that was added")
        if not bundle.binding.owns(record) or record.stored_at >= month.cutoffs.stored_before:
            yield _other(where, "the account's, and stored before the cutoff")
    for identity in sorted(billed.keys() - told.keys()):
        yield Fault(f"event {identity}", f"event {identity} must be there, found none")
    for identity, times in sorted(told.items()):
        if times > 1:
            where = f"event {identity}"
            yield Fault(where, f"{where} must be there once, found it {times} times")
    if len(month.records) != month.said["evidence"]["events"]:
        found = f"{month.said['evidence']['events']}, found {len(month.records)}"
        yield Fault(f"events of {month.name}", f"events of {month.name} must be {found}")


def _usage_faults(month: ReadMonth, usage: Mapping[UsageKey, int]) -> Iterator[Fault]:
    """Yield sums of hours that the events do not come to."""
    again = _within(usage, month)
    for key in sorted(again.keys() | month.usage.keys()):
        told, came = month.usage.get(key, 0), again.get(key, 0)
        if told != came:
            where = f"usage {_place(key)}"
            by = f"{told - came:+}"
            yield Fault(where, f"{where} must be {came} by the events, found {told} ({by})")


def _within(usage: Mapping[UsageKey, int], month: ReadMonth) -> dict[UsageKey, int]:
    return {k: n for k, n in usage.items() if month.told.inputs.to_date.holds(k.hour)}


def _place(key: UsageKey) -> str:
    said = (key.project, key.pool, key.resource, key.model, key.meter)
    return " ".join([key.hour.isoformat(), *filter(None, said)])


def _line_faults(
    month: ReadMonth, bundle: ReadBundle, usage: Mapping[UsageKey, int]
) -> Iterator[Fault]:
    """Yield lines that do not come out of the events, prices and contracts, and by how much."""
    part = _rated_again(month, bundle, usage)
    again = {line.cells["x_LineId"]: line for line in part.lines}
    told: dict[str, Line] = {}
    behind = behind_lines(list(_once(month)), part.rating.inputs, bundle.binding)
    for one in month.lines:
        name = one.line.cells["x_LineId"]
        where = f"line {name}"
        if name in told:
            yield Fault(where, f"{where} must be there once, found it again")
        told[name] = one.line
        if name in again:
            yield from _compared(where, one.line, again[name])
        else:
            cost = f"{one.line.cells['BilledCost']:f}"
            sentence = f"{where} of {cost} must come out of the bill, found one that does not"
            yield Fault(where, sentence)
        key = one.line.key
        records = behind.get(key._replace(tier=""), []) if key else []
        if one.evidence != (evidence_of(records) if key else None):
            yield _other(where, "on the evidence of its events")
    for name in again.keys() - told.keys():
        cost = f"{again[name].cells['BilledCost']:f}"
        where = f"line {name}"
        yield Fault(where, f"{where} of {cost} must be on the bill, found none")


def _once(month: ReadMonth) -> Iterator[Record]:
    yield from {record.id: record for record in month.records}.values()


def _rated_again(month: ReadMonth, bundle: ReadBundle, usage: Mapping[UsageKey, int]) -> Part:
    inputs = month.told.inputs
    inputs = replace(inputs, usage=at_edges(usage, inputs))
    told = month.told
    rating = Rating(inputs, told.account_name, told.resources, month.cutoffs, rate(inputs))
    return part_of(rating, month.before, context_of(rating, bundle.id, bundle.month))


def _compared(where: str, told: Line, again: Line) -> Iterator[Fault]:
    was, now = told.cells["BilledCost"], again.cells["BilledCost"]
    if was != now:
        by = plain(was - now)
        yield Fault(where, f"{where} must be {now:f} when rated again, found {was:f} ({by} more)")
    elif written_row(told.cells) != written_row(again.cells):
        names = [n for n, value in again.cells.items() if told.cells[n] != value]
        yield Fault(where, f"{where} must be as it is rated again, found other {', '.join(names)}")
    elif (told.key, told.amounts) != (again.key, again.amounts):
        yield _other(where, "of the exact amounts that it is rated to")


def _total_faults(bundle: ReadBundle) -> Iterator[Fault]:
    lines = [one.line for month in bundle.months for one in month.lines]
    total = line_sum([*lines, *map(Line, bundle.credits)])
    if total != Fraction(bundle.payable):
        came = f"{shown(total):f}"
        sentence = f"payable must be {came}, the sum of the rows, found {bundle.payable:f}"
        yield Fault("payable", sentence)
    if canonical_hash([line.cells for line in lines]) != bundle.said["result_hash"]:
        yield _other("result_hash", "the hash of the rows")


def _other(what: str, rule: str) -> Fault:
    return Fault(what, f"{what} must be {rule}, found it otherwise")
