"""The vocabulary: names that say their unit, and readings that always hold a number."""

import math

import pytest

from metering.signal import (
    LAST_NS,
    SIGNALS,
    Aggregate,
    InstantRangeError,
    Kind,
    NoValueError,
    Reading,
    UnknownSignalError,
    labels_of,
)


def test_a_signal_with_a_unit_names_it() -> None:
    unnamed = [s.name for s in SIGNALS.values() if s.unit != "1" and not s.name.endswith(s.unit)]

    assert unnamed == []


def test_counters_add_up_over_places() -> None:
    others = {s.aggregate for s in SIGNALS.values() if s.kind is not Kind.GAUGE}

    assert others == {Aggregate.SUM}


def test_every_signal_is_explained_in_a_sentence() -> None:
    assert [s.name for s in SIGNALS.values() if not s.help.endswith(".")] == []


def test_readings_in_several_places_make_one() -> None:
    values = [0.1, 0.2, 0.3]

    assert Aggregate.SUM.of(values) == pytest.approx(0.6)
    assert Aggregate.MAX.of(values) == 0.3
    assert Aggregate.MEAN.of(values) == pytest.approx(0.2)


def test_empty_labels_are_none() -> None:
    assert labels_of({"b": "2", "a": "1", "c": ""}) == (("a", "1"), ("b", "2"))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_reading_without_a_number_cannot_be(value: float) -> None:
    with pytest.raises(NoValueError, match="a finite value"):
        Reading("up", 1, value)


@pytest.mark.parametrize(("at_ns", "started_ns"), [(0, 0), (LAST_NS + 1, 0), (1, -1)])
def test_a_reading_from_no_instant_cannot_be(at_ns: int, started_ns: int) -> None:
    with pytest.raises(InstantRangeError, match="after 1970"):
        Reading("prompt_tokens", at_ns, 1.0, started_ns=started_ns)


def test_a_reading_of_something_unheard_of_cannot_be() -> None:
    with pytest.raises(UnknownSignalError, match="a signal must be one of up, load"):
        Reading("vibes", 1, 1.0)
