"""Overlapping counts -> disjoint ones: nothing is counted twice, and unknown is not zero."""

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from collector.dialect.dissect import Reported, count_of, dissect
from metering.event import MAX_COUNT, Qualities, Quality, Tokens

UNHURRIED = settings(deadline=None)

counts = st.integers(0, MAX_COUNT - 1)
maybe = st.none() | st.integers(0, 1000) | counts
reports = st.builds(
    Reported,
    input=maybe,
    output=maybe,
    cached=maybe,
    written=maybe,
    written_5m=maybe,
    written_1h=maybe,
    reasoning=maybe,
)


@UNHURRIED
@given(reports)
def test_the_parts_add_up_to_the_totals_wherever_the_details_fit(reported: Reported) -> None:
    tokens, qualities = dissect(reported)

    if qualities.fresh is Quality.MEASURED:
        assert tokens.total_input == reported.input
    if qualities.output is Quality.MEASURED:
        assert tokens.total_output == reported.output


@st.composite
def consistent_reports(draw: st.DrawFn) -> Reported:
    """What an honest client says: every detail is a part of its total."""
    cached, written_5m, written_1h, fresh, reasoning, visible = (
        draw(st.integers(0, 10_000)) for _ in range(6)
    )
    is_split = draw(st.booleans())
    return Reported(
        input=fresh + cached + written_5m + written_1h,
        output=visible + reasoning,
        cached=cached,
        written=written_5m + written_1h,
        written_5m=written_5m if is_split else None,
        written_1h=written_1h if is_split else None,
        reasoning=reasoning,
    )


@UNHURRIED
@given(consistent_reports())
def test_honest_reports_are_measured_to_the_last_token(reported: Reported) -> None:
    tokens, qualities = dissect(reported)

    assert qualities == Qualities()
    assert tokens.total_input == reported.input
    assert tokens.total_output == reported.output
    assert tokens.cached == reported.cached
    assert tokens.written_5m + tokens.written_1h == reported.written
    assert tokens.written_1h == (reported.written_1h or 0)
    assert tokens.reasoning == reported.reasoning


@UNHURRIED
@given(reports)
def test_no_part_is_negative_or_lost(reported: Reported) -> None:
    tokens, _ = dissect(reported)

    assert all(count >= 0 for _, count in tokens.items())
    assert tokens.total_input >= (reported.input or 0)
    assert tokens.total_output >= (reported.output or 0)
    assert tokens.cached == (reported.cached or 0)
    assert tokens.reasoning == (reported.reasoning or 0)


@UNHURRIED
@given(reports)
def test_a_count_that_is_told_is_never_of_unknown_quality(reported: Reported) -> None:
    tokens, qualities = dissect(reported)

    unknown = {name for name, n in tokens.items() if getattr(qualities, name) is Quality.UNKNOWN}
    assert {name: getattr(tokens, name) for name in unknown} == dict.fromkeys(unknown, 0)


@UNHURRIED
@given(reports)
def test_a_total_that_nobody_told_is_unknown(reported: Reported) -> None:
    _, qualities = dissect(reported)

    assert (qualities.fresh is Quality.UNKNOWN) == (reported.input is None)
    assert (qualities.output is Quality.UNKNOWN) == (reported.output is None)
    assert (qualities.cached is Quality.UNKNOWN) == (reported.cached is None)
    assert (qualities.reasoning is Quality.UNKNOWN) == (reported.reasoning is None)
    assert reported.is_silent == (reported.input is None and reported.output is None)


@UNHURRIED
@given(counts, counts)
def test_details_beyond_their_total_are_estimates_beside_it(total: int, detail: int) -> None:
    assume(detail > total)
    tokens, qualities = dissect(
        Reported(input=total, output=total, cached=detail, reasoning=detail)
    )

    assert (tokens.fresh, tokens.cached) == (total, detail)
    assert (tokens.output, tokens.reasoning) == (total, detail)
    assert qualities.fresh is qualities.output is Quality.ESTIMATED
    assert qualities.overall is Quality.ESTIMATED


@pytest.mark.parametrize(
    ("reported", "tokens"),
    [
        (Reported(), Tokens()),
        (Reported(input=2048, output=120, cached=1536), Tokens(512, 1536, output=120)),
        (Reported(input=2048, cached=1024, written=512), Tokens(512, 1024, 512)),
        (Reported(input=100, written=30, written_1h=10), Tokens(70, 0, 20, 10)),
        (Reported(input=100, written_5m=20, written_1h=10), Tokens(70, 0, 20, 10)),
        (Reported(input=100, written_1h=10), Tokens(90, 0, 0, 10)),
        (Reported(input=100, written=5, written_1h=10), Tokens(90, 0, 0, 10)),
        (Reported(output=900, reasoning=640), Tokens(output=260, reasoning=640)),
        (Reported(input=12, output=0), Tokens(12)),
        (Reported(input=21, output=5, cached=4096), Tokens(21, 4096, output=5)),
    ],
)
def test_counts_are_dissected(reported: Reported, tokens: Tokens) -> None:
    assert dissect(reported)[0] == tokens


def test_written_tokens_are_known_by_either_name_and_unknown_without() -> None:
    assert dissect(Reported(written=3))[1].written_5m is Quality.MEASURED
    assert dissect(Reported(written_5m=3))[1].written_5m is Quality.MEASURED
    assert dissect(Reported(written_1h=3))[1].written_1h is Quality.MEASURED
    assert dissect(Reported(input=3))[1].written_5m is Quality.UNKNOWN
    assert dissect(Reported(input=3))[1].written_1h is Quality.UNKNOWN


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.integers(4200, 6000).map("9".__mul__)
    | st.text("0123456789٠१ ²½+-._eE", max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@UNHURRIED
@given(anything)
def test_reading_a_count_never_raises_and_yields_a_possible_count(value: Any) -> None:
    count = count_of(value)

    assert count is None or (type(count) is int and 0 <= count < MAX_COUNT)


@UNHURRIED
@given(counts)
def test_a_count_is_read_from_every_way_of_writing_it(count: int) -> None:
    assert count_of(count) == count_of(str(count)) == count_of(f" {count}\n") == count
    assert count_of(float(count)) == count


@pytest.mark.parametrize(
    "value",
    [None, True, False, -1, "-1", 0.5, "0.5", "", "many", "1_000", "1e3", b"12", [12], {"n": 12}],
)
def test_what_is_no_count_is_unknown(value: object) -> None:
    assert count_of(value) is None


@pytest.mark.parametrize(
    "value", [MAX_COUNT, str(MAX_COUNT), 1e300, float("inf"), float("nan"), 10**400, "9" * 5000]
)
def test_a_count_too_large_to_be_one_is_unknown(value: object) -> None:
    assert count_of(MAX_COUNT - 1) == MAX_COUNT - 1
    assert count_of(value) is None
