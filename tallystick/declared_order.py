"""Orders of applications as an operator declares them, for the nodes that were deployed."""

from dataclasses import fields
from typing import Literal

from pricing.contracts.order import AppOrder, OwnModel
from tallystick.declared import Id, Instant, Wire


class OwnModelDeclared(Wire):
    """A model of the customer's own in object storage."""

    bucket: str
    path: str
    name: str
    region: str
    parameters: tuple[str, ...] = ()

    def own_model(self) -> OwnModel:
        """Return the domain value."""
        return OwnModel(self.bucket, self.path, self.name, self.region, self.parameters)


class OrderDeclared(Wire):
    """An application that was ordered, the node that it runs on, and since when."""

    id: Id
    account: Id
    resource: Id
    """The node that was deployed for it."""
    start: Instant
    cluster: Id
    cluster_region: Id
    region: Id
    mode: Literal["subscription", "hourly"]
    spec: Id
    app_type: str = "model-operator"
    cluster_form: str = "centralized"
    cluster_version: str = "16"
    engine: str = ""
    model: str = ""
    own_model: OwnModelDeclared | None = None
    kv_cache_gb: int | None = None
    max_access: int | None = None
    quantity: int | None = None
    months: int | None = None
    auto_renew: bool | None = None
    window: str = ""
    pool: Id = "dedicated"

    def order(self) -> AppOrder:
        """Return the domain value."""
        said = self.model_dump(include={f.name for f in fields(AppOrder)} - {"own_model"})
        own = self.own_model.own_model() if self.own_model else None
        return AppOrder(**said, own_model=own)
