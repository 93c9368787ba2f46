"""Bills worked out by hand: each example's inputs, through the public functions, to its figures."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.pricing.month_notation import GOLDEN
from tests.pricing.worked_by_cache import fee_to_the_second, kv_cache
from tests.pricing.worked_by_change import conversion, overdue, proration, renewals
from tests.pricing.worked_by_mix import advice, hybrid, own_model, peers, refused, shared
from tests.pricing.worked_by_time import node_figures_of, subscription
from tests.pricing.worked_by_token import token_figures_of
from tests.pricing.worked_notation import Figures, Given, shows

FILES = ("worked_examples.json", "further_examples.json")
EXAMPLES = [e for f in FILES for e in json.loads((GOLDEN / f).read_text("utf-8"))["examples"]]


@pytest.mark.parametrize("example", EXAMPLES, ids=[e["id"] for e in EXAMPLES])
def test_an_example_comes_out_as_it_was_worked_by_hand(example: Mapping[str, Any]) -> None:
    expected = example["expected"]
    if "error" in expected:
        found = refused(example["inputs"])
    else:
        found = figures_of(example["group"], example["inputs"])

    assert shows(found, expected), {name: found.get(name, "not found") for name in expected}


def figures_of(group: str, inputs: Given) -> Figures:
    """Work an example out by its group, or else by what is charged."""
    if group in BY_GROUP:
        return BY_GROUP[group](inputs)
    match inputs:
        case {"renewals": _}:
            return renewals(inputs)
        case {"gb": _}:
            return fee_to_the_second(inputs)
        case {"weights": _}:
            return shared(inputs)
        case _:
            return BY_MODE[inputs.get("mode", "subscription")](inputs)


BY_GROUP: Mapping[str, Callable[[Given], Figures]] = {
    "hybrid": hybrid,
    "renewal": renewals,
    "conversion": conversion,
    "proration": proration,
    "kvcache": kv_cache,
    "custom model": own_model,
    "overdue": overdue,
    "advice": advice,
    "peers": peers,
}
BY_MODE: Mapping[str, Callable[[Given], Figures]] = {
    "hourly": node_figures_of,
    "token": token_figures_of,
    "subscription": subscription,
}
