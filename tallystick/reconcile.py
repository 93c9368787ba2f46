"""Commands that compare gateways with engines, and accept what is known to differ."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from tallystick.client import connect
from tallystick.settings import Settings
from tallystick.show import Format, console, show_csv, show_json, show_rows

Url = Annotated[str, typer.Option(help="Address of a running service; else the local one.")]
FormatOption = Annotated[Format, typer.Option("--format", help="How rows are printed.")]
Start = Annotated[str, typer.Option("--from", help="ISO time with zone, a whole hour.")]
End = Annotated[str, typer.Option("--to", help="ISO time with zone, a whole hour.")]

reconcile_app = typer.Typer(
    invoke_without_command=True, help="Compare what gateways told with what engines counted."
)

_COLUMNS = (
    "from", "pool", "model", "status", "side", "gateway", "engine", "residual", "unexplained",
    "classes",
)  # fmt: skip


@reconcile_app.callback()
def reconcile(  # noqa: PLR0913, PLR0917 - one argument an option
    context: typer.Context,
    start: Start = "",
    end: End = "",
    pool: Annotated[str, typer.Option(help="Only this pool.")] = "",
    model: Annotated[str, typer.Option(help="Only this model.")] = "",
    by: Annotated[str, typer.Option(help="hour or day (UTC).")] = "hour",
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """Compare both sides by hour, pool and model; the last 24 hours where no period is given.

    Example: tallystick reconcile --from 2026-10-01T00:00+08:00 --to 2026-10-02T00:00+08:00
    """
    if context.invoked_subcommand:
        return
    asked = {"from": start, "to": end, "pool": pool, "model": model, "by": by}
    with connect(Settings(), url) as client:
        params = {name: value for name, value in asked.items() if value}
        found = client.request("GET", "/v1/reconciliation", params=params).json()
    lines = [line for row in found["rows"] for line in _lines(row)]
    match format:
        case Format.JSON:
            show_json(found)
        case Format.CSV:
            show_csv(lines, _COLUMNS)
        case Format.TABLE:
            show_rows(lines, _COLUMNS)
            _show_verdict(found["rows"])


@reconcile_app.command()
def accept(  # noqa: PLR0913, PLR0917 - one argument an option
    pool: Annotated[str, typer.Option(help="The pool.")],
    model: Annotated[str, typer.Option(help="The model.")],
    reason: Annotated[str, typer.Option(help="Why the difference is known and harmless.")],
    start: Start,
    end: End,
    actor: Annotated[str, typer.Option(help="Who accepts.")] = "operator",
    url: Url = "",
) -> None:
    """Accept what is unexplained of a pool and model in a period, with a reason.

    Example: tallystick reconcile accept --pool shared --model qwen3 --reason "load test" --from
    2026-10-01T00:00+08:00 --to 2026-10-01T01:00+08:00
    """
    said = {"from": start, "to": end, "pool": pool, "model": model}
    body = json.dumps({**said, "actor": actor, "reason": reason}).encode()
    headers = {"Content-Type": "application/json"}
    with connect(Settings(), url) as client:
        answer = client.request(
            "POST", "/v1/reconciliation/acceptances", body=body, headers=headers
        )
    accepted = answer.json()
    console().print(
        f"accepted by {accepted['actor']}: {accepted['input_tokens']:+,} input and "
        f"{accepted['output_tokens']:+,} output tokens of model {model} in pool {pool}"
    )


def _lines(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a line for input and one for output."""
    where = {name: row[name] for name in ("from", "pool", "model", "status")}
    return [where | {"side": side} | row[side] | _classes(row[side]) for side in _SIDES]


_SIDES = ("input", "output")


def _classes(side: Mapping[str, Any]) -> dict[str, str]:
    return {"classes": ", ".join(f"{c['class']} {c['tokens']:+,}" for c in side["classes"])}


def _show_verdict(rows: list[Mapping[str, Any]]) -> None:
    out = console()
    counts = {row["status"]: 0 for row in rows}
    for row in rows:
        counts[row["status"]] += 1
        unmetered = row["evidence"]["requests_unmetered"]
        if unmetered:
            out.print(
                f"{row['from']}: {unmetered:,} requests reached model {row['model']} in pool "
                f"{row['pool']} that no gateway told of"
            )
    out.print(", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "none")
