"""Errors of ours and of the framework, mapped to answers."""

from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException

from collector.receive import NotAllowedError
from metering.period import MonthTextError, PartHourZoneError, UnknownZoneError
from metering.resources.store import UnknownResourceError
from metering.store import UnknownAccountError, ZoneChangeError
from pricing.bills.store import UnknownBillError
from pricing.contracts.order import OrderError
from pricing.contracts.store import UnknownContractError
from pricing.contracts.term import UnifiedDayError
from pricing.prices.store import UnknownBookError
from pricing.run.jobs import OpenMonthError
from pricing.run.note_store import CreditCapError
from pricing.wallets.wallet import GrantError
from tallystick.api.problem import Fault, Problem, kind_of
from tallystick.declared import UNFIT
from tallystick.keeping.health import sentence_of_fault
from tallystick.setup import UndeclaredAccountError, UndeclaredNodeError

_log = structlog.get_logger("tallystick")

STATUS: tuple[tuple[type[Exception], int], ...] = (
    (NotAllowedError, 401),
    (UnknownAccountError, 404),
    (UnknownResourceError, 404),
    (UnknownBillError, 404),
    (UnknownContractError, 404),
    (LookupError, 422),
    (ValueError, 422),
    (TypeError, 422),
)
"""Our own errors -> status, the first that fits: they say what was wrong with the request.
Any other error is the service's fault: 503, and logged."""

_FIELD: tuple[tuple[type[Exception], str], ...] = (
    (UnknownAccountError, "account"),
    (UndeclaredAccountError, "account"),
    (UnknownResourceError, "resource"),
    (UndeclaredNodeError, "resource"),
    (MonthTextError, "month"),
    (UnknownZoneError, "zone"),
    (PartHourZoneError, "zone"),
    (ZoneChangeError, "zone"),
    (UnifiedDayError, "day"),
    (GrantError, "amount"),
    (CreditCapError, "amount"),
    (UnknownBookError, "book"),
    (OpenMonthError, "month"),
)
"""Errors that are of one field wherever they are raised; others name theirs themselves."""

_OURS = ("collector.", "metering.", "pricing.", "tallystick.")
_WHOLE = {
    "missing": "must be given, found nothing",
    "extra_forbidden": "must not be given, found it: nothing here has that name",
}
_MUST = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be an object",
    "model_attributes_type": "must be an object",
    "json_invalid": "must be JSON",
}
"""What the framework calls an error -> our words; others come in its own."""
_FROM = {"body", "query", "path", "header"}


def answer_errors(app: FastAPI) -> None:
    """Answer every error with a sentence."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _no_route)
    app.add_exception_handler(Exception, _failed)
    for unkept in (DataError, OverflowError, UnicodeEncodeError):
        app.add_exception_handler(unkept, _unkept)
    for kind, _ in STATUS:
        app.add_exception_handler(kind, _failed)


def our_fault(error: Exception) -> Problem:
    """Answer that it is not the request's fault; only the log tells more."""
    _log.error("request_failed", kind=type(error).__name__, error=str(error))
    return Problem(503, sentence_of_fault(error), headers={"Retry-After": "1"})


def _failed(_request: Request, error: Exception) -> Problem:
    status = 503
    if type(error).__module__.startswith(_OURS):
        status = next((code for kind, code in STATUS if isinstance(error, kind)), 503)
    if status == 503:
        return our_fault(error)
    text = str(error.args[0]) if isinstance(error, LookupError) and error.args else str(error)
    headers = {"WWW-Authenticate": 'Basic realm="tallystick"'} if status == 401 else {}
    kind = kind_of(type(error))
    return Problem(status, text, kind=kind, faults=_faults(error, text), headers=headers)


def _faults(error: Exception, text: str) -> list[Fault]:
    """Return which fields are wrong: those of an order, or the one that an error names."""
    if isinstance(error, OrderError):
        return [Fault(*one) for one in error.problems]
    known = next((name for kind, name in _FIELD if isinstance(error, kind)), "")
    field = getattr(error, "field", "") or known
    return [Fault(field, text)] if field else []


def _unkept(_request: Request, error: Exception) -> Problem:
    """Answer that a value is none that a store can keep: too large, or half a character."""
    _log.warning("value_refused", kind=type(error).__name__, error=str(error))
    detail = "every value must be one that the ledger can keep, found one too large or broken"
    return Problem(422, detail, kind="unkept-value")


def _no_route(_request: Request, error: Exception) -> Problem:
    assert isinstance(error, HTTPException)
    return Problem(error.status_code, f"{error.status_code}: {error.detail}", headers=error.headers)


def _invalid(_request: Request, error: Exception) -> Problem:
    assert isinstance(error, RequestValidationError)
    faults = [fault for one in error.errors() for fault in _faults_of(one)]
    field, message = faults[0]
    is_plain = not field or error.errors()[0]["type"] == UNFIT
    detail = message if is_plain else f"{field}: {message}"
    return Problem(422, detail, kind="invalid-request", faults=faults)


def _faults_of(one: dict[str, Any]) -> list[Fault]:
    """Return what is wrong with a field, or with each of several that do not go together."""
    path = [str(part) for part in one["loc"] if part not in _FROM]
    if one["type"] == UNFIT:
        return [Fault(".".join([*path, name]), one["msg"]) for name in one["ctx"]["fields"]]
    field = ".".join(path)
    if one["type"] in _WHOLE:
        return [Fault(field, _WHOLE[one["type"]])]
    said = _MUST.get(one["type"]) or str(one["msg"]).removeprefix("Value error, ")
    found = "" if one["type"] == "value_error" else f", found {str(one['input'])[:80]!r}"
    return [Fault(field, said + found)]
