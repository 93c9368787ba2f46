"""A month in the data sets of FOCUS 1.4, out of bills in every state."""

import csv
import json
from dataclasses import replace
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import Engine

from metering.period import Period, month_of
from pricing.bills.bill import Bill, State
from pricing.bills.signed import Signed
from pricing.focus.datasets import DATASETS
from pricing.focus.package import FILES, BadPackageError, Package, package_files
from pricing.focus.package_store import Packages
from pricing.focus.sets import Invoice, billing_periods, contract_commitments
from pricing.jobs import Office
from tests.pricing.month_notation import BEIJING, at, bill_of, month_from, small_book
from tests.pricing.office_notation import LATER, OCTOBER, issued, tell

MONTH = """
sub   s1 n1 g4.xlarge.gu10 2026-10-01T09:00 months=2 discount=0.85
hour  h1 n2 g4.xlarge.gu10 2026-10-01
token t1 shared small 2026-10-01
ran   n1 2026-10-02 2026-10-20
ran   n2 2026-10-06T10 2026-10-06T12
used  2026-10-06T10 shared requests=3 fresh=1234567
"""


@pytest.fixture
def sqlite_office(ledger: Engine) -> Office:
    return tell(ledger, MONTH)


def package_of(office: Office, *bills: Bill) -> Package:
    invoices = [Invoice(b, LATER if b.state is not State.DRAFT else None) for b in bills]
    contracts = office.contracts.contracts("acme")
    return Package(OCTOBER, "202610", invoices, contracts, small_book())


def read(files: dict[str, bytes], dataset: str) -> list[dict[str, str]]:
    return list(csv.DictReader(files[FILES[dataset]].decode().splitlines()))


def test_an_issued_bill_is_all_four_sets(sqlite_office: Office) -> None:
    bill = issued(sqlite_office)
    files = package_files(package_of(sqlite_office, bill))

    [period] = read(files, "BillingPeriod")
    lines = read(files, "InvoiceDetail")
    [commitment] = read(files, "ContractCommitment")
    assert period["BillingPeriodStatus"] == "Closed"
    assert sum(Decimal(line["BilledCost"]) for line in lines) == bill.payable
    assert {line["InvoiceIssueStatus"] for line in lines} == {"Issued"}
    assert {line["InvoiceId"] for line in lines} == {line["ReferenceInvoiceId"] for line in lines}
    assert commitment["ContractCommitmentId"] == "s1"
    assert commitment["ContractCommitmentOfferCategory"] == "Negotiated"
    assert commitment["ContractCommitmentDurationType"] == "2 Months"
    assert commitment["ContractCommitmentLifecycleStatus"] == "Expired"


def test_the_same_bills_give_the_same_bytes_and_sums(sqlite_office: Office) -> None:
    package = package_of(sqlite_office, issued(sqlite_office))
    files = package_files(package)

    assert package_files(package) == files
    for line in files["SHA256SUMS"].decode().splitlines():
        digest, _, name = line.partition("  ")
        assert sha256(files[name]).hexdigest() == digest
    assert len(files["SHA256SUMS"].splitlines()) == 5


def test_metadata_say_how_complete_the_month_is(sqlite_office: Office) -> None:
    draft = sqlite_office.billing.draft(sqlite_office.meter.account("acme"), OCTOBER, LATER)

    def complete(bill: Bill) -> tuple[bool, str]:
        files = package_files(package_of(sqlite_office, bill))
        said: Any = json.loads(files["metadata.json"])
        assert [one["FocusDatasetId"] for one in said["DatasetInstance"]] == list(FILES)
        columns = said["Schema"][1]["ColumnDefinition"]
        assert [c["ColumnName"] for c in columns] == [c.name for c in DATASETS["BillingPeriod"]]
        [period] = read(files, "BillingPeriod")
        return said["Recency"][0]["DatasetInstanceComplete"], period["BillingPeriodStatus"]

    assert complete(draft) == (False, "Open")
    assert complete(issued(sqlite_office)) == (True, "Closed")


