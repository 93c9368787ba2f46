"""Commands that decide about stored events: void, amend, accept, take; and take decisions back."""

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer

from metering.corrections.correction import ACCEPT, CHANGEABLE, Kind
from metering.event import TOKEN_CLASSES
from tallystick.client import connect
from tallystick.settings import Settings
from tallystick.show import Format, console, show_csv, show_json, show_rows

Url = Annotated[str, typer.Option(help="Address of a running service; else the local one.")]
FormatOption = Annotated[Format, typer.Option("--format", help="How rows are printed.")]
From = Annotated[str, typer.Option("--from", help="ISO time with zone: events that end since.")]
To = Annotated[str, typer.Option("--to", help="ISO time with zone: events that end before.")]
Where = Annotated[list[str], typer.Option(help="dimension=value that events must have; repeat it.")]
Requests = Annotated[list[str], typer.Option("--request", help="Any id of a request; repeat it.")]
Reason = Annotated[str, typer.Option(help="Why: it stays on record.")]
Actor = Annotated[str, typer.Option(help="Who decides.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what it would change.")]

correct_app = typer.Typer(no_args_is_help=True, help="Void, amend or accept stored events.")

_CHANGES = ("hour", "account", "pool", "model", "outcome", "quality", "meter", "quantity")
_BILLS = ("account", "month_start", "payable_before", "payable_after", "difference", "currency")
_MADE = (
    "id", "kind", "requests", "from", "to", "where", "changes", "events", "actor", "reason",
    "made_at", "withdrawn_at",
)  # fmt: skip


@correct_app.command()
def void(  # noqa: PLR0913, PLR0917 - one argument an option
    reason: Reason,
    requests: Requests = [],  # noqa: B006 - typer reads it once
    start: From = "",
    end: To = "",
    where: Where = [],  # noqa: B006
    actor: Actor = "operator",
    dry_run: DryRun = False,  # noqa: FBT002
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """Count events as if they had never been sent.

    Example: tallystick correct void --request chatcmpl-123 --reason "a load test" --dry-run
    """
    asked = _asked(Kind.VOID, requests, (start, end), where)
    _correct({**asked, "actor": actor, "reason": reason, "dry_run": dry_run}, format, url)


@correct_app.command()
def amend(  # noqa: PLR0913, PLR0917
    reason: Reason,
    change: Annotated[
        list[str], typer.Option("--set", help=f"name=value of some of {', '.join(CHANGEABLE)}.")
    ],
    requests: Requests = [],  # noqa: B006
    start: From = "",
    end: To = "",
    where: Where = [],  # noqa: B006
    actor: Actor = "operator",
    dry_run: DryRun = False,  # noqa: FBT002
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """Replace what events say; counts that you set are accepted ones, and bill.

    Example: tallystick correct amend --request chatcmpl-1 --set output=512 --reason "engine log"
    """
    asked = _asked(Kind.AMEND, requests, (start, end), where)
    changes = {name: _value(name, value) for name, value in map(_pair, change)}
    said = {**asked, "changes": changes, "actor": actor, "reason": reason, "dry_run": dry_run}
    _correct(said, format, url)


@correct_app.command()
def accept(  # noqa: PLR0913, PLR0917
    reason: Reason,
    requests: Requests = [],  # noqa: B006
    start: From = "",
    end: To = "",
    where: Where = [],  # noqa: B006
    actor: Actor = "operator",
    dry_run: DryRun = False,  # noqa: FBT002
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """Accept estimated or unknown counts as they are told, so that they bill.

    Example: tallystick correct accept --where caveat=guessed --from 2026-10-01T00:00:00+08:00 \
--reason "agreed with acme"
    """
    asked = _asked(Kind.AMEND, requests, (start, end), where)
    changes = {ACCEPT: 1}
    said = {**asked, "changes": changes, "actor": actor, "reason": reason, "dry_run": dry_run}
    _correct(said, format, url)


@correct_app.command()
def take(  # noqa: PLR0913, PLR0917
    event: Annotated[str, typer.Argument(metavar="EVENT", help="The event's id, in hex.")],
    stored_at: Annotated[str, typer.Option(help="When the arrival to count was stored.")],
    reason: Reason,
    actor: Actor = "operator",
    dry_run: DryRun = False,  # noqa: FBT002
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """Of contradicting arrivals, count the one stored at a time that `conflicts` shows.

    Example: tallystick correct take 4bf9...31 --stored-at 2026-10-01T00:00:00.000000001Z \
--reason "the gateway mended its count"
    """
    from metering.period import nanoseconds_of  # noqa: PLC0415 - only here

    said: dict[str, Any] = {
        "kind": Kind.TAKE.value,
        "requests": [event],
        "actor": actor,
        "reason": reason,
    }
    said |= {"changes": {"stored_at": nanoseconds_of(stored_at)}, "dry_run": dry_run}
    _correct(said, format, url)


@correct_app.command()
def withdraw(
    correction: Annotated[str, typer.Argument(metavar="ID", help="The correction's id.")],
    reason: Reason,
    actor: Actor = "operator",
    url: Url = "",
) -> None:
    """Take a correction back; both decisions stay on record.

    Example: tallystick correct withdraw 1f6c --reason "it was no load test"
    """
    with connect(Settings(), url) as client:
        path = f"/v1/corrections/{quote(correction, safe='')}/withdrawal"
        body = json.dumps({"actor": actor, "reason": reason}).encode()
        client.request("POST", path, body=body, headers={"Content-Type": "application/json"})
    console().print(f"correction {correction} is withdrawn")


@correct_app.command("list")
def list_corrections(format: FormatOption = Format.TABLE, url: Url = "") -> None:  # noqa: A002
    """List all decisions about stored events, the oldest first.

    Example: tallystick correct list --format csv
    """
    with connect(Settings(), url) as client:
        rows = client.request("GET", "/v1/corrections").json()["rows"]
    match format:
        case Format.JSON:
            show_json(rows)
        case Format.CSV:
            show_csv(rows, _MADE)
        case Format.TABLE:
            show_rows(rows, _MADE)


def _asked(
    kind: Kind, requests: list[str], period: tuple[str, str], where: list[str]
) -> dict[str, Any]:
    start, end = period
    return {
        "kind": kind.value,
        "requests": requests,
        "from": start or None,
        "to": end or None,
        "where": dict(map(_pair, where)),
    }


def _correct(asked: dict[str, Any], how: Format, url: str) -> None:
    with connect(Settings(), url) as client:
        headers = {"Content-Type": "application/json"}
        body = json.dumps(asked).encode()
        found = client.request("POST", "/v1/corrections", body=body, headers=headers).json()
    match how:
        case Format.JSON:
            show_json(found)
        case Format.CSV:
            show_csv(found["changes"], _CHANGES)
        case Format.TABLE:
            show_rows(found["changes"], _CHANGES, "usage changes by")
            show_rows(found["bills"], _BILLS, "bills")
            what = f"is made: {found['id']}" if found["is_made"] else "would be made"
            console().print(f"a correction of {found['events']} events {what}")


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise PairError(text)
    return name, value


def _value(name: str, text: str) -> int | str:
    is_number = (name in TOKEN_CLASSES or name == ACCEPT) and text.isdecimal()
    return int(text) if is_number else text


class PairError(ValueError):
    """An option that is no name=value."""

    def __init__(self, text: str) -> None:
        super().__init__(f"the option must be name=value, found {text!r}")
