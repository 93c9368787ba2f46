"""A month's files, delivered: cut into parts, added up, put, and named by a manifest."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from pricing.bills.export import Shape
from pricing.delivery.cut_store import cut
from pricing.delivery.manifest import Manifest, Scope, State, Sums, listed, part_of
from pricing.delivery.target_store import Target, deliver
from pricing.focus.bundle import COST_AND_USAGE
from pricing.focus.column import schema_name
from pricing.focus.columns import columns_of
from pricing.focus.datasets import DATASETS
from pricing.focus.package import FILES

METADATA = "metadata.json"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is delivered: a month YYYY-MM, of one account or of all, open or closed."""

    month: str
    version: str
    account: str = ""
    is_closed: bool = False
    complete_until: str = ""

    @property
    def state(self) -> State:
        """Return whether more may come."""
        return State.CLOSED if self.is_closed else State.OPEN

    def scope(self, dataset: str, suffix: str) -> Scope:
        """Return where a data set's files go: those of one account have a folder of their own."""
        name = f"{dataset}/{self.account}" if self.account else dataset
        return Scope(self.version, name, self.month, suffix)


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a delivery came to."""

    manifest: Manifest
    is_new: bool

    @property
    def rows(self) -> int:
        """Return how many rows hold now."""
        return sum(file.rows for file in self.manifest.files)


def deliver_rows(
    target: Target, file: BinaryIO, shape: Shape, month: Delivery, dataset: str = COST_AND_USAGE
) -> Delivered:
    """Deliver an exported file of a data set.

    Raises:
        ClosedError: the month was closed with other rows.
        TamperedError: somebody else wrote to a delivered file.
        OSError: there is no space for the parts.
    """
    columns = DATASETS[dataset] if dataset in DATASETS else columns_of(month.version)
    with TemporaryDirectory() as folder:
        parts, sums = cut(file, shape, Path(folder))
        scope = month.scope(dataset, shape.value)
        manifest = Manifest(
            scope,
            month.state,
            listed(scope, parts),
            sums,
            schema_name(month.version, dataset, columns),
            month.complete_until,
        )
        return Delivered(manifest, deliver(target, manifest, parts))


def deliver_sets(target: Target, files: Mapping[str, bytes], month: Delivery) -> list[Delivered]:
    """Deliver all data sets of FOCUS 1.4, each as a scope of its own, and last their metadata.

    Raises:
        ClosedError: the month was closed with other rows.
        TamperedError: somebody else wrote to a delivered file.
    """
    found = [
        deliver_rows(target, io.BytesIO(files[name]), Shape.CSV, month, dataset)
        for dataset, name in FILES.items()
    ]
    scope, part = month.scope("Metadata", "json"), part_of(0, files[METADATA])
    manifest = Manifest(scope, month.state, listed(scope, [part]), Sums())
    return [*found, Delivered(manifest, deliver(target, manifest, [part]))]
