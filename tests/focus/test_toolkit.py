"""A second opinion: what others wrote to check FOCUS 1.4 agrees with what we write."""

import csv
from pathlib import Path

import pytest

from pricing.bills.export import focus_csv, sorted_rows
from tests.pricing.month_notation import bill_of, month_from

toolkit = pytest.importorskip("focus_data_toolkit", reason="focus-data-toolkit is not installed")

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
