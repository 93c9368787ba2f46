"""How an attempt ended, told from its status code, its error or its finish reasons."""

import re

from collector.dialect import aliases
from collector.dialect.reading import count, first, text, words
from collector.otlp import Record
from metering.event import Outcome


def status_code(record: Record) -> int:
    """Return the HTTP status of the answer, from its attribute or the error; 0 where unknown."""
    code = count(record.attributes, aliases.STATUS_CODE)
    if code is None and record.is_error:
        said = _ERROR_CODE.search(record.status_message)
        code = int(said.group(1) or said.group(2)) if said else None
    return code if code is not None and code < 1000 else 0


def outcome_of(record: Record) -> Outcome:
    """Return how the attempt ended: the status code speaks before the error's words."""
    code = status_code(record)
    error_type = text(record.attributes, aliases.ERROR_TYPE)
    if code >= 400:
        return _outcome_of_code(code)
    if error_type or record.is_error:
        said = f"{error_type} {record.status_message}".casefold()
        return next((o for o, ways in _OUTCOME_WORDS if any(w in said for w in ways)), _FAILED)
    if _CUT_SHORT.intersection(words(first(record.attributes, aliases.FINISH_REASONS))):
        return Outcome.ABORTED
    return Outcome.OK


def _outcome_of_code(code: int) -> Outcome:
    return _BY_CODE.get(code, Outcome.CLIENT_ERROR if code < 500 else Outcome.SERVER_ERROR)


_ERROR_CODE = re.compile(r"\b[Ee]rror code: (\d{3})\b|^([45]\d{2}) ")
"""As Python's SDKs write it, and as those of JavaScript do."""
_FAILED = Outcome.SERVER_ERROR
_BY_CODE = {
    408: Outcome.TIMEOUT,
    429: Outcome.THROTTLED,
    499: Outcome.ABORTED,
    504: Outcome.TIMEOUT,
}
_CUT_SHORT = frozenset({"abort", "aborted", "cancel", "cancelled", "canceled", "error"})
"""Finish reasons of an answer that ended early. The conventions say ``error`` for a broken stream;
what was made of it is paid."""
_OUTCOME_WORDS: tuple[tuple[Outcome, tuple[str, ...]], ...] = (
    (Outcome.THROTTLED, ("ratelimit", "rate_limit", "429")),
    (Outcome.TIMEOUT, ("timeout", "timed out")),
    (Outcome.ABORTED, ("cancel", "abort", "abandon", "generatorexit", "disconnect")),
    (
        Outcome.CLIENT_ERROR,
        (
            "badrequest",
            "authentication",
            "permissiondenied",
            "notfound",
            "unprocessable",
            "invalid_request",
        ),
    ),
)
