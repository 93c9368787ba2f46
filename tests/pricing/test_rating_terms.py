"""Subscriptions and the changes of them: what is ordered, settled and earned."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from pricing.contracts.change import end_early, upgrade
from pricing.contracts.turn import Change
from pricing.rating.charge import Charge, Kind, total
from pricing.rating.inputs import Inputs
from pricing.rating.rating import rate
from tests.pricing.month_notation import at, month_from, span

GU49 = "polar.pg.g8.2xlarge.gu49"


def after(inputs: Inputs, change: Change) -> Inputs:
    """Return the month as it stands after the change of its one contract."""
    assert change.settlement is not None
    return replace(inputs, contracts=change.contracts, settlements=[change.settlement])


def effective(charges: list[Charge]) -> Fraction:
    return sum((c.effective for c in charges), Fraction(0))


def all_months(inputs: Inputs, *starts: str) -> list[Charge]:
    """Rate several months, given by their first days and the day after the last one."""
    spans = [span(a, b) for a, b in pairwise(starts)]
    months = [replace(inputs, month=each, service_to=each.end) for each in spans]
    return [c for month in months for c in rate(month).charges]


def test_several_nodes_are_ordered_at_once(inputs: Inputs) -> None:
    """
    sub s1 n1 g4.xlarge.gu10 2026-10-01 quantity=3
    """
    order, unused = rate(inputs).charges

    assert (order.quantity, order.billed, order.rule) == (3, Fraction("19217.76"), "R3 order")
    assert unused.quantity == 3 * 744


def test_an_upgrade_is_a_line_that_names_its_rule_and_places_no_second_order(
    inputs: Inputs,
) -> None:
    """
    sub s1 n1 g4.xlarge.gu10 2026-10-01
    """
    change = upgrade(inputs.contracts[0], GU49, at("2026-10-11"), inputs.book)

    charges = rate(after(inputs, change)).charges

    orders = [(c.kind, c.contract and c.contract.id) for c in charges if c.billed]
    assert orders == [(Kind.CHANGE, "s1"), (Kind.TERM, "s1")]
    [line] = [c for c in charges if c.kind is Kind.CHANGE]
    assert line.billed == Fraction(change.amount)
    assert line.rule.startswith("R7 upgrade: (9740 - 6405.92) / 720 x 528 h")
    assert line.period == span("2026-10-11", "2026-11-02")
    assert line.effective == 0


def test_what_is_earned_of_a_changed_term_adds_up_to_what_was_billed() -> None:
    inputs = month_from("sub s1 n1 g4.xlarge.gu10 2026-10-01")
    change = upgrade(inputs.contracts[0], GU49, at("2026-10-11T12:34:56"), inputs.book)

    charges = all_months(after(inputs, change), "2026-10-01", "2026-11-01", "2026-12-01")

    assert effective(charges) == total(charges) > 6405


def test_what_is_earned_of_a_term_ended_early_adds_up_to_what_it_cost_in_the_end() -> None:
    inputs = month_from("sub s1 n1 g4.xlarge.gu10 2026-10-01 months=2")
    change = end_early(inputs.contracts[0], at("2026-11-11T12:34:56"), inputs.book)

    charges = all_months(after(inputs, change), "2026-10-01", "2026-11-01", "2026-12-01")

    assert change.amount < 0
    assert effective(charges) == total(charges) == Fraction("12811.84") + Fraction(change.amount)


def test_a_term_changed_in_the_second_of_its_purchase_was_bought_all_the_same() -> None:
    inputs = month_from("sub s1 n1 g4.xlarge.gu10 2026-10-01")
    change = upgrade(inputs.contracts[0], GU49, at("2026-10-01"), inputs.book)

    charges = rate(after(inputs, change)).charges

    bought = {c.kind: c.billed for c in charges if c.billed}
    assert bought == {Kind.TERM: Fraction("6405.92"), Kind.CHANGE: Fraction(change.amount)}


def test_a_settlement_is_charged_in_its_month_once_its_instant_is_reached(inputs: Inputs) -> None:
    """
    sub s1 n1 g4.xlarge.gu10 2026-10-01
    """
    change = upgrade(inputs.contracts[0], GU49, at("2026-10-11"), inputs.book)
    changed = after(inputs, change)
    assert change.settlement is not None
    foreign = replace(change.settlement, account="borealis")

    early = rate(replace(changed, service_to=at("2026-10-11"))).charges
    other = rate(replace(changed, settlements=[foreign])).charges

    assert Kind.CHANGE not in {c.kind for c in early + other}


def test_a_year_s_discount_is_on_the_order_alone(inputs: Inputs) -> None:
    """
    sub s1 n1 g4.xlarge.gu10 2026-10-01 months=12 discount=0.85
    """
    order = rate(inputs).charges[0]

    assert (order.discount, order.listed) == (Fraction(Decimal("0.85")), Fraction("76871.04"))
