"""Reading Prometheus pages: every line that can be read is read, and no other."""

import math
from pathlib import Path

import prometheus_client
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from collector.workers.exposition import BrokenLineError, Page, Point, Sample, read_line, read_page
from metering.histogram import Buckets

PAGES = sorted((Path(__file__).parents[1] / "payloads" / "prometheus").glob("*.prom"))
NOW = 1_795_000_000_000_000_000
MS = 1_000_000

LABEL_VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"))
NUMBERS = st.floats() | st.integers(-(2**53), 2**53).map(float)


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.stem)
def test_a_real_page_has_the_samples_that_the_reference_parser_sees(path: Path) -> None:
    text = path.read_text()
    page = read_page(text, NOW)
    families = text_string_to_metric_families(text)
    told = [s for family in families for s in family.samples]
    histograms = {s.name.removesuffix("_bucket") for s in told if s.name.endswith("_bucket")}
    ends = ("_bucket", "_sum", "_count", "_created")
    plain = sum(
        not s.name.endswith("_created")
        and not any(s.name == base + end for base in histograms for end in ends)
        for s in told
    )

    assert page.broken == 0
    assert len([p for p in page.points if p.buckets is None]) == plain
    assert {p.name for p in page.points if p.buckets} == histograms


@given(st.dictionaries(st.sampled_from(["a", "b_1", "model_name"]), LABEL_VALUES), NUMBERS)
def test_what_the_reference_library_writes_is_read_back(
    labels: dict[str, str], value: float
) -> None:
    registry = prometheus_client.CollectorRegistry()
    gauge = prometheus_client.Gauge("x", "Help.", list(labels), registry=registry)
    (gauge.labels(**labels) if labels else gauge).set(value)
    for write in (prometheus_client.generate_latest, openmetrics.generate_latest):
        [point] = read_page(write(registry).decode(), NOW).points

        assert (point.name, point.labels, point.at_ns) == ("x", labels, NOW)
        assert point.value == value or (math.isnan(point.value) and math.isnan(value))


@given(st.lists(st.floats(0.001, 100), max_size=20), st.integers(0, 2**53))
def test_counters_and_histograms_are_read_back_with_their_starts(
    values: list[float], total: int
) -> None:
    registry = prometheus_client.CollectorRegistry()
    counter = prometheus_client.Counter("tokens", "Help.", ["le"], registry=registry)
    counter.labels(le="1").inc(total)
    histogram = prometheus_client.Histogram(
        "wait", "Help.", ["m"], registry=registry, buckets=(1, 5)
    )
    for value in values:
        histogram.labels(m="x").observe(value)
    text = prometheus_client.generate_latest(registry).decode()
    points = {p.name: p for p in read_page(text, NOW).points}

    assert points["tokens_total"].value == total
    assert points["tokens_total"].started_ns > 0
    if values:
        counts = (sum(v <= 1 for v in values), sum(1 < v <= 5 for v in values))
        assert points["wait"].buckets == Buckets((1.0, 5.0), (*counts, len(values) - sum(counts)))
        assert points["wait"].value == pytest.approx(sum(values))
        assert points["wait"].started_ns > 0


@pytest.mark.parametrize(
    ("line", "sample"),
    [
        ("up 1", Sample("up", (), 1.0, 0)),
        ("up\t1\t5", Sample("up", (), 1.0, 5 * MS)),
        ('a{b="c"}3', Sample("a", (("b", "c"),), 3.0, 0)),
        ('a { b = "c" , d="e" , } 3 -7', Sample("a", (("b", "c"), ("d", "e")), 3.0, -7 * MS)),
        ('a{b="}\\n\\"\\\\ # \\x"} 3', Sample("a", (("b", '}\n"\\ # \\x'),), 3.0, 0)),
        ('a{le="1"} 3 # {trace_id="x y"} 0.5 1.5', Sample("a", (("le", "1"),), 3.0, 0)),
        ('{"my.metric", "a.b"="c"} 4', Sample("my.metric", (("a.b", "c"),), 4.0, 0)),
        ("sglang:x +Inf", Sample("sglang:x", (), math.inf, 0)),
        ("x 1e-3", Sample("x", (), 0.001, 0)),
    ],
)  # fmt: skip
def test_lines_are_read_as_they_are_meant(line: str, sample: Sample) -> None:
    assert read_line(line, MS) == sample


