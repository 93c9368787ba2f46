from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.interval import Interval, Resource, State
from pricing.rating.inputs import Inputs
from pricing.run.run import Told, narrowed, snapshot, told_again
from pricing.run.snapshot import SnapshotError, digest, read, written
from tests.pricing.month_notation import month_from, span
from tests.pricing.month_strategies import months, prices


@dataclass(frozen=True)
class Leaf:
    state: State
    price: Decimal = Decimal(1)
    factors: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True)
class Tree:
    name: str
    leaves: tuple[Leaf, ...] = ()
    share: Fraction = Fraction(1)
    at: datetime | None = None


leaves = st.builds(
    Leaf,
    st.sampled_from(State),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.dictionaries(st.text(max_size=3), st.decimals("-9", "9", places=3), max_size=3),
)
trees = st.builds(
    Tree,
    st.text(),
    st.lists(leaves, max_size=3).map(tuple),
    st.fractions(),
    st.none() | st.datetimes(timezones=st.just(UTC)),
)


@given(tree=trees)
def test_values_come_back_as_they_were_written(tree: Tree) -> None:
    again = read(written([tree, 1, None, True]), Tree)

    assert again == (tree, 1, None, True)
    assert written(again[0]) == written(tree)


def test_a_field_at_its_default_is_left_out_so_that_later_fields_change_no_hash() -> None:
    assert written(Tree("oak")) == '{"is":"Tree","of":{"name":"oak"}}'


def test_a_type_that_is_gone_is_named() -> None:
    with pytest.raises(SnapshotError, match="must be of Leaf, State, Tree, found 'Bush'"):
        read(written(Tree("oak")).replace("Tree", "Bush"), Tree)


@given(inputs=months())
def test_what_a_run_was_told_comes_back(inputs: Inputs) -> None:
    node = Resource("n1", "acme", "cn-hangzhou", "polar.pg.g4.xlarge.gu10", "Node")
    told = narrowed(Told(inputs, "Acme Ltd", (node,)))

    again = told_again(snapshot(told), inputs.book, inputs.usage)

    assert snapshot(again) == snapshot(told)
    assert as_rated(again.inputs) == as_rated(told.inputs)
    assert (again.account_name, again.resources) == (told.account_name, told.resources)
    assert narrowed(again) == again


TEXT = """
hour  h1 n1 g4.xlarge.gu10 2026-10-01
hour  h2 n2 g4.xlarge.gu10 2026-11-01
hour  h3 n3 g4.xlarge.gu10 2026-10-01 account=other
ran   n1 2026-10-31T12:00 2026-11-02T12:00
ran   n2 2026-10-06T12:00 2026-10-07T12:00
"""


def test_what_does_not_matter_to_the_month_changes_no_snapshot() -> None:
    inputs = month_from(TEXT, prices())
    ran_on = replace(inputs.intervals[0], period=span("2026-10-31T12:00", "2026-11-09"))
    later = replace(inputs, intervals=[ran_on, *inputs.intervals[1:]])
    told = Told(inputs, "Acme Ltd", ())

    assert snapshot(narrowed(told)) == snapshot(narrowed(replace(told, inputs=later)))
    assert [c.id for c in narrowed(told).inputs.contracts] == ["h1"]
    assert narrowed(told).inputs.intervals == (
        Interval("n1", span("2026-10-31T12:00", "2026-11-01"), State.RUNNING),
    )


def test_what_matters_to_the_month_changes_the_digest() -> None:
    inputs = month_from(TEXT, prices())
    longer = replace(inputs.intervals[0], period=span("2026-10-31T11:00", "2026-11-02"))
    both: list[Any] = [inputs, replace(inputs, intervals=[longer, *inputs.intervals[1:]])]

    one, other = (digest(snapshot(narrowed(Told(i, "Acme Ltd", ())))) for i in both)

    assert one != other


def as_rated(inputs: Inputs) -> Inputs:
    return replace(
        inputs, usage=tuple(inputs.usage), contracts=tuple(inputs.contracts),
        settlements=tuple(inputs.settlements),
    )  # fmt: skip
