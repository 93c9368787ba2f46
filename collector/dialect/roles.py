"""Gateways of record: whose records bill where an operator has named them."""

from collections.abc import Mapping
from dataclasses import dataclass

from collector.otlp import Record, Value

SCOPE = "scope"
"""The word for a record's instrumentation scope; any other name is a resource attribute's."""


@dataclass(frozen=True, slots=True)
class Gateways:
    """Who may bill: records that meet one of the conditions. Without conditions, any record may."""

    conditions: tuple[tuple[str, str], ...] = ()
    """Pairs of ``scope`` or a resource attribute, and the value that it must have."""

    @classmethod
    def parse(cls, text: str) -> "Gateways":
        """Read a setting such as ``service.name=llm-gateway, scope=litellm``.

        Raises:
            GatewayError: a condition is not written so.
        """
        return cls(tuple(_condition(part) for part in text.split(",") if part.strip()))

    @property
    def are_named(self) -> bool:
        """Whether an operator has named any."""
        return bool(self.conditions)

    def include(self, record: Record) -> bool:
        """Whether a record comes from one of the gateways."""
        return any(
            _said(name, record.scope, record.resource) == value for name, value in self.conditions
        )


ANY_GATEWAY = Gateways()
"""No gateway is named: every record of a model call may bill."""


def _condition(part: str) -> tuple[str, str]:
    name, equals, value = (piece.strip() for piece in part.partition("="))
    if not (name and equals and value):
        raise GatewayError(part.strip())
    return name, value


def _said(name: str, scope: str, resource: Mapping[str, Value]) -> str:
    return scope if name == SCOPE else str(resource.get(name, ""))


class GatewayError(ValueError):
    """A condition for gateways that cannot be read."""

    def __init__(self, found: str) -> None:
        super().__init__(
            f"a gateway must be named by scope=NAME or by a resource attribute, ATTRIBUTE=VALUE, "
            f"found {found!r}"
        )
