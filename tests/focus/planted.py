"""The samples of FOCUS as tests change them: one cell, one line, one file."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from pricing.focus.package import FILES

SAMPLES = Path(__file__).parent / "samples"


def lines(name: str) -> list[str]:
    with (SAMPLES / name).open(newline="", encoding="utf-8") as file:
        return list(file)


def bundle(folder: str = "focus-1.4") -> dict[str, list[str]]:
    return {name: lines(f"{folder}/{file}") for name, file in FILES.items()}


def folder(name: str = "focus-1.4") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (SAMPLES / name).iterdir()}


def changed(text: list[str], number: int, cells: Mapping[str, str]) -> list[str]:
    """Return lines of a file with some cells of one line changed."""
    rows = list(csv.DictReader(text))
    rows[number - 2] |= cells
    return written(rows)


def without(text: list[str], column: str) -> list[str]:
    """Return lines of a file without a column."""
    return written([{k: v for k, v in row.items() if k != column} for row in csv.DictReader(text)])


def written(rows: list[dict[str, str]]) -> list[str]:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, rows[0].keys())
    writer.writeheader()
    writer.writerows(rows)
    return list(io.StringIO(out.getvalue(), newline=""))
