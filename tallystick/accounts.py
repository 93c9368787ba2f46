"""Commands about accounts and the identities that they are known by."""

import json
from typing import Annotated, Any

import typer

from tallystick.client import connect
from tallystick.settings import Settings
from tallystick.show import Format, show_csv, show_json, show_rows

Url = Annotated[str, typer.Option(help="Address of a running service; else the local one.")]
FormatOption = Annotated[Format, typer.Option("--format", help="How rows are printed.")]
After = Annotated[str, typer.Option(help="Go on where a page ended.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="At most so many rows.")]
AccountId = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's id.")]

accounts_app = typer.Typer(no_args_is_help=True, help="Who pays.")
identities_app = typer.Typer(no_args_is_help=True, help="Which raw identities belong to whom.")

_ACCOUNT = ("id", "name", "zone")
_IDENTITY = ("kind", "value", "account", "project", "valid_from", "valid_to")


@accounts_app.command("list")
def list_accounts(
    after: After = "",
    limit: Limit = 100,
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """List accounts by id.

    Example: tallystick accounts list
    """
    _listed("/v1/accounts", {"after": after, "limit": str(limit)}, _ACCOUNT, format, url)


@accounts_app.command("put")
def put_account(
    account: AccountId,
    name: Annotated[str, typer.Option(help="What people call it.")],
    zone: Annotated[str, typer.Option(help="Where its months turn; for ever.")] = "Asia/Shanghai",
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """Add an account, or rename it.

    Example: tallystick accounts put acme --name "Acme Ltd"
    """
    _told("/v1/accounts", {"id": account, "name": name, "zone": zone}, _ACCOUNT, format, url)


@identities_app.command("list")
def list_identities(  # noqa: PLR0913, PLR0917 - one argument an option
    account: Annotated[str, typer.Option(help="Only of this account.")] = "",
    kind: Annotated[str, typer.Option(help="Only of this kind.")] = "",
    at: Annotated[str, typer.Option(help="ISO time with zone: bound at that instant.")] = "",
    after: After = "",
    limit: Limit = 100,
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """List identities by kind and value.

    Example: tallystick identities list --account acme
    """
    asked = {"account": account, "kind": kind, "at": at, "after": after, "limit": str(limit)}
    _listed("/v1/identities", asked, _IDENTITY, format, url)


@identities_app.command()
def bind(  # noqa: PLR0913, PLR0917
    kind: Annotated[str, typer.Argument(help="tenant, project, api_key and so on.")],
    value: Annotated[str, typer.Argument(help="As telemetry has it.")],
    account: Annotated[str, typer.Option(help="Who pays for it.")],
    project: Annotated[str, typer.Option(help="The account's project.")] = "",
    valid_from: Annotated[str, typer.Option(help="Since which whole hour; else always.")] = "",
    valid_to: Annotated[str, typer.Option(help="Until which whole hour; else for ever.")] = "",
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """Bind an identity to an account; hours that it touches are summed again.

    Example: tallystick identities bind tenant t-acme --account acme
    """
    said = {"kind": kind, "value": value, "account": account, "project": project}
    said |= {"valid_from": valid_from} if valid_from else {}
    said |= {"valid_to": valid_to} if valid_to else {}
    _told("/v1/identities", said, _IDENTITY, format, url)


def _listed(
    path: str, asked: dict[str, str], columns: tuple[str, ...], how: Format, url: str
) -> None:
    params = {name: value for name, value in asked.items() if value}
    with connect(Settings(), url) as client:
        found = client.request("GET", path, params=params).json()
    if how is Format.JSON:
        show_json(found)
    else:
        _show(found["rows"], columns, how)


def _told(path: str, said: Any, columns: tuple[str, ...], how: Format, url: str) -> None:
    headers = {"Content-Type": "application/json"}
    with connect(Settings(), url) as client:
        found = client.request("POST", path, body=json.dumps(said).encode(), headers=headers).json()
    if how is Format.JSON:
        show_json(found)
    else:
        _show([found], columns, how)


def _show(rows: Any, columns: tuple[str, ...], how: Format) -> None:
    if how is Format.CSV:
        show_csv(rows, columns)
    else:
        show_rows(rows, columns)
