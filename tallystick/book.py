"""Commands about price books: check files, import a version, compare two, ask for a price."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from metering.period import parse_instant
from pricing.prices.book import PriceBook
from pricing.prices.canonical import parse_canonical
from pricing.prices.diff import differences, field_differences
from pricing.prices.file import parse_book
from pricing.prices.show import COLUMNS, asked_rows, difference_row, explained_rows
from tallystick.client import connect
from tallystick.settings import Settings
from tallystick.show import Format, console, show_csv, show_json, show_rows

book_app = typer.Typer(no_args_is_help=True, help="Look after price books.")

Url = Annotated[str, typer.Option(help="Address of a running service; else the local one.")]
FormatOption = Annotated[Format, typer.Option("--format", help="How rows are printed.")]
Place = Annotated[Path, typer.Argument(help="Folder with book.yaml, or a YAML file.")]
Which = Annotated[str, typer.Argument(help="A folder, a YAML file, or a book's name.")]
Only = Annotated[str, typer.Option(help="Only rates for this one, or for any.")]

_DIFFERENCES = ("change", "from", "to", "item", "dimensions", "old", "new", "percent")
_FIELDS = ("name", "old", "new")
_NEAREST = 12
"""Lost rates that a table shows; there may be thousands."""


@book_app.command()
def check(place: Place) -> None:
    """Read a price book and say what it holds, or what is wrong with it.

    Example: tallystick book check pricing/books/polardb-2026
    """
    book = _read(place)
    console().print(f"{book.name}: {len(book.rates)} rates in {len(book.regions)} regions")
    console().print(f"hash {book.digest}")


@book_app.command("import")
def import_book(
    place: Place,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what changes.")] = False,
    actor: Annotated[str, typer.Option(help="Who says so.")] = "operator",
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """Make a book the newest version of its name; what it says of the past must stay.

    Example: tallystick book import prices/2027 --dry-run
    """
    told = {"files": _texts(place), "actor": actor, "dry_run": dry_run}
    headers = {"Content-Type": "application/json"}
    with connect(Settings(), url) as client:
        body = json.dumps(told).encode()
        done = client.request("POST", "/v1/books", body=body, headers=headers).json()
    _show(format, done, done["differences"], _DIFFERENCES)
    if format is Format.TABLE:
        new = "would be a new version" if dry_run else "a new version"
        said = new if done["is_new"] else "in use already"
        console().print(f"{done['name']} {done['hash'][:16]}: {done['rates']} rates, {said}")
        for warning in done["warnings"]:
            console().print(f"warning: {warning}")


@book_app.command("list")
def list_books(format: FormatOption = Format.TABLE, url: Url = "") -> None:  # noqa: A002
    """List the versions of price books, the newest first; number 0 comes with the product.

    Example: tallystick book list
    """
    columns = ("name", "number", "hash", "valid_from", "valid_to", "imported_at", "actor")
    with connect(Settings(), url) as client:
        rows = client.rows("/v1/books")
    _show(format, {"rows": rows}, rows, columns)


@book_app.command()
def diff(old: Which, new: Which, format: FormatOption = Format.TABLE, url: Url = "") -> None:  # noqa: A002
    """Show which prices are added, ended or changed, from when and by how much.

    Example: tallystick book diff polardb-2026 prices/2027
    """
    one, other = _book(old, url), _book(new, url)
    rows = [difference_row(d) for d in differences(one, other)]
    fields = [field._asdict() for field in field_differences(one, other)]
    _show(format, {"rates": rows, "fields": fields}, rows, _DIFFERENCES)
    if format is Format.TABLE and fields:
        show_rows(fields, _FIELDS)


@book_app.command()
def show(  # noqa: PLR0913, PLR0917 - one argument an option
    book: Annotated[str, typer.Argument(help="As for diff; else the service's book.")] = "",
    item: Annotated[str, typer.Option(help="What is sold: node-month, tokens ...")] = "",
    at: Annotated[str, typer.Option(help="ISO time with zone: explain the price then.")] = "",
    region: Only = "",
    spec: Only = "",
    model: Only = "",
    provider: Only = "",
    pool: Only = "",
    meter: Only = "",
    size_class: Only = "",
    band: Only = "",
    tier: Only = "",
    operation: Only = "",
    network: Only = "",
    resource: Only = "",
    format: FormatOption = Format.TABLE,  # noqa: A002
    url: Url = "",
) -> None:
    """Show rates; with a time, which one applies then and why others do not.

    Example: tallystick book show --item tokens --region cn-hangzhou --size-class small
    """
    given = {
        "region": region, "spec": spec, "model": model, "provider": provider, "pool": pool,
        "meter": meter, "size_class": size_class, "band": band, "tier": tier,
        "operation": operation, "network": network, "resource": resource,
    }  # fmt: skip
    wanted = {name: value for name, value in given.items() if value}
    found = _book(book or Settings().book, url)
    if at:
        rows = explained_rows(found, item, parse_instant(at), wanted)
    else:
        rows = asked_rows(found, item, wanted)
    shown = rows[:_NEAREST] if at and format is Format.TABLE else rows
    columns = ("why", *COLUMNS) if at else COLUMNS
    _show(format, {"book": found.name, "hash": found.digest, "rows": rows}, shown, columns)
    if len(shown) < len(rows):
        console().print(f"{len(rows) - len(shown)} rates more did not apply")


def _book(which: str, url: str) -> PriceBook:
    """Return a book from files, or the newest version of a name that the service has."""
    if Path(which).exists():
        return _read(Path(which))
    with connect(Settings(), url) as client:
        told = client.request("GET", f"/v1/books/{quote(which, safe='')}").json()
    return parse_canonical(told["content"])


def _read(place: Path) -> PriceBook:
    return parse_book(_texts(place))


def _texts(place: Path) -> dict[str, str]:
    from pricing.prices.store import texts_at  # noqa: PLC0415 - slow to load

    return texts_at(place)


def _show(
    format: Format,  # noqa: A002
    document: Any,
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
) -> None:
    match format:
        case Format.JSON:
            show_json(document)
        case Format.CSV:
            show_csv(rows, columns)
        case Format.TABLE:
            show_rows(rows, columns)
