"""Fonts in folders: what they are called and which characters they can draw, as they say.

Source: OpenType 1.9, tables ``ttcf``, ``name``, ``cmap`` formats 4 and 12,
https://learn.microsoft.com/typography/opentype/spec/cmap
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_KINDS = frozenset({".ttf", ".ttc", ".otf", ".otc"})
_NO_GLYPH = 0xFFFF
_FAMILY = frozenset({1, 16})
"""Names of a family: as old programs know it, and as all styles share it."""
_UTF_16 = frozenset({0, 3})
"""Platforms whose names are UTF-16."""


def font_files(folders: Sequence[Path]) -> list[Path]:
    """Return the font files in folders and below, in order of their names.

    Raises:
        NoFontError: there is none.
    """
    found = sorted(
        path for folder in folders for path in folder.rglob("*") if path.suffix.lower() in _KINDS
    )
    if not found:
        raise NoFontError(folders)
    return found


def missing(text: str, folders: Sequence[Path]) -> list[str]:
    """Return the characters of a text that no font in the folders can draw."""
    known = frozenset[int]().union(*(_characters(path) for path in font_files(folders)))
    return sorted(c for c in set(text) if ord(c) not in known and c != "\n")


def by_coverage(text: str, families: Iterable[str], folders: Sequence[Path]) -> list[str]:
    """Return families of fonts, that one first which draws most of a text, so that few are mixed.

    Of those that draw as much of it, that one comes first which draws most besides.
    """
    wanted = frozenset(map(ord, text))
    drawn: dict[str, tuple[int, int]] = {}
    for path in font_files(folders):
        for font in _fonts(path):
            for name in font.names:
                draws = len(wanted & font.characters), len(font.characters)
                drawn[name] = max(drawn.get(name, (0, 0)), draws)
    return sorted(sorted(families), key=lambda name: drawn.get(name, (0, 0)), reverse=True)


@dataclass(frozen=True, slots=True)
class _Font:
    names: frozenset[str]
    """Of its family, in all languages."""
    characters: frozenset[int]


def _characters(path: Path) -> frozenset[int]:
    """Return what one file can draw."""
    return frozenset[int]().union(*(font.characters for font in _fonts(path)))


@cache
def _fonts(path: Path) -> tuple[_Font, ...]:
    """Return what is in one file: a font, or several in a collection."""
    raw = path.read_bytes()
    starts: tuple[int, ...] = (0,)
    if raw[:4] == b"ttcf":
        (count,) = struct.unpack_from(">I", raw, 8)
        starts = struct.unpack_from(f">{count}I", raw, 12)
    return tuple(_font(raw, start) for start in starts)


def _font(raw: bytes, start: int) -> _Font:
    (tables,) = struct.unpack_from(">H", raw, start + 4)
    found: dict[bytes, int] = {}
    for i in range(tables):
        tag, _, offset, _ = struct.unpack_from(">4sIII", raw, start + 12 + 16 * i)
        found[tag] = offset
    names = _names(raw, found[b"name"]) if b"name" in found else ()
    characters = _of_map(raw, found[b"cmap"]) if b"cmap" in found else ()
    return _Font(frozenset(names), frozenset(characters))


def _names(raw: bytes, offset: int) -> Iterator[str]:
    """Yield what the family is called, by its own name and by the one that styles share."""
    count, strings = struct.unpack_from(">HH", raw, offset + 2)
    for i in range(count):
        platform, _, _, kind, size, at = struct.unpack_from(">6H", raw, offset + 6 + 12 * i)
        if kind in _FAMILY and platform in _UTF_16:
            begin = offset + strings + at
            yield raw[begin : begin + size].decode("utf-16-be", "replace")


def _of_map(raw: bytes, offset: int) -> Iterator[int]:
    (count,) = struct.unpack_from(">H", raw, offset + 2)
    for i in range(count):
        (at,) = struct.unpack_from(">I", raw, offset + 8 + 8 * i)
        (form,) = struct.unpack_from(">H", raw, offset + at)
        if form == 4:
            yield from _segments(raw, offset + at)
        elif form == 12:
            yield from _groups(raw, offset + at)


def _segments(raw: bytes, at: int) -> Iterator[int]:
    """Yield what a map of format 4 draws; what leads to glyph 0 is not drawn."""
    (double,) = struct.unpack_from(">H", raw, at + 6)
    count = double // 2
    ends = struct.unpack_from(f">{count}H", raw, at + 14)
    begins = struct.unpack_from(f">{count}H", raw, at + 16 + double)
    deltas = struct.unpack_from(f">{count}H", raw, at + 16 + 2 * double)
    ranges_at = at + 16 + 3 * double
    ranges = struct.unpack_from(f">{count}H", raw, ranges_at)
    for i, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        for code in range(begin, end + 1):
            glyph = code
            if ranges[i]:
                (glyph,) = struct.unpack_from(
                    ">H", raw, ranges_at + 2 * (i + code - begin) + ranges[i]
                )
                if not glyph:
                    continue
            if (glyph + deltas[i]) % 0x10000 and code != _NO_GLYPH:
                yield code


def _groups(raw: bytes, at: int) -> Iterator[int]:
    """Yield what a map of format 12 draws."""
    (count,) = struct.unpack_from(">I", raw, at + 12)
    for i in range(count):
        begin, end, _ = struct.unpack_from(">III", raw, at + 16 + 12 * i)
        yield from range(begin, end + 1)


class NoFontError(ValueError):
    """Folders without a font."""

    def __init__(self, folders: Sequence[Path]) -> None:
        found = ", ".join(map(str, folders)) or "no folder"
        super().__init__(f"TALLYSTICK_FONTS must name folders with fonts, found none in {found}")
