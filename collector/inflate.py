"""Undo a body's Content-Encoding without trusting it: the limit holds for what comes out."""

import sys
import zlib
from collections.abc import Callable, Mapping
from typing import Protocol

if sys.version_info >= (3, 14):
    from compression.zstd import DecompressionParameter, ZstdDecompressor, ZstdError
else:
    from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError

DEFAULT_LIMIT = 64 * 1024 * 1024
"""Bytes of a body after inflation; the OTLP specification's recommended default."""

_STEP = 64 * 1024
"""Bytes given to a decompressor at a time: it copies what follows a member, so many small members
in one piece would cost the square of their number."""

_MOST_LAYERS = 3
"""Encodings that a body may have one around the other."""


class _Decompressor(Protocol):
    """What zlib and zstd have in common: one member or frame at a time."""

    @property
    def eof(self) -> bool:
        """Whether the member has ended."""

    @property
    def unused_data(self) -> bytes:
        """What was given beyond its end."""

    def decompress(self, data: bytes | memoryview, max_length: int, /) -> bytes:
        """Return at most so much of what is inside."""


def _gzip() -> _Decompressor:
    return zlib.decompressobj(16 + zlib.MAX_WBITS)


def _deflate() -> _Decompressor:
    """HTTP's deflate is the zlib format, which the upstream Collector calls by its own name."""
    return zlib.decompressobj()


def _zstd() -> _Decompressor:
    """Refuse frames that ask for more than 8 MiB of window, as RFC 8878 recommends."""
    return ZstdDecompressor(options={DecompressionParameter.window_log_max: 23})


_DECOMPRESSORS: Mapping[str, Callable[[], _Decompressor]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "zlib": _deflate,
    "zstd": _zstd,
}
_NONE = frozenset({"", "identity"})


def inflate(body: bytes, encoding: str, limit: int) -> bytes:
    """Return the body as it was before compression, at most ``limit`` bytes.

    An encoding may be a list, in the order in which they were applied (RFC 9110 8.4); the limit
    holds for what comes out of each of them.

    Raises:
        UnknownEncodingError: none of gzip, deflate, zstd and identity.
        BodyTooLargeError: more would come out than the limit; no more than that was inflated.
        BadCompressionError: not what the encoding says.
    """
    names = (name.strip().lower() for name in encoding.split(","))
    layers = [name for name in names if name not in _NONE]
    if len(layers) > _MOST_LAYERS or not _DECOMPRESSORS.keys() >= set(layers):
        raise UnknownEncodingError(encoding)
    plain = body
    for name in reversed(layers):
        plain = _members(plain, name, limit)
    if len(plain) > limit:
        raise BodyTooLargeError(limit)
    return plain


def _members(body: bytes, name: str, limit: int) -> bytes:
    """Inflate every member or frame of a body, and no more than a byte past the limit.

    An empty body is what it is: clients announce a compression and then have nothing to send.
    """
    parts: list[bytes] = []
    left = limit + 1
    at = 0
    sent = memoryview(body)
    member = _DECOMPRESSORS[name]()
    try:
        while at < len(sent) and left > 0:
            if member.eof:
                member = _DECOMPRESSORS[name]()
            step = sent[at : at + _STEP]
            parts.append(member.decompress(step, left))
            left -= len(parts[-1])
            at += len(step) - len(member.unused_data)
    except (zlib.error, ZstdError) as error:
        raise BadCompressionError(name, str(error)) from error
    if left <= 0:
        raise BodyTooLargeError(limit)
    if body and not member.eof:
        raise BadCompressionError(name, "its end in mid-stream")
    return b"".join(parts)


class UnknownEncodingError(ValueError):
    """A Content-Encoding that is not understood."""

    def __init__(self, encoding: str) -> None:
        super().__init__(
            f"the Content-Encoding must be gzip, zstd, deflate or identity, found {encoding!r}"
        )


class BodyTooLargeError(ValueError):
    """A body larger than the limit once inflated."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body must be at most {limit} bytes when inflated, found more")


class BadCompressionError(ValueError):
    """A body that is not what its Content-Encoding says."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"the body must be valid {name}, found: {reason}")
