"""The commands that keep both stores."""

import json
from pathlib import Path
from typing import Annotated

import typer

from tallystick.client import connect
from tallystick.settings import Settings
from tallystick.show import console

Url = Annotated[str, typer.Option(help="Address of a running service; else the local one.")]


def backup(
    folder: Annotated[str, typer.Argument(help="New folder, below TALLYSTICK_BACKUPS.")],
    url: Url = "",
) -> None:
    """Copy both stores into a folder of the service's machine, while the service goes on.

    Example: tallystick backup 2026-11-23
    """
    body = json.dumps({"folder": folder}).encode()
    with connect(Settings(), url) as client:
        headers = {"Content-Type": "application/json"}
        made = client.request("POST", "/v1/backup", body=body, headers=headers).json()
    console().print(
        f"{made['folder']}: {made['event_rows']} event rows, {made['ledger_rows']} ledger rows, "
        f"{made['files']} files"
    )


def restore(
    folder: Annotated[Path, typer.Argument(help="Folder of a backup.")],
    data: Annotated[Path | None, typer.Option(help="Directory of the embedded stores.")] = None,
) -> None:
    """Fill both stores from a backup. They must be empty, and no service may run on them.

    Example: tallystick restore tallystick-backups/2026-11-23 --data ./tallystick-data
    """
    from tallystick.keeping.backup import restore as restore_both  # noqa: PLC0415 - slow to load

    settings = Settings(data=data) if data else Settings()
    manifest = restore_both(folder, settings)
    console().print(
        f"restored what was there at {manifest.made_at}: {manifest.events.rows['events']} event "
        f"rows, {sum(manifest.ledger.rows.values())} ledger rows; start the service"
    )
