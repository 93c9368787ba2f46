"""A bundle holds all that proves a bill, and nothing of anybody else."""

from dataclasses import replace
from decimal import Decimal

import pytest

from metering import jobs
from metering.band import Bands
from pricing.bills.store import UnknownBillError
from pricing.proof.bundle import seal
from pricing.proof.bundle_store import UnprovenError
from pricing.proof.record import read_record
from pricing.proof.verification import checked
from tests.builders import event
from tests.pricing.office_notation import LATER, NOVEMBER, by, issued
from tests.proof.told import Told


def test_an_issued_bill_is_proven_by_its_own_events(told: Told) -> None:
    bill = issued(told.office)

    files = told.bundles.files(bill.id)
    found = checked(files, seal(files))

    assert [fault.sentence for fault in found.faults] == []
    assert found.payable == f"{bill.payable} CNY"
    assert found.events == 9
    assert told.bundles.files(bill.id) == files
    everything = b"".join(files.values())
    assert b"acme" in everything
    for foreign in (b"secret", b"nobody", b"other", b"o1"):
        assert foreign not in everything


def test_events_are_told_as_they_were_corrected(told: Told) -> None:
    bill = issued(told.office)
    lines = told.bundles.files(bill.id)["events-202610.ndjson"].decode().splitlines()
    records = {r.event.call.response_id: r for r in map(read_record, lines)}

    assert "r8" not in records
    assert records["r9"].event.source.tenant == "acme"
    assert (records["r10"].event.tokens.fresh, records["r10"].corrections) == (30, ("c10",))


def test_what_comes_later_changes_no_bundle(told: Told) -> None:
    bill = issued(told.office)
    before = told.bundles.files(bill.id)

    told.events.record([event("e99", "2026-10-06T02:10Z", tenant="acme", pool="shared", fresh=9)])
    jobs.tick(told.events, told.office.meter, LATER, told.corrections.heeded)

    assert told.bundles.files(bill.id) == before


def test_a_correction_bill_proves_the_month_that_it_corrects(told: Told) -> None:
    issued(told.office)
    told.events.record([event("e98", "2026-10-06T02:11Z", tenant="acme", pool="shared", fresh=8)])
    jobs.tick(told.events, told.office.meter, LATER, told.corrections.heeded)

    bill = issued(told.office, NOVEMBER)
    files = told.bundles.files(bill.id)

    assert [fault.sentence for fault in checked(files).faults] == []
    assert {"events-202610.ndjson", "events-202611.ndjson"} <= files.keys()


def test_a_credit_note_has_no_bundle_and_lost_events_make_none(told: Told) -> None:
    issued(told.office)
    bill = told.office.bills.bill("acme-202610")
    told.office.notes.credit(bill.id, "cn-1", Decimal("0.01"), by())

    with pytest.raises(UnprovenError, match="found a credit note"):
        told.bundles.files("cn-1")
    nobody = replace(told.bundles, bands=Bands((1000,)))
    with pytest.raises(UnprovenError, match="have events that come to"):
        nobody.files(bill.id)


def test_a_bundle_of_no_bill_is_refused(told: Told) -> None:
    with pytest.raises(UnknownBillError):
        told.bundles.files("acme-209912")
