"""Judged rows as people and programs read them."""

from dataclasses import asdict
from typing import Any

from metering.reconcile.classify import Side
from metering.reconcile.judge import Acceptance, Row


def document_of(row: Row) -> dict[str, Any]:
    """Return a row for JSON, with the evidence that its classes rest on."""
    return {
        "from": row.period.start.isoformat(),
        "to": row.period.end.isoformat(),
        "pool": row.place.pool,
        "model": row.place.model,
        "status": row.status.value,
        "input": side_document(row.reconciled.input),
        "output": side_document(row.reconciled.output),
        "evidence": _evidence(row),
        "acceptance": row.acceptance and acceptance_document(row.acceptance),
    }


def side_document(side: Side) -> dict[str, Any]:
    """Return one side for JSON; its classes and ``unexplained`` add up to ``residual``."""
    return {
        "engine": side.engine,
        "gateway": side.gateway,
        "residual": side.residual,
        "slack": side.slack,
        "classes": [
            {"class": part.kind.value, "tokens": part.tokens, "known": part.how.value}
            for part in side.parts
        ],
        "unexplained": side.unexplained,
    }


def acceptance_document(acceptance: Acceptance) -> dict[str, Any]:
    """Return an acceptance for JSON."""
    return {
        "from": acceptance.period.start.isoformat(),
        "to": acceptance.period.end.isoformat(),
        "pool": acceptance.place.pool,
        "model": acceptance.place.model,
        "input_tokens": acceptance.accepted.input,
        "output_tokens": acceptance.accepted.output,
        "actor": acceptance.actor,
        "reason": acceptance.reason,
        "accepted_at": acceptance.accepted_at.isoformat(),
    }


def _evidence(row: Row) -> dict[str, Any]:
    """Return the figures behind the classes."""
    engine = row.measures.engine
    return {
        "engines": engine.engines if engine else 0,
        "resets": engine.resets if engine else 0,
        "requests_started": engine.started if engine else None,
        "requests_finished": engine.finished if engine else None,
        "engine_cached_tokens": engine.cached if engine else None,
        "gateway_cached_tokens": row.measures.told.cached if row.measures.told else 0,
        "requests_unmetered": row.strange.unmetered,
        "calls_at_bounds": row.measures.start.calls + row.measures.end.calls,
        "calls": asdict(row.measures.calls),
    }
