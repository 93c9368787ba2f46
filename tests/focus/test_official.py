"""The official validator of FOCUS finds nothing in our rows, and finds planted faults.

It runs where ``TALLYSTICK_FOCUS_VALIDATOR`` names a Python that has it (``focus-validator`` 2,
``numpy<2``, ``pyarrow<26``, Python 3.12 or later).
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from pricing.bills.export import focus_csv, sorted_rows
from tests.pricing.month_notation import bill_of, month_from

PYTHON = os.environ.get("TALLYSTICK_FOCUS_VALIDATOR", "")
MONTH = """
sub    s1 n1 g4.xlarge.gu10 2026-10-01 months=2 discount=0.85
hour   h1 n2 g8.2xlarge.gu49 2026-10-05
token  t1 shared small 2026-10-01
kvhour k2 n2 100 2026-10-05
ran    n1 2026-10-06T10:00:00 2026-10-06T12:00:00
ran    n2 2026-10-06T10:59:30 2026-10-06T12:50:30
used   2026-10-06T10 shared requests=3 fresh=1234567 output=99
"""
pytestmark = pytest.mark.skipif(not PYTHON, reason="TALLYSTICK_FOCUS_VALIDATOR names no Python")


def failed(file: Path) -> list[str]:
    done = subprocess.run(
        [PYTHON, str(Path(__file__).with_name("official.py")), str(file)],
        capture_output=True,
        check=True,
        timeout=600,
    )
    return list(json.loads(done.stdout))


def test_a_month_obeys_the_official_rules(tmp_path: Path) -> None:
    rows = sorted_rows(bill_of(month_from(MONTH)).lines)
    file = tmp_path / "focus.csv"
    file.write_text(focus_csv(rows), "utf-8", newline="")

    assert failed(file) == []


def test_planted_faults_are_found() -> None:
    assert failed(Path(__file__).parent / "samples" / "focus-1.2-fail.csv")
