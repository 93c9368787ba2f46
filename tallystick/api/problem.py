"""What is answered where a request cannot be carried out: one sentence, and where it is wrong.

Source: RFC 9457, Problem Details for HTTP APIs
"""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from fastapi.responses import JSONResponse

MEDIA_TYPE = "application/problem+json"

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Fault(NamedTuple):
    """One field of a request, and what is wrong with it."""

    field: str
    message: str


class Problem(JSONResponse):
    """An answer that says what was wrong.

    ``error`` repeats ``detail``: what a program shows, whichever of the two names it knows.
    """

    media_type = MEDIA_TYPE

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        kind: str = "",
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        said: dict[str, Any] = {
            "type": f"urn:tallystick:{kind}" if kind else "about:blank",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
            "error": detail,
        }
        if faults:
            said["errors"] = [fault._asdict() for fault in faults]
        super().__init__(said, status, dict(headers or {}))


def kind_of(error: type[Exception]) -> str:
    """Return the name of a kind of error in an address.

    >>> class UnknownAccountError(LookupError): pass
    >>> kind_of(UnknownAccountError)
    'unknown-account'
    """
    return _WORD.sub("-", error.__name__.removesuffix("Error")).lower()
