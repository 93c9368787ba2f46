"""Bills worked out by hand: each example's inputs, through the public functions, to its figures."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.pricing.month_notation import GOLDEN
from tests.pricing.worked_by_time import (
    node,
    regions,
    renewal,
    shared_node,
    subscription,
    to_subscription,
    whole_months,
    window_days,
)
from tests.pricing.worked_by_token import months, refused, to_tokens, tokens

EXAMPLES = json.loads((GOLDEN / "worked_examples.json").read_text("utf-8"))["examples"]


@pytest.mark.parametrize("example", EXAMPLES, ids=[e["id"] for e in EXAMPLES])
def test_an_example_comes_out_as_it_was_worked_by_hand(example: Mapping[str, Any]) -> None:
    expected = example["expected"]
    if "error" in expected:
        found: Mapping[str, Any] = refused(example["inputs"])
    else:
        found = figures_of(example["group"], example["inputs"])

    assert {name: found.get(name, "not found") for name in expected} == expected


def figures_of(group: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Work an example out by its group, or else by what is charged."""
    if group in BY_GROUP:
        return BY_GROUP[group](inputs)
    return BY_MODE[inputs.get("mode", "subscription")](inputs)


def conversion_figures_of(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Work a conversion out by what the node is converted to."""
    return to_subscription(inputs) if "paid_at" in inputs else to_tokens(inputs)


def token_figures_of(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Work tokens out in one month, or event by event."""
    return months(inputs) if "events" in inputs else tokens(inputs)


def node_figures_of(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Work an hourly node out by which time is given."""
    match inputs:
        case {"regions": _}:
            return regions(inputs)
        case {"months": _}:
            return whole_months(inputs)
        case {"days": _}:
            return window_days(inputs)
        case _:
            return node(inputs)


BY_GROUP = {
    "hybrid": shared_node,
    "renewal": renewal,
    "conversion": conversion_figures_of,
}
BY_MODE = {
    "hourly": node_figures_of,
    "token": token_figures_of,
    "subscription": subscription,
}
