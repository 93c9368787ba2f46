"""Commands that advise: compare ways to be charged, simulate, forecast, set cost beside price."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from pricing.prices.store import texts_at
from tallystick.client import connect
from tallystick.settings import Settings
from tallystick.setup_file import setup_json
from tallystick.show import Format, console, show_csv, show_json, show_rows

Url = Annotated[str, typer.Option(help="Address of a running service; else the local one.")]
FormatOption = Annotated[Format, typer.Option("--format", help="How rows are printed.")]
Month = Annotated[str, typer.Option(help="Calendar month of the account's zone, YYYY-MM.")]
Account = Annotated[str, typer.Argument(help="The account's id.")]

advise_app = typer.Typer(no_args_is_help=True, help="What it would cost otherwise; posts nothing.")

_COMPARED = (
    "contract", "option", "payable", "per_million_tokens", "running_hours", "idle_hours", "tokens",
)  # fmt: skip
_PARTS = ("contract", "reason", "tokens", "cost")
_OUTCOME = ("account", "month_end", "before", "after", "difference", "blockers")
_FORECAST = ("account", "month_end", "to_date", "low", "expected", "high", "weeks")

_LOADS = {
    "served": "as many as were served",
    "p50": "were every hour like half of those with usage",
    "p90": "were every hour like the busiest tenth of those with usage",
}
"""Load of a quote -> how it is told."""
_EARNED = (
    "place", "account", "model", "tokens", "revenue", "cost_on_use", "cost_on_reservation",
    "margin",
)  # fmt: skip
_PLACES = (
    "place", "hours", "idle_hours", "tokens", "revenue", "cost", "idle_cost", "margin",
    "per_million_on_use", "per_million_on_reservation",
)  # fmt: skip


@advise_app.command()
def compare(
    account: Account,
    month: Month,
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """Show what each node of an account would have cost as subscription, by the hour, per token.

    Example: tallystick advise compare acme --month 2026-10
    """
    with connect(Settings(), url) as client:
        asked = {"account": account, "month": month}
        found = client.request("GET", "/v1/advice/comparison", params=asked).json()
    rows = [row for node in found["rows"] for row in _options(node)]
    _show(found, rows, _COMPARED, format)
    if format is Format.TABLE:
        for node in found["rows"]:
            for sentence in _advice(node, found["currency"]):
                console().print(sentence)


@advise_app.command()
def hybrid(
    account: Account,
    month: Month,
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """Show what overflowed from reservations to a pool, against what one more node costs.

    Example: tallystick advise hybrid acme --month 2026-10
    """
    with connect(Settings(), url) as client:
        asked = {"account": account, "month": month}
        found = client.request("GET", "/v1/advice/hybrid", params=asked).json()
    spilled = [one | {"cost": one["amount"]} for one in found["overflows"]]
    served = [one | {"reason": "reserved"} for one in found["reservations"]]
    _show(found, [*served, *spilled], _PARTS, format)
    if format is Format.TABLE:
        for sentence in _against_one_more(found):
            console().print(sentence)


@advise_app.command()
def simulate(  # noqa: PLR0913, PLR0917 - one argument an option
    month: Month,
    book: Annotated[str, typer.Option(help="A book's name, or the folder of its files.")] = "",
    account: Annotated[str, typer.Option(help="Only this account; else all.")] = "",
    until: Annotated[str, typer.Option(help="The last of several months; else the one.")] = "",
    contracts: Annotated[
        Path | None, typer.Option(help="A setup file; its contracts hold in place of those kept.")
    ] = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """Show what months would come to by another price book or contracts: winners, losers, total.

    Example: tallystick advise simulate --month 2026-07 --until 2026-09 --book prices/2027
    """
    asked: dict[str, Any] = {"month": month, "account": account, "until": until}
    if contracts:
        asked["contracts"] = json.loads(setup_json(contracts)).get("contracts", [])
    asked |= {"files": texts_at(Path(book))} if Path(book or "-").exists() else {"book": book}
    headers = {"Content-Type": "application/json"}
    with connect(Settings(), url) as client:
        body = json.dumps(asked).encode()
        path = "/v1/advice/simulation"
        found = client.request("POST", path, body=body, headers=headers).json()
    _show(found, found["rows"], _OUTCOME, format)
    if format is Format.TABLE:
        total = found["summary"]
        console().print(
            f"{total['accounts']} accounts: {total['winners']} pay less, {total['losers']} more; "
            f"{total['before']} becomes {total['after']} {found['currency']}"
        )


@advise_app.command()
def forecast(
    account: Account,
    month: Annotated[str, typer.Option(help="YYYY-MM; else the open one.")] = "",
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """Show what an open month will come to, from the weeks before it.

    Example: tallystick advise forecast acme
    """
    asked = {"account": account} | ({"month": month} if month else {})
    with connect(Settings(), url) as client:
        found = client.request("GET", "/v1/advice/forecast", params=asked).json()
    _show(found, [found], _FORECAST, format)


@advise_app.command()
def margins(
    month: Annotated[str, typer.Option(help="Calendar month of the book's zone, YYYY-MM.")],
    cost: Annotated[list[str], typer.Option(help="node=cost of an hour, or pool=...; repeat it.")],
    account: Annotated[str, typer.Option(help="Only this account; else all.")] = "",
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """Show what nodes and pools earn and cost: by customer and model, idle hours and all.

    Example: tallystick advise margins --month 2026-10 --cost node-1=9.50 --cost shared=40
    """
    costs = {name: value for name, _, value in (text.rpartition("=") for text in cost)}
    asked = {"month": month, "account": account, "costs": costs}
    headers = {"Content-Type": "application/json"}
    with connect(Settings(), url) as client:
        body = json.dumps(asked).encode()
        path = "/v1/advice/margins"
        found = client.request("POST", path, body=body, headers=headers).json()
    rows = [{"place": place["place"]} | row for place in found["places"] for row in place["rows"]]
    _show(found, rows, _EARNED, format)
    if format is Format.TABLE:
        show_rows(found["places"], _PLACES, f"in {found['currency']}")


def _options(node: dict[str, Any]) -> list[dict[str, Any]]:
    told = {name: node[name] for name in ("contract", "running_hours", "idle_hours", "tokens")}
    return [told | one | {"option": one["name"]} for one in (node["now"], *node["options"])]


def _against_one_more(found: dict[str, Any]) -> list[str]:
    """Say what overflow cost above one more node of each reservation, or below it."""
    currency, spilled = found["currency"], found["spilled"]
    said = []
    for node in found["reservations"]:
        if more := node["spilled_over_one_more"]:
            how = f"{more.removeprefix('-')} {'less' if more.startswith('-') else 'more'}"
            said.append(
                f"overflow cost {spilled} {currency}, {how} than one more node like that of "
                f"{node['contract']} for a month ({node['node_month']})"
            )
    if found["per_million_tokens"]:
        said.append(f"a million tokens cost {found['per_million_tokens']} {currency} on the whole")
    return said


def _advice(node: dict[str, Any], currency: str) -> list[str]:
    said = [f"{node['contract']}: {one}" for one in node["missing"]]
    if node["cheapest"]:
        cheapest, saving = node["cheapest"], node["saving"]
        said.append(f"{node['contract']}: {cheapest} is cheapest, it saves {saving} {currency}")
    if node["break_even_hours"]:
        hours = node["break_even_hours"]
        said.append(f"{node['contract']}: a subscription is cheaper from {hours} hours a month")
    for size_class, tokens in node["break_even_tokens"].items():
        said.append(f"{node['contract']}: and from {tokens:,} tokens of class {size_class}")
    terms = ", ".join(f"{months}: {amount}" for months, amount in node["terms"].items())
    if terms:
        said.append(f"{node['contract']}: a month of a term costs, by its months, {terms}")
    for load, price in node["quotes"].items():
        said.append(
            f"{node['contract']}: tokens cost what a reservation does at {price} {currency} a "
            f"million, {_LOADS[load]}"
        )
    return said


def _show(document: Any, rows: Any, columns: tuple[str, ...], how: Format) -> None:
    match how:
        case Format.JSON:
            show_json(document)
        case Format.CSV:
            show_csv(rows, columns)
        case Format.TABLE:
            show_rows(rows, columns)
