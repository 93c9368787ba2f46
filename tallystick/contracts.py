"""Commands about contracts: list, show, change."""

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer

from tallystick.client import connect
from tallystick.declared_change import ChangeKind
from tallystick.settings import Settings
from tallystick.show import Format, console, show_csv, show_json, show_rows

Url = Annotated[str, typer.Option(help="Address of a running service; else the local one.")]
FormatOption = Annotated[Format, typer.Option("--format", help="How rows are printed.")]
ContractId = Annotated[str, typer.Argument(metavar="CONTRACT", help="The contract's id.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what it would come to.")]

contracts_app = typer.Typer(no_args_is_help=True, help="What was agreed on, and its changes.")

_CONTRACT = (
    "id", "account", "mode", "region", "pool", "resource", "spec", "kv_cache_gb", "size_class",
    "quantity", "months", "start", "end", "auto_renew",
)  # fmt: skip
_ORDER = (
    "id", "account", "cluster", "app_type", "region", "mode", "spec", "resource", "engine", "model",
    "kv_cache_gb", "max_access", "quantity", "months", "auto_renew", "start",
)  # fmt: skip
_STANDING = (
    "contract", "account", "resource", "why", "standing", "since", "locked_at", "released_at",
)  # fmt: skip
_ATTEMPT = ("at", "failed")
_SETTLEMENT = ("id", "at", "amount", "rule", "working")


@contracts_app.command("list")
def list_contracts(  # noqa: PLR0913, PLR0917 - one argument an option
    account: Annotated[str, typer.Option(help="Only of this account.")] = "",
    mode: Annotated[str, typer.Option(help="subscription, hourly or token.")] = "",
    at: Annotated[str, typer.Option(help="ISO time with zone: in force at that instant.")] = "",
    after: Annotated[str, typer.Option(help="Go on where a page ended.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many rows.")] = 100,
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """List contracts by id.

    Example: tallystick contracts list --account acme --mode hourly
    """
    asked = {"account": account, "mode": mode, "at": at, "after": after, "limit": str(limit)}
    params = {name: value for name, value in asked.items() if value}
    with connect(Settings(), url) as client:
        found = client.request("GET", "/v1/contracts", params=params).json()
    _show(found, found["rows"], _CONTRACT, format)


@contracts_app.command()
def show(contract: ContractId, format: FormatOption = Format.TABLE, url: Url = "") -> None:  # noqa: A002
    """Show a contract, and what changes of it came to.

    Example: tallystick contracts show acme-node
    """
    with connect(Settings(), url) as client:
        found = client.request("GET", f"/v1/contracts/{quote(contract, safe='')}").json()
    _show(found, [found], _CONTRACT, format)
    if format is Format.TABLE and found["settlements"]:
        show_rows(found["settlements"], _SETTLEMENT)
    if format is Format.TABLE and found["renewal_attempts"]:
        show_rows(found["renewal_attempts"], _ATTEMPT)


@contracts_app.command()
def orders(
    account: Annotated[str, typer.Option(help="Only of this account.")] = "",
    after: Annotated[str, typer.Option(help="Go on where a page ended.")] = "",
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """List applications as they were ordered.

    Example: tallystick contracts orders --account acme
    """
    asked = {"account": account, "after": after}
    params = {name: value for name, value in asked.items() if value}
    with connect(Settings(), url) as client:
        found = client.request("GET", "/v1/orders", params=params).json()
    _show(found, found["rows"], _ORDER, format)


@contracts_app.command()
def standings(
    account: Annotated[str, typer.Option(help="Only of this account.")] = "",
    at: Annotated[str, typer.Option(help="ISO time with zone; else now.")] = "",
    after: Annotated[str, typer.Option(help="Go on where a page ended.")] = "",
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """List contracts that nobody has paid on, and when they are locked and released.

    Example: tallystick contracts standings --account acme
    """
    asked = {"account": account, "at": at, "after": after}
    params = {name: value for name, value in asked.items() if value}
    with connect(Settings(), url) as client:
        found = client.request("GET", "/v1/standings", params=params).json()
    _show(found, found["rows"], _STANDING, format)


@contracts_app.command()
def change(  # noqa: PLR0913, PLR0917
    contract: ContractId,
    kind: Annotated[ChangeKind, typer.Argument(help="What becomes of it.")],
    reason: Annotated[str, typer.Option(help="Why: it stays on record.")],
    at: Annotated[str, typer.Option(help="ISO time with zone; else now.")] = "",
    next_hour: Annotated[bool, typer.Option("--next-hour", help="On the next whole hour.")] = False,  # noqa: FBT002
    spec: Annotated[
        str, typer.Option(help="The other node; the node, where tokens were paid.")
    ] = "",
    kv_cache_gb: Annotated[int, typer.Option(help="The other size, for resize.")] = 0,
    months: Annotated[int, typer.Option(help="The term, for to-subscription and renew.")] = 0,
    size_class: Annotated[str, typer.Option(help="For to-tokens; else by model.")] = "",
    day: Annotated[int, typer.Option(help="The day of expiry, for renew-to-day.")] = 0,
    actor: Annotated[str, typer.Option(help="Who decides.")] = "operator",
    dry_run: DryRun = False,  # noqa: FBT002
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """Change a contract: say by which rule what is due, or given back.

    Example: tallystick contracts change acme-node upgrade --spec polar.pg.g8.xlarge.gu20 \
--reason "more load" --dry-run
    """
    told = {"at": at, "spec": spec, "kv_cache_gb": kv_cache_gb, "months": months, "day": day}
    told |= {"size_class": size_class, "next_hour": next_hour}
    said: dict[str, Any] = {"kind": kind.value, "actor": actor, "reason": reason}
    said |= {name: value for name, value in told.items() if value} | {"dry_run": dry_run}
    with connect(Settings(), url) as client:
        path = f"/v1/contracts/{quote(contract, safe='')}/changes"
        headers = {"Content-Type": "application/json"}
        found = client.request("POST", path, body=json.dumps(said).encode(), headers=headers).json()
    _show(found, found["contracts"], _CONTRACT, format)
    if format is Format.TABLE:
        done = "due" if found["is_made"] else "would be due"
        console().print(f"{found['rule']}: {found['amount']} {found['currency']} {done}")
        console().print(found["working"])


def _show(document: Any, rows: Any, columns: tuple[str, ...], how: Format) -> None:
    match how:
        case Format.JSON:
            show_json(document)
        case Format.CSV:
            show_csv(rows, columns)
        case Format.TABLE:
            show_rows(rows, columns)
