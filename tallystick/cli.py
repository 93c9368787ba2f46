"""The command `tallystick`: every job is also a command, and every command has an example."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tallystick import (
    accounts,
    advice,
    bill,
    book,
    contracts,
    corrections,
    evidence,
    export,
    proof,
    query,
    reconcile,
    resources,
    statements,
    wallet,
)
from tallystick.client import RefusedError, connect
from tallystick.keeping import commands as keeping
from tallystick.role import Role
from tallystick.settings import Settings
from tallystick.setup_file import setup_json
from tallystick.show import Format, console, show_csv, show_json, show_rows

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Meter and bill an AI inference gateway, provably. Settings are TALLYSTICK_ variables.",
)
export_app = typer.Typer(no_args_is_help=True, help="Write bills for finance tools.")
app.add_typer(export_app, name="export")
export_app.command()(export.focus)
export_app.command()(export.check)
export_app.command()(export.datasets)
export_app.command("deliver")(export.deliver_month)
app.add_typer(accounts.accounts_app, name="accounts")
app.add_typer(accounts.identities_app, name="identities")
app.add_typer(contracts.contracts_app, name="contracts")
app.add_typer(book.book_app, name="book")
app.add_typer(advice.advise_app, name="advise")
app.add_typer(bill.bill_app, name="bill")
app.add_typer(wallet.wallet_app, name="wallet")
app.add_typer(evidence.explain_app, name="explain")
app.add_typer(reconcile.reconcile_app, name="reconcile")
app.add_typer(corrections.correct_app, name="correct")
app.add_typer(resources.resources_app, name="resources")
app.add_typer(evidence.quarantine_app, name="quarantine")
app.command()(evidence.watermarks)
app.command()(evidence.gaps)
app.command()(query.usage)
app.command()(query.requests)
app.command()(wallet.balances)
app.command()(statements.statement)
app.command()(proof.bundle)
app.command()(proof.verify)
app.command()(keeping.backup)
app.command()(keeping.restore)

Url = Annotated[str, typer.Option(help="Address of a running service; else the local one.")]
FormatOption = Annotated[Format, typer.Option("--format", help="How rows are printed.")]
Month = Annotated[str, typer.Option(help="Calendar month of the account's zone, YYYY-MM.")]


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "",
    port: Annotated[int | None, typer.Option(help="Port to listen on; else 4318.")] = None,
    grpc_port: Annotated[int | None, typer.Option(help="For OTLP/gRPC; else 4317.")] = None,
    data: Annotated[Path | None, typer.Option(help="Directory of the embedded stores.")] = None,
    role: Annotated[Role | None, typer.Option(help="Which part of the service; else all.")] = None,
) -> None:
    """Run the service: receive OTLP over HTTP and gRPC, keep usage, answer the API.

    Example: tallystick serve --port 4318 --data ./tallystick-data
    """
    from tallystick import log  # noqa: PLC0415 - the service's modules are slow to load
    from tallystick.server import serve as serve_http  # noqa: PLC0415

    chosen = {"host": host or None, "port": port, "grpc_port": grpc_port, "data": data}
    chosen |= {"role": role}
    settings = Settings(**{k: v for k, v in chosen.items() if v is not None})  # type: ignore[arg-type]
    log.configure()
    serve_http(settings)


@app.command("compile")
def compile_hot_path() -> None:
    """Compile the receiver's hot path now, which the first start would do otherwise.

    Example: tallystick compile
    """
    from collector.batch.fast import FastDecoder  # noqa: PLC0415 - compiled modules are slow to load
    from collector.batch.warm import warm  # noqa: PLC0415

    warm(FastDecoder(seed=0))


@app.command()
def ingest(
    files: Annotated[list[Path], typer.Argument(help="Captured bodies: *.traces.pb, *.logs.json")],
    url: Url = "",
) -> None:
    """Send captured OTLP bodies to the service, as their clients would.

    Example: tallystick ingest captures/*.traces.pb
    """
    plans = [(path, *_kind_of(path)) for path in files]
    with connect(Settings(), url) as client, _progress() as progress:
        for path, signal, content_type in progress.track(plans, description="sending"):
            headers = {"Content-Type": content_type}
            try:
                client.request("POST", f"/v1/{signal}", body=path.read_bytes(), headers=headers)
            except RefusedError as error:
                raise RefusedFileError(path, error) from error
    console().print(f"{len(plans)} bodies sent and on disk")


@app.command()
def apply(
    file: Annotated[Path, typer.Argument(help="YAML with accounts, identities, resources ...")],
    url: Url = "",
) -> None:
    """Declare accounts, identities, nodes with their states, and contracts.

    Example: tallystick apply setup.yaml
    """
    body = setup_json(file)
    with connect(Settings(), url) as client:
        headers = {"Content-Type": "application/json"}
        stored = client.request("POST", "/v1/setup", body=body, headers=headers).json()
    console().print(", ".join(f"{count} {name}" for name, count in stored.items()))


@app.command()
def conflicts(format: FormatOption = Format.TABLE, url: Url = "") -> None:  # noqa: A002
    """List arrivals that claimed a known identity with other content; they are never counted.

    Example: tallystick conflicts --format csv
    """
    with connect(Settings(), url) as client:
        rows = client.request("GET", "/v1/conflicts").json()["rows"]
    columns = ("event_id", "first_stored_at", "stored_at")
    match format:
        case Format.JSON:
            show_json(rows)
        case Format.CSV:
            show_csv(rows, columns)
        case Format.TABLE:
            show_rows(rows, columns)


@app.command()
def demo(
    *,
    once: Annotated[bool, typer.Option("--once", help="Exit when the table is printed.")] = False,
    seed: Annotated[int, typer.Option(help="Which made-up month.")] = 1,
    folder: Annotated[Path, typer.Option(help="Where its stores and exports go.")] = Path("demo"),
    port: Annotated[int, typer.Option(help="Port, or another where it is taken.")] = 4318,
) -> None:
    """Send a made-up month of three accounts through the real receiver, and bill it.

    Example: tallystick demo --once
    """
    from tallystick.demo.run import run_demo  # noqa: PLC0415 - slow to load

    run_demo(folder, seed, port, once=once)


def main() -> None:
    """Run the command; an error is one sentence, and the exit code is 1."""
    try:
        app(standalone_mode=True)
    except ValidationError as error:
        _fail(_first_sentence(error))
    except Exception as error:  # noqa: BLE001 - the edge: never a stack trace first
        text = error.args[0] if isinstance(error, LookupError) and error.args else error
        is_ours = isinstance(error, ValueError | LookupError | RuntimeError | TypeError | OSError)
        _fail(" ".join(str(text if is_ours else f"{type(error).__name__}: {text}").split()))


def _fail(sentence: str) -> None:
    Console(stderr=True, soft_wrap=True, markup=False, highlight=False).print(f"error: {sentence}")
    sys.exit(1)


def _first_sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    said = first["msg"].removeprefix("Value error, ")
    return f"{where}: {said}, found {first['input']!r}" if where else said


def _kind_of(path: Path) -> tuple[str, str]:
    """Tell signal and Content-Type by a capture's name: NNN.<signal>.<pb or json>."""
    content_types = {".pb": "application/x-protobuf", ".json": "application/json"}
    signal = path.stem.rpartition(".")[2]
    if signal not in {"traces", "logs"} or path.suffix not in content_types:
        raise CaptureNameError(path)
    return signal, content_types[path.suffix]


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )


class CaptureNameError(ValueError):
    """A file whose name does not say what it holds."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"a capture must be named *.traces.pb, *.traces.json, *.logs.pb or *.logs.json, "
            f"found {path.name}"
        )


class RefusedFileError(RuntimeError):
    """A capture that the service refused. Those before it are on disk; sending again is safe."""

    def __init__(self, path: Path, error: RefusedError) -> None:
        super().__init__(f"{path.name} was refused: {error}")
