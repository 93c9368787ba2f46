"""A statement as PDF, set by Typst: figures go in as JSON, so no text is ever read as markup."""

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from pricing.shapes.font_store import by_coverage, font_files, missing
from pricing.statement.seen import seen
from pricing.statement.statement import Section, Statement
from pricing.statement.words import words


def pdf(statement: Statement, folders: Sequence[Path]) -> bytes:
    """Return the statement as PDF; the same statement and fonts give the same bytes.

    Raises:
        NoFontError: the folders hold no font.
        MissingGlyphError: no font in them draws a character of the statement.
    """
    import typst  # noqa: PLC0415 - an extra, and slow to load

    font_files(folders)
    shown = json.dumps(printed_json(statement), ensure_ascii=False, sort_keys=True)
    lacking = missing(shown, folders)
    if lacking:
        raise MissingGlyphError(lacking)
    fonts = typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=False, font_paths=list(folders)
    )
    said = {"statement": shown, "fonts": json.dumps(by_coverage(shown, fonts.families(), folders))}
    template = (files("pricing.shapes") / "statement.typ").read_bytes()
    made = typst.compile(template, font_paths=fonts, sys_inputs=said, format="pdf")
    assert isinstance(made, bytes)
    return made


def printed_json(statement: Statement) -> dict[str, Any]:
    """Return what the template prints: every figure as the text that stands on the page."""
    said = words(statement.language)
    facts = ("account", "bill", "number", "period", "provider", "currency")
    return {
        "lang": statement.language.value,
        "words": {key: seen(word) for key, word in said.items()},
        "title": statement.title,
        "facts": [
            [said[fact], seen(str(getattr(statement, fact)))]
            for fact in facts
            if getattr(statement, fact)
        ],
        "payable": f"{statement.payable:,f}",
        "currency": statement.currency,
        "summary": [[name, f"{amount:,f}"] for name, amount in statement.summary],
        "sections": [_section(section, said["whole"]) for section in statement.sections],
        "tokens": [[seen(name), count] for name, count in statement.tokens],
        "hours": [[seen(name), hours] for name, hours in statement.hours],
    }


def _section(section: Section, whole: str) -> dict[str, Any]:
    return {
        "contract": seen(section.contract) or whole,
        "amount": f"{section.amount:,f}",
        "items": [
            [seen(i.text), i.quantity, i.unit, i.price, f"{i.amount:,f}"] for i in section.items
        ],
    }


class MissingGlyphError(ValueError):
    """Characters that would print as empty boxes."""

    def __init__(self, lacking: Sequence[str]) -> None:
        found = ", ".join(f"{c!r} (U+{ord(c):04X})" for c in lacking[:5])
        super().__init__(
            f"fonts in TALLYSTICK_FONTS must draw every character of a statement, found none "
            f"for {found}"
        )
