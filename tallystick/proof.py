"""Commands that show that a bill is right: bundle, verify, and why two bills differ."""

import io
import zipfile
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from tallystick.bill import bill_app
from tallystick.client import connect
from tallystick.evidence import explain_app
from tallystick.settings import Settings
from tallystick.show import Format, console, show_csv, show_json, show_rows

Url = Annotated[str, typer.Option(help="Address of a running service; else the local one.")]
FormatOption = Annotated[Format, typer.Option("--format", help="How rows are printed.")]
_BILL = "bill.json"
_LINES = ("line", "description", "start", "end", "arithmetic", "rule", "billed")
_EFFECTS = ("effect", "amount")


def bundle(
    bill: Annotated[str, typer.Argument(metavar="BILL", help="The bill's id.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that is made.")],
    url: Url = "",
) -> None:
    """Write a bill with all that proves it: its own events, usage, contracts, prices and rows.

    Example: tallystick bundle acme-202610 ./acme-202610
    """
    with connect(Settings(), url) as client:
        found = client.request("GET", f"/v1/bundles/{quote(bill, safe='')}")
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(found.content)) as archive:
        for name in archive.namelist():
            (folder / Path(name).name).write_bytes(archive.read(name))
    console().print(f"{folder / _BILL} written; seal {found.headers['X-Tallystick-Seal']}")


def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The bill.json of a bundle.")],
    events: Annotated[Path | None, typer.Option(help="Folder of its other files.")] = None,
    seal: Annotated[str, typer.Option(help="The seal that was told with the bundle.")] = "",
) -> None:
    """Work a bill out again from its events, offline; exit 1 where anything differs, and name it.

    Example: tallystick verify acme-202610/bill.json --events acme-202610
    """
    from pricing.proof.verification import checked  # noqa: PLC0415 - slow to load

    folder = events or file.parent
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
    found = checked({**files, _BILL: file.read_bytes()}, seal)
    for fault in found.faults:
        console().print(fault.sentence)
    if found.faults:
        raise TouchedError(str(file), len(found.faults))
    console().print(
        f"bill {found.bill} comes to {found.payable}: {found.lines} lines out of {found.events} "
        f"events; seal {found.seal}"
    )


@bill_app.command()
def diff(
    a: Annotated[str, typer.Argument(metavar="A", help="The bill before.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The bill after.")],
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """Show why two bills differ: effects that add up to the difference.

    Example: tallystick bill diff acme-202609 acme-202610
    """
    with connect(Settings(), url) as client:
        found = client.request("GET", "/v1/bill-differences", params={"a": a, "b": b}).json()
    match format:
        case Format.JSON:
            show_json(found)
        case Format.CSV:
            show_csv(found["effects"], _EFFECTS)
        case Format.TABLE:
            show_rows(found["effects"], _EFFECTS)
            before, after = found["a"]["payable"], found["b"]["payable"]
            said = f"{found['difference']} {found['currency']}"
            console().print(f"payable {before} -> {after}: {said}")


@explain_app.command()
def line(
    line_id: Annotated[str, typer.Argument(metavar="LINE", help="Its x_LineId.")],
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """Show what a line of a bill comes to and why: its price, those that lost, usage by hour.

    Example: tallystick explain line 0a1b2c3d4e5f60718293
    """
    found = _explained(line_id, url)
    if format is not Format.TABLE:
        _show_explained(found, format)
        return
    for one in found["lines"]:
        console().print(f"{one['description']}: {one['arithmetic']} {found['currency']}")
        show_rows(one["rates"], ("price", "per", "rate", "why"), "prices")
        show_rows(one["hours"], ("hour", "quantity"), "usage by hour")
        console().print(f"requests: {one['requests'] or 'none'}")


@explain_app.command("bill")
def explain_bill(
    bill: Annotated[str, typer.Argument(metavar="BILL", help="The bill's id.")],
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """Show the arithmetic of every line of a bill.

    Example: tallystick explain bill acme-202610
    """
    _show_explained(_explained(bill, url), format)


def _explained(asked: str, url: str) -> dict[str, Any]:
    with connect(Settings(), url) as client:
        found: dict[str, Any] = client.request(
            "GET", f"/v1/explanations/{quote(asked, safe='')}"
        ).json()
    return found


def _show_explained(found: dict[str, Any], how: Format) -> None:
    match how:
        case Format.JSON:
            show_json(found)
        case Format.CSV:
            show_csv(found["lines"], _LINES)
        case Format.TABLE:
            show_rows(found["lines"], _LINES, f"bill {found['bill']} in {found['currency']}")


class TouchedError(RuntimeError):
    """A bundle that is not as it was made."""

    def __init__(self, file: str, faults: int) -> None:
        super().__init__(f"{file} must come out of its events, found {faults} differences")
