"""Run the demo: a service on loopback, a month through its receiver, three bills, one table."""

import gzip
import io
import json
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from rich.progress import Progress, track

from tallystick import log
from tallystick.client import Client, RefusedError, remote
from tallystick.demo.summary import COLUMNS, summary_rows
from tallystick.demo.traffic import MONTH, bodies, windows
from tallystick.server import BackgroundService, free_port
from tallystick.settings import Settings
from tallystick.show import console, show_rows

_FORMATS = (("csv", "focus-1.2.csv"), ("json", "focus-1.2.json"), ("parquet", "focus-1.2.parquet"))
_SHAPES = {
    "xlsx": "xlsx", "alibaba": "alibaba.csv", "ndjson": "ndjson", "journal": "journal.csv",
    "beancount": "beancount", "pdf": "pdf",
}  # fmt: skip
"""Shape of a bill -> how its file ends."""


def run_demo(folder: Path, seed: int, port: int, *, once: bool) -> None:
    """Make, send, close, bill and show the month; run again, it changes nothing.

    Each seed has a folder of its own, so that two made-up months never mix.
    """
    home = folder / f"seed-{seed}"
    settings = Settings(
        data=home / "data",
        host="127.0.0.1",
        port=free_port("127.0.0.1", port),
        grpc_port=0,
        events_url="",
        ledger_url="",
    )
    log.configure(level=30)
    out = console()
    with BackgroundService(settings) as service, remote(settings, settings.address) as client:
        _declare(client, seed)
        _send(client, seed)
        bills = _bills(client)
        exports = home / "exports"
        _export(client, bills, exports)
        found = client.request(
            "GET", "/v1/usage", params={"month": MONTH, "by": "account,pool"}
        ).json()
        show_rows(summary_rows(bills, found["rows"]), COLUMNS, f"{MONTH}, made up from seed {seed}")
        out.print(f"prices: {settings.book} (pricing/books/), exports: {exports}/")
        if not once:
            out.print(f"the service stays up: open {settings.address}/ and stop with Ctrl-C")
            service.wait()


def _declare(client: Client, seed: int) -> None:
    """Apply setup.yaml with the scheduled node's observed windows."""
    setup = yaml.safe_load((files("tallystick.demo") / "setup.yaml").read_text("utf-8"))
    node = next(r for r in setup["resources"] if r["id"] == "node-borealis-1")
    node["states"] = [
        {"state": "running", "start": start.isoformat(), "end": end.isoformat()}
        for start, end in windows(seed)
    ]
    _post(client, "/v1/setup", json.dumps(setup).encode(), "application/json")


def _send(client: Client, seed: int) -> None:
    """Send the month as a client would: OTLP/HTTP, protobuf, gzip."""
    month = list(bodies(seed))
    for body in track(month, description="sending a month", transient=True):
        headers = {"Content-Encoding": "gzip"}
        _post(client, "/v1/traces", gzip.compress(body, 1), "application/x-protobuf", headers)


def _bills(client: Client) -> list[dict[str, Any]]:
    return [
        client.request("GET", f"/v1/bills/{account}/{MONTH}").json()
        for account in ("acme", "borealis", "cygnus")
    ]


def _export(client: Client, bills: list[dict[str, Any]], folder: Path) -> None:
    """Write every bill, what proves the first, the usage by hour, and FOCUS in both versions."""
    folder.mkdir(parents=True, exist_ok=True)
    with Progress(transient=True) as progress:
        task = progress.add_task("exporting", total=2 * len(bills) + len(_FORMATS) + 3)
        for bill in bills:
            text = json.dumps(bill, ensure_ascii=False, indent=1)
            (folder / f"bill-{bill['id']}.json").write_text(text, "utf-8")
            progress.advance(task)
        for kind, name in _FORMATS:
            params = {"month": MONTH, "version": "1.2", "format": kind}
            answer = client.request("GET", "/v1/exports/focus", params=params)
            (folder / name).write_bytes(answer.content)
            progress.advance(task)
        _unpack(client, "/v1/exports/focus-datasets", {"month": MONTH}, folder / "focus-1.4")
        progress.advance(task)
        for bill in bills:
            _print(client, bill["id"], folder)
            progress.advance(task)
        proven = bills[0]["id"]
        _unpack(client, f"/v1/bundles/{proven}", {}, folder / f"proof-{proven}")
        progress.advance(task)
        by = "hour,account,project,pool,model,operation,outcome"
        usage = client.request("GET", "/v1/usage", params={"month": MONTH, "by": by}).json()
        (folder / "usage-by-hour.json").write_text(json.dumps(usage["rows"], indent=1), "utf-8")
        progress.advance(task)
    _write_manifest(bills, folder)


def _unpack(client: Client, path: str, params: Mapping[str, str], folder: Path) -> None:
    """Write the files of an archive."""
    answer = client.request("GET", path, params=params)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as held:
        held.extractall(folder)


def _print(client: Client, bill: str, folder: Path) -> None:
    """Write a bill in every shape; without fonts that draw it, there is no PDF."""
    for shape, ending in _SHAPES.items():
        try:
            answer = client.request(
                "GET", f"/v1/bills/{bill}/statement", params={"format": shape, "lang": "zh"}
            )
        except RefusedError as refused:
            console().print(f"no {shape} of {bill}: {refused}")
        else:
            (folder / f"{bill}.{ending}").write_bytes(answer.content)


def _write_manifest(bills: list[dict[str, Any]], folder: Path) -> None:
    """Write what the files say and their digests, last: a folder with a manifest is complete."""
    path = folder / "manifest.json"
    path.unlink(missing_ok=True)
    said = {
        "bills": [{key: bill[key] for key in ("id", "payable", "currency")} for bill in bills],
        "files": {
            str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        },
    }
    path.write_text(json.dumps(said, indent=1), "utf-8")


def _post(
    client: Client,
    path: str,
    body: bytes,
    content_type: str,
    headers: Mapping[str, str] | None = None,
) -> None:
    said = {"Content-Type": content_type, **(headers or {})}
    client.request("POST", path, body=body, headers=said)
