"""What each kind of software calls its metrics: rows, read by collector/workers/engines.py.

Sources, each read in its release: vLLM 0.33.0 ``v1/metrics/loggers.py`` (and the names of 0.9 that
it replaced), SGLang 0.5.23 ``metrics_collector.py``, dcgm-exporter 4.8.2
``etc/default-counters.csv``, text-generation-inference ``router/src/server.rs``, Triton
``docs/user_guide/metrics.md``, LiteLLM 1.106.2 ``integrations/prometheus.py``, OpenTelemetry
semantic conventions for GenAI and hardware.
"""

from functools import partial

from collector.workers.engines import Row, System, Vocabulary, vocabulary
from metering.signal import KV_CAPACITY, KV_USE, RUNNING, SLOTS, WAITING

_MIB = 2.0**-20
_MILLI = 1000.0
_PERCENT = 100.0

_VLLM = System(
    "vllm",
    origin={"model": ("model_name",), "engine": ("engine",)},
    rows=(
        Row("vllm:num_requests_running", RUNNING),
        Row("vllm:num_requests_waiting", WAITING),
        Row("vllm:kv_cache_usage_perc", KV_USE),
        Row("vllm:gpu_cache_usage_perc", KV_USE, rank=1),
        Row("vllm:cache_config_info", KV_CAPACITY, product_of=("kv_cache_size_tokens",)),
        Row(
            "vllm:cache_config_info",
            KV_CAPACITY,
            rank=1,
            product_of=("num_gpu_blocks", "block_size"),
        ),
        Row("vllm:prompt_tokens_total", "prompt_tokens"),
        Row("vllm:generation_tokens_total", "generation_tokens"),
        Row("vllm:prompt_tokens_cached_total", "cached_tokens"),
        Row("vllm:prefix_cache_hits_total", "cached_tokens", rank=1),
        Row("vllm:gpu_prefix_cache_hits_total", "cached_tokens", rank=2),
        Row("vllm:prefix_cache_queries_total", "prefix_queried_tokens"),
        Row("vllm:gpu_prefix_cache_queries_total", "prefix_queried_tokens", rank=1),
        Row("vllm:prefix_cache_hits_total", "prefix_hit_tokens"),
        Row("vllm:gpu_prefix_cache_hits_total", "prefix_hit_tokens", rank=1),
        Row("vllm:spec_decode_num_draft_tokens_total", "draft_tokens"),
        Row("vllm:spec_decode_num_accepted_tokens_total", "accepted_tokens"),
        Row("vllm:request_success_total", "requests_finished", keep={"finished_reason": "reason"}),
        Row("vllm:request_success_total", "requests_aborted", where={"finished_reason": "abort"}),
        Row("vllm:request_success_total", "requests_failed", where={"finished_reason": "error"}),
        Row("vllm:admission_rejections_total", "requests_rejected", keep={"reason": "reason"}),
        Row("vllm:num_preemptions_total", "preemptions"),
        Row("vllm:time_to_first_token_seconds", "ttft_seconds"),
        Row("vllm:request_time_per_output_token_seconds", "tpot_seconds"),
        Row("vllm:inter_token_latency_seconds", "itl_seconds"),
        Row("vllm:time_per_output_token_seconds", "itl_seconds", rank=1),
        Row("vllm:request_queue_time_seconds", "queue_seconds"),
        Row("vllm:request_prefill_time_seconds", "prefill_seconds"),
        Row("vllm:request_decode_time_seconds", "decode_seconds"),
        Row("vllm:e2e_request_latency_seconds", "e2e_seconds"),
    ),
)
"""vLLM. ``engine`` is the data-parallel rank. Ray Serve writes ``ray_vllm_`` for ``vllm:``."""

