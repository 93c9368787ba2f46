"""The usage event: one attempt at one model call, immutable, counted once by identity.

wire -> UsageEvent -> event store -> close(hour) -> usage rows
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import blake2b
from operator import attrgetter
from typing import Any, Self

from metering.hashing import MASK, mixed, text_hash

MAX_COUNT = 2**40
"""Counts at or above this are refused: a trillion tokens is no call, and eight million of the
largest counts still add up in 64 bits."""


class Quality(StrEnum):
    """How a count came to be known. Unknown is not zero."""

    MEASURED = "measured"
    ESTIMATED = "estimated"
    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    """Somebody decided: by a correction, with a reason. It bills as a measured one does."""

    __hash__ = str.__hash__  # keys of usage hold these: an Enum's own hash is a call in Python

    @property
    def is_settled(self) -> bool:
        """Whether a count may be charged as it is."""
        return self in {Quality.MEASURED, Quality.ACCEPTED}


class Outcome(StrEnum):
    """How one attempt ended."""

    OK = "ok"
    CLIENT_ERROR = "client_error"
    THROTTLED = "throttled"
    SERVER_ERROR = "server_error"
    ABORTED = "aborted"
    TIMEOUT = "timeout"

    __hash__ = str.__hash__  # as for Quality

    @property
    def is_billable(self) -> bool:
        """Whether tokens of such an attempt are charged: refused and failed attempts are free.

        Aborted and timed-out attempts pay the tokens that were made (DOMAIN rule R9).
        """
        return self in {Outcome.OK, Outcome.ABORTED, Outcome.TIMEOUT}


class Role(StrEnum):
    """Whether a record may be the bill record of its call, or only bears witness to it."""

    BILL = "bill"
    WITNESS = "witness"


@dataclass(frozen=True, slots=True)
class Tokens:
    """Disjoint token counts: every token is in exactly one field, so fields may be added up."""

    fresh: int = 0
    """Input tokens that were neither read from a cache nor written to one."""
    cached: int = 0
    """Input tokens read from a prompt cache."""
    written_5m: int = 0
    """Input tokens written to a cache that lives five minutes (the default lifetime)."""
    written_1h: int = 0
    """Input tokens written to a cache that lives one hour."""
    output: int = 0
    """Output tokens other than reasoning."""
    reasoning: int = 0
    """Output tokens spent on reasoning."""

    def __post_init__(self) -> None:
        for name, count in self.items():
            if not 0 <= count < MAX_COUNT:
                raise CountOutOfRangeError(name, count)

    def __add__(self, other: Self) -> Self:
        return replace(self, **{n: c + getattr(other, n) for n, c in self.items()})

    @property
    def total_input(self) -> int:
        """All input tokens, cached and written ones included."""
        return self.fresh + self.cached + self.written_5m + self.written_1h

    @property
    def total_output(self) -> int:
        """All output tokens, reasoning included."""
        return self.output + self.reasoning

    def items(self) -> Iterator[tuple[str, int]]:
        """Yield (token class, count) in the order of ``TOKEN_CLASSES``."""
        return ((f.name, getattr(self, f.name)) for f in fields(self))


TOKEN_CLASSES: tuple[str, ...] = tuple(f.name for f in fields(Tokens))
"""The names of the disjoint token classes, in the order they are shown."""


@dataclass(frozen=True, slots=True)
class Qualities:
    """The quality of each count of ``Tokens``, field by field."""

    fresh: Quality = Quality.MEASURED
    cached: Quality = Quality.MEASURED
    written_5m: Quality = Quality.MEASURED
    written_1h: Quality = Quality.MEASURED
    output: Quality = Quality.MEASURED
    reasoning: Quality = Quality.MEASURED

    @property
    def overall(self) -> Quality:
        """The quality of the two totals: a detail (cached, reasoning) may be unknown without harm.

        >>> Qualities(cached=Quality.UNKNOWN).overall.value
        'measured'
        """
        totals = {self.fresh, self.output}
        for worst in (Quality.UNKNOWN, Quality.ESTIMATED, Quality.ACCEPTED):
            if worst in totals:
                return worst
        return Quality.MEASURED


@dataclass(frozen=True, slots=True)
class Source:
    """Who says so, raw as received: accounts are bound later, when an hour is closed."""

    tenant: str = ""
    project: str = ""
    api_key: str = ""
    """The id of the key, never the key."""
    end_user: str = ""
    cluster: str = ""
    database: str = ""
    gateway: str = ""
    route: str = ""
    pool: str = ""
    """``dedicated`` 专属资源, ``shared`` 混池, or the operator's own name."""
    spill_reason: str = ""
    residency: str = ""
    resource: str = ""
    """The node or endpoint that served the call."""
    instance: str = ""
    region: str = ""
    network: str = ""
    call_path: str = ""
    """``sql`` for AI_CallModel, ``direct`` for a call of the model's address."""
    caller: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """What was asked of which model, and how it went."""

    provider: str = ""
    requested_model: str = ""
    model: str = ""
    """The model that served, or the requested one where nobody says."""
    operation: str = "chat"
    """``chat``, ``text_completion``, ``embeddings``, ``rerank`` ..."""
    response_id: str = ""
    request_id: str = ""
    attempt: int = 0
    outcome: Outcome = Outcome.OK
    status_code: int = 0
    stream: bool = False
    ttft_ns: int = 0
    queue_ns: int = 0
    tier: str = ""
    """The service tier that served: ``batch``, ``priority``, ``flex`` ...; empty for standard."""


