"""What engines counted: exact over the hour, whatever restarts, repeats or is renamed."""

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from collector.workers.engine_tables import KNOWN
from collector.workers.engines import hear
from collector.workers.exposition import read_page
from metering.counter import Sample
from metering.reconcile.engine import Difference, EngineTotal, Window, difference, engine_totals
from metering.reconcile.place import Pair, Place, pool_finder
from metering.signal import Origin, Reading

START, END = 1000, 2000
BOUNDS = Window(START, END)
STEPS = st.lists(st.tuples(st.integers(1, 300), st.integers(0, 10**9)), min_size=1, max_size=12)
"""Pauses between scrapes, and what was counted in each."""


def total(page_at: dict[int, str], origin: Origin | None = None) -> dict[Place, EngineTotal]:
    """Return what a scraped engine counted between START and END, from its pages."""
    where = origin or Origin(target="a:8000", pool="shared")
    readings = [
        reading
        for at, page in page_at.items()
        for reading in hear(read_page(page, at).points, KNOWN, where).readings
        if reading.signal.endswith(("_tokens", "_finished", "_aborted"))
        and not reading.signal.startswith(("prefix", "draft", "accepted"))
    ]
    return engine_totals(readings, BOUNDS, pool_finder({}))


@given(STEPS, st.randoms(use_true_random=False))
def test_hours_that_follow_one_another_add_up_to_the_whole(
    steps: list[tuple[int, int]], shuffle: random.Random
) -> None:
    samples, at, count = [Sample(1, 0.0, 1)], 1, 0
    for pause, grown in steps:
        at, count = at + pause, count + grown
        samples.append(Sample(at, float(count), 1))
    shuffle.shuffle(samples)
    cuts = [1, *sorted(shuffle.sample(range(2, at + 2), min(3, at))), at + 2]
    parts = [difference(samples, Window(a, b)) for a, b in pairwise(cuts)]

    assert sum(part.count for part in parts if part) == count


def test_a_bound_between_two_scrapes_takes_the_sample_before_it_and_says_how_sure_it_is() -> None:
    samples = [Sample(990, 100.0), Sample(1010, 130.0), Sample(1990, 150.0), Sample(2010, 170.0)]

    assert difference(samples, BOUNDS) == Difference(50, 990, 1990, slack=50)


def test_what_is_seen_of_no_sample_is_nothing() -> None:
    assert difference([Sample(2001, 5.0)], BOUNDS) is None
    assert engine_totals([], BOUNDS, pool_finder({})) == {}


def test_a_counter_that_begins_in_the_hour_counts_from_its_beginning() -> None:
    after = Sample(2001, 9.0, 1200)

    assert difference([Sample(1300, 7.0, 1200), after], BOUNDS) == Difference(7, START, 1300, 2)


def test_an_engine_that_is_new_to_us_is_blind_until_its_first_sample() -> None:
    found = difference([Sample(1300, 7.0), Sample(1500, 9.0), Sample(2001, 9.0)], BOUNDS)

    assert found == Difference(2, START, 1500, 0, 0, (Window(START, 1300),))


def test_a_restart_is_a_window_in_which_work_may_be_lost() -> None:
    restarted = [Sample(999, 50.0), Sample(1500, 80.0), Sample(1600, 20.0), Sample(2001, 20.0)]
    told = [Sample(999, 5.0, 1), Sample(1500, 8.0, 1), Sample(1600, 9.0, 1520), Sample(2001, 9.0)]

    assert difference(restarted, BOUNDS) == Difference(50, 999, 1600, 30, 1, (Window(1500, 1600),))
    assert difference(told, BOUNDS) == Difference(12, 999, 1600, 3, 1, (Window(1500, 1520),))


def test_an_engine_that_is_gone_is_blind_from_its_last_sample() -> None:
    found = difference([Sample(999, 5.0), Sample(1700, 8.0)], BOUNDS)

    assert found == Difference(3, 999, 1700, 3, 0, (Window(1700, END),))


