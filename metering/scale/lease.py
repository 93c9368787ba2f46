"""The lease: of several workers one ticks, and one that lost it cannot commit.

ask -> taken | refused; every change of hands raises the fence; a commit names the fence it knew
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Lease:
    """Who ticks, until when, and how often that has changed."""

    holder: str
    until: datetime
    fence: int
    """Rises whenever another takes over, or what a tick has read is no longer so."""


def taken(lease: Lease, holder: str, now: datetime, term: timedelta) -> Lease | None:
    """Return the lease after ``holder`` asked for it at ``now``; nothing while another has it.

    One's own lease is prolonged once half of its term has passed, so that asking often costs no
    write, and is still one's own after its end as long as nobody else took it.
    """
    if lease.holder == holder:
        return lease if lease.until - now > term / 2 else replace(lease, until=now + term)
    if now < lease.until:
        return None
    return seized(lease, holder, now, term)


def seized(lease: Lease, holder: str, now: datetime, term: timedelta) -> Lease:
    """Return the lease as taken from whoever had it: for one who knows that nobody else lives."""
    return Lease(holder, now + term, lease.fence + 1)


def released(lease: Lease, holder: str, now: datetime) -> Lease:
    """Return the lease as free for anyone, where it was the holder's to give."""
    return replace(lease, until=now) if lease.holder == holder else lease
