"""Engines' own names become one vocabulary: real pages, old names, ranks, sentinels, mappings."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.workers.engine_tables import KNOWN, SYSTEMS
from collector.workers.engines import (
    Heard,
    Row,
    RowError,
    System,
    canonical,
    hear,
    vocabulary,
)
from collector.workers.exposition import Point, read_page
from collector.workers.load import with_load
from collector.workers.mapping_file import MappingFileError, parse_systems
from metering.histogram import Buckets
from metering.signal import LAST_NS, Origin, Reading

PAGES = sorted((Path(__file__).parents[1] / "payloads" / "prometheus").glob("*.prom"))
NOW = 1_795_000_000_000_000_000
HERE = Origin(target="10.0.0.1:8000")


def heard(text: str, words: object = KNOWN) -> Heard:
    return hear(read_page(text, NOW).points, words, HERE)  # type: ignore[arg-type]


def values(text: str) -> dict[str, float]:
    """Return the readings of a page that has one of each signal."""
    readings = heard(text).readings
    assert len({r.signal for r in readings}) == len(readings)
    return {r.signal: r.value for r in readings}


def shown(reading: Reading) -> dict[str, object]:
    told = {name: value for name, value in asdict(reading.origin).items() if value}
    row: dict[str, object] = {"signal": reading.signal, "value": reading.value, **told}
    row |= dict(reading.labels)
    row |= {"started_ns": reading.started_ns} if reading.started_ns else {}
    if reading.buckets:
        row["buckets"] = [list(reading.buckets.bounds), list(reading.buckets.counts)]
    return row


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.stem)
def test_a_real_page_says_what_it_always_said(
    path: Path, golden: Callable[[str, str], None]
) -> None:
    found = heard(path.read_text())
    rows = [shown(r) for r in with_load(found.readings)]
    lines = ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in rows)

    golden(f"readings-{path.stem}.json", f"[\n{lines}\n]\n")
    assert {r.at_ns for r in found.readings} == {NOW}


def test_the_totals_of_a_real_vllm_page_are_the_tokens_that_were_served() -> None:
    page = heard(next(p for p in PAGES if p.name.startswith("vllm")).read_text())
    totals = {
        name: sum(r.value for r in page.readings if r.signal == name)
        for name in ("prompt_tokens", "cached_tokens", "generation_tokens", "kv_capacity_tokens")
    }

    # Five requests of 19 + 2048 + 512 + 4096 + 400 tokens; the last was aborted after ten.
    assert totals == {
        "prompt_tokens": 7075,
        "cached_tokens": 1536 + 4032,
        "generation_tokens": 7 + 120 + 48 + 64 + 10,
        "kv_capacity_tokens": 2 * 20_000 * 16,
    }
    assert page.systems == ["vllm"]


def test_names_of_every_age_and_transport_are_one() -> None:
    new = (
        'vllm:kv_cache_usage_perc{model_name="m"} 0.25\nvllm:num_requests_running{model_name="m"} 2'
    )
    ray = new.replace("vllm:", "ray_vllm_")
    old = new.replace("kv_cache_usage_perc", "gpu_cache_usage_perc")

    assert heard(new).readings == heard(ray).readings == heard(old).readings
    assert values(new) == {"kv_use": 0.25, "requests_running": 2.0}


def test_a_gateway_s_page_writes_the_conventions_with_units_and_underscores() -> None:
    page = (
        'gen_ai_server_time_to_first_token_seconds_bucket{gen_ai_request_model="m",le="+Inf"} 2\n'
    )
    page += 'gen_ai_server_time_to_first_token_seconds_sum{gen_ai_request_model="m"} 0.5\n'
    [reading] = heard(page).readings

    assert (reading.signal, reading.value, reading.origin.model) == ("ttft_seconds", 0.5, "m")


def test_a_page_that_has_an_old_and_a_new_name_counts_once() -> None:
    page = "vllm:gpu_cache_usage_perc 0.2\nvllm:kv_cache_usage_perc 0.2\n"
    page += "vllm:gpu_prefix_cache_hits_total 7\nvllm:prefix_cache_hits_total 7\n"

    assert values(page) == {"kv_use": 0.2, "cached_tokens": 7.0, "prefix_hit_tokens": 7.0}


def test_the_newer_word_for_kv_capacity_goes_first() -> None:
    blocks = 'vllm:cache_config_info{num_gpu_blocks="10",block_size="16"} 1'
    both = blocks.replace("{", '{kv_cache_size_tokens="150",')
    none = blocks.replace("10", "None")

    assert values(blocks) == {"kv_capacity_tokens": 160.0}
    assert values(both) == {"kv_capacity_tokens": 150.0}
    assert values(none) == {}


RANK = (
    'sglang:num_running_reqs{{model_name="m",engine_type="{0}",dp_rank="{1}",tp_rank="{2}"}} {3}\n'
)


def test_tensor_ranks_repeat_and_data_ranks_stay_apart() -> None:
    page = "".join(RANK.format("unified", dp, tp, 3 + dp) for dp in (0, 1) for tp in (0, 1, 2, 3))
    readings = heard(page).readings

    assert {(r.origin.engine, r.value) for r in readings} == {("0", 3.0), ("1", 4.0)}


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 99)), max_size=16))
def test_of_ranks_that_repeat_the_largest_counts(told: list[tuple[int, int, int]]) -> None:
    page = "".join(RANK.format("unified", dp, tp, value) for dp, tp, value in told)
    found = {r.origin.engine: r.value for r in heard(page).readings}

    assert found == {str(dp): max(v for d, _, v in told if d == dp) for dp, _, _ in told}


def test_prefill_and_decode_engines_are_not_one_engine() -> None:
    page = RANK.format("prefill", 0, 0, 1) + RANK.format("decode", 0, 0, 5)

    assert {r.origin.role: r.value for r in heard(page).readings} == {"prefill": 1.0, "decode": 5.0}


def test_labels_that_are_not_kept_are_summed_and_counted_since_the_first_began() -> None:
    page = """
    sglang:prompt_tokens_total{model_name="m",is_streaming="true",api_key="a"} 5
    sglang:prompt_tokens_created{model_name="m",is_streaming="true",api_key="a"} 300
    sglang:prompt_tokens_total{model_name="m",is_streaming="false",api_key="b"} 7
    sglang:prompt_tokens_created{model_name="m",is_streaming="false",api_key="b"} 200
    """
    [reading] = heard(page).readings

    assert (reading.value, reading.started_ns) == (12.0, 200_000_000_000)


def test_nan_and_sentinels_are_no_value() -> None:
    page = "sglang:token_usage NaN\nDCGM_FI_DEV_GPU_TEMP 9223372036854775794\n"
    page += "DCGM_FI_DEV_POWER_USAGE 9223372036854775792\nvllm:num_requests_running +Inf\n"
    found = heard(page)

    assert found.readings == []
    assert found.unknown.total() == 4


@pytest.mark.parametrize("blank", [0x7FFFFFF0, 0x7FFFFFF3, 2.0**47, 2.0**47 + 2])
def test_blanks_of_dcgm_are_no_value_in_any_width(blank: float) -> None:
    assert heard(f"DCGM_FI_DEV_GPU_TEMP {blank:.6f}").readings == []
    assert values(f"vllm:prompt_tokens_total {blank:.6f}") == {"prompt_tokens": blank}
    assert values(f"DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION {blank + 1000:.6f}")


def test_what_counts_is_never_below_zero() -> None:
    page = "vllm:prompt_tokens_total -7\nvllm:num_requests_waiting -1\n"

    assert values(page) == {"requests_waiting": -1.0}


def test_units_are_ours_and_exact() -> None:
    page = 'DCGM_FI_DEV_GPU_UTIL{gpu="0"} 97\n'
    page += 'DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu="0"} 112345678901\n'
    page += 'DCGM_FI_DEV_FB_USED{gpu="0"} 1\nDCGM_FI_DEV_FB_FREE{gpu="0"} 2\n'

    assert values(page) == {
        "gpu_busy": 0.97,
        "gpu_energy_joules": 112345678.901,
        "gpu_memory_used_bytes": 1048576.0,
        "gpu_memory_total_bytes": 3 * 1048576.0,
    }


def test_a_card_that_pods_share_is_one_card() -> None:
    page = "".join(f'DCGM_FI_DEV_POWER_USAGE{{UUID="G",pod="{pod}"}} 400\n' for pod in "abc")

    assert values(page) == {"gpu_power_watts": 400.0}


def test_histograms_are_scaled_with_their_bounds() -> None:
    page = 'nv_inference_first_response_histogram_ms_bucket{model="m",le="500"} 1\n'
    page += 'nv_inference_first_response_histogram_ms_bucket{model="m",le="+Inf"} 3\n'
    page += 'nv_inference_first_response_histogram_ms_sum{model="m"} 2500\n'
    [reading] = heard(page).readings

    assert (reading.signal, reading.value) == ("ttft_seconds", 2.5)
    assert reading.buckets == Buckets((0.5,), (1, 2))


def test_the_sum_of_a_histogram_may_be_a_counter() -> None:
    page = 'tgi_request_generated_tokens_bucket{le="+Inf"} 3\ntgi_request_generated_tokens_sum 77\n'

    assert [(r.signal, r.value, r.buckets) for r in heard(page).readings] == [
        ("generation_tokens", 77.0, None)
    ]


def test_a_number_where_a_histogram_is_meant_tells_nothing() -> None:
    assert heard("vllm:time_to_first_token_seconds 5").readings == []


def test_a_value_decides_which_signal_a_metric_tells() -> None:
    page = "".join(
        f'nv_trt_llm_request_metrics{{model="m",request_type="{kind}"}} {value}\n'
        for kind, value in [("scheduled", 3), ("max", 8), ("waiting", 1), ("active", 4)]
    )

    assert values(page) == {"requests_running": 3.0, "slots": 8.0, "requests_waiting": 1.0}


def test_points_from_no_instant_are_left_out() -> None:
    points = [Point("vllm:num_requests_running", {}, 1.0, at) for at in (0, -5, LAST_NS + 1, NOW)]
    odd_start = Point("vllm:prompt_tokens", {}, 1.0, NOW, started_ns=-1)

    assert len(hear([*points, odd_start], KNOWN, HERE).readings) == 1


def test_series_kept_apart_have_a_number_that_lasts() -> None:
    points = [
        Point("gen_ai.client.operation.duration", {"user": u}, 1.0, NOW, buckets=Buckets())
        for u in ("a", "b")
    ]
    first, again = (hear(points, KNOWN, HERE, b"app").readings for _ in range(2))
    other = hear(points, KNOWN, HERE, b"another app").readings

    assert first == again
    assert len({r.series for r in (*first, *other)}) == 4
    assert len(hear(points, KNOWN, HERE).readings) == 1


def test_no_name_of_a_system_is_told_in_two_ways_at_once() -> None:
    for system in SYSTEMS:
        keys = [
            (canonical(r.metric), r.signal, *r.where.items(), *r.product_of) for r in system.rows
        ]
        assert len(keys) == len(set(keys))


MAPPING = """
- name: ours
  origin: {model: [model], engine: [rank]}
  repeats: [worker]
  rows:
    - {metric: our_busy_slots, signal: requests_running}
    - {metric: our_cache_percent, signal: kv_use, per: 100}
    - metric: our_errors_total
      signal: requests_failed
      keep: {why: reason}
      where: {final: "yes"}
