"""Commands about files for finance tools: check them, and deliver them where others fetch them."""

import csv
import io
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from pricing.delivery.manifest import Manifest, Part, Scope, State, listed
from pricing.delivery.target_store import ObjectTarget, deliver
from pricing.focus.bundle import COST_AND_USAGE, bundle_faults, file_faults
from pricing.focus.package import FILES
from pricing.money import plain
from tallystick.client import connect
from tallystick.settings import Settings
from tallystick.show import console

Url = Annotated[str, typer.Option(help="Address of a running service; else the local one.")]
Month = Annotated[str, typer.Option(help="Calendar month of the account's zone, YYYY-MM.")]
Version = Annotated[str, typer.Option(help="FOCUS version.")]


class Shape(StrEnum):
    """How delivered files are written."""

    CSV = "csv"
    PARQUET = "parquet"


def check(
    path: Annotated[Path, typer.Argument(help="A FOCUS CSV file, or a folder with all four sets.")],
    version: Version = "1.2",
) -> None:
    """Check a FOCUS file, or a folder of 1.4's data sets, and say what breaks the specification.

    Example: tallystick export check focus.csv --version 1.2
    """
    if path.is_dir():
        found = bundle_faults(
            {n: _lines(path / file) for n, file in FILES.items() if (path / file).exists()}
        )
    else:
        found = file_faults(_lines(path), version)
    for fault in found:
        console().print(fault, markup=False, highlight=False, soft_wrap=True)
    if found:
        raise typer.Exit(1)
    console().print("no faults")


def datasets(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files are written.")],
    month: Month,
    account: Annotated[str, typer.Option(help="Only this account; else all.")] = "",
    url: Url = "",
) -> None:
    """Write a month as the data sets of FOCUS 1.4, with metadata and checksums.

    Example: tallystick export datasets ./focus-1.4 --month 2026-10
    """
    params = {"month": month} | ({"account": account} if account else {})
    with connect(Settings(), url) as client:
        answer = client.request("GET", "/v1/exports/focus-datasets", params=params)
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as held:
        held.extractall(folder)
        console().print(f"{len(held.namelist())} files written to {folder}")


def deliver_month(  # noqa: PLR0913, PLR0917 - one argument an option
    target: Annotated[str, typer.Argument(help="A folder, or the address of a bucket: s3://...")],
    month: Month,
    version: Version = "1.2",
    account: Annotated[str, typer.Option(help="Only this account; else all.")] = "",
    closed: Annotated[bool, typer.Option("--closed", help="Nothing more comes.")] = False,  # noqa: FBT002
    format: Annotated[Shape, typer.Option("--format", help="How files are written.")] = Shape.CSV,  # noqa: A002
    url: Url = "",
) -> None:
    """Deliver a month's FOCUS rows once: files by their content, then checksums, then a manifest.

    Example: tallystick export deliver ./delivered --month 2026-10
    """
    params = {"month": month, "version": version, "format": format.value}
    params |= {"account": account} if account else {}
    with connect(Settings(), url) as client:
        answer = client.request("GET", "/v1/exports/focus", params=params)
    if closed and "X-Tallystick-Blocked" in answer.headers:
        raise NotCompleteError(answer.headers["X-Tallystick-Blocked"])
    rows, sums = _counted(answer.content, format)
    dataset = f"{COST_AND_USAGE}/{account}" if account else COST_AND_USAGE
    scope = Scope(version, dataset, month, format.value)
    parts = (Part(rows, answer.content),)
    state = State.CLOSED if closed else State.OPEN
    manifest = Manifest(scope, state, listed(scope, parts), sums)
    is_new = deliver(ObjectTarget(_store(target)), manifest, parts)
    console().print(f"{rows} rows {'delivered' if is_new else 'were there already'}", manifest.path)


def _lines(path: Path) -> list[str]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(file)


def _counted(content: bytes, shape: Shape) -> tuple[int, tuple[tuple[str, str], ...]]:
    """Return how many rows a file has, and what they bill by currency."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    rows = 0
    for currency, billed in _billed(content, shape):
        sums[currency] += billed
        rows += 1
    return rows, tuple((currency, plain(billed)) for currency, billed in sorted(sums.items()))


def _billed(content: bytes, shape: Shape) -> Iterator[tuple[str, Decimal]]:
    if shape is Shape.CSV:
        for row in csv.DictReader(io.StringIO(content.decode(), newline="")):
            yield row["BillingCurrency"], Decimal(row["BilledCost"])
        return
    from pyarrow import parquet  # noqa: PLC0415 - slow to load

    columns = ["BillingCurrency", "BilledCost"]
    table = parquet.read_table(io.BytesIO(content), columns=columns)
    yield from zip(*(table[name].to_pylist() for name in columns), strict=True)


def _store(target: str) -> Any:
    """Open a folder or a bucket; a bucket's credentials come from its own variables."""
    try:
        from obstore.store import LocalStore, from_url  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise NoStorageError from error
    if "://" in target:
        return from_url(target)
    return LocalStore(str(Path(target).resolve()), mkdir=True)


class NotCompleteError(RuntimeError):
    """A month that cannot be closed yet."""

    def __init__(self, blocked: str) -> None:
        super().__init__(f"a closed month must have no blocked bill, found {blocked}")


class NoStorageError(RuntimeError):
    """Delivery without the packages it needs."""

    def __init__(self) -> None:
        super().__init__(
            "delivery must have the extra `storage`: pip install 'tallystick[storage]'"
        )
