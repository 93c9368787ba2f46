"""Commands about bills: show, list, issue, settle, void, credit, release, rate again, verify."""

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer
from typer.core import TyperGroup

from tallystick.client import connect
from tallystick.settings import Settings
from tallystick.show import Format, console, show_csv, show_json, show_rows

Url = Annotated[str, typer.Option(help="Address of a running service; else the local one.")]
FormatOption = Annotated[Format, typer.Option("--format", help="How rows are printed.")]
Month = Annotated[str, typer.Option(help="Calendar month of the account's zone, YYYY-MM.")]
BillId = Annotated[str, typer.Argument(metavar="BILL", help="The bill's id.")]
Account = Annotated[str, typer.Argument(help="The account's id.")]
Reason = Annotated[str, typer.Option(help="Why: it stays on record.")]
Actor = Annotated[str, typer.Option(help="Who decides.")]
Interim = Annotated[bool, typer.Option("--interim", help="Also where the month has not ended.")]
Apply = Annotated[bool, typer.Option("--apply", help="Do it; else only say what it would do.")]

COLUMNS = (
    "ChargePeriodStart", "ChargePeriodEnd", "x_ContractId", "ChargeDescription",
    "ConsumedQuantity", "ConsumedUnit", "ListUnitPrice", "PricingUnit", "BilledCost",
)  # fmt: skip
_HEAD = ("id", "number", "document", "account", "state", "payable", "currency", "corrects")
_RUN = ("id", "sequence", "minor_units", "corrects", "rating_hash")
_CHANGE = ("contract", "description", "start", "end", "billed")


class BillGroup(TyperGroup):
    """``tallystick bill ACCOUNT --month M`` shows a bill; its other words are commands."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take the first word for a command where it is one, else for an account."""
        if args and args[0] in self.commands:
            return super().parse_args(ctx, ["", *args])
        ctx.allow_interspersed_args = True
        return super().parse_args(ctx, args)


bill_app = typer.Typer(cls=BillGroup, invoke_without_command=True, help="Draft and issue bills.")