@pytest.mark.parametrize(
    "line",
    [
        "a", "a x", "a 1_0", "a 1 NaN", "a 1 2 3", "1a 2", 'a{b="c} 1', "a{b=c} 1", 'a{b="c"',
        "{} 1", 'a{"b"} 1', 'a{b="c" d="e"} 1', "<html>", "a 1 1_0", "a{b} 1",
    ],
)  # fmt: skip
def test_a_broken_line_costs_only_itself(line: str) -> None:
    page = read_page(f"up 1\n{line}\ndown 2\n", NOW)

    assert [p.name for p in page.points] == ["up", "down"]
    assert page.broken == 1
    assert page.reasons[0].startswith("line 2: a sample must be name")


@given(st.text(max_size=200))
def test_no_text_breaks_the_page(text: str) -> None:
    page = read_page(f"up 1\n{text}\ndown 2", NOW)

    assert {"up", "down"} <= {p.name for p in page.points}


def test_timestamps_count_milliseconds_and_in_openmetrics_seconds() -> None:
    told = 'a 1 1795000000.5\nb_bucket{le="+Inf"} 2 1795000000\nb_sum 3\n'

    assert [p.at_ns for p in read_page(told + "# EOF\n", NOW).points] == [
        1_795_000_000_500_000_000,
        1_795_000_000_000_000_000,
    ]
    assert read_page("a 1 1795000000500", NOW).points[0].at_ns == 1_795_000_000_500_000_000


@pytest.mark.parametrize("days", [-2, 2])
def test_a_line_of_another_day_is_left_out(days: int) -> None:
    told = NOW // MS + days * 86_400_000
    page = read_page(f"a 1 {told}\nb 2 {NOW // MS}\n", NOW)

    assert [p.name for p in page.points] == ["b"]
    assert "line 1: a timestamp must be within a day of the scrape" in page.reasons[0]


def test_a_process_start_stands_in_for_a_series_own() -> None:
    text = "process_start_time_seconds 100.5\na_total 1\nb_total 1\nb_created 200\n"
    starts = {p.name: p.started_ns for p in read_page(text, NOW).points}

    assert starts["a_total"] == 100_500_000_000
    assert starts["b_total"] == 200_000_000_000


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ('h_bucket{le="1"} 5\nh_bucket{le="2"} 3\nh_count 9', "counts"),
        ('h_bucket{le="1"} 5\nh_bucket{le="+Inf"} 3', "counts"),
        ('h_bucket{le="x"} 5\nh_bucket{le="+Inf"} 5', "no number"),
        ('h_bucket{le="1"} 0.5\nh_count 5', "a count of 0.5"),
        ('h_bucket{le="1"} 5', "cannot convert"),
        ('h_bucket{le="1"} +Inf\nh_count 5', "cannot convert"),
    ],
)
def test_a_histogram_that_cannot_be_is_left_out_and_counted(lines: str, why: str) -> None:
    page = read_page(f"{lines}\nup 1\n", NOW)

    assert [p.name for p in page.points] == ["up"]
    assert page.broken == 1
    assert "histogram h: " in page.reasons[0]
    assert why in page.reasons[0]


def test_buckets_without_a_count_line_need_their_last_one() -> None:
    [point] = read_page('h_bucket{le="1"} 5\nh_bucket{le="+Inf"} 7\nh_sum 9', NOW).points

    assert point == Point("h", {}, 9.0, NOW, 0, Buckets((1.0,), (5, 2)))


def test_a_bucket_line_without_a_bound_is_none() -> None:
    assert read_page('h_bucket{x="1"} 5\n', NOW) == Page([], 0, ())


def test_only_the_first_reasons_are_kept() -> None:
    page = read_page("!\n" * 1000, NOW)

    assert (page.broken, len(page.reasons)) == (1000, 20)


def test_an_error_shows_no_more_than_the_beginning_of_a_line() -> None:
    with pytest.raises(BrokenLineError) as error:
        read_line("!" * 10_000, MS)

    assert len(str(error.value)) < 300
