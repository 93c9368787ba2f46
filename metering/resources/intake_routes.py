"""Heartbeats of resources, and inventories of them: what machines send."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body

from metering.resources.inventory import Change, Problem
from metering.resources.inventory_store import InventoryStore
from metering.resources.store import ResourceStore
from metering.resources.wire import Beats, InventoryTold


def routes(
    states: ResourceStore, inventory: InventoryStore, now: Callable[[], datetime]
) -> APIRouter:
    """Build the routes that take heartbeats and inventories."""
    router = APIRouter()

    @router.post("/v1/resources/{resource}/heartbeats", summary="Say that a resource is alive")
    def hear(resource: str, beats: Annotated[Beats | None, Body()] = None) -> dict[str, Any]:
        """Take heartbeats: of the instants given, or one of now."""
        known = states.resource(resource)
        if not known.heartbeat_seconds:
            raise NoHeartbeatError(resource)
        moment = now()
        instants = beats.at if beats else [moment.replace(microsecond=0)]
        return {"heard": states.hear([(resource, at) for at in instants], moment)}

    @router.post("/v1/inventory", summary="Take the rows of an inventory file")
    def take(told: InventoryTold) -> dict[str, Any]:
        """Store what the rows say, unless one has a problem or it is a dry run."""
        taken = inventory.take(told.as_rows(), told.actor, now(), dry_run=told.dry_run)
        return {
            "stored": taken.is_stored,
            "changes": [_change_row(c) for c in taken.changes],
            "problems": [_problem_row(p) for p in taken.problems],
        }

    return router


def _change_row(one: Change) -> dict[str, Any]:
    return {"line": one.line, "resource": one.resource, "change": one.change}


def _problem_row(one: Problem) -> dict[str, Any]:
    return {"line": one.line, "problem": one.sentence}


class NoHeartbeatError(ValueError):
    """A heartbeat of a resource whose silence would mean nothing."""

    def __init__(self, resource: str) -> None:
        super().__init__(
            f"resource {resource!r} must have heartbeat_seconds before its heartbeats are kept, "
            f"found 0"
        )
