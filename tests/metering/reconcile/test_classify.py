"""Classes: never more than their evidence, never more than the residual, always the whole."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.reconcile.classify import (
    Class,
    How,
    Suspect,
    Unaccounted,
    attributed,
    classify,
    unaccounted,
)
from metering.reconcile.engine import EngineTotal, Window
from metering.reconcile.gateway import Calls, Edge, Told
from metering.reconcile.judge import Status
from metering.reconcile.measures import Measures, document_of, measures_of
from metering.reconcile.place import Pair

COUNTS = st.integers(0, 5000)
FEW = st.integers(0, 60)
ENGINES = st.builds(
    EngineTotal,
    input=st.none() | COUNTS,
    output=st.none() | COUNTS,
    cached=st.none() | COUNTS,
    finished=st.none() | FEW,
    started=st.none() | FEW,
    slack=st.builds(Pair, COUNTS, COUNTS),
    blind=st.lists(st.builds(Window, FEW, FEW), max_size=2).map(tuple),
)
MEASURES = st.builds(
    Measures,
    engine=st.none() | ENGINES,
    told=st.none() | st.builds(Told, COUNTS, COUNTS, COUNTS),
    calls=st.builds(Calls, *[FEW] * 6, COUNTS, COUNTS, FEW, COUNTS, FEW, COUNTS, COUNTS),
    start=st.builds(Edge, FEW, *[COUNTS] * 4),
    end=st.builds(Edge, FEW, *[COUNTS] * 4),
    blind=st.builds(Pair, COUNTS, COUNTS),
)


@given(MEASURES)
def test_classes_and_the_unexplained_rest_are_the_residual(measures: Measures) -> None:
    for name, side in zip(("input", "output"), classify(measures).sides, strict=True):
        engine = getattr(measures.engine, name, None)
        assert side.residual == (0 if engine is None else engine - side.gateway)
        assert sum(part.tokens for part in side.parts) + side.unexplained == side.residual
        assert all(part.tokens * side.residual > 0 for part in side.parts)
        assert 0 <= side.unexplained / (side.residual or 1) <= 1


@given(st.integers(-1000, 1000), st.lists(st.tuples(FEW, FEW), max_size=5))
def test_no_suspect_takes_more_than_its_evidence(
    residual: int, bounds: list[tuple[int, int]]
) -> None:
    suspects = [Suspect(Class.RESET, How.BOUNDED, -low, high) for low, high in bounds]
    parts = attributed(residual, suspects)
    reach = sum(s.high if residual > 0 else s.low for s in suspects)

    taken = sum(part.tokens for part in parts)
    assert taken == (min(residual, reach) if residual > 0 else max(residual, reach))
    assert len(parts) <= len(suspects)


@given(MEASURES)
def test_what_is_stored_comes_back(measures: Measures) -> None:
    assert measures_of(document_of(measures)) == measures


def seen(started: int, finished: int, calls: Calls, near: int = 0) -> Unaccounted:
    engine = EngineTotal(100, 10, finished=finished, started=started)
    return unaccounted(Measures(engine, Told(), calls, start=Edge(calls=near)))


@pytest.mark.parametrize(
    ("found", "missing", "unmetered"),
    [
        (seen(100, 100, Calls(ok=100)), 0, 0),
        (seen(140, 140, Calls(ok=100)), 0, 40),
        (seen(140, 140, Calls(ok=100, missing=30)), 30, 10),
        (seen(140, 140, Calls(ok=100, missing=90)), 40, 0),
        (seen(140, 140, Calls(ok=100), near=40), 0, 0),
        (seen(140, 140, Calls(ok=100), near=39), 0, 40),
        (seen(140, 100, Calls(ok=100, cut=40)), 0, 0),
        (seen(180, 140, Calls(ok=100, cut=40)), 0, 40),
        (seen(140, 140, Calls(ok=100, cut=40)), 0, 0),
        (seen(140, 140, Calls(ok=100, failed=40)), 0, 40),
        (seen(140, 140, Calls(ok=100, retried=15)), 0, 25),
        (seen(120, 120, Calls(ok=100, choices=20)), 0, 0),
        (seen(80, 80, Calls(ok=100)), 0, 0),
    ],
)
def test_requests_are_unmetered_only_where_nothing_else_can_be_meant(
    found: Unaccounted, missing: int, unmetered: int
) -> None:
    assert found == Unaccounted(missing, unmetered)


def test_without_counts_of_requests_nobody_is_accused() -> None:
    measures = Measures(EngineTotal(100, 10), Told(), Calls(missing=3))

    assert unaccounted(measures) == Unaccounted(3, 0)
    assert unaccounted(Measures()) == Unaccounted(0, 0)
    assert classify(measures).input.parts[0].kind is Class.MISSING_SEQUENCE


def cache(engine: int, gateway: int, told_cached: int, high: int = 0) -> list[Class]:
    measures = Measures(
        EngineTotal(engine, 0, cached=400, finished=10, started=10),
        Told(gateway, 0, told_cached),
        Calls(ok=10, retried_input=high),
    )
    return [part.kind for part in classify(measures).input.parts]


def test_only_what_fits_exactly_is_cache_accounting() -> None:
    assert cache(1000, 600, 0) == [Class.CACHE_ACCOUNTING]
    assert cache(1000, 1400, 400) == [Class.CACHE_ACCOUNTING]
    assert cache(1000, 590, 0, high=20) == [Class.CACHE_ACCOUNTING, Class.RETRIES]
    assert cache(1000, 550, 0) == []
    assert cache(1000, 650, 0) == []
    assert cache(1000, 600, 0, high=400) == [Class.RETRIES]
    assert cache(1000, 1000, 0) == []


def test_the_mean_of_engines_that_tell_no_requests_is_that_of_the_gateway() -> None:
    calls = Calls(ok=10, cut_uncounted=1)
    told = Measures(EngineTotal(110, 0), Told(90, 0), calls)
    nobody = replace(told, calls=Calls(cut_uncounted=1))

    assert classify(told).input.parts[0].tokens == 11
    assert classify(nobody).input.parts[0].tokens == 20


def test_what_was_voided_was_worked_for() -> None:
    measures = Measures(EngineTotal(100, 20), Told(90, 15), Calls(corrected_input=30))

    assert [(p.kind, p.tokens) for p in classify(measures).input.parts] == [(Class.CORRECTED, 10)]
    assert classify(measures).output.unexplained == 5


def test_every_class_and_status_is_in_the_reference() -> None:
    reference = (Path(__file__).parents[3] / "docs" / "reference.md").read_text("utf-8")

    assert [word for word in (*Class, *Status) if f"| `{word.value}` |" not in reference] == []
