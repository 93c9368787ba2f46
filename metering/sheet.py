"""Text in files that people open with a spreadsheet."""

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""How text begins that a spreadsheet would run."""


def guarded(text: str) -> str:
    """Return text that no spreadsheet runs as a formula; numbers must not come through here.

    >>> guarded("=1+1"), guarded("a=1")
    ("'=1+1", 'a=1')
    """
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
