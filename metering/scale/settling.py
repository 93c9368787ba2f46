"""Stamps of arrivals, and the cutoffs between them.

Where this process is the only one that writes, its own lock orders both. Where several collectors
write to one server, a collector stamps rows by its own clock and they become visible some time
later. A cutoff must never pass a stamp whose row is not visible yet, so it trails the *server's*
clock by the settling time ``S``. A write is acknowledged only if, after it, the server's clock is
at most ``S / 2`` past its stamp: no cutoff taken so far can have passed it, however wrong the
collector's clock is and however long the write took. The other half is for what one server's
clock does not tell: clocks of other servers of the cluster, and replicas that lag.
"""

from collections.abc import Callable


class Stamps:
    """What one process gives to arrivals. Its owner locks it.

    ``now_ns`` is our own clock and ``store_now`` asks the store for its own, in nanoseconds since
    1970 UTC. ``floor`` is below every stamp that is still to come; with a settling time of 0 this
    process is the only one that writes.
    """

    def __init__(
        self, now_ns: Callable[[], int], store_now: Callable[[], int], floor: int, settle_ns: int
    ) -> None:
        self._now_ns = now_ns
        self._store_now = store_now
        self._settle_ns = settle_ns
        self._last = floor
        self._cutoff = floor

    def take(self, count: int) -> int:
        """Return the first of ``count`` stamps, each used once and above all before it."""
        first = max(self._now_ns(), self._last + 1)
        self._last = first + count - 1
        return first

    def check_visible(self, first: int) -> None:
        """Refuse to acknowledge rows, visible now, whose stamps a cutoff may have passed.

        Raises:
            LateWriteError: usage may have been summed without them; sent again, they are counted.
        """
        if self._settle_ns:
            age = self._store_now() - first
            if age > self._settle_ns // 2:
                raise LateWriteError(age, self._settle_ns // 2)

    def cutoff(self) -> int:
        """Return a stamp that every acknowledged row is below, or no later one is.

        It never goes back. What settles still is above it, and is counted later.
        """
        if not self._settle_ns:
            self._cutoff = self.take(1)
        else:
            self._cutoff = max(self._store_now() - self._settle_ns, self._cutoff)
        return self._cutoff

    def looked_back(self, since: int) -> int:
        """Return from where on arrivals are looked at again: a straggler costs a look."""
        return max(since - self._settle_ns, 0)

    def skew(self) -> int:
        """Return how far our clock is surely ahead of the store's; negative where it is behind.

        The store read its clock between our asking and its answer; whatever fits between the two
        is no difference.
        """
        asked = self._now_ns()
        store_now = self._store_now()
        return max(asked - store_now, 0) + min(self._now_ns() - store_now, 0)

    def check_clock(self) -> None:
        """Refuse to collect by a clock that is off by more than half the settling time.

        Raises:
            ClockSkewError: arrivals would be refused, or counted late.
        """
        skew = self.skew()
        if self._settle_ns and abs(skew) > self._settle_ns // 2:
            raise ClockSkewError(skew, self._settle_ns // 2)


class LateWriteError(RuntimeError):
    """A write became visible so late that a close may have missed it."""

    def __init__(self, age_ns: int, limit_ns: int) -> None:
        super().__init__(
            f"a write must be visible within {limit_ns / 1e9:g} s of its stamp (half of "
            f"TALLYSTICK_SETTLE_SECONDS), found {age_ns / 1e9:.1f} s: nothing is acknowledged"
        )


class ClockSkewError(RuntimeError):
    """This machine's clock and the event store's do not agree."""

    def __init__(self, skew_ns: int, limit_ns: int) -> None:
        side = "ahead of" if skew_ns > 0 else "behind"
        super().__init__(
            f"this machine's clock must be within {limit_ns / 1e9:g} s of the event store's (half "
            f"of TALLYSTICK_SETTLE_SECONDS), found it {abs(skew_ns) / 1e9:.1f} s {side} it"
        )
