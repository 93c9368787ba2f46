"""Send what lies in the outbox until the receiver has it.

backlog -> lines -> OTLP request -> accepted: acknowledged | later: backed off | refused: bisected
"""

import logging
import threading
import time
from collections.abc import Sequence

from opentelemetry import context

from tallystick_otel.backlog import Backlog, Line, abandoned
from tallystick_otel.otlp import logs_request
from tallystick_otel.outbox import Outbox
from tallystick_otel.post import Endpoint, Verdict

INTERVAL_SECONDS = 0.25
"""How often the thread looks for events: appending wakes nobody, so that it costs nothing."""
SYNC_SECONDS = 1.0
"""How often what was appended is made to outlive a power cut."""
HOUSEKEEPING_SECONDS = 5.0
"""How often room is measured and dead producers are looked for."""
BACK_OFF_SECONDS = 0.5
BACK_OFF_SECONDS_MAX = 30.0
RETRY_AFTER_SECONDS_MAX = 300.0
"""A receiver that asks for more patience is asked again after this."""

_log = logging.getLogger("tallystick_otel")


class Delivery(threading.Thread):
    """The background thread of one outbox: it syncs, sends, acknowledges and takes over.

    A daemon: a host that ends does not wait for it. What it had no time for stays on disk.
    """

    def __init__(self, outbox: Outbox, endpoint: Endpoint) -> None:
        super().__init__(name="tallystick-delivery", daemon=True)
        self.delivered = 0
        self.refused = 0
        self.failures = 0
        """Requests that have to be sent again, and errors of the thread itself."""
        self._outbox = outbox
        self._endpoint = endpoint
        self._backlogs = [Backlog(outbox.folder, outbox.producer)]
        self._wake = threading.Event()
        self._round_done = threading.Condition()
        self._rounds = 0
        self._is_stopping = False
        self._is_empty = False
        self._pause_until = 0.0
        self._back_off = BACK_OFF_SECONDS
        self._sync_at = 0.0
        self._tidy_at = 0.0

    def run(self) -> None:
        """Go round until stopped; an error of one round is counted and the next one tries again."""
        key = getattr(context, "_SUPPRESS_INSTRUMENTATION_KEY", None)
        if key is not None:  # the host must not trace how it is metered
            context.attach(context.set_value(key, value=True))
        while not self._is_stopping:
            try:
                self._is_empty = not self._round()
            except Exception:  # the thread's edge: it must outlive whatever happens to one round
                self._failed("delivery failed", with_traceback=True)
                self._pause(0.0)
                self._is_empty = False
            with self._round_done:
                self._rounds += 1
                self._round_done.notify_all()
            if self._is_empty or self._is_paused:
                self._wake.wait(INTERVAL_SECONDS)
                self._wake.clear()
        self._endpoint.close()
        for adopted in self._backlogs[1:]:
            adopted.release()

    def flush(self, seconds: float) -> bool:
        """Wait until all is delivered that was recorded before; False where time ran out."""
        give_up = time.monotonic() + seconds
        with self._round_done:
            wanted = self._rounds + 2  # a round that is under way may have looked before the record
            while not (self._rounds >= wanted and self._is_empty):
                left = give_up - time.monotonic()
                if left <= 0 or not self.is_alive():
                    return False
                self._wake.set()
                self._round_done.wait(min(left, INTERVAL_SECONDS))
        return True

    def stop(self, seconds: float) -> None:
        """End the thread; a request under way is waited for no longer than this."""
        self._is_stopping = True
        self._wake.set()
        self.join(seconds)

    def forget(self) -> None:
        """Let go of what a fork inherited of its parent's thread, which does not run in it."""
        self._endpoint.abandon()
        for adopted in self._backlogs[1:]:
            adopted.release()

    @property
    def _is_paused(self) -> bool:
        return time.monotonic() < self._pause_until

    def _round(self) -> bool:
        """Sync, tidy up and send one batch of each producer; whether more may be waiting."""
        now = time.monotonic()
        if now >= self._sync_at:
            self._sync_at = now + SYNC_SECONDS
            self._outbox.sync()
        if now >= self._tidy_at:
            self._tidy_at = now + HOUSEKEEPING_SECONDS
            self._outbox.measure()
            self._backlogs.extend(abandoned(self._outbox.root))
        has_more = False
        for backlog in list(self._backlogs):
            if self._is_paused:
                return True
            lines = backlog.next_lines()
            has_more |= bool(lines)
            if lines:
                self._settle(lines, backlog)
            elif backlog is not self._backlogs[0]:
                self._backlogs.remove(backlog)
                backlog.discard()
        return has_more

    def _settle(self, lines: Sequence[Line], backlog: Backlog) -> bool:
        """Send lines; True once each of them is acknowledged or set aside.

        A request that is refused is sent in halves, so that one bad event is found and its
        neighbours arrive.
        """
        answer = self._endpoint.post(logs_request(lines, backlog.producer))
        if answer.verdict is Verdict.LATER:
            self._failed(f"the receiver must answer 200, found {answer.reason}")
            self._pause(answer.retry_after)
            return False
        self._back_off = BACK_OFF_SECONDS
        if answer.verdict is Verdict.REFUSED and len(lines) > 1:
            middle = len(lines) // 2
            return self._settle(lines[:middle], backlog) and self._settle(lines[middle:], backlog)
        if answer.verdict is Verdict.REFUSED:
            backlog.set_aside(lines[0], answer.reason)
            _log.warning("an event was refused and set aside: %s", answer.reason)
        refused = len(lines) if answer.verdict is Verdict.REFUSED else answer.rejected
        self.refused += refused
        self.delivered += len(lines) - refused
        backlog.acknowledge(lines[-1])
        return True

    def _pause(self, retry_after: float) -> None:
        seconds = retry_after or self._back_off
        self._pause_until = time.monotonic() + min(seconds, RETRY_AFTER_SECONDS_MAX)
        self._back_off = min(self._back_off * 2, BACK_OFF_SECONDS_MAX)

    def _failed(self, what: str, *, with_traceback: bool = False) -> None:
        """Count a failure, and say so at the first and then ever more rarely."""
        self.failures += 1
        if self.failures & (self.failures - 1) == 0:
            _log.warning("%s (failure %d)", what, self.failures, exc_info=with_traceback)
