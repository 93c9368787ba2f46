"""Commands about files for finance tools: write, check, and deliver them to where others look."""

import json
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import httpx2
import typer
from rich.console import Console
from rich.progress import DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from pricing.bills.export import Shape
from pricing.bills.export_store import BLOCKED, COMPLETE_UNTIL
from pricing.delivery.delivery_store import Delivered, Delivery, deliver_rows, deliver_sets
from pricing.delivery.routes import NotCompleteError, check_shape, delivery_json
from pricing.delivery.target_store import opened
from pricing.focus.bundle import file_faults, table_faults
from pricing.focus.columns import checked_columns
from pricing.focus.folder import folder_faults
from pricing.focus.read import decoded
from tallystick import bill
from tallystick.client import Client, connect
from tallystick.settings import Settings
from tallystick.show import console, show_rows

Url = Annotated[str, typer.Option(help="Address of a running service; else the local one.")]
Month = Annotated[str, typer.Option(help="Calendar month of the account's zone, YYYY-MM.")]
Version = Annotated[str, typer.Option(help="FOCUS version.")]
Account = Annotated[str, typer.Option(help="Only this account; else all.")]


class Written(StrEnum):
    """How rows are written; a table is for the eye, and holds some columns only."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def focus(  # noqa: PLR0913, PLR0917 - one argument an option
    month: Month,
    version: Version = "1.2",
    account: Account = "",
    format: Annotated[Written, typer.Option("--format", help="How rows are written.")] = (  # noqa: A002
        Written.CSV
    ),
    out: Annotated[Path | None, typer.Option(help="File to write; else standard output.")] = None,
    url: Url = "",
) -> None:
    """Write a month's lines as FOCUS Cost and Usage rows.

    Example: tallystick export focus --version 1.2 --month 2026-10 --out focus.csv
    """
    shape = Shape.JSON if format is Written.TABLE else Shape(format.value)
    asked = {"month": month, "version": version, "format": shape.value, **_only(account)}
    with connect(Settings(), url) as client:
        if format is Written.TABLE and not out:
            with tempfile.TemporaryFile() as file:
                said = _downloaded(client, "/v1/exports/focus", asked, file)
                file.seek(0)
                show_rows(json.load(file), bill.COLUMNS)
        elif out:
            with out.open("wb") as file:
                said = _downloaded(client, "/v1/exports/focus", asked, file)
        else:
            said = client.download("/v1/exports/focus", asked, sys.stdout.buffer.write)
    if BLOCKED in said:
        sys.stderr.write(f"warning: blocked, so not complete yet: {said[BLOCKED]}\n")


def check(
    path: Annotated[
        Path,
        typer.Argument(exists=True, help="A FOCUS CSV or Parquet file, or a folder of all sets."),
    ],
    version: Version = "1.2",
) -> None:
    """Check a FOCUS file, or a folder of 1.4's data sets, and say what breaks the specification.

    A folder is held to its metadata.json and SHA256SUMS as well.

    Example: tallystick export check focus.csv --version 1.2
    """
    found = _faults(path, version)
    for fault in found:
        console().print(fault, markup=False, highlight=False, soft_wrap=True)
    if found:
        raise typer.Exit(1)
    console().print("no faults")


def _faults(path: Path, version: str) -> list[str]:
    columns = checked_columns(version)
    if path.is_dir():
        return folder_faults(
            {one.name: one.read_bytes() for one in path.iterdir() if one.is_file()}
        )
    if path.suffix == f".{Shape.PARQUET}":
        from pricing.focus.read_parquet import read_parquet  # noqa: PLC0415 - slow to load

        with path.open("rb") as file:
            return table_faults(read_parquet(file, columns), version)
    lines, broken = decoded(path.read_bytes())
    return broken + file_faults(lines, version)


def datasets(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files are written.")],
    month: Month,
    account: Account = "",
    url: Url = "",
) -> None:
    """Write a month as the data sets of FOCUS 1.4, with metadata and checksums.

    Example: tallystick export datasets ./focus-1.4 --month 2026-10
    """
    asked = {"month": month, **_only(account)}
    folder.mkdir(parents=True, exist_ok=True)
    with connect(Settings(), url) as client, tempfile.TemporaryFile() as file:
        _downloaded(client, "/v1/exports/focus-datasets", asked, file)
        with zipfile.ZipFile(file) as held:
            held.extractall(folder)
            console().print(f"{len(held.namelist())} files written to {folder}")


def deliver_month(  # noqa: PLR0913, PLR0917 - one argument an option
    month: Month,
    target: Annotated[
        str, typer.Argument(help="A folder, or s3://...; else where the service's settings say.")
    ] = "",
    version: Version = "1.2",
    account: Account = "",
    closed: Annotated[bool, typer.Option("--closed", help="Nothing more comes.")] = False,  # noqa: FBT002
    all_sets: Annotated[bool, typer.Option("--all-sets", help="All four sets of 1.4.")] = False,  # noqa: FBT002
    format: Annotated[Shape, typer.Option("--format", help="csv or parquet.")] = Shape.CSV,  # noqa: A002
    url: Url = "",
) -> None:
    """Deliver a month's FOCUS rows once: files by their content, then checksums, then a manifest.

    Example: tallystick export deliver ./delivered --month 2026-10
    """
    check_shape(version, format, all_sets=all_sets)
    with connect(Settings(), url) as client:
        if target:
            asked = Delivery(month, version, account, closed)
            deliver = _deliver_sets if all_sets else _deliver_rows
            told = [delivery_json(one) for one in deliver(client, target, asked, format)]
        else:
            wanted: dict[str, Any] = {"month": month, "version": version, "account": account}
            wanted |= {"format": format.value, "closed": closed, "all_sets": all_sets}
            told = _delivered_there(client, wanted)
    for one in told:
        said = "delivered" if one["delivered"] else "were there already"
        console().print(f"{one['rows']} rows {said}", one["manifest"])


def _delivered_there(client: Client, wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
    headers = {"Content-Type": "application/json"}
    body = json.dumps(wanted).encode()
    answer = client.request("POST", "/v1/deliveries", body=body, headers=headers)
    return list(answer.json()["deliveries"])


def _deliver_rows(client: Client, target: str, asked: Delivery, shape: Shape) -> list[Delivered]:
    params = {"month": asked.month, "version": asked.version, "format": shape.value}
    with tempfile.TemporaryFile() as file:
        said = _downloaded(client, "/v1/exports/focus", params | _only(asked.account), file)
        return [deliver_rows(opened(target), file, shape, _with_state(asked, said))]


def _deliver_sets(client: Client, target: str, asked: Delivery, _: Shape) -> list[Delivered]:
    params = {"month": asked.month, **_only(asked.account)}
    with tempfile.TemporaryFile() as file:
        said = _downloaded(client, "/v1/exports/focus-datasets", params, file)
        with zipfile.ZipFile(file) as held:
            files = {name: held.read(name) for name in held.namelist()}
        return deliver_sets(opened(target), files, _with_state(asked, said))


def _with_state(asked: Delivery, said: httpx2.Headers) -> Delivery:
    """Return what is delivered with what the service said of it."""
    if asked.is_closed and BLOCKED in said:
        raise NotCompleteError(said[BLOCKED])
    return replace(asked, complete_until=said.get(COMPLETE_UNTIL, ""))


def _downloaded(
    client: Client, path: str, params: Mapping[str, str], file: BinaryIO
) -> httpx2.Headers:
    """Write an answer to a file, and show how far it is; return the answer's headers."""
    columns = (TextColumn("{task.description}"), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("receiving", total=None)

        def take(piece: bytes) -> None:
            file.write(piece)
            progress.advance(task, len(piece))

        return client.download(path, params, take)


def _only(account: str) -> dict[str, str]:
    return {"account": account} if account else {}
