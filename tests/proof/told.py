"""What tests of proof are told: both stores, with what makes bills and bundles of them."""

from dataclasses import dataclass

from sqlalchemy import Engine

from metering.corrections.store import CorrectionStore
from metering.event_store import EventStore
from pricing.jobs import Office
from pricing.proof.bundle_store import BundleStore


@dataclass(frozen=True, slots=True)
class Told:
    """A service without HTTP."""

    engine: Engine
    office: Office
    events: EventStore
    bundles: BundleStore
    corrections: CorrectionStore
