"""Undo a body's Content-Encoding without trusting it: the limit holds for what comes out."""

import zlib

DEFAULT_LIMIT = 64 * 1024 * 1024
"""Bytes of a body after inflation; the OTLP specification's recommended default."""

_GZIP = 16 + zlib.MAX_WBITS
_STEP = 64 * 1024
"""Bytes given to zlib at a time: it copies what follows a member, so many small members in one
piece would cost the square of their number."""


def inflate(body: bytes, encoding: str, limit: int) -> bytes:
    """Return the body as it was before compression, at most ``limit`` bytes.

    Raises:
        UnknownEncodingError: neither ``gzip`` nor ``identity``.
        BodyTooLargeError: more would come out than the limit; no more than that was inflated.
        BadCompressionError: not what the encoding says.
    """
    match encoding.strip().lower():
        case "" | "identity":
            plain = body
        case "gzip" | "x-gzip":
            plain = _gunzip(body, limit)
        case _:
            raise UnknownEncodingError(encoding)
    if len(plain) > limit:
        raise BodyTooLargeError(limit)
    return plain


def _gunzip(body: bytes, limit: int) -> bytes:
    """Inflate every member of a gzip file."""
    parts: list[bytes] = []
    left = limit + 1
    at = 0
    sent = memoryview(body)
    member = zlib.decompressobj(_GZIP)
    try:
        while at < len(sent) and left > 0:
            if member.eof:
                member = zlib.decompressobj(_GZIP)
            step = sent[at : at + _STEP]
            parts.append(member.decompress(step, left))
            left -= len(parts[-1])
            at += len(step) - len(member.unused_data)
    except zlib.error as error:
        raise BadCompressionError(str(error)) from error
    if body and left > 0 and not member.eof:
        raise BadCompressionError("the end of the body inside a gzip member")
    return b"".join(parts)


class UnknownEncodingError(ValueError):
    """A Content-Encoding that is not understood."""

    def __init__(self, encoding: str) -> None:
        super().__init__(f"the Content-Encoding must be gzip or identity, found {encoding!r}")


class BodyTooLargeError(ValueError):
    """A body larger than the limit once inflated."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body must be at most {limit} bytes when inflated, found more")


class BadCompressionError(ValueError):
    """A body that is not what its Content-Encoding says."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the body must be valid gzip, found: {reason}")
