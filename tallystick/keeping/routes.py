"""POST /v1/backup and GET /healthz."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from tallystick.keeping.backup import Backups
from tallystick.keeping.health import Health


class BackupAsked(BaseModel):
    """Where a backup shall go."""

    model_config = ConfigDict(extra="forbid")

    folder: str = Field(min_length=1, max_length=200)
    """A new folder below TALLYSTICK_BACKUPS."""


def routes(backups: Backups, now: Callable[[], datetime]) -> APIRouter:
    """Build the route that makes backups."""
    router = APIRouter()

    @router.post("/v1/backup", summary="Copy both stores into a folder of the service's machine")
    def backup(asked: BackupAsked) -> dict[str, Any]:
        """Copy the ledger, then the events, while the service goes on; answer when all is there."""
        folder, manifest = backups.make(asked.folder, now())
        return {
            "folder": str(folder),
            "made_at": manifest.made_at,
            "files": len(manifest.files),
            "ledger_rows": sum(manifest.ledger.rows.values()),
            "event_rows": manifest.events.rows["events"],
        }

    return router


def health_routes(look: Callable[[], Health]) -> APIRouter:
    """Build the route that says how the service is; it needs no key."""
    router = APIRouter()

    @router.get("/healthz", summary="Whether the service is up")
    def health() -> JSONResponse:
        """Say ok, degraded or failing, and what is wrong."""
        status, said = look()
        return JSONResponse(said, status)

    return router
