"""A month of contracts, running time and usage, written down in a test's docstring."""

import pytest

from pricing.rating.inputs import Inputs
from tests.pricing.month_notation import month_from


@pytest.fixture
def inputs(request: pytest.FixtureRequest) -> Inputs:
    """The inputs written down in the test's docstring (see month_notation)."""
    return month_from(request.function.__doc__ or "")