_SGLANG = System(
    "sglang",
    origin={
        "model": ("model_name",),
        "engine": ("dp_rank",),
        "role": ("engine_type",),
        "pool": ("pool",),
    },
    keep={"tenant": "tenant"},
    repeats=("tp_rank", "pp_rank", "moe_ep_rank"),
    rows=(
        Row("sglang:num_running_reqs", RUNNING),
        Row("sglang:num_queue_reqs", WAITING),
        Row("sglang:num_prefill_bootstrap_queue_reqs", WAITING, fixed={"queue": "bootstrap"}),
        Row("sglang:num_prefill_prealloc_queue_reqs", WAITING, fixed={"queue": "bootstrap"}),
        Row("sglang:num_decode_prealloc_queue_reqs", WAITING, fixed={"queue": "prealloc"}),
        Row("sglang:num_prefill_inflight_queue_reqs", "requests_transferring"),
        Row("sglang:num_decode_transfer_queue_reqs", "requests_transferring"),
        Row("sglang:max_running_requests_under_SLO", SLOTS),
        Row("sglang:token_usage", KV_USE),
        Row("sglang:max_total_num_tokens", KV_CAPACITY),
        Row("sglang:prompt_tokens_total", "prompt_tokens"),
        Row("sglang:generation_tokens_total", "generation_tokens"),
        Row("sglang:cached_tokens_total", "cached_tokens", keep={"cache_source": "source"}),
        Row("sglang:num_requests_total", "requests_finished"),
        Row("sglang:num_aborted_requests_total", "requests_aborted"),
        Row("sglang:num_retracted_requests_total", "preemptions"),
        Row("sglang:time_to_first_token_seconds", "ttft_seconds"),
        Row("sglang:request_time_per_output_token_seconds", "tpot_seconds"),
        Row("sglang:inter_token_latency_seconds", "itl_seconds"),
        Row("sglang:time_per_output_token_seconds", "itl_seconds", rank=1),
        Row("sglang:queue_time_seconds", "queue_seconds"),
        Row("sglang:e2e_request_latency_seconds", "e2e_seconds"),
    ),
)
"""SGLang. Tensor, pipeline and expert ranks repeat one another; data-parallel ranks add up. A
``prefill`` and a ``decode`` engine both tell of one request, so their roles are kept apart.
``sglang:utilization`` is left out: it stands still (its load is computed here from its parts)."""

