"""Bills worked out by hand: each example's inputs, through the public functions, to its figures."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.pricing.month_notation import GOLDEN
from tests.pricing.worked_by_change import conversion, overdue, proration, renewals
from tests.pricing.worked_by_mix import (
    advice,
    fee_to_the_second,
    hybrid,
    kv_cache,
    own_model,
    peers,
)
from tests.pricing.worked_by_time import node, regions, subscription, whole_months, window_days
from tests.pricing.worked_by_token import months, refused, tokens

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


def rounding_figures_of(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Work rounding out of a price by the gigabyte, or else of a node's."""
    return fee_to_the_second(inputs) if "gb" in inputs else node_figures_of(inputs)


BY_GROUP = {
    "hybrid": hybrid,
    "renewal": renewals,
    "conversion": conversion,
    "proration": proration,
    "kvcache": kv_cache,
    "custom model": own_model,
    "overdue": overdue,
    "rounding": rounding_figures_of,
    "advice": advice,
    "peers": peers,
}
BY_MODE = {
    "hourly": node_figures_of,
    "token": token_figures_of,
    "subscription": subscription,
}