def sglang(prompt: int, output: int, role: str = "", cached: int = 0, aborted: int = 0) -> str:
    labels = f'model_name="m",engine_type="{role}",dp_rank="%d",tp_rank="%d"'
    lines = []
    for dp, tp in ((0, 0), (0, 1), (1, 0), (1, 1)):
        said = labels % (dp, tp)
        lines += [
            f"sglang:prompt_tokens_total{{{said}}} {prompt}",
            f"sglang:generation_tokens_total{{{said}}} {output}",
            f'sglang:cached_tokens_total{{{said},cache_source="device"}} {cached}',
            f'sglang:cached_tokens_total{{{said},cache_source="total"}} {cached}',
            f"sglang:num_requests_total{{{said}}} 7",
            f"sglang:num_aborted_requests_total{{{said}}} {aborted}",
        ]
    return "\n".join(lines)


def at_three(page: str, later: str) -> dict[int, str]:
    return {990: page, 1990: later, 2010: later}


def test_tensor_parallel_ranks_repeat_and_data_parallel_ranks_add_up() -> None:
    page = sglang(0, 0).replace(" 7", " 0")
    found = total(at_three(page, sglang(100, 10, cached=40, aborted=2)))

    assert found == {
        Place("shared", "m"): EngineTotal(
            input=200,
            output=20,
            cached=80,
            finished=10,
            started=14,
            slack=Pair(200, 20),
            engines=2,
            from_ns=990,
            to_ns=1990,
        )
    }


def test_a_prompt_is_counted_where_it_is_prefilled_and_an_output_where_it_is_decoded() -> None:
    places = [
        total(at_three(sglang(0, 0, role), sglang(100, 10, role, 40)))[Place("shared", "m")]
        for role in ("prefill", "decode")
    ]

    assert [(p.input, p.output, p.cached, p.started) for p in places] == [
        (200, None, 80, None),
        (None, 20, None, 0),
    ]


def test_old_and_new_names_are_one_counter_and_only_whole_requests_are_finished() -> None:
    said = 'model_name="m",engine="0"'
    old = f"vllm:prompt_tokens_total{{{said}}} 5\nvllm:gpu_prefix_cache_hits_total{{{said}}} 1"
    new = (
        f"vllm:prompt_tokens_total{{{said}}} 9\nvllm:prefix_cache_hits_total{{{said}}} 3\n"
        f'vllm:request_success_total{{{said},finished_reason="stop"}} 4\n'
        f'vllm:request_success_total{{{said},finished_reason="abort"}} 2'
    )
    found = total({990: old, 1500: new.replace("} 4", "} 0").replace("} 2", "} 0"), 1990: new})

    [(place, engine)] = found.items()
    assert place == Place("shared", "m")
    assert (engine.input, engine.cached, engine.finished, engine.started) == (4, 2, 4, 4)


def test_a_gateway_s_own_page_is_no_engine() -> None:
    readings = [Reading("prompt_tokens", at, 5.0, Origin("litellm", "g:4000")) for at in (990, 1)]

    assert engine_totals(readings, BOUNDS, pool_finder({})) == {}


def test_series_that_differ_in_what_is_not_kept_add_up() -> None:
    origin = Origin("vllm", "a", model="m")
    readings = [
        Reading("prompt_tokens", at, value, origin, series=series)
        for series in (1, 2)
        for at, value in ((990, 10.0), (1500, 15.0))
    ]

    assert engine_totals(readings, BOUNDS, pool_finder({}))[Place("", "m")].input == 10


def test_blind_windows_that_overlap_are_one() -> None:
    readings = [
        Reading("prompt_tokens", at, 1.0, Origin("vllm", target, model="m"))
        for target, at in (("a", 1100), ("b", 1200), ("b", 1900), ("a", 1800))
    ]
    [found] = engine_totals(readings, BOUNDS, pool_finder({})).values()

    assert found.blind == (Window(START, 1200), Window(1800, END))


def test_an_engine_is_of_the_pool_of_its_label_else_of_the_calls_that_name_it() -> None:
    pool_of = pool_finder({"n1": "dedicated", "10.0.0.1:8000": "shared"})

    assert pool_of(Origin(target="10.0.0.1:8000", pool="mine")) == "mine"
    assert pool_of(Origin(target="10.0.0.1:8000", node="n1")) == "shared"
    assert pool_of(Origin(target="x", node="n1")) == "dedicated"
    assert pool_of(Origin()) == ""