_DCGM = System(
    "dcgm",
    origin={"gpu": ("UUID", "gpu"), "node": ("hostname", "Hostname")},
    keep={"GPU_I_ID": "mig"},
    repeats=("container", "namespace", "pod", "pod_uid"),
    blanks=((0x7FFFFFF0, 0x7FFFFFFF), (2**47, 2**47 + 15)),
    rows=(
        Row("DCGM_FI_DEV_GPU_UTIL", "gpu_busy", _PERCENT),
        Row("DCGM_FI_PROF_GR_ENGINE_ACTIVE", "gpu_engine_active"),
        Row("DCGM_FI_PROF_SM_ACTIVE", "gpu_sm_active"),
        Row("DCGM_FI_PROF_SM_OCCUPANCY", "gpu_sm_occupancy"),
        Row("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "gpu_tensor_active"),
        Row("DCGM_FI_PROF_DRAM_ACTIVE", "gpu_dram_active"),
        Row("DCGM_FI_DEV_FB_USED", "gpu_memory_used_bytes", _MIB),
        Row("DCGM_FI_DEV_FB_TOTAL", "gpu_memory_total_bytes", _MIB),
        Row("DCGM_FI_DEV_FB_USED", "gpu_memory_total_bytes", _MIB, rank=1),
        Row("DCGM_FI_DEV_FB_FREE", "gpu_memory_total_bytes", _MIB, rank=1),
        Row("DCGM_FI_DEV_FB_RESERVED", "gpu_memory_total_bytes", _MIB, rank=1),
        Row("DCGM_FI_DEV_POWER_USAGE", "gpu_power_watts"),
        Row("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "gpu_energy_joules", _MILLI),
        Row("DCGM_FI_DEV_GPU_TEMP", "gpu_temperature_celsius"),
        Row("DCGM_FI_DEV_MEMORY_TEMP", "gpu_memory_temperature_celsius"),
        Row("DCGM_FI_DEV_XID_ERRORS", "gpu_xid"),
        Row(
            "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS",
            "gpu_errors",
            fixed={"kind": "row-uncorrectable"},
        ),
        Row(
            "DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS", "gpu_errors", fixed={"kind": "row-correctable"}
        ),
        Row("DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", "gpu_errors", fixed={"kind": "ecc-single"}),
        Row("DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", "gpu_errors", fixed={"kind": "ecc-double"}),
        Row("DCGM_FI_DEV_PCIE_REPLAY_COUNTER", "gpu_errors", fixed={"kind": "pcie-replay"}),
    ),
)
"""dcgm-exporter. A card that several pods share is told of once for each of them. Its blanks mean
"not supported", "no permission" and the like, in 32 bits and in doubles.

Source: https://github.com/NVIDIA/DCGM/blob/master/dcgmlib/dcgm_structs.h (DCGM_INT32_BLANK,
DCGM_FP64_BLANK)
"""

_TGI = System(
    "tgi",
    origin={"model": ("model_id", "model_name")},
    rows=(
        Row("tgi_batch_current_size", RUNNING),
        Row("tgi_queue_size", WAITING),
        Row("tgi_request_input_length", "prompt_tokens"),
        Row("tgi_request_generated_tokens", "generation_tokens"),
        Row("tgi_request_count", "requests_received"),
        Row("tgi_request_success", "requests_finished"),
        Row("tgi_request_failure", "requests_failed", keep={"err": "reason"}),
        Row("tgi_request_mean_time_per_token_duration", "tpot_seconds"),
        Row("tgi_request_queue_duration", "queue_seconds"),
        Row("tgi_request_duration", "e2e_seconds"),
    ),
)
"""Text generation inference. It counts tokens in histograms only, whose sums are the totals."""

_TRITON = System(
    "triton",
    origin={"model": ("model",), "gpu": ("gpu_uuid",)},
    rows=(
        Row("nv_trt_llm_request_metrics", RUNNING, where={"request_type": "scheduled"}),
        Row("nv_trt_llm_request_metrics", SLOTS, where={"request_type": "max"}),
        Row("nv_trt_llm_request_metrics", WAITING, where={"request_type": "waiting"}),
        Row("nv_inference_pending_request_count", WAITING, rank=1),
        Row("nv_trt_llm_kv_cache_block_metrics", KV_USE, where={"kv_cache_block_type": "fraction"}),
        Row("nv_inference_request_success", "requests_finished"),
        Row("nv_inference_request_failure", "requests_failed", keep={"reason": "reason"}),
        Row("nv_inference_first_response_histogram_ms", "ttft_seconds", _MILLI),
        Row("nv_gpu_utilization", "gpu_busy"),
        Row("nv_gpu_memory_used_bytes", "gpu_memory_used_bytes"),
        Row("nv_gpu_memory_total_bytes", "gpu_memory_total_bytes"),
        Row("nv_gpu_power_usage", "gpu_power_watts"),
        Row("nv_energy_consumption", "gpu_energy_joules"),
    ),
)
"""Triton, with the TensorRT-LLM backend's own metrics where it serves language models."""

_TRTLLM = System(
    "trtllm",
    origin={"model": ("model_name", "model"), "role": ("engine_type",)},
    rows=(
        Row("trtllm_num_requests_running", RUNNING),
        Row("trtllm_num_requests_waiting", WAITING),
        Row("trtllm_kv_cache_utilization", KV_USE),
        Row(
            "trtllm_request_success_total", "requests_finished", keep={"finished_reason": "reason"}
        ),
        Row("trtllm_time_to_first_token_seconds", "ttft_seconds"),
        Row("trtllm_time_per_output_token_seconds", "tpot_seconds"),
        Row("trtllm_request_queue_time_seconds", "queue_seconds"),
        Row("trtllm_e2e_request_latency_seconds", "e2e_seconds"),
    ),
)
"""TensorRT-LLM's own server, and the same page as Dynamo passes it on."""

_LITELLM = System(
    "litellm",
    origin={"model": ("model", "litellm_model_name", "requested_model")},
    rows=(
        Row("litellm_in_flight_requests", RUNNING),
        Row("litellm_input_tokens_metric_total", "prompt_tokens"),
        Row("litellm_input_tokens_total", "prompt_tokens", rank=1),
        Row("litellm_output_tokens_metric_total", "generation_tokens"),
        Row("litellm_output_tokens_total", "generation_tokens", rank=1),
        Row("litellm_input_cached_tokens_metric_total", "cached_tokens"),
        Row("litellm_provider_cache_read_input_tokens_metric_total", "cached_tokens", rank=1),
        Row("litellm_proxy_total_requests_metric_total", "requests_received"),
        Row("litellm_deployment_success_responses_total", "requests_finished"),
        Row(
            "litellm_proxy_failed_requests_metric_total",
            "requests_failed",
            keep={"exception_status": "reason"},
        ),
        Row("litellm_llm_api_time_to_first_token_metric", "ttft_seconds"),
        Row("litellm_deployment_latency_per_output_token", "tpot_seconds"),
        Row("litellm_request_queue_time_seconds", "queue_seconds"),
        Row("litellm_request_total_latency_metric", "e2e_seconds"),
    ),
)
"""The LiteLLM proxy: a gateway, so its totals are those of the engines behind it, told again. Its
labels for teams and users are not kept: who pays is told by events."""

_token_usage = partial(Row, "gen_ai.client.token.usage", rank=1)


def _of(kind: str) -> dict[str, str]:
    return {"gen_ai_token_type": kind}


_CLIENT = System(
    "client",
    origin={"model": ("gen_ai_response_model", "gen_ai_request_model")},
    keep={"gen_ai_operation_name": "operation"},
    rows=(
        Row("gen_ai.client.inference.usage.input_tokens", "client_input_tokens"),
        _token_usage("client_input_tokens", where=_of("input")),
        Row("gen_ai.usage.input_tokens", "client_input_tokens", rank=2),
        Row("gen_ai.client.inference.usage.output_tokens", "client_output_tokens"),
        _token_usage("client_output_tokens", where=_of("output")),
        Row("gen_ai.usage.output_tokens", "client_output_tokens", rank=2),
        Row("gen_ai.client.inference.usage.cache_read.input_tokens", "client_cached_tokens"),
        _token_usage("client_cached_tokens", where=_of("cached_input")),
        Row("gen_ai.client.inference.usage.cache_write.input_tokens", "client_written_tokens"),
        _token_usage("client_written_tokens", where=_of("cache_creation_input")),
        Row("gen_ai.client.inference.usage.reasoning.output_tokens", "client_reasoning_tokens"),
        _token_usage("client_reasoning_tokens", where=_of("reasoning")),
        Row("gen_ai.client.inference.duration", "client_e2e_seconds"),
        Row("gen_ai.client.operation.duration", "client_e2e_seconds", rank=1),
        Row("gen_ai.client.inference.time_to_first_chunk", "client_ttft_seconds"),
        Row("gen_ai.client.operation.time_to_first_chunk", "client_ttft_seconds", rank=1),
        Row("gen_ai.client.inference.time_per_output_chunk", "client_tpot_seconds"),
        Row("gen_ai.client.operation.time_per_output_chunk", "client_tpot_seconds", rank=1),
        Row("gen_ai.server.request.duration", "e2e_seconds"),
        Row("gen_ai.server.time_to_first_token", "ttft_seconds"),
        Row("gen_ai.server.time_per_output_token", "tpot_seconds"),
    ),
)
"""Instrumented clients and gateways. Of ``gen_ai.token.type`` only ``input`` and ``output`` are
whole; the others are parts of them, so each has a signal of its own and none is summed."""

_HARDWARE = System(
    "hw",
    origin={"gpu": ("hw_id",), "node": ("host_name",)},
    rows=(
        Row("hw.gpu.utilization", "gpu_busy", where={"hw_gpu_task": "general"}),
        Row("hw.gpu.utilization", "gpu_busy", where={"hw_gpu_task": ""}),
        Row("hw.gpu.memory.usage", "gpu_memory_used_bytes"),
        Row("hw.gpu.memory.limit", "gpu_memory_total_bytes"),
        Row("hw.power", "gpu_power_watts", where={"hw_type": "gpu"}),
        Row("hw.energy", "gpu_energy_joules", where={"hw_type": "gpu"}),
        Row("hw.temperature", "gpu_temperature_celsius", where={"hw_type": "gpu"}),
        Row("hw.errors", "gpu_errors", where={"hw_type": "gpu"}, keep={"error_type": "kind"}),
    ),
)
"""OpenTelemetry's names for GPUs."""

SYSTEMS: tuple[System, ...] = (
    _VLLM,
    _SGLANG,
    _DCGM,
    _TGI,
    _TRITON,
    _TRTLLM,
    _LITELLM,
    _CLIENT,
    _HARDWARE,
)

KNOWN: Vocabulary = vocabulary(SYSTEMS)
"""Every name that is understood without an operator's own mapping."""
