"""What the OpenAPI document says of every route: keys, problems, and requests done once."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from tallystick.api.once import HEADER
from tallystick.api.problem import MEDIA_TYPE
from tallystick.role import COLLECTED, HEALTH

_PROBLEM = {
    "title": "Problem",
    "description": "What was wrong with a request, as RFC 9457 has it.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "error"],
    "properties": {
        "type": {"type": "string", "description": "urn:tallystick: and the kind of problem."},
        "title": {"type": "string", "description": "The status in words."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "One sentence: what must be, and what is."},
        "error": {"type": "string", "description": "The same sentence."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
_ANSWER = {
    "description": "One sentence on what was wrong.",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_ONCE = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "Sent again under the same key, the request is answered as before.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
_FRAMEWORK = ("HTTPValidationError", "ValidationError")


def describe(app: FastAPI) -> None:
    """Have the app tell of its routes what no signature does."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(plain())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _described(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in _FRAMEWORK:
        schemas.pop(name, None)
    schemas["Problem"] = _PROBLEM
    document["components"]["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "The admin or ingest key."}
    }
    for path, method, operation in _operations(document):
        operation.setdefault("responses", {}).pop("422", None)
        if path in COLLECTED:
            operation["security"] = [{"key": []}, {}]
            continue
        operation["responses"]["default"] = _ANSWER
        if path != HEALTH:
            operation["security"] = [{"key": []}, {}]
        if method == "post":
            operation.setdefault("parameters", []).append(_ONCE)
    return document


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation
