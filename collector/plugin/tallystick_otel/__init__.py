"""Meter a gateway from inside: one durable usage event per attempt at a model call.

adapter (asgi, litellm, vllm, exporter) -> Attempt -> Meter -> Outbox (disk) -> Delivery -> OTLP

Importing any module starts nothing and reads nothing; ``meter.install`` does, with explicit
arguments. Only POSIX systems are served: folders are locked with ``flock``.
"""