@bill_app.callback()
def bill(
    context: typer.Context,
    account: Account = "",
    month: Month = "",
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """Draft an account's bill of a month; its rows add up to what is payable.

    Example: tallystick bill acme --month 2026-10
    """
    if context.invoked_subcommand:
        return
    if not account or not month:
        raise typer.BadParameter("an account and its --month must be named, or a command")
    with connect(Settings(), url) as client:
        show_bill(client.request("GET", f"/v1/bills/{_safe(account)}/{month}").json(), format)


@bill_app.command()
def show(bill: BillId, format: FormatOption = Format.TABLE, url: Url = "") -> None:  # noqa: A002
    """Show a bill or credit note as it is kept, with its rows.

    Example: tallystick bill show acme-202610
    """
    with connect(Settings(), url) as client:
        show_bill(client.request("GET", f"/v1/bills/{_safe(bill)}").json(), format)


@bill_app.command("list")
def list_bills(
    account: Annotated[str, typer.Option(help="Only of this account.")] = "",
    month: Annotated[str, typer.Option(help="Only of this month, YYYY-MM.")] = "",
    state: Annotated[str, typer.Option(help="Only in this state, such as issued.")] = "",
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """List bills and credit notes by id.

    Example: tallystick bill list --account acme --state issued
    """
    asked = {"account": account, "month": month, "state": state}
    params = {name: value for name, value in asked.items() if value} | {"limit": "1000"}
    with connect(Settings(), url) as client:
        rows: list[dict[str, Any]] = []
        while True:
            page = client.request("GET", "/v1/bills", params=params).json()
            rows += page["rows"]
            if page["next"] is None:
                break
            params |= {"after": page["next"]}
    _show(rows, _HEAD, format)


@bill_app.command()
def issue(
    bill: BillId,
    interim: Interim = False,  # noqa: FBT002
    actor: Actor = "operator",
    reason: Reason = "checked",
    url: Url = "",
) -> None:
    """Give a draft its number, freeze its rows and book it.

    Example: tallystick bill issue acme-202610
    """
    _say(_sent(url, bill, "issue", actor=actor, reason=reason, interim=interim))


@bill_app.command()
def settle(bill: BillId, reason: Reason, actor: Actor = "operator", url: Url = "") -> None:
    """Book the payment of an issued bill.

    Example: tallystick bill settle acme-202610 --reason "bank transfer 4711"
    """
    _say(_sent(url, bill, "settlement", actor=actor, reason=reason))


@bill_app.command()
def void(bill: BillId, reason: Reason, actor: Actor = "operator", url: Url = "") -> None:
    """Take a whole bill back by a credit note; its month is open again.

    Example: tallystick bill void acme-202610 --reason "wrong customer"
    """
    _say(_sent(url, bill, "void", actor=actor, reason=reason))


@bill_app.command()
def credit(  # noqa: PLR0913, PLR0917 - one argument an option
    bill: BillId,
    amount: Annotated[str, typer.Option(help="How much, as in 12.50.")],
    note: Annotated[str, typer.Option("--id", help="Id of the credit note: it is made once.")],
    reason: Reason,
    actor: Actor = "operator",
    url: Url = "",
) -> None:
    """Give a part of a bill back by a credit note.

    Example: tallystick bill credit acme-202610 --id cn-1 --amount 12.50 --reason "slow on 3 Oct"
    """
    said = {"id": note, "amount": amount, "actor": actor, "reason": reason}
    _say(_sent(url, bill, "credit-notes", **said))


@bill_app.command()
def release(bill: BillId, reason: Reason, actor: Actor = "operator", url: Url = "") -> None:
    """Let a parked draft pass as it is.

    Example: tallystick bill release acme-202610 --reason "a real peak, seen with acme"
    """
    _say(_sent(url, bill, "release", actor=actor, reason=reason))


@bill_app.command()
def rerate(  # noqa: PLR0913, PLR0917 - one argument an option
    account: Account,
    month: Month,
    reason: Reason,
    book: Annotated[str, typer.Option(help="Name of a price book; else the month's own.")] = "",
    as_of: Annotated[int | None, typer.Option(help="Usage as this close run left it.")] = None,
    apply: Apply = False,  # noqa: FBT002
    actor: Actor = "operator",
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """Rate a closed month by another book, or with usage as of a close run.

    Example: tallystick bill rerate acme --month 2026-10 --book polardb-2026 --reason "new terms"
    """
    asked = {
        "account": account, "month": month, "book": book, "usage_run": as_of, "apply": apply,
        "actor": actor, "reason": reason,
    }  # fmt: skip
    found = _posted(url, "/v1/reratings", asked)
    if format is not Format.TABLE:
        _show(found["lines"] if format is Format.CSV else found, _CHANGE, format)
        return
    show_rows(found["lines"], _CHANGE, "differences")
    said = "the next bill carries" if found["is_made"] else "the next bill would carry"
    before, after = found["payable_before"], found["payable_after"]
    difference = f"{found['difference']} {found['currency']}"
    console().print(f"payable {before} -> {after}: {said} {difference}")


@bill_app.command()
def runs(account: Account, format: FormatOption = Format.TABLE, url: Url = "") -> None:  # noqa: A002
    """List the billing runs of an account, by month.

    Example: tallystick bill runs acme
    """
    with connect(Settings(), url) as client:
        rows = client.rows("/v1/runs", account=account)
    _show(rows, _RUN, format)


@bill_app.command()
def verify(bill: BillId, url: Url = "") -> None:
    """Repeat the runs of a bill with what they were told; exit 1 where a byte differs.

    Example: tallystick bill verify acme-202610
    """
    with connect(Settings(), url) as client:
        found = client.request("GET", f"/v1/verifications/{_safe(bill)}").json()
    console().print(f"kept  {found['result_hash']}\nagain {found['result_hash_again']}")
    if not found["is_same"]:
        raise DifferentResultError(bill)
    console().print(f"bill {bill} comes out the same")


def show_bill(found: dict[str, Any], how: Format) -> None:
    """Print a bill."""
    match how:
        case Format.JSON:
            show_json(found)
        case Format.CSV:
            show_csv(found["lines"], list(found["lines"][0]))
        case Format.TABLE:
            number = f", {found['number']}" if found["number"] else ""
            title = f"{found['document']} {found['id']} ({found['state']}{number})"
            show_rows(found["lines"], COLUMNS, title)
            out = console()
            out.print(f"payable {found['payable']} {found['currency']}")
            out.print(f"book {found['book_hash'][:16]}  result {found['result_hash'][:16]}")
            for kind in ("blockers", "warnings"):
                for sentence in found[kind]:
                    out.print(f"{kind[:-1]}: {sentence}")
            if found["reason"]:
                out.print(f"reason: {found['reason']}")


def _sent(url: str, bill: str, what: str, **said: Any) -> dict[str, Any]:
    return _posted(url, f"/v1/bills/{_safe(bill)}/{what}", said)


def _posted(url: str, path: str, said: dict[str, Any]) -> dict[str, Any]:
    with connect(Settings(), url) as client:
        headers = {"Content-Type": "application/json"}
        body = json.dumps(said).encode()
        found: dict[str, Any] = client.request("POST", path, body=body, headers=headers).json()
    return found


def _say(found: dict[str, Any]) -> None:
    name = f"{found['document']} {found['id']}"
    number = f" {found['number']}" if found["number"] else ""
    console().print(f"{name}{number} is {found['state']}: {found['payable']} {found['currency']}")


def _show(rows: Any, columns: tuple[str, ...], how: Format) -> None:
    match how:
        case Format.JSON:
            show_json(rows)
        case Format.CSV:
            show_csv(rows, columns)
        case Format.TABLE:
            show_rows(rows, columns)


def _safe(text: str) -> str:
    return quote(text, safe="")


class DifferentResultError(RuntimeError):
    """A bill that did not come out as it was kept."""

    def __init__(self, bill: str) -> None:
        super().__init__(f"bill {bill} must come out as it is kept, found other rows")