def test_a_credit_note_refers_to_the_bill_that_it_takes_back(sqlite_office: Office) -> None:
    bill = issued(sqlite_office)
    note = sqlite_office.notes.void(bill.id, Signed("ann", "wrong", LATER))
    void, credit = (sqlite_office.bills.bill(name) for name in (bill.id, note))
    invoices = [Invoice(void, LATER), Invoice(credit, LATER, void.number)]
    package = replace(package_of(sqlite_office), invoices=invoices)
    lines = read(package_files(package), "InvoiceDetail")

    status = {line["InvoiceId"]: line["InvoiceIssueStatus"] for line in lines}
    references = {line["ReferenceInvoiceId"] for line in lines}
    assert sorted(status.values()) == ["Issued", "Voided"]
    assert len(references) == 1
    assert sum(Decimal(line["BilledCost"]) for line in lines) == 0


def test_an_empty_month_is_four_headers() -> None:
    files = package_files(Package(OCTOBER, "202610", [], [], small_book()))

    assert [read(files, name) for name in FILES] == [[], [], [], []]


def test_files_that_break_the_specification_are_not_handed_out(sqlite_office: Office) -> None:
    bill = issued(sqlite_office)

    with pytest.raises(BadPackageError, match="must be there once"):
        package_files(package_of(sqlite_office, bill, bill))


@pytest.mark.parametrize(
    ("as_of", "status"),
    [("2026-10-15", "Active"), ("2026-12-31", "Expired"), ("2026-09-01", None)],
)
def test_a_commitment_says_where_in_its_life_it_stands(as_of: str, status: str | None) -> None:
    contracts = month_from("sub s1 n1 g4.xlarge.gu10 2026-10-01\n", small_book()).contracts
    rows = contract_commitments(contracts, small_book(), at(as_of))

    assert [row["ContractCommitmentLifecycleStatus"] for row in rows] == (
        [status] if status else []
    )


def test_a_kv_cache_is_a_commitment_too_and_a_changed_one_is_superseded() -> None:
    inputs = month_from("kvsub k1 n1 100 2026-10-01\n")
    [contract] = inputs.contracts
    early = Period(contract.period.start, at("2026-10-10"))
    ended = type(contract)(
        **{name: getattr(contract, name) for name in contract.__slots__}
        | {"period": early, "paid_until": contract.period.end}
    )
    [row] = contract_commitments([ended], small_book(), at("2026-11-30"))

    assert row["ContractCommitmentDescription"] == "100 GB KV-cache, subscription of 1 month"
    assert row["ContractCommitmentLifecycleStatus"] == "Superseded"
    assert row["ContractCommitmentPeriodEnd"] == contract.period.end


def test_periods_of_two_zones_are_two_rows() -> None:
    bill = bill_of(month_from(MONTH, small_book()))
    other = Bill(
        **{name: getattr(bill, name) for name in bill.__slots__}
        | {"month": Period(at("2026-10-01T08:00"), at("2026-11-01T08:00"))}
    )

    assert len(billing_periods([Invoice(bill), Invoice(other)], "us")) == 2


def test_a_commitment_that_a_correction_is_about_is_told_after_its_term(ledger: Engine) -> None:
    order = "sub s1 n1 g4.xlarge.gu10 2026-09-15\n"
    office = tell(ledger, f"{order}ran n1 2026-10-02 2026-10-03")
    issued(office)
    ran = month_from(f"{order}ran n1 2026-10-04 2026-10-05")
    office.meter.put_intervals(ran.intervals)

    def november(account: str, month: str) -> Bill:
        return office.billing.draft(office.meter.account(account), month_of(month, BEIJING), LATER)

    packages = Packages(office.meter, office.bills, office.contracts, november, lambda: 0)
    package = packages.package("2026-11", "acme")

    corrected = {row["x_ContractId"] for one in package.invoices for row in one.bill.rows}
    [contract] = [one for one in package.contracts if one.id == "s1"]
    assert "s1" in corrected
    assert not contract.period.overlap(package.month)
    assert read(package_files(package), "ContractCommitment")
