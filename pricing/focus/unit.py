"""The form of a unit in FOCUS, for the columns of units and for the units of a price book.

Source: https://focus.finops.org/focus-specification/, Unit Format Handling.
"""

import re

_UNIT = re.compile(r"(?:[1-9][0-9]* )?(?:[A-Z]|[a-z]+[A-Z]|b\b)[A-Za-z]*(?:[-/ ][A-Za-z0-9]+)*")
"""Words begin with a capital, or have one in them, as vCPU has; ``b`` is a bit."""


def is_unit(text: str) -> bool:
    """Return whether text is a unit, perhaps with a whole number before it.

    >>> [is_unit(text) for text in ("Tokens", "1000 Tokens", "vCPU-Hours", "per 1M", "0 Tokens")]
    [True, True, True, False, False]
    """
    return bool(_UNIT.fullmatch(text))
