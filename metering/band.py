"""Context bands: how long a request's input is, told apart where prices depend on it."""

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import Self


@dataclass(frozen=True, slots=True)
class Bands:
    """Where the bands of requests begin, in input tokens, rising."""

    bounds: tuple[int, ...] = ()
    """Empty where requests of any length are alike."""

    def __post_init__(self) -> None:
        if any(a >= b for a, b in pairwise((-1, *self.bounds))):
            raise BandsError(", ".join(map(str, self.bounds)))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``32000, 128000``.

        Raises:
            BandsError: they are no rising whole numbers.
        """
        parts = [part.strip() for part in text.split(",")] if text.strip() else []
        if not all(part.isascii() and part.isdigit() for part in parts):
            raise BandsError(text)
        return cls(tuple(map(int, parts)))

    def of(self, total_input: int) -> str:
        """Return the band of a request by its input tokens, cached ones included.

        A band is named by the tokens that it begins at, which belong to it.

        >>> bands = Bands((32_000, 128_000))
        >>> [bands.of(tokens) for tokens in (0, 31_999, 32_000, 10**6)]
        ['0', '0', '32000', '128000']
        """
        if not self.bounds:
            return ""
        return str((0, *self.bounds)[bisect_right(self.bounds, total_input)])


NO_BANDS = Bands()


class BandsError(ValueError):
    """Bounds of bands that do not rise."""

    def __init__(self, found: str) -> None:
        super().__init__(
            f"TALLYSTICK_CONTEXT_BANDS must be rising whole numbers of tokens with commas between "
            f"them, as in 32000,128000, found {found!r}"
        )
