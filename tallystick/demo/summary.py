"""The demo's table: one row a contract with the arithmetic beside it, and what is payable."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from pricing.money import plain

COLUMNS = ("account", "mode", "requests", "tokens", "running_hours", "arithmetic", "amount_cny")

_COUNTED = {"Tokens", "Requests"}
"""What a node served is on its bill too, at no price."""

Bill = Mapping[str, Any]
Cells = Mapping[str, Any]


def summary_rows(bills: Iterable[Bill], usage: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return the table's rows; every amount can be worked out from its own row by hand."""
    return [row for bill in bills for row in _bill_rows(bill, usage)]


def _bill_rows(bill: Bill, usage: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    account = bill["account"]
    figures = {u["pool"]: u for u in usage if u["account"] == account}
    lines: list[Cells] = bill["lines"]
    for contract in sorted({line["x_ContractId"] for line in lines if line["x_ContractId"]}):
        own = [line for line in lines if line["x_ContractId"] == contract]
        timed = [line for line in own if line["ConsumedUnit"] not in _COUNTED]
        is_token = not timed
        served = figures.get("shared" if is_token else "dedicated", {})
        tokens = served.get("input_tokens", 0) + served.get("output_tokens", 0)
        yield {
            "account": account,
            "requests": f"{served.get('requests', 0):,}",
            "tokens": f"{tokens:,}",
            **(_token_cells(own) if is_token else _node_cells(timed)),
        }
    rounding = Decimal(bill["rounding"])
    yield {
        "account": account,
        "mode": "payable",
        "arithmetic": f"cut to the fen: {plain(rounding)}",
        "amount_cny": f"{bill['payable']} ({bill['state']})",
    }


def _token_cells(lines: Sequence[Cells]) -> dict[str, str]:
    tokens = sum(int(Decimal(line["ConsumedQuantity"])) for line in lines)
    price = lines[0]["ListUnitPrice"]
    return {
        "mode": "按Token计费 token",
        "tokens": f"{tokens:,}",
        "arithmetic": f"{price} x {tokens} / 10000",
        "amount_cny": _sum(lines, "BilledCost"),
    }


def _node_cells(lines: Sequence[Cells]) -> dict[str, str]:
    """A term is its price; hours are price x seconds / 3600."""
    seconds = sum(int(Decimal(line["ConsumedQuantity"] or 0)) for line in lines)
    term = [line for line in lines if line["ChargeCategory"] == "Purchase"]
    cells = {"running_hours": _clock(seconds), "amount_cny": _sum(lines, "BilledCost")}
    if term or lines[0]["CommitmentDiscountId"]:
        months = [f"{t['ListUnitPrice']} x {plain_int(t['PricingQuantity'])} month" for t in term]
        return cells | {"mode": "包年包月 subscription", "arithmetic": " + ".join(months)}
    price = lines[0]["ListUnitPrice"]
    return cells | {"mode": "按量付费 hourly", "arithmetic": f"{price} x {seconds} s / 3600"}


def plain_int(text: str) -> str:
    """Write a whole decimal without its decimals.

    >>> plain_int("1.0")
    '1'
    """
    return str(int(Decimal(text)))


def _sum(lines: Sequence[Cells], column: str) -> str:
    return plain(sum((Decimal(line[column]) for line in lines), Decimal(0)))


def _clock(seconds: int) -> str:
    """Write seconds as hours:minutes:seconds."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
