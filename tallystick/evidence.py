"""Commands that show what stands beside a bill: explanations, quarantine, gaps."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from tallystick.client import connect
from tallystick.settings import Settings
from tallystick.show import Format, console, show_csv, show_json, show_rows

Url = Annotated[str, typer.Option(help="Address of a running service; else the local one.")]
FormatOption = Annotated[Format, typer.Option("--format", help="How rows are printed.")]

explain_app = typer.Typer(no_args_is_help=True, help="Say why, from the records.")

_RECORD_COLUMNS = (
    "bills", "why", "dialect", "rank", "service", "tenant", "model", "outcome", "quality",
    "caveat", "fresh", "cached", "output", "reasoning", "ended_at", "event_id",
)  # fmt: skip


@explain_app.command()
def request(
    request_id: Annotated[str, typer.Argument(metavar="ID", help="Any id of the request.")],
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """Show every record that tells of a request, which one bills, and why the others do not.

    The id is a response, request, trace, span or event id.

    Example: tallystick explain request chatcmpl-123
    """
    with connect(Settings(), url) as client:
        found = client.request("GET", f"/v1/requests/{quote(request_id, safe='')}").json()
    _show(found, found["records"], _RECORD_COLUMNS, format)


def quarantine(
    limit: Annotated[int, typer.Option(min=1, help="At most so many rows.")] = 1000,
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """Show records that were set aside, and stored usage that is not plainly measured.

    Example: tallystick quarantine --format json
    """
    with connect(Settings(), url) as client:
        found = client.request("GET", "/v1/quarantine", params={"limit": str(limit)}).json()
    columns = ("reason", "service", "scope", "name", "trace_id", "span_id", "ended_at_ns")
    _show(found, found["rows"], columns, format)
    if format is Format.TABLE:
        show_rows(found["held"], ("caveat", "requests", "first_ended_at", "last_ended_at"))
        console().print(f"{found['count']} records are set aside")


def gaps(
    limit: Annotated[int, typer.Option(min=1, help="At most so many rows.")] = 1000,
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """Show numbers that producers gave and nobody received: records lost, or still on their way.

    Example: tallystick gaps
    """
    with connect(Settings(), url) as client:
        found = client.request("GET", "/v1/gaps", params={"limit": str(limit)}).json()
    _show(found, found["rows"], ("producer", "first_missing", "last_missing", "after"), format)


def _show(document: Any, rows: Any, columns: tuple[str, ...], how: Format) -> None:
    match how:
        case Format.JSON:
            show_json(document)
        case Format.CSV:
            show_csv(rows, columns)
        case Format.TABLE:
            show_rows(rows, columns)
