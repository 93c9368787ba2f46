import pytest
from builders import event
from hypothesis import given
from hypothesis import strategies as st

from metering.arrival import Arrival
from metering.band import NO_BANDS, Bands, BandsError
from metering.rollup import Sums, fold

bounds = st.lists(st.integers(1, 2**40), unique=True, min_size=1, max_size=5).map(sorted)


@given(bounds, st.integers(0, 2**41))
def test_a_band_is_named_by_the_largest_bound_that_its_tokens_reach(
    rising: list[int], tokens: int
) -> None:
    expected = max((bound for bound in rising if bound <= tokens), default=0)

    assert Bands(tuple(rising)).of(tokens) == str(expected)


@given(bounds)
def test_a_bound_belongs_to_the_band_above_it(rising: list[int]) -> None:
    bands = Bands(tuple(rising))

    assert [bands.of(bound) for bound in rising] == [str(bound) for bound in rising]
    assert bands.of(rising[0] - 1) == "0"


def test_without_bounds_requests_of_any_length_are_alike() -> None:
    assert {NO_BANDS.of(tokens) for tokens in (0, 1, 2**40)} == {""}


def test_a_first_bound_of_zero_changes_no_name() -> None:
    assert [Bands((0, 10)).of(tokens) for tokens in (0, 9, 10)] == ["0", "0", "10"]


def test_bounds_are_read_as_they_are_written() -> None:
    assert Bands.parse("32000, 128000") == Bands((32_000, 128_000))
    assert Bands.parse(" ") == NO_BANDS


@pytest.mark.parametrize("text", ["32k", "1,,2", "-1", "10,10", "10,2", "1.5", "²"])
def test_bounds_that_do_not_rise_are_refused(text: str) -> None:
    with pytest.raises(BandsError, match="rising whole numbers"):
        Bands.parse(text)


def test_a_request_has_one_band_by_all_of_its_input_cached_and_written_too() -> None:
    """Each token class of the longer request is short by itself."""
    longer = event("long", fresh=4, cached=3, written_5m=2, written_1h=1, output=9)
    shorter = event("short", fresh=9, output=50)

    sums = fold([Arrival(longer, 1), Arrival(shorter, 2)], bands=Bands((10,)))

    assert {key.band: value for key, value in sums.items()} == {
        "0": Sums(1, fresh=9, output=50),
        "10": Sums(1, 4, 3, 2, 1, 9, 0),
    }


def test_choices_of_a_call_share_the_band_of_its_prompt() -> None:
    one = event("one", fresh=25, output=10, choice=1, call="r1")
    two = event("two", fresh=25, output=9, choice=1, call="r1")

    sums = fold([Arrival(one, 1), Arrival(two, 2)], bands=Bands((26, 50)))

    assert {key.band: value.output for key, value in sums.items()} == {"0": 19}
