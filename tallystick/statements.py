"""The command that hands out a bill as a file for people and other programs."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from tallystick.client import connect
from tallystick.settings import Settings


class Shape(StrEnum):
    """A form that a bill is handed out in."""

    PDF = "pdf"
    XLSX = "xlsx"
    ALIBABA = "alibaba"
    NDJSON = "ndjson"
    JOURNAL = "journal"
    BEANCOUNT = "beancount"


class Language(StrEnum):
    """The language of a statement."""

    CHINESE = "zh"
    ENGLISH = "en"


def statement(
    bill: Annotated[str, typer.Argument(metavar="BILL", help="The bill's id.")],
    format: Annotated[Shape, typer.Option(help="Which kind of file.")] = Shape.PDF,  # noqa: A002
    lang: Annotated[Language, typer.Option(help="Of what is printed.")] = Language.CHINESE,
    out: Annotated[Path | None, typer.Option(help="File to write; else standard output.")] = None,
    url: Annotated[
        str, typer.Option(help="Address of a running service; else the local one.")
    ] = "",
) -> None:
    """Write a bill as a statement, a workbook, a bill of instances, JSON lines or a journal.

    Example: tallystick statement acme-202610 --format pdf --lang zh --out acme-202610.pdf
    """
    params = {"format": format.value, "lang": lang.value}
    with connect(Settings(), url) as client:
        path = f"/v1/bills/{quote(bill, safe='')}/statement"
        answer = client.request("GET", path, params=params)
    if out:
        out.write_bytes(answer.content)
    else:
        sys.stdout.buffer.write(answer.content)
