"""POST /v1/deliveries: put a month where others fetch it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, model_validator

from pricing.bills.export import Shape
from pricing.bills.export_store import BLOCKED, COMPLETE_UNTIL, Asked, Exports, said_of
from pricing.delivery.delivery_store import Delivered, Delivery, deliver_rows, deliver_sets
from pricing.delivery.target_store import opened
from pricing.focus.package import package_files
from pricing.focus.package_store import Packages

DATASETS_VERSION = "1.4"


class DeliveryAsked(BaseModel):
    """What is to be delivered to where the service's settings say."""

    model_config = ConfigDict(extra="forbid")

    month: str = Field(pattern=r"^\d{4}-\d{2}$")
    version: str = "1.2"
    account: str = Field(default="", pattern=r"^[\w.-]*$")
    format: Shape = Shape.CSV
    closed: bool = False
    all_sets: bool = False

    @model_validator(mode="after")
    def _sets_are_of_one_version(self) -> Self:
        check_shape(self.version, self.format, all_sets=self.all_sets)
        return self


@dataclass(frozen=True, slots=True)
class Delivering:
    """What the route uses."""

    exports: Exports
    packages: Packages
    target: str
    """A folder or the address of a bucket; empty where nobody set one."""


def routes(by: Delivering) -> APIRouter:
    """Build the route over what writes files."""
    router = APIRouter()

    @router.post("/v1/deliveries", summary="Deliver a month where the settings say")
    def delivered(asked: DeliveryAsked) -> dict[str, Any]:
        """Put a month's files, their checksums, and last a manifest each; a second time is none.

        ``closed`` says that nothing more comes: the month can then never be delivered otherwise.
        """
        if not by.target:
            raise NoTargetError
        return {"deliveries": [delivery_json(one) for one in _delivered(by, asked)]}

    return router


def _delivered(by: Delivering, asked: DeliveryAsked) -> list[Delivered]:
    target = opened(by.target)
    if asked.all_sets:
        package = by.packages.package(asked.month, asked.account or None)
        delivery = _delivery(asked, said_of(package.blocked, package.complete_until))
        return deliver_sets(target, package_files(package), delivery)
    kept = Asked(asked.month, asked.version, asked.account or None, asked.format)
    with by.exports.export(kept) as found:
        delivery = _delivery(asked, found.headers)
        return [deliver_rows(target, found.file, asked.format, delivery)]


def _delivery(asked: DeliveryAsked, said: Mapping[str, str]) -> Delivery:
    if asked.closed and BLOCKED in said:
        raise NotCompleteError(said[BLOCKED])
    until = said.get(COMPLETE_UNTIL, "")
    return Delivery(asked.month, asked.version, asked.account, asked.closed, until)


def delivery_json(one: Delivered) -> dict[str, Any]:
    """Return what came of one data set's delivery."""
    return {
        "manifest": one.manifest.path,
        "rows": one.rows,
        "files": len(one.manifest.files),
        "sum_billed": dict(one.manifest.sums.by_currency),
        "state": one.manifest.state.value,
        "delivered": one.is_new,
    }


def check_shape(version: str, shape: Shape, *, all_sets: bool) -> None:
    """Refuse what cannot be delivered.

    Raises:
        ValueError: JSON, or all data sets in another version than 1.4 or not as CSV.
    """
    if shape is Shape.JSON:
        raise ValueError("format must be csv or parquet, found json")
    if all_sets and (version, shape) != (DATASETS_VERSION, Shape.CSV):
        raise ValueError(
            f"all data sets must be of {DATASETS_VERSION} as csv, found {version} as {shape}"
        )


class NoTargetError(ValueError):
    """Nobody said where to."""

    def __init__(self) -> None:
        super().__init__(
            "TALLYSTICK_DELIVER_TO must name a folder or a bucket of the service, found nothing"
        )


class NotCompleteError(ValueError):
    """A month that cannot be closed yet."""

    def __init__(self, blocked: str) -> None:
        super().__init__(f"a closed month must have no blocked bill, found {blocked}")
