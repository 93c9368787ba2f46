"""Commands that show what stands beside a bill: explanations, quarantine, gaps."""

import json
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
    """Show every record that tells of a request, which one bills, what it costs, and why.

    The id is a response, request, trace, span or event id.

    Example: tallystick explain request chatcmpl-123
    """
    path = f"/v1/requests/{quote(request_id, safe='')}"
    with connect(Settings(), url) as client:
        found = client.request("GET", path).json()
        found |= client.request("GET", f"{path}/price").json()
    _show(found, found["records"], _RECORD_COLUMNS, format)
    if format is Format.TABLE:
        for price in found["prices"]:
            _show_price(price)


def _show_price(price: dict[str, Any]) -> None:
    """Print what a record that bills costs, meter by meter, and the prices of each."""
    meters, out = price["meters"], console()
    for one in meters:
        one["on"] = (
            ", ".join(f"{line['bill']} {line['line']}" for line in one["lines"]) or "no bill"
        )
    if meters:
        show_rows(
            meters, _METER_COLUMNS, f"event {price['event'][:16]}, account {price['account']}"
        )
        out.print(f"it costs {price['amount']} {price['currency']}")
    for why in price["why"]:
        out.print(why)
    for one in meters:
        if rates := one["rates"]:
            others = f", {len(rates) - _NEAREST} more lost" if len(rates) > _NEAREST else ""
            title = f"prices of {one['meter']}{others}"
            show_rows(rates[:_NEAREST], ("price", "per", "rate", "why"), title)


_NEAREST = 4
"""So many prices are shown of a meter: the one that applied, and those that came nearest."""

_METER_COLUMNS = ("meter", "quantity", "contract", "arithmetic", "rule", "on")


quarantine_app = typer.Typer(help="Usage that was set aside, or is held, and its ways out.")

_ASIDE = ("key", "reason", "service", "scope", "name", "trace_id", "span_id", "ended_at_ns")


@quarantine_app.callback(invoke_without_command=True)
def quarantine(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="At most so many rows.")] = 1000,
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """Show records that were set aside, and stored usage that is not plainly measured.

    Ways out of the first: discard, enter. Of the second: `tallystick correct`.

    Example: tallystick quarantine --format json
    """
    if context.invoked_subcommand:
        return
    with connect(Settings(), url) as client:
        found = client.request("GET", "/v1/quarantine", params={"limit": str(limit)}).json()
    _show(found, found["rows"], _ASIDE, format)
    if format is Format.TABLE:
        show_rows(found["held"], ("caveat", "requests", "first_ended_at", "last_ended_at"))
        console().print(f"{found['count']} records are set aside")


@quarantine_app.command()
def discard(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The record's key.")],
    reason: Annotated[str, typer.Option(help="Why: it stays on record.")],
    actor: Annotated[str, typer.Option(help="Who decides.")] = "operator",
    url: Url = "",
) -> None:
    """Decide that a record set aside is no usage.

    Example: tallystick quarantine discard 8f1e2d3c4b5a6978 --reason "a clock test"
    """
    _decide(key, "discard", {"actor": actor, "reason": reason}, url)


@quarantine_app.command()
def enter(  # noqa: PLR0913, PLR0917 - one argument an option
    key: Annotated[str, typer.Argument(metavar="KEY", help="The record's key.")],
    reason: Annotated[str, typer.Option(help="Why: it stays on record.")],
    model: Annotated[str, typer.Option(help="The model that served.")],
    count: Annotated[list[str], typer.Option(help="class=tokens; repeat it.")],
    ended_at: Annotated[str, typer.Option(help="ISO time with zone; else as told.")] = "",
    tenant: Annotated[str, typer.Option(help="Whose it is.")] = "",
    api_key: Annotated[str, typer.Option(help="The id of the key.")] = "",
    pool: Annotated[str, typer.Option(help="The pool that served.")] = "",
    resource: Annotated[str, typer.Option(help="The node or endpoint that served.")] = "",
    actor: Annotated[str, typer.Option(help="Who decides.")] = "operator",
    url: Url = "",
) -> None:
    """Enter a record set aside into its hour, with what it lacks; its counts are accepted ones.

    Example: tallystick quarantine enter 8f1e2d3c4b5a6978 --model qwen3-14b --count fresh=900 \
--count output=42 --ended-at 2026-10-01T08:00:00+08:00 --tenant acme --reason "broken clock"
    """
    pairs = [text.partition("=") for text in count]
    said = {"model": model, "counts": {name: value for name, _, value in pairs}}
    said |= {"ended_at": ended_at, "tenant": tenant, "api_key": api_key, "pool": pool}
    _decide(key, "entry", {**said, "resource": resource, "actor": actor, "reason": reason}, url)


def _decide(key: str, how: str, said: dict[str, Any], url: str) -> None:
    with connect(Settings(), url) as client:
        path = f"/v1/quarantine/{quote(key, safe='')}/{how}"
        headers = {"Content-Type": "application/json"}
        found = client.request("POST", path, body=json.dumps(said).encode(), headers=headers).json()
    console().print(f"{found['key']} is {found['fate']}")


def watermarks(
    days: Annotated[int, typer.Option(min=1, help="Sources that sent within so many days.")] = 7,
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """Show how far each source has come: its last event, its last number, how late it is.

    Example: tallystick watermarks
    """
    with connect(Settings(), url) as client:
        found = client.request("GET", "/v1/watermarks", params={"days": str(days)}).json()
    _show(found, found["rows"], _WATERMARKS, format)


_WATERMARKS = (
    "service", "producer", "records", "last_ended_at", "last_stored_at", "last_sequence",
    "silent_seconds", "slowest_ms",
)  # fmt: skip


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
