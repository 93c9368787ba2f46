"""All routes about resources, their states and their schedules."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter

from metering.resources import intake_routes, schedule_routes, state_routes
from metering.resources.inventory_store import InventoryStore
from metering.resources.schedule_store import ScheduleStore
from metering.resources.store import ResourceStore


@dataclass(frozen=True, slots=True)
class Stores:
    """Where all that is known of resources is kept."""

    states: ResourceStore
    schedules: ScheduleStore
    inventory: InventoryStore


def routes(stores: Stores, now: Callable[[], datetime]) -> APIRouter:
    """Join the routes over the stores."""
    router = APIRouter()
    router.include_router(state_routes.routes(stores.states, now))
    router.include_router(intake_routes.routes(stores.states, stores.inventory, now))
    router.include_router(schedule_routes.routes(stores.schedules, stores.states, now))
    return router