@dataclass(frozen=True, slots=True)
class UsageEvent:
    """One attempt at one model call. Belongs to the hour in which it *ends*."""

    event_id: bytes
    """From ``span_identity`` (24 bytes) or ``source_identity`` (16 bytes)."""
    started_at: int
    """Nanoseconds since 1970 UTC."""
    ended_at: int
    """Nanoseconds since 1970 UTC."""
    trace_id: bytes = b""
    span_id: bytes = b""
    parent_span_id: bytes = b""
    source: Source = field(default_factory=Source)
    call: Call = field(default_factory=Call)
    tokens: Tokens = field(default_factory=Tokens)
    qualities: Qualities = field(default_factory=Qualities)
    role: Role = Role.BILL
    dialect: str = ""
    rank: int = 0
    """Among records of one call the lowest rank is the bill record."""
    is_choice: bool = False
    """True for one of n choices of a call (vLLM n>1): outputs add up, the prompt counts once."""
    caveat: str = ""
    """Why a count is not plainly measured: ``sampled``, ``guessed``, ``no counts``."""
    producer: str = ""
    """Who numbers its records without gaps, so that a missing one is seen."""
    sequence: int = 0
    """The producer's number of this record, from 1; 0 where it numbers none."""

    def __post_init__(self) -> None:
        if len(self.event_id) not in {SPAN_ID_BYTES, SOURCE_ID_BYTES}:
            raise IdentityLengthError(self.event_id)
        if not 0 < self.ended_at < MAX_INSTANT_NS:
            raise InstantOutOfRangeError(self.ended_at)

    @property
    def quality(self) -> Quality:
        """The quality of this record's totals."""
        return self.qualities.overall

    @property
    def call_id(self) -> bytes:
        """What all records of one call share: its response id, else its span, else only itself."""
        if self.call.response_id:
            return response_identity(self.call.response_id)
        if self.trace_id and self.span_id:
            return span_identity(self.trace_id, self.span_id)
        return self.event_id

    @property
    def content_hash(self) -> int:
        """Sixty-four bits over all that is said, so that a changed resend is seen.

        What is left at its default does not count, so that a field added later does not make old
        events look changed; nor does what rules and settings decide (role, rank, caveat).
        """
        said = zip(_SEEDS, _DEFAULTS, _read_said(self), strict=True)
        return sum(mixed(seed, _number(v)) for seed, default, v in said if v != default) & MASK


def _said() -> list[tuple[str, object]]:
    """Return the paths of all that an event says, with their defaults."""
    parts: tuple[tuple[str, Any], ...] = (
        ("source", Source()), ("call", Call()), ("tokens", Tokens()), ("qualities", Qualities()),
    )  # fmt: skip
    nested = [(f"{p}.{f.name}", getattr(v, f.name)) for p, v in parts for f in fields(v)]
    own = [("started_at", 0), ("ended_at", 0), ("dialect", ""), ("is_choice", False)]
    return [*own, ("producer", ""), ("sequence", 0), *nested]


def _number(value: object) -> int:
    """Return what stands for a value in a hash: itself, or the hash of a text."""
    return int(value) if isinstance(value, int) else text_hash(str(value).encode())


SAID: tuple[tuple[str, object], ...] = tuple(_said())
"""All that an event says: the path and the default of each thing."""
_SEEDS = [text_hash(path.encode()) for path, _ in SAID]
_DEFAULTS = [default for _, default in SAID]
_read_said = attrgetter(*(path for path, _ in SAID))
SPAN_ID_BYTES = 24
SOURCE_ID_BYTES = 16
RESPONSE_PREFIX = b"a call by its response id:"
"""Longer than any other identity, so that no response id can be made to look like one."""
MAX_INSTANT_NS = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000_000
"""Later ends are refused: they are broken clocks, and DateTime64 ends soon after."""


def span_identity(trace_id: bytes, span_id: bytes) -> bytes:
    """Return the identity of what one span reports: both its ids."""
    return trace_id + span_id


def source_identity(source: str, given_id: str) -> bytes:
    """Return the identity of a record that has no span: its producer, and the producer's id."""
    return _digest(source.encode(), given_id.encode())


def response_identity(response_id: str) -> bytes:
    """Return the identity of a call, from the response id that all its records share."""
    return RESPONSE_PREFIX + response_id.encode()


def _digest(*parts: bytes) -> bytes:
    """Hash the parts, each behind its length, so that no two lists of parts collide."""
    hasher = blake2b(digest_size=SOURCE_ID_BYTES)
    for part in parts:
        hasher.update(len(part).to_bytes(4))
        hasher.update(part)
    return hasher.digest()


class CountOutOfRangeError(ValueError):
    """A token count is negative or too large to be one."""

    def __init__(self, name: str, count: int) -> None:
        super().__init__(f"token count {name} must be 0 to 2^40 - 1, found {count}")
        self.name = name
        self.count = count


class IdentityLengthError(ValueError):
    """An identity of no known kind."""

    def __init__(self, event_id: bytes) -> None:
        super().__init__(
            f"an identity must be {SPAN_ID_BYTES} bytes (a span's) or {SOURCE_ID_BYTES} "
            f"(a producer's), found {len(event_id)}"
        )


class InstantOutOfRangeError(ValueError):
    """An event says it ended at no possible time."""

    def __init__(self, ended_at: int) -> None:
        super().__init__(
            f"the end of an event must be after 1970 and before 2100, found {ended_at} ns"
        )
        self.ended_at = ended_at
