"""The vLLM stat logger: one event per finished request, under an engine's scope."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from plugin.receiver import Receiver
from tallystick_otel import environment
from tallystick_otel.meter import Meter
from tallystick_otel.vllm import UsageStatLogger

CONFIG = SimpleNamespace(model_config=SimpleNamespace(model="/models/q", served_model_name=["q3"]))


class FinishReason(Enum):
    """As in vLLM: prints as a word."""

    STOP = 0

    def __str__(self) -> str:
        return self.name.lower()


@dataclass
class Finished:
    """``FinishedRequestStats`` of vLLM 0.33, as far as it is looked at."""

    finish_reason: Any = FinishReason.STOP
    request_id: Any = "chatcmpl-1"
    e2e_latency: float = 2.0
    num_prompt_tokens: int = 100
    num_generation_tokens: int = 20
    num_cached_tokens: int = 64
    queued_time: float = 0.25
    prefill_time: float = 0.5


@pytest.fixture
def engine(
    receiver: Receiver, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[UsageStatLogger]:
    """Build the class as vLLM does: from variables, not from arguments of ours."""
    monkeypatch.setenv("TALLYSTICK_ENDPOINT", receiver.address)
    monkeypatch.setenv("TALLYSTICK_OUTBOX", str(folder))
    monkeypatch.setenv("OTEL_SERVICE_NAME", "engine-1")
    environment.meter_of_environment.cache_clear()
    yield UsageStatLogger(CONFIG, 0)
    environment.meter_of_environment().close(0)
    environment.meter_of_environment.cache_clear()


def test_each_finished_request_is_told(engine: UsageStatLogger, receiver: Receiver) -> None:
    engine.log_engine_initialized()
    engine.record(None, SimpleNamespace(finished_requests=[Finished(), Finished()]), None, 0)
    engine.record(object(), None)
    assert environment.meter_of_environment().flush()

    assert len(receiver.accepted) == 2
    expected = {
        "scope": "vllm.tallystick",
        "resource": {"service.name": "engine-1"},
        "gen_ai.provider.name": "vllm",
        "gen_ai.response.model": "q3",
        "gen_ai.request.id": "chatcmpl-1",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 64,
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.response.time_to_first_chunk": 0.75,
        "gen_ai.latency.time_in_queue": 0.25,
        "tallystick.duration_ns": 2 * 10**9,
    }
    assert {name: receiver.accepted[0].get(name) for name in expected} == expected
    assert "gen_ai.request.choice.count" not in receiver.accepted[0]


def test_choices_of_one_request_share_its_id(engine: UsageStatLogger, receiver: Receiver) -> None:
    choices = [Finished(request_id=f"{n}_chatcmpl-1") for n in range(3)]
    engine.record(iteration_stats=SimpleNamespace(finished_requests=choices))
    assert environment.meter_of_environment().flush()

    told = [(r["gen_ai.request.id"], r["gen_ai.request.choice.count"]) for r in receiver.accepted]
    assert told == [("chatcmpl-1", 2), ("chatcmpl-1", 2), ("chatcmpl-1", 3)]


def test_an_older_engine_tells_less(engine: UsageStatLogger, receiver: Receiver) -> None:
    old = SimpleNamespace(finish_reason="length", num_prompt_tokens=5, num_generation_tokens=1)
    engine.record(iteration_stats=SimpleNamespace(finished_requests=[old]))
    assert environment.meter_of_environment().flush()

    (record,) = receiver.accepted
    assert record["gen_ai.usage.input_tokens"] == 5
    assert "tallystick.duration_ns" not in record


def test_garbage_costs_no_other_request(engine: UsageStatLogger, receiver: Receiver) -> None:
    engine.record(iteration_stats=SimpleNamespace(finished_requests=[None, Finished()]))
    meter: Meter = environment.meter_of_environment()
    assert meter.flush()

    assert len(receiver.accepted) == 1
    assert meter.errors == 1


def test_an_engine_starts_without_a_usable_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLYSTICK_ENDPOINT", "nowhere")
    environment.meter_of_environment.cache_clear()
    engine = UsageStatLogger(None)

    engine.record(iteration_stats=SimpleNamespace(finished_requests=[Finished()]))
