"""Text that no store can keep is refused before any is asked: PostgreSQL knows no NUL."""

import re

from fastapi import Request

_IN_JSON = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


async def refuse_nul(request: Request) -> None:
    """Refuse a request with the character NUL in it.

    Raises:
        NulError: says where.
    """
    if "\0" in request.scope["path"]:
        raise NulError("path")
    if b"%00" in request.scope["query_string"]:
        raise NulError("query")
    if _IN_JSON.search(await request.body()):
        raise NulError("body")


class NulError(ValueError):
    """A request with a character that cannot be kept."""

    def __init__(self, part: str) -> None:
        super().__init__(f"a request must not hold the character NUL, found it in its {part}")
