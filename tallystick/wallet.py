"""Commands about prepaid money and the ledger's accounts."""

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer

from tallystick.client import connect
from tallystick.settings import Settings
from tallystick.show import Format, show_csv, show_json, show_rows

Url = Annotated[str, typer.Option(help="Address of a running service; else the local one.")]
FormatOption = Annotated[Format, typer.Option("--format", help="How rows are printed.")]
Account = Annotated[str, typer.Argument(help="The account's id.")]
Promotion = Annotated[bool, typer.Option("--promotion", help="A gift: nobody paid it in.")]

wallet_app = typer.Typer(no_args_is_help=True, help="Prepaid money of accounts.")

_GRANT = ("id", "amount", "left", "currency", "priority", "starts_at", "expires_at", "source")
_BALANCES = (
    "currency", "receivable", "cash", "wallet", "deferred", "revenue", "tax", "rounding",
    "breakage", "promotion",
)  # fmt: skip


@wallet_app.command()
def show(account: Account, format: FormatOption = Format.TABLE, url: Url = "") -> None:  # noqa: A002
    """Show an account's grants and what is left of each.

    Example: tallystick wallet show acme
    """
    with connect(Settings(), url) as client:
        rows = client.rows(f"/v1/wallets/{quote(account, safe='')}")
    _show(rows, _GRANT, format)


@wallet_app.command()
def grant(  # noqa: PLR0913, PLR0917 - one argument an option
    account: Account,
    amount: Annotated[str, typer.Option(help="How much, as in 100.00.")],
    name: Annotated[str, typer.Option("--id", help="Id of the grant: it is added once.")],
    reason: Annotated[str, typer.Option(help="Why: it stays on record.")],
    expires: Annotated[str, typer.Option(help="ISO time with zone; else never.")] = "",
    priority: Annotated[int, typer.Option(help="Lower ones are used first.")] = 0,
    promotion: Promotion = False,  # noqa: FBT002
    actor: Annotated[str, typer.Option(help="Who decides.")] = "operator",
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """Add prepaid money, which bills use when they are issued.

    Example: tallystick wallet grant acme --id g-1 --amount 100.00 --reason "bank transfer 4711"
    """
    said: dict[str, Any] = {"id": name, "amount": amount, "priority": priority, "actor": actor}
    said |= {"reason": reason, "source": "promotion" if promotion else "paid"}
    said |= {"expires_at": expires} if expires else {}
    with connect(Settings(), url) as client:
        path = f"/v1/wallets/{quote(account, safe='')}/grants"
        headers = {"Content-Type": "application/json"}
        found = client.request("POST", path, body=json.dumps(said).encode(), headers=headers).json()
    _show(found["rows"], _GRANT, format)


def balances(
    account: Annotated[str, typer.Argument(help="Only of this account.")] = "",
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """Show what the ledger's accounts come to, debits above zero; a row sums to zero.

    Example: tallystick balances acme
    """
    params = {"account": account} if account else {}
    with connect(Settings(), url) as client:
        rows = client.request("GET", "/v1/ledger/balances", params=params).json()["rows"]
    _show(rows, _BALANCES, format)


def _show(rows: Any, columns: tuple[str, ...], how: Format) -> None:
    match how:
        case Format.JSON:
            show_json(rows)
        case Format.CSV:
            show_csv(rows, columns)
        case Format.TABLE:
            show_rows(rows, columns)
