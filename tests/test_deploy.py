"""The sample configuration of the upstream Collector keeps what billing needs."""

import re
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from collector.dialect import aliases

FILE = Path(__file__).parents[1] / "deploy" / "otel-collector.yaml"
SAMPLERS = ("tail_sampling", "probabilistic_sampler", "filter")
CONTENT = (
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.prompt",
    "gen_ai.prompt.0.content",
    "gen_ai.completion.0.content",
    "llm.input_messages.0.message.content",
    "llm.output_messages.0.message.content",
    "input.value",
    "output.value",
    "ai.prompt.messages",
    "ai.response.text",
    "langfuse.observation.input",
    "traceloop.entity.output",
    "llm.openai.choices",
)
REDUCED_FIRST = set(aliases.ANSWER)
"""What is read before it is deleted."""


@pytest.fixture(scope="module")
def configuration() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))
    return found


def pipelines(configuration: dict[str, Any], kind: str = "") -> dict[str, dict[str, list[str]]]:
    found = configuration["service"]["pipelines"]
    return {name: parts for name, parts in found.items() if name.endswith(kind)}


def statements(configuration: dict[str, Any], signal: str) -> list[str]:
    groups = configuration["processors"]["transform/no_content"][f"{signal}_statements"]
    return [statement for group in groups for statement in group["statements"]]


def deleted_keys(configuration: dict[str, Any], signal: str, place: str) -> re.Pattern[str]:
    """Return the pattern of deleted keys; RE2 and Python agree on all that it uses."""
    start = f'delete_matching_keys({place}.attributes, "'
    [pattern] = [s.removeprefix(start)[:-2] for s in statements(configuration, signal)
                 if s.startswith(start)]  # fmt: skip
    return re.compile(pattern.replace("\\\\", "\\"))


def attribute_names() -> Iterator[str]:
    """Yield every attribute that can influence a usage event."""
    for name, value in vars(aliases).items():
        if name.isupper() and isinstance(value, tuple):
            yield from value
    for names in aliases.SOURCE.values():
        yield from names


def test_pipelines_name_only_components_that_are_defined_and_use_all_of_them(
    configuration: dict[str, Any],
) -> None:
    for kind in ("receivers", "processors", "exporters"):
        used = {name for parts in pipelines(configuration).values() for name in parts[kind]}

        assert used == set(configuration[kind])
    assert set(configuration["service"]["extensions"]) == set(configuration["extensions"])


def test_metering_has_all_three_signals_without_sampler_filter_or_batch_processor(
    configuration: dict[str, Any],
) -> None:
    metering = pipelines(configuration, "/metering")

    assert set(metering) == {f"{s}/metering" for s in ("traces", "logs", "metrics")}
    for parts in metering.values():
        kinds = [name.partition("/")[0] for name in parts["processors"]]
        assert kinds[0] == "memory_limiter"
        assert not {*SAMPLERS, "batch"}.intersection(kinds)
        assert parts["exporters"] == ["otlp_http/metering"]


def test_the_queue_before_metering_is_on_disk_blocks_and_never_gives_up(
    configuration: dict[str, Any],
) -> None:
    exporter = configuration["exporters"]["otlp_http/metering"]
    queue = exporter["sending_queue"]

    assert queue["storage"] in configuration["extensions"]
    assert configuration["extensions"][queue["storage"]]["fsync"] is True
    assert queue["block_on_overflow"] is True
    assert queue["batch"]["max_size"] >= queue["batch"]["min_size"] > 0
    assert exporter["retry_on_failure"]["max_elapsed_time"] == "0s"


def test_everything_listens_and_sends_on_loopback(configuration: dict[str, Any]) -> None:
    listening = [p["endpoint"] for p in configuration["receivers"]["otlp"]["protocols"].values()]
    sending = [urlsplit(e["endpoint"]).netloc for e in configuration["exporters"].values()]

    assert all(ip_address(e.partition(":")[0]).is_loopback for e in listening + sending)
    assert len(set(listening + sending)) == 4


def test_prompts_and_answers_are_dropped(configuration: dict[str, Any]) -> None:
    of_spans = deleted_keys(configuration, "trace", "span")
    of_logs = deleted_keys(configuration, "log", "log")

    assert [name for name in CONTENT if not of_spans.search(name)] == []
    assert [name for name in CONTENT[:6] if not of_logs.search(name)] == []
    assert 'set(log.body, "")' in statements(configuration, "log")


def test_nothing_that_is_billed_by_is_dropped(configuration: dict[str, Any]) -> None:
    of_spans = deleted_keys(configuration, "trace", "span")
    of_logs = deleted_keys(configuration, "log", "log")
    names = set(attribute_names())

    assert len(names) > 100
    assert {name for name in names if of_spans.search(name)} == REDUCED_FIRST
    assert {name for name in names if of_logs.search(name)} == set()


def test_the_id_and_the_usage_of_an_answer_are_kept(configuration: dict[str, Any]) -> None:
    done = " ".join(statements(configuration, "trace"))

    assert 'ParseJSON(span.attributes["output.value"])["id"]' in done
    assert 'ParseJSON(span.attributes["output.value"])["usage"]' in done
    assert 'ParseJSON(span.attributes["gcp.vertex.agent.llm_response"])["usage_metadata"]' in done


def test_what_is_dropped_is_read_first(configuration: dict[str, Any]) -> None:
    done = statements(configuration, "trace")
    dropping = next(n for n, s in enumerate(done) if s.startswith("delete_matching_keys(span."))

    for name in REDUCED_FIRST:
        reading = [n for n, s in enumerate(done) if f'ParseJSON(span.attributes["{name}"])' in s]
        assert reading
        assert max(reading) < dropping


def test_every_part_has_its_reason() -> None:
    """A comment stands above or in each extension, receiver, processor and exporter."""
    text = FILE.read_text("utf-8")
    parts = re.split(r"^(?=\w+:$)", text, flags=re.MULTILINE)[1:]

    assert [part.partition(":")[0] for part in parts if "#" not in part] == []
