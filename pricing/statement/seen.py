"""Text as it is shown to a person: nothing in it is hidden."""

from unicodedata import category

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of characters that print nothing, or turn the line around."""


def seen(text: str) -> str:
    r"""Return text with what cannot be seen spelled out: it may not hide or turn what is printed.

    >>> seen("a\u202eb")
    'a[U+202E]b'
    """
    return "".join(f"[U+{ord(c):04X}]" if category(c) in _UNSEEN else c for c in text)
