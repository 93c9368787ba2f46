"""A bill with all that it depends on, as files that anybody can check without our stores.

bill.json       rows, cutoffs, contracts, running time, settlements, price book, what came before
events-M.ndjson events of the account alone, as they count    evidence-M.txt  their hashes
usage-M.ndjson  usage by hour                                 manifest.json   hashes of the files
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from metering.identity import Identity
from metering.period import Period
from metering.usage import UsageKey
from pricing.bills.bill import Bill
from pricing.bills.part import Before, Cutoffs, Line, Part
from pricing.bills.stored_row import written_amounts, written_key, written_row
from pricing.bills.total import Totals
from pricing.proof.pieces import compact, digests
from pricing.proof.record import Record, evidence_root, written_record
from pricing.proof.resum import Binding, behind_lines
from pricing.run.run import Told, narrowed, snapshot
from pricing.run.snapshot import written

BILL, MANIFEST = "bill.json", "manifest.json"
FORMAT = "tallystick-bundle-1"
USAGE = tuple(UsageKey.__slots__)
"""What a line of usage tells, in order; its quantity comes last."""

Files = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Month:
    """A month that a bill is about: how it was rated, and the events and hours behind that."""

    part: Part
    usage: Mapping[UsageKey, int]
    records: tuple[Record, ...]


def month_name(month: Period) -> str:
    """Return what a month is called in names of files, in whatever zone: ``202610``."""
    return f"{month.start + timedelta(days=15):%Y%m}"


def bundle_files(bill: Bill, months: Sequence[Month], binding: Binding) -> dict[str, bytes]:
    """Return the files of a bill; the same bill gives the same bytes."""
    files: dict[str, bytes] = {}
    for month in months:
        name = month_name(month.part.rating.inputs.month)
        leaves = sorted(record.leaf for record in month.records)
        files |= {
            f"events-{name}.ndjson": _text(written_record(r) for r in _ordered(month.records)),
            f"evidence-{name}.txt": _text(leaves),
            f"usage-{name}.ndjson": _text(_usage(month.usage)),
        }
    document = _document(bill, [_month(month, binding) for month in months], binding)
    files[BILL] = (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()
    return files | {MANIFEST: manifest(files)}


def manifest(files: Files) -> bytes:
    """Return the hashes of files, as a file."""
    told = {name: sha256(files[name]).hexdigest() for name in sorted(files) if name != MANIFEST}
    return (json.dumps(told, indent=1) + "\n").encode()


def seal(files: Files) -> str:
    """Return the one hash that a whole bundle is known by."""
    return sha256(files[MANIFEST]).hexdigest()


def _document(bill: Bill, months: Sequence[Mapping[str, Any]], binding: Binding) -> dict[str, Any]:
    head = {
        "bill": bill.id,
        "number": bill.number or None,
        "account": bill.account,
        "month": [bill.month.start.isoformat(), bill.month.end.isoformat()],
        "currency": bill.currency,
        "places": bill.unit.places,
        "identities": json.loads(written(_own(binding.identities, binding.account))),
        "bands": list(binding.bands.bounds),
        "credits": [json.loads(written_row(row)) for row in bill.credits],
    }
    return {
        "format": FORMAT,
        **head,
        "digests": {name: sha256(compact(v).encode()).hexdigest() for name, v in head.items()},
        "payable": f"{bill.payable:f}",
        "result_hash": bill.result_hash,
        "months": months,
    }


def _month(month: Month, binding: Binding) -> dict[str, Any]:
    part, rating = month.part, month.part.rating
    behind = behind_lines(month.records, rating.inputs, binding)
    told = narrowed(Told(rating.inputs, rating.account_name, rating.resources))
    said = {
        "cutoffs": _cutoffs(rating.cutoffs),
        "told": json.loads(snapshot(told)),
        "book": json.loads(rating.inputs.book.canonical()),
        "before": before_json(part.before),
    }
    return {
        "month": month_name(rating.inputs.month),
        **said,
        "digests": digests(said),
        "evidence": evidence_of(month.records),
        "lines": [
            {
                **line_json(line),
                "evidence": evidence_of(behind.get(line.key._replace(tier=""), ()))
                if line.key
                else None,
            }
            for line in part.lines
        ],
    }


def before_json(before: Before) -> dict[str, Any]:
    """Return what bills carried of a month as plain values."""
    return {
        "runs": before.runs,
        "last_run": before.last_run,
        "is_closed": before.is_closed,
        "totals": totals_json(before.totals),
        "lines": [line_json(line) for line in before.lines],
    }


def totals_json(totals: Totals) -> list[Any]:
    """Return totals as plain values, in the order of their fields."""
    deferred = [list(pair) for pair in totals.deferred]
    return [totals.payable, totals.tax, totals.revenue, deferred, str(totals.earned)]


def line_json(line: Line) -> dict[str, Any]:
    """Return a line as plain values."""
    return {
        "row": json.loads(written_row(line.cells)),
        "key": json.loads(written_key(line.key)) if line.key else None,
        "amounts": written_amounts(line.amounts),
    }


def evidence_of(records: Sequence[Record]) -> dict[str, Any]:
    """Return the hash over events, and how many they are."""
    return {"root": evidence_root([r.leaf for r in records]), "events": len(records)}


def _cutoffs(cutoffs: Cutoffs) -> dict[str, Any]:
    return {
        "service_to": cutoffs.service_to.isoformat(),
        "stored_before": cutoffs.stored_before,
        "usage_run": cutoffs.usage_run,
    }


def _own(identities: Sequence[Identity], account: str) -> list[Identity]:
    """Return the identities of an account: nobody else's leave the house."""
    own = (one for one in identities if one.account == account)
    return sorted(own, key=lambda one: (one.kind, one.value, one.valid))


def _ordered(records: Sequence[Record]) -> list[Record]:
    return sorted(records, key=lambda record: (record.event.ended_at, record.id))


def _usage(usage: Mapping[UsageKey, int]) -> Iterator[str]:
    for key, quantity in sorted(usage.items()):
        values = (getattr(key, name) for name in USAGE)
        told = [v.isoformat() if isinstance(v, datetime) else v for v in values]
        yield json.dumps([*told, quantity], ensure_ascii=False, separators=(",", ":"))


def _text(lines: Any) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