"""


def test_an_operator_maps_what_we_do_not_know() -> None:
    words = vocabulary(SYSTEMS, parse_systems(MAPPING))
    page = 'our_busy_slots{model="m",rank="0",worker="1"} 3\n'
    page += 'our_cache_percent{model="m",rank="0"} 45\n'
    page += 'our_errors_total{why="oom",final="yes"} 2\nour_errors_total{why="oom",final="no"} 9\n'
    found = heard(page, words)

    assert found.systems == ["ours"]
    assert {r.signal: (r.value, r.origin.engine, r.labels) for r in found.readings} == {
        "requests_running": (3.0, "0", ()),
        "kv_use": (0.45, "0", ()),
        "requests_failed": (2.0, "", (("reason", "oom"),)),
    }


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("name: x", "valid tuple"),
        ("- name: x", "Field required"),
        ("- {name: x, rows: [{metric: a, signal: vibes}]}", "the signal must be known"),
        ("- {name: x, rows: [{metric: a, signal: up, per: 0}]}", "per must be above 0"),
        ("- {name: x, rows: [], origin: {city: [a]}}", "its origin must be of"),
        ("- {name: [", "while parsing"),
        ("[" * 600, "recursion"),
    ],
)
def test_a_mapping_that_cannot_be_used_says_why(text: str, why: str) -> None:
    with pytest.raises(MappingFileError, match=why):
        parse_systems(text)


def test_a_row_names_what_exists() -> None:
    with pytest.raises(RowError, match="a: the signal must be known, found 'vibes'"):
        Row("a", "vibes")
    with pytest.raises(RowError, match="x: its origin must be of"):
        System("x", (), origin={"city": ("a",)})
