"""A bill of every kind of row, for all shapes."""

import pytest

from pricing.bills.bill import Bill
from tests.pricing.month_notation import bill_of, month_from

MONTH = """
month 2026-10
sub   sub-1 n1 g8.2xlarge.gu49 2026-10-01T09:30:00 months=3 discount=0.95
hour  hour-1 n2 g8.2xlarge.gu49 2026-10-06 region=cn-wulanchabu
token pool-1 shared medium 2026-10-01
ran   n1 2026-10-01T09:36:30 2026-10-20
ran   n2 2026-10-06T10:59:30 2026-10-06T12:50:30
used  2026-10-06T10 dedicated requests=90 fresh=900000 output=40000 resource=n1
used  2026-10-06T10 shared requests=12 fresh=120000 cached=30000 output=7001 project=search
used  2026-10-06T23 shared requests=3 fresh=4500 output=900 reasoning=2100 project=search
used  2026-10-07T00 shared requests=1 fresh=17
"""


@pytest.fixture(scope="session")
def bill() -> Bill:
    """A month with an order, node hours, tokens and rounding."""
    return bill_of(month_from(MONTH), "Acme 有限公司")
