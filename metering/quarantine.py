"""What reported usage but could not become an event: kept with its reason, never counted."""

from dataclasses import dataclass

from metering.hashing import text_hash


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One record that was set aside. Nothing of its content is kept but who sent it and when."""

    reason: str
    """The sentence that says what was required and what was found."""
    service: str = ""
    scope: str = ""
    name: str = ""
    trace_id: bytes = b""
    span_id: bytes = b""
    ended_at: int = 0
    """Nanoseconds since 1970 UTC as told, however impossible."""

    @property
    def key(self) -> int:
        """What a resend has in common with it: sixty-four bits over all that is told."""
        told = (self.reason, self.service, self.scope, self.name, self.ended_at)
        return text_hash(repr((*told, self.trace_id, self.span_id)).encode())


@dataclass(frozen=True, slots=True)
class Held:
    """Usage that is stored but does not bill as it stands, by its caveat."""

    caveat: str
    requests: int
    first_ended_at: int
    last_ended_at: int
    """Nanoseconds since 1970 UTC."""
