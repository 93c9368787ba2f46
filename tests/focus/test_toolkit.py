"""A second opinion: what others wrote to check FOCUS 1.4 agrees with what we write."""

import csv
from pathlib import Path

import pytest
from sqlalchemy import Engine

from pricing.bills.export import focus_csv, sorted_rows
from pricing.focus.package import Package, package_files
from pricing.focus.sets import Invoice
from tests.pricing.month_notation import bill_of, month_from, small_book
from tests.pricing.office_notation import LATER, OCTOBER, issued, tell

toolkit = pytest.importorskip("focus_data_toolkit", reason="focus-data-toolkit is not installed")

MONTH = """
sub   s1 n1 g4.xlarge.gu10 2026-10-01
hour  h1 n2 g4.xlarge.gu10 2026-10-01
token t1 shared small 2026-10-01
ran   n1 2026-10-02 2026-10-20
ran   n2 2026-10-06T10 2026-10-06T12
used  2026-10-06T10 shared requests=3 fresh=1234567
"""
SAMPLES = Path(__file__).parent / "samples"


def linted(lines: list[str]) -> list[str]:
    report = toolkit.lint_focus_1_4_structure("Cost and Usage", list(csv.DictReader(lines)))
    return list(map(str, report.violations))


def test_it_agrees_with_our_rows_of_every_kind() -> None:
    bill = bill_of(
        month_from("""
        sub   s1 n1 g4.xlarge.gu10 2026-10-01
        hour  h1 n2 g4.xlarge.gu10 2026-10-01
        token t1 shared small 2026-10-01
        ran   n1 2026-10-02 2026-10-20
        ran   n2 2026-10-06T10 2026-10-06T12
        used  2026-10-06T10 shared requests=3 fresh=1234567
        """)
    )

    assert linted(focus_csv(sorted_rows(bill.lines), "1.4").splitlines(keepends=True)) == []


def test_it_finds_what_we_find_in_the_planted_sample() -> None:
    text = (SAMPLES / "focus-1.4-fail" / "cost_and_usage.csv").read_text(encoding="utf-8")

    assert linted(text.splitlines(keepends=True)) != []


def test_it_agrees_that_the_data_sets_of_an_issued_bill_fit(ledger: Engine) -> None:
    office = tell(ledger, MONTH)
    bill = issued(office)
    package = Package(
        OCTOBER, "202610", [Invoice(bill, LATER)], office.contracts.contracts(), small_book()
    )
    files = package_files(package)
    names = {
        "Cost and Usage": "cost_and_usage.csv",
        "Billing Period": "billing_period.csv",
        "Invoice Detail": "invoice_detail.csv",
        "Contract Commitment": "contract_commitment.csv",
    }
    sets = {name: list(csv.DictReader(files[f].decode().splitlines())) for name, f in names.items()}

    for name, rows in sets.items():
        assert list(map(str, toolkit.lint_focus_1_4_structure(name, rows).violations)) == []
    report = toolkit.validate_dataset_bundle(sets, invoice_detail_authoritative=True)
    assert list(map(str, report.errors)) == []
