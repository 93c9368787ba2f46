"""What an application can be ordered with: data beside the price books, and no prices."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import yaml

_LIMITS = ("least", "most", "default")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What the product offers. What is not in it cannot be ordered."""

    name: str
    app_types: tuple[str, ...]
    cluster_forms: tuple[str, ...]
    cluster_versions: tuple[str, ...]
    engines: tuple[str, ...]
    models: tuple[str, ...]
    max_access: range
    default_max_access: int


def parse_catalogue(text: str) -> Catalogue:
    """Read a catalogue.

    Raises:
        CatalogueError: a field is missing, unknown or of another kind.
    """
    told = yaml.safe_load(text)
    named = [f.name for f in fields(Catalogue) if f.name != "default_max_access"]
    if not isinstance(told, dict) or set(told) != set(named):
        found = ", ".join(map(str, told)) if isinstance(told, dict) else repr(told)
        raise CatalogueError("a catalogue", f"the fields {', '.join(named)}", found)
    lists = {name: _texts(name, told[name]) for name in named if name not in ("name", "max_access")}
    least, most, default = _limits(told["max_access"])
    return Catalogue(
        name=str(told["name"]),
        max_access=range(least, most + 1),
        default_max_access=default,
        **lists,
    )


def _texts(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
        raise CatalogueError(name, "a list of texts", repr(value))
    return tuple(value)


def _limits(value: Any) -> tuple[int, int, int]:
    told = value if isinstance(value, Mapping) and set(value) == set(_LIMITS) else {}
    least, most, default = (told.get(name) for name in _LIMITS)
    if type(least) is not int or type(most) is not int or type(default) is not int:
        raise CatalogueError("max_access", f"whole numbers {', '.join(_LIMITS)}", repr(value))
    if not least <= default <= most:
        raise CatalogueError("max_access", "least <= default <= most", repr(value))
    return least, most, default


class CatalogueError(ValueError):
    """A catalogue that cannot be read."""

    def __init__(self, where: str, required: str, found: str) -> None:
        super().__init__(f"{where} must have {required}, found {found}")
