"""vLLM's ``vllm.stat_logger_plugins``: one event per finished request, told by the engine itself.

An engine knows neither tenant nor key, so its events bill only where no gateway tells of the call.
Requests that their clients left are in no statistics of vLLM and so in no event (vllm issue 55634).

Source: vLLM 0.33, ``vllm/v1/metrics/loggers.py`` and ``vllm/v1/metrics/stats.py``.
"""

import logging
import re
from typing import Any, Optional

from tallystick_otel.attempt import Attempt
from tallystick_otel.conventions import ENGINE_SCOPE
from tallystick_otel.environment import meter_of_environment
from tallystick_otel.meter import Meter

try:
    from vllm.v1.metrics.loggers import StatLoggerBase
except ImportError:  # outside vLLM the class can still be imported, and tested
    StatLoggerBase = object

_CHOICE = re.compile(r"(\d+)_(.+)")
"""How vLLM names the requests that it makes of one with n > 1."""

_log = logging.getLogger("tallystick_otel")


class UsageStatLogger(StatLoggerBase):  # type: ignore[misc]  # a class of the host, or object
    """Records what each finished request used. vLLM builds one per engine. Never raises."""

    def __init__(self, vllm_config: Any, engine_index: int = 0) -> None:
        self._model = _served_model(vllm_config)
        self._engine = engine_index
        self._meter: Optional[Meter] = None
        try:
            self._meter = meter_of_environment()
        except Exception:  # a host's edge: an engine must start without us, too
            _log.exception("this engine is not metered")

    def record(
        self,
        scheduler_stats: Any = None,  # noqa: ARG002 - vLLM's signature
        iteration_stats: Any = None,
        mm_cache_stats: Any = None,  # noqa: ARG002 - vLLM's signature, from 0.11 on
        engine_idx: int = 0,  # noqa: ARG002 - vLLM's signature
    ) -> None:
        """Record the requests that one step of the engine finished."""
        if self._meter is None or iteration_stats is None:
            return
        for finished in getattr(iteration_stats, "finished_requests", ()):
            try:
                attempt = attempt_of(finished, self._model)
            except Exception:  # a host's edge
                self._meter.failed("reading a finished request")
                continue
            self._meter.record(attempt, ENGINE_SCOPE)

    def log_engine_initialized(self) -> None:
        """Do nothing: vLLM's own logger tells of that."""


def attempt_of(finished: Any, model: Optional[str]) -> Attempt:
    """Return what the statistics of a finished request say."""
    request_id = getattr(finished, "request_id", None)
    choice = _CHOICE.fullmatch(request_id) if isinstance(request_id, str) else None
    queued, prefill = _seconds(finished, "queued_time"), _seconds(finished, "prefill_time")
    latency = _seconds(finished, "e2e_latency")
    return Attempt(
        provider="vllm",
        model=model,
        engine_request_id=choice[2] if choice else request_id,
        choices=max(2, int(choice[1]) + 1) if choice else None,  # at least: n is not told
        input_tokens=getattr(finished, "num_prompt_tokens", None),
        output_tokens=getattr(finished, "num_generation_tokens", None),
        cached_tokens=getattr(finished, "num_cached_tokens", None),
        finish_reasons=[str(finished.finish_reason)],
        ttft_seconds=None if queued is None or prefill is None else queued + prefill,
        queue_seconds=queued,
        duration_ns=None if latency is None else round(latency * 1e9),
    )


def _seconds(finished: Any, name: str) -> Optional[float]:
    seconds = getattr(finished, name, None)
    return float(seconds) if isinstance(seconds, (int, float)) else None


def _served_model(vllm_config: Any) -> Optional[str]:
    model_config = getattr(vllm_config, "model_config", None)
    served = getattr(model_config, "served_model_name", None)
    if isinstance(served, (list, tuple)) and served:
        served = served[0]
    name = served or getattr(model_config, "model", None)
    return name if isinstance(name, str) else None
