"""Commands about resources: what they did, what was said of them, and when they should run."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
import yaml

from metering.interval import State
from metering.resources.inventory import rows_of
from tallystick import clock
from tallystick.client import Client, connect
from tallystick.settings import Settings
from tallystick.show import Format, console, show_csv, show_json, show_rows

Url = Annotated[str, typer.Option(help="Address of a running service; else the local one.")]
FormatOption = Annotated[Format, typer.Option("--format", help="How rows are printed.")]
From = Annotated[str, typer.Option("--from", help="ISO time with zone.")]
To = Annotated[str, typer.Option("--to", help="ISO time with zone.")]
Actor = Annotated[str, typer.Option(help="Who says so.")]
Name = Annotated[str, typer.Argument(metavar="ID", help="The resource's id.")]

resources_app = typer.Typer(no_args_is_help=True, help="What resources did and should do.")

_RESOURCES = (
    "id", "account", "kind", "region", "spec", "name", "state", "since", "heartbeat_seconds",
    "heard_at",
)  # fmt: skip
_SCHEDULES = (
    "resource", "name", "windows", "zone", "valid_from", "valid_to", "holidays", "workdays",
)  # fmt: skip
_SECONDS = ("expected_seconds", "observed_seconds", "missing_seconds", "extra_seconds")
_REPORT = {
    "day": ("resource", "day", *_SECONDS, "failed_starts", "late_starts", "failed_stops"),
    "hour": ("resource", "hour", *_SECONDS),
}


@resources_app.command("list")
def list_resources(
    account: Annotated[str, typer.Option(help="Only of this account.")] = "",
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """List resources and the state each is in.

    Example: tallystick resources list --account acme
    """
    with connect(Settings(), url) as client:
        found = _get(client, "/v1/resources", account=account)
    _show(found, found["rows"], _RESOURCES, format)


@resources_app.command()
def states(  # noqa: PLR0913 - one argument an option
    resource: Name,
    start: From = "",
    end: To = "",
    *,
    told: Annotated[bool, typer.Option("--told", help="What was told, and by whom.")] = False,
    hours: Annotated[bool, typer.Option("--hours", help="Running seconds by hour.")] = False,
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """Show what a resource did; the last day where no period is given.

    Example: tallystick resources states n1 --from 2026-10-01T00:00:00+08:00
    """
    path = f"/v1/resources/{quote(resource, safe='')}"
    with connect(Settings(), url) as client:
        if told:
            found = _get(client, f"{path}/states")
        else:
            found = _get(client, f"{path}/intervals", **{"from": start, "to": end})
    if told:
        columns = ("at", "state", "source", "actor", "evidence", "stored_at")
        _show(found, found["rows"], columns, format)
    elif hours:
        _show(found, found["hours"], ("hour", "running_seconds"), format)
    else:
        _show(found, found["rows"], ("state", "from", "to"), format)


@resources_app.command()
def tell(  # noqa: PLR0913, PLR0917 - one argument an option
    resource: Name,
    state: Annotated[State, typer.Argument(help="The state it is in.")],
    at: Annotated[str, typer.Option(help="Since when, ISO time with zone; else now.")] = "",
    evidence: Annotated[str, typer.Option(help="How this is known.")] = "",
    actor: Actor = "operator",
    url: Url = "",
) -> None:
    """Say that a resource is in a state. It holds until the next.

    Example: tallystick resources tell n1 stopped --evidence "ticket 4711"
    """
    said = {"state": state, "at": at or clock.now().isoformat(), "actor": actor}
    said |= {"source": "command", "evidence": evidence}
    path = f"/v1/resources/{quote(resource, safe='')}/states"
    with connect(Settings(), url) as client:
        stored = _post(client, path, said)
    console().print(f"{stored['stored']} stored, {stored['known']} known before")


@resources_app.command("import")
def import_inventory(
    file: Annotated[Path, typer.Argument(help="CSV, or a YAML list.")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what changes.")] = False,
    actor: Actor = "operator",
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """Take resources and their states from a file: all of it, or nothing.

    Example: tallystick resources import nodes.csv --dry-run
    """
    rows = [
        {"line": row.line, "cells": dict(row.cells)}
        for row in rows_of(file.name, file.read_text("utf-8"))
    ]
    with connect(Settings(), url) as client:
        asked = {"rows": rows, "actor": actor, "dry_run": dry_run}
        taken = _post(client, "/v1/inventory", asked)
    _show(taken, taken["changes"], ("line", "resource", "change"), format)
    for one in taken["problems"]:
        sys.stderr.write(f"{file.name}:{one['line']}: {one['problem']}\n")
    if taken["problems"]:
        raise InventoryRefusedError(len(taken["problems"]))
    if format is Format.TABLE:
        console().print("stored" if taken["stored"] else "nothing was stored: this was a dry run")


@resources_app.command()
def schedule(
    file: Annotated[Path, typer.Argument(help="YAML: a list of schedules.")],
    actor: Actor = "operator",
    url: Url = "",
) -> None:
    """Say when resources are expected to run.

    Example: tallystick resources schedule schedules.yaml
    """
    try:
        listed = yaml.safe_load(file.read_text("utf-8"))
    except yaml.YAMLError as error:
        raise ScheduleFileError(file, str(error)) from error
    with connect(Settings(), url) as client:
        stored = _post(client, "/v1/schedules", {"schedules": listed, "actor": actor})
    console().print(f"{stored['changed']} schedules changed")


@resources_app.command()
def schedules(
    resource: Annotated[str, typer.Option(help="Only of this resource.")] = "",
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """List the schedules that hold.

    Example: tallystick resources schedules --format json
    """
    with connect(Settings(), url) as client:
        found = _get(client, "/v1/schedules", resource=resource)
    rows = found["rows"] if format is Format.JSON else [_in_words(row) for row in found["rows"]]
    _show(found, rows, _SCHEDULES, format)


@resources_app.command()
def report(  # noqa: PLR0913, PLR0917 - one argument an option
    start: From = "",
    end: To = "",
    resource: Annotated[str, typer.Option(help="Only this resource.")] = "",
    by: Annotated[str, typer.Option(help="day, or hour (UTC).")] = "day",
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """Show running time, expected against observed; the last week where no period is given.

    Example: tallystick resources report --by hour --format csv
    """
    asked = {"from": start, "to": end, "resource": resource, "by": by}
    with connect(Settings(), url) as client:
        found = _get(client, "/v1/schedule-report", **asked)
    _show(found, found["rows"], _REPORT[found["by"]], format)


def _in_words(schedule: dict[str, Any]) -> dict[str, Any]:
    """Return a schedule with its windows and days as text for one cell each."""
    windows = [f"{w['start']}-{w['end']} {' '.join(w['weekdays'])}" for w in schedule["windows"]]
    days = {name: " ".join(schedule[name]) for name in ("holidays", "workdays")}
    return schedule | {"windows": "; ".join(windows)} | days


def _get(client: Client, path: str, **asked: str) -> Any:
    params = {name: value for name, value in asked.items() if value}
    return client.request("GET", path, params=params).json()


def _post(client: Client, path: str, document: Any) -> Any:
    body = json.dumps(document, default=lambda value: value.isoformat()).encode()
    headers = {"Content-Type": "application/json"}
    return client.request("POST", path, body=body, headers=headers).json()


def _show(document: Any, rows: Any, columns: tuple[str, ...], how: Format) -> None:
    match how:
        case Format.JSON:
            show_json(document)
        case Format.CSV:
            show_csv(rows, columns)
        case Format.TABLE:
            show_rows(rows, columns)


class InventoryRefusedError(ValueError):
    """An inventory with lines that cannot be taken."""

    def __init__(self, problems: int) -> None:
        super().__init__(
            f"every line must be as it should, found {problems} that are not: nothing was stored"
        )


class ScheduleFileError(ValueError):
    """A file of schedules that is no YAML."""

    def __init__(self, file: Path, found: str) -> None:
        super().__init__(f"{file} must be a YAML list of schedules, found {found}")
