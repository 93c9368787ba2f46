"""The parts of what a bill was told, each with a hash of its own, so a changed one is named."""

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any


def compact(value: Any) -> str:
    """Return plain values as the one JSON text of them."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def digests(said: Mapping[str, Any]) -> dict[str, str]:
    """Return the hash of each contract, interval, settlement, resource, price and so on."""
    return {name: sha256(compact(v).encode()).hexdigest() for name, v in _pieces(said)}


def _pieces(said: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "cutoffs", said["cutoffs"]
    yield "before", said["before"]
    name, resources, kept = said["told"]
    yield "account name", name
    yield from _each("resource", resources)
    for what, value in kept["of"]:
        if isinstance(value, list):
            yield from _each(what.removesuffix("s"), value)
        else:
            yield what.replace("_", " "), value
    rates = said["book"]["rates"]
    yield "price book", {name: v for name, v in said["book"].items() if name != "rates"}
    yield "number of prices", len(rates)
    for number, rate in enumerate(rates, 1):
        yield f"price {number}", rate


def _each(what: str, values: list[Any]) -> Iterator[tuple[str, Any]]:
    """Yield the members of a list: by their id where they have one, else by their place."""
    yield f"number of {what}s", len(values)
    for number, value in enumerate(values, 1):
        told = value["of"]
        yield f"{what} {told.get('id', number)}", value
