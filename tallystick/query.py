"""Commands that ask: usage by any grouping, and single requests."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from metering.query.question import FILTERS, Granularity
from metering.query.request_sql import FILTERS as REQUEST_FILTERS
from metering.query.request_sql import Roles
from metering.report import DIMENSIONS
from tallystick.client import connect
from tallystick.settings import Settings
from tallystick.show import Format, show_csv, show_json, show_rows

Url = Annotated[str, typer.Option(help="Address of a running service; else the local one.")]
From = Annotated[str, typer.Option("--from", help="ISO time with zone.")]
To = Annotated[str, typer.Option("--to", help="ISO time with zone.")]
FormatOption = Annotated[Format, typer.Option("--format", help="How rows are printed.")]

_REQUEST_COLUMNS = (
    "ended_at", "bills", "tenant", "pool", "model", "outcome", "quality", "fresh", "cached",
    "output", "reasoning", "response_id", "event_id",
)  # fmt: skip


class UsageFormat(StrEnum):
    """How usage is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


def usage(  # noqa: PLR0913, PLR0917 - one argument an option
    month: Annotated[str, typer.Option(help="Calendar month of the zone, YYYY-MM.")] = "",
    start: From = "",
    end: To = "",
    account: Annotated[str, typer.Option(help="Only this account.")] = "",
    by: Annotated[str | None, typer.Option(help=f"Some of {', '.join(DIMENSIONS)}.")] = None,
    granularity: Annotated[Granularity | None, typer.Option(help="Cut time.")] = None,
    zone: Annotated[str, typer.Option(help="Where days turn; else the account's zone.")] = "",
    where: Annotated[
        list[str], typer.Option(help=f"dimension=value of {', '.join(FILTERS)}; repeat it.")
    ] = [],  # noqa: B006 - typer reads it once
    as_of: Annotated[int | None, typer.Option(help="Usage as a past close run left it.")] = None,
    format: Annotated[UsageFormat, typer.Option(help="How rows are written.")] = UsageFormat.TABLE,  # noqa: A002
    out: Annotated[Path | None, typer.Option(help="File to write; else standard output.")] = None,
    url: Url = "",
) -> None:
    """Show requests and tokens, grouped; all time where no period is given.

    Example: tallystick usage --month 2026-10 --granularity day --by model --where pool=shared
    """
    if format is UsageFormat.PARQUET and not out:
        raise NoFileError
    said = {"month": month, "from": start, "to": end, "account": account, "zone": zone}
    params = [(name, value) for name, value in said.items() if value]
    params += [] if by is None else [("by", by)]
    params += [("granularity", granularity.value)] if granularity else []
    params += [] if as_of is None else [("as_of", str(as_of))]
    params += [_pair(text) for text in where]
    params += [] if format in {UsageFormat.TABLE, UsageFormat.JSON} else [("format", format.value)]
    with connect(Settings(), url) as client:
        answer = client.request("GET", "/v1/usage", params=params)
    if out:
        out.write_bytes(answer.content)
    elif format is UsageFormat.CSV:
        sys.stdout.write(answer.text)
    elif format is UsageFormat.JSON:
        show_json(answer.json())
    else:
        _show_table(answer.json())


def requests(  # noqa: PLR0913, PLR0917
    start: From = "",
    end: To = "",
    account: Annotated[str, typer.Option(help="Only this account.")] = "",
    where: Annotated[
        list[str], typer.Option(help=f"dimension=value of {', '.join(REQUEST_FILTERS)}; repeat it.")
    ] = [],  # noqa: B006 - typer reads it once
    role: Annotated[
        Roles, typer.Option(help="Whose records: of bills, or witnesses.")
    ] = Roles.BILL,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many rows.")] = 100,
    cursor: Annotated[str, typer.Option(help="Go on where an answer ended.")] = "",
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """List single requests as they are stored, newest first, with what became of each.

    Example: tallystick requests --where model=qwen3 --where outcome=timeout --limit 20
    """
    said = {"from": start, "to": end, "account": account, "cursor": cursor}
    params = [(name, value) for name, value in said.items() if value]
    params += [("role", role.value), ("limit", str(limit)), *map(_pair, where)]
    with connect(Settings(), url) as client:
        found = client.request("GET", "/v1/requests", params=params).json()
    match format:
        case Format.JSON:
            show_json(found)
        case Format.CSV:
            show_csv(found["rows"], list(found["rows"][0]) if found["rows"] else _REQUEST_COLUMNS)
        case Format.TABLE:
            show_rows(found["rows"], _REQUEST_COLUMNS)
    if found["next_cursor"] and format is not Format.JSON:
        sys.stderr.write(f"there is more: --cursor {found['next_cursor']}\n")


def _show_table(found: Any) -> None:
    columns = [*found["columns"], *found["totals"]]
    total = {found["columns"][0]: "total"} if found["columns"] else {}
    show_rows([*found["rows"], total | found["totals"]], columns)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise WhereError(text)
    return name, value


class WhereError(ValueError):
    """A condition that is no dimension=value."""

    def __init__(self, text: str) -> None:
        super().__init__(f"--where must be dimension=value, found {text!r}")


class NoFileError(ValueError):
    """Parquet for a terminal."""

    def __init__(self) -> None:
        super().__init__("parquet must go to a file, found no --out")
